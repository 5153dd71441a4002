"""A small chain made by hand, with true hashes and roots, and a node that serves it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ibp_chain.blocks import Block, Header
from ibp_chain.trie import extrinsics_root
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from tests.support.rpc_server import RpcFault

GENESIS = Header(Hash(bytes(32)), BlockNumber(0), Hash(b"g" * 32), extrinsics_root([]), ())
SPEC = SpecVersion(7)


def chain(
    heights: Sequence[int], *, parent: Hash = GENESIS.hash, salt: bytes = b"a"
) -> list[Block]:
    """Blocks at `heights`, linked; `salt` makes another fork of the same heights."""
    blocks = []
    for height in heights:
        extrinsics = (b"\x10" + salt + height.to_bytes(3, "little"), b"\x04" + salt)
        header = Header(
            parent, BlockNumber(height), Hash(b"s" * 32), extrinsics_root(extrinsics), (b"\x08",)
        )
        blocks.append(Block(header.hash, header, extrinsics, b"\x04" + salt, SPEC))
        parent = header.hash
    return blocks


def hex_(raw: bytes) -> str:
    return "0x" + raw.hex()


def header_json(header: Header) -> dict[str, Any]:
    return {
        "parentHash": hex_(header.parent_hash),
        "number": hex(header.number),
        "stateRoot": hex_(header.state_root),
        "extrinsicsRoot": hex_(header.extrinsics_root),
        "digest": {"logs": [hex_(item) for item in header.digest]},
    }


@dataclass
class ScriptedNode:
    """Answers as a node of `blocks` would; `lies` overrides one method's answers by a function."""

    blocks: list[Block]
    finalised: int = -1
    """Index of the finalised head."""
    lies: dict[str, Any] = field(default_factory=dict)
    versions: dict[Hash, int] = field(default_factory=dict)
    """Spec version in a block's post-state, where it is not `SPEC`."""

    def __call__(self, method: str, params: list[Any]) -> Any:
        answer = getattr(self, method, None)
        if answer is None:
            raise RpcFault(-32601, f"Method not found: {method}")
        truth = answer(*params)
        lie = self.lies.get(method)
        return truth if lie is None else lie(truth, *params)

    def _find(self, digest: str) -> Block | None:
        return next((block for block in self.blocks if hex_(block.hash) == digest), None)

    def chain_getBlockHash(self, height: int | None = None) -> str | None:  # noqa: N802 (JSON-RPC's name)
        if height is None:
            return hex_(self.blocks[-1].hash)
        if height == 0:
            return hex_(GENESIS.hash)
        found = (block for block in self.blocks if block.header.number == height)
        return next((hex_(block.hash) for block in found), None)

    def chain_getFinalizedHead(self) -> str:  # noqa: N802 (JSON-RPC's name)
        return hex_(self.blocks[self.finalised].hash)

    def chain_getHeader(self, digest: str) -> dict[str, Any] | None:  # noqa: N802 (JSON-RPC's name)
        block = self._find(digest)
        return None if block is None else header_json(block.header)

    def chain_getBlock(self, digest: str) -> dict[str, Any] | None:  # noqa: N802 (JSON-RPC's name)
        block = self._find(digest)
        if block is None:
            return None
        extrinsics = [hex_(raw) for raw in block.extrinsics]
        return {"block": {"header": header_json(block.header), "extrinsics": extrinsics}}

    def state_getStorage(self, _key: str, digest: str) -> str | None:  # noqa: N802 (JSON-RPC's name)
        block = self._find(digest)
        return None if block is None else hex_(block.events)

    def state_getRuntimeVersion(self, digest: str) -> dict[str, Any]:  # noqa: N802 (JSON-RPC's name)
        version = self.versions.get(Hash(bytes.fromhex(digest[2:])), SPEC)
        return {"specName": "test", "specVersion": version, "transactionVersion": 1}
