"""A node that serves the recorded payout's blocks: up to any head, pruned below any height.

Blocks and events are the recording's; open operations are what the ledger makes of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from ibp_chain.blocks import Block
from ibp_chain.source import EVENTS_KEY
from ledger.replay import apply_block
from ledger.state import State
from tests.support import payouts, recording
from tests.support.chain import header_json, hex_
from tests.support.heard import FIRST
from tests.support.rpc_server import RpcFault, http_node

_METHODS = frozenset(
    {
        "chain_getBlockHash",
        "chain_getFinalizedHead",
        "chain_getHeader",
        "chain_getBlock",
        "state_getStorage",
        "state_getKeysPaged",
        "state_getRuntimeVersion",
    }
)


@dataclass
class ReplayedNode:
    """`head` and `pruned` are heights; blocks below `pruned` have no state any more."""

    head: int
    pruned: int = 0
    away: int = 0
    """How often it is too busy to say what is final."""
    final: int | None = None
    """Height of the finalised head, where that is not the head."""

    def __call__(self, method: str, params: list[Any]) -> Any:
        if method not in _METHODS:
            raise RpcFault(-32601, f"Method not found: {method}")
        return getattr(self, method)(*params)

    def _block(self, digest: str) -> Block | None:
        block = _by_hash().get(digest)
        return None if block is None or block.header.number > self.head else block

    def _with_state(self, digest: str) -> Block | None:
        block = self._block(digest)
        if block is not None and block.header.number < self.pruned:
            raise RpcFault(4003, f"State already discarded for {digest}")
        return block

    def chain_getBlockHash(self, height: int | None = None) -> str | None:  # noqa: N802 (JSON-RPC's name)
        if height == 0:
            return hex_(payouts.genesis_hash())
        found = _by_height().get(self.head if height is None else height)
        return None if found is None or found.header.number > self.head else hex_(found.hash)

    def chain_getFinalizedHead(self) -> str:  # noqa: N802 (JSON-RPC's name)
        if self.away:
            self.away -= 1
            raise RpcFault(-32000, "too busy")
        return hex_(_by_height()[self.head if self.final is None else self.final].hash)

    def chain_getHeader(self, digest: str) -> dict[str, Any] | None:  # noqa: N802 (JSON-RPC's name)
        block = self._block(digest)
        return None if block is None else header_json(block.header)

    def chain_getBlock(self, digest: str) -> dict[str, Any] | None:  # noqa: N802 (JSON-RPC's name)
        block = self._block(digest)
        if block is None:
            return None
        extrinsics = [hex_(raw) for raw in block.extrinsics]
        return {"block": {"header": header_json(block.header), "extrinsics": extrinsics}}

    def state_getStorage(self, key: str, digest: str) -> str | None:  # noqa: N802 (JSON-RPC's name)
        block = self._with_state(digest)
        if block is None:
            return None
        if key in (found := _open_operations(block.header.number)):
            return found[key]
        return hex_(block.events) if key == hex_(EVENTS_KEY) else None

    def state_getKeysPaged(  # noqa: N802 (JSON-RPC's name)
        self, prefix: str, _count: int, start: str | None, digest: str
    ) -> list[str]:
        block = self._with_state(digest)
        assert block is not None
        keys = sorted(_open_operations(block.header.number))
        return [key for key in keys if key.startswith(prefix) and (start is None or key > start)]

    def state_getRuntimeVersion(self, digest: str | None = None) -> dict[str, Any]:  # noqa: N802 (JSON-RPC's name)
        if digest is not None:
            self._with_state(digest)
        return {
            "specName": "paseo",
            "specVersion": recording.SPEC_VERSION,
            "transactionVersion": 26,
            "apis": [],
        }


@contextmanager
def served(node: ReplayedNode) -> Iterator[str]:
    """Its URL."""
    _history()  # whoever asks does not wait for seconds of replay
    with http_node(node) as url:
        yield url


@cache
def _by_hash() -> dict[str, Block]:
    return {hex_(block.hash): block for block in recording.blocks()}


@cache
def _by_height() -> dict[int, Block]:
    return {block.header.number: block for block in recording.blocks()}


def _open_operations(height: int) -> dict[str, str]:
    return next(
        (found for at, found in reversed(_history()) if at <= height),
        {},
    )


@cache
def _history() -> tuple[tuple[int, dict[str, str]], ...]:
    """Raw storage of `Multisig.Multisigs` behind each block of the payout."""
    running, found = State(payouts.PASEO), list[tuple[int, dict[str, str]]]()
    for block in recording.blocks():
        apply_block(running, block, recording.runtime())
        if block.header.number >= FIRST:
            items = running.mirrors.multisig.multisigs.raw_items()
            found.append((block.header.number, {hex_(key): hex_(raw) for key, raw in items}))
    return tuple(found)
