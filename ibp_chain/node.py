"""What a node says, typed: hashes, headers, storage, proofs, runtime versions and metadata.

Each reply is checked for shape, hex and size before anybody sees it; every failure is a
`SourceError` that names the node. Whether a reply is true is for `ibp_chain.source` to check.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

from ibp_chain.blocks import Header
from ibp_chain.errors import DecodeError, SourceError
from ibp_chain.networks import network_of_spec
from ibp_chain.rpc import Request, RpcClient, RpcRefusal, hex_bytes
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.types import BlockNumber, Hash, SpecVersion

METADATA_VERSIONS = (16, 15, 14)
"""That we read, best first."""
_METADATA_API = "0x37e397fc7c91f5e4"
_KEYS_PER_PAGE = 1_000
_HEX_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,8}")
_STATE_IS_GONE = re.compile(r"discarded|pruned|unknown block|missing trie", re.IGNORECASE)


class Untrue(SourceError):
    """What a node sent does not hold up: a hash, a link or a root is another."""


class Missing(SourceError):
    """A node does not know a block that others may know already."""


class Pruned(SourceError):
    """A node has forgotten what an archive node keeps."""


class ChainInfo(NamedTuple):
    """What a chain specification says of its chain."""

    name: str
    ss58_prefix: int
    token_symbol: str
    token_decimals: int


class Node:
    """One node's answers. A block hash `at` always means that block's post-state."""

    def __init__(self, client: RpcClient) -> None:
        self.client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.client.close()

    def chain(self) -> ChainInfo:
        """What the node says of its chain; gaps in it are filled from `ibp_chain.networks`."""
        name, properties, version = self.client.batch(
            [
                Request("system_chain"),
                Request("system_properties"),
                Request("state_getRuntimeVersion"),
            ]
        )
        given = properties if isinstance(properties, dict) else {}
        spec_name = version.get("specName") if isinstance(version, dict) else None
        values = []
        for key, field in (
            ("ss58Format", "ss58_prefix"),
            ("tokenSymbol", "symbol"),
            ("tokenDecimals", "decimals"),
        ):
            value = given.get(key)
            if isinstance(value, list):  # several tokens, the native one first
                value = next(iter(value), None)
            if value is None:
                value = getattr(network_of_spec(str(spec_name)), field)
            values.append(value)
        match name, *values:
            case str(name), int(prefix), str(symbol), int(decimals):
                return ChainInfo(name, prefix, symbol, decimals)
            case _:
                raise self.wrong("describes its chain in an unknown way")

    def finalised_hash(self) -> Hash:
        return self.hash(self.client.call("chain_getFinalizedHead"), "finalised head")

    def best_hash(self) -> Hash:
        """Of the best block, final or not."""
        return self.hash(self.client.call("chain_getBlockHash"), "best block")

    def hashes(self, heights: Iterable[int]) -> list[Hash | None]:
        """The hash at each height of the node's best chain, None where it has no block."""
        replies = self.client.batch([Request("chain_getBlockHash", (n,)) for n in heights])
        return [None if text is None else self.hash(text, "block hash") for text in replies]

    def header(self, block: Hash) -> Header:
        """The header of `block`, which it hashes to."""
        reply = self.client.call("chain_getHeader", to_hex(block))
        if reply is None:
            raise Missing(f"{self.client.url} has no block 0x{block.hex()}")
        header = self.read_header(reply)
        if header.hash != block:
            raise self.untrue(
                f"sent a header for 0x{block.hex()} that hashes to 0x{header.hash.hex()}"
            )
        return header

    def storage(self, keys: Sequence[bytes], at: Hash) -> list[bytes | None]:
        """The values under `keys`, None where there is none."""
        values = self.ask_state(
            [Request("state_getStorage", (to_hex(key), to_hex(at))) for key in keys]
        )
        return [None if value is None else self.bytes(value, "storage") for value in values]

    def keys(self, prefix: bytes, at: Hash) -> Iterator[bytes]:
        """The storage keys that start with `prefix`, ascending, read page by page."""
        last: bytes | None = None
        while True:
            start = None if last is None else to_hex(last)
            params = (to_hex(prefix), _KEYS_PER_PAGE, start, to_hex(at))
            (page,) = self.ask_state([Request("state_getKeysPaged", params)])
            if not isinstance(page, list):
                raise self.wrong("sent no list of storage keys")
            if not page:
                return
            for text in page:
                key = self.bytes(text, "storage key")
                if not key.startswith(prefix) or (last is not None and key <= last):
                    raise self.wrong(f"sent storage key 0x{key.hex()} out of order")
                yield key
                last = key

    def read_proof(self, keys: Sequence[bytes], at: Hash) -> tuple[bytes, ...]:
        """Trie nodes that prove `keys` against the state root of block `at`; maybe some more."""
        return self.read_proofs(keys, [at])[0]

    def read_proofs(self, keys: Sequence[bytes], at: Sequence[Hash]) -> list[tuple[bytes, ...]]:
        """`read_proof` for many blocks at once."""
        texts = [to_hex(key) for key in keys]
        replies = self.ask_state(
            [Request("state_getReadProof", (texts, to_hex(block))) for block in at]
        )
        proofs = []
        for reply in replies:
            nodes = reply.get("proof") if isinstance(reply, dict) else None
            if not isinstance(nodes, list):
                raise self.wrong("sent no read proof")
            proofs.append(tuple(self.bytes(node, "read proof") for node in nodes))
        return proofs

    def call(self, method: str, data: bytes, at: Hash) -> bytes:
        """What the runtime API `method` returns for its SCALE arguments `data`."""
        (text,) = self.ask_state([Request("state_call", (method, to_hex(data), to_hex(at)))])
        return self.bytes(text, method)

    def metadata_at(self, at: Hash) -> bytes:
        """The metadata of the runtime at `at`, the newest version up to 16 that it offers."""
        (version,) = self.ask_state([Request("state_getRuntimeVersion", (to_hex(at),))])
        match version:
            case {"apis": list(apis)}:
                pass
            case _:
                raise self.wrong("sent a runtime version without its APIs")
        if any(_offers_versions(api) for api in apis):
            raw = self._newest_metadata(at)
        else:
            raw = self.metadata_v14_at(at)
        if not raw.startswith(b"meta"):
            raise self.wrong("sent metadata that does not begin with 'meta'")
        return raw

    def metadata_v14_at(self, at: Hash) -> bytes:
        """The same in the version that `state_getMetadata` answers with."""
        (text,) = self.ask_state([Request("state_getMetadata", (to_hex(at),))])
        return self.bytes(text, "metadata")

    def _newest_metadata(self, at: Hash) -> bytes:
        offered = _decode_u32s(self.call("Metadata_metadata_versions", b"", at))
        for version in METADATA_VERSIONS:
            if version not in offered:
                continue
            option = self.call("Metadata_metadata_at_version", version.to_bytes(4, "little"), at)
            if option[:1] != b"\1":
                raise self.wrong(f"offers metadata V{version}, but does not have it")
            try:
                size, start = decode_compact(option, 1)
            except DecodeError as error:
                raise self.wrong(f"sent malformed metadata: {error}") from error
            if start + size != len(option):
                raise self.wrong("sent metadata of another length than it says")
            return option[start:]
        raise self.wrong(f"offers metadata {sorted(offered)}; we read {METADATA_VERSIONS}")

    def spec_version(self, reply: Any) -> SpecVersion:
        """Out of a reply to `state_getRuntimeVersion`."""
        number = reply.get("specVersion") if isinstance(reply, dict) else None
        if type(number) is not int or not 0 <= number < 2**32:
            raise self.wrong("sent a runtime version without a spec version")
        return SpecVersion(number)

    def read_header(self, reply: Any) -> Header:
        """A header out of its JSON."""
        match reply:
            case {
                "parentHash": parent_hash,
                "number": str(number),
                "stateRoot": state_root,
                "extrinsicsRoot": extrinsics_root,
                "digest": {"logs": list(logs)},
            } if _HEX_NUMBER.fullmatch(number):
                return Header(
                    self.hash(parent_hash, "parent hash"),
                    BlockNumber(int(number, 16)),
                    self.hash(state_root, "state root"),
                    self.hash(extrinsics_root, "extrinsics root"),
                    tuple(self.bytes(item, "digest item") for item in logs),
                )
            case _:
                raise self.wrong("sent a malformed header")

    def ask_state(self, requests: Sequence[Request]) -> list[Any]:
        """As `client.batch`; a refusal because the state is gone says what to do about it."""
        try:
            return self.client.batch(requests)
        except RpcRefusal as refusal:
            if _STATE_IS_GONE.search(refusal.message):
                raise Pruned(
                    f"{refusal}; this node no longer has the state: use an archive node "
                    "(--state-pruning archive)"
                ) from refusal
            raise

    def bytes(self, value: Any, what: str) -> bytes:
        return hex_bytes(value, f"{self.client.url}: {what}")

    def hash(self, value: Any, what: str) -> Hash:
        return Hash(hex_bytes(value, f"{self.client.url}: {what}", 32))

    def wrong(self, what: str) -> SourceError:
        return SourceError(f"{self.client.url} {what}")

    def untrue(self, what: str) -> Untrue:
        return Untrue(f"{self.client.url} {what}")


def to_hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _offers_versions(api: Any) -> bool:
    match api:
        case [str(identity), int(version)]:
            return identity == _METADATA_API and version >= 2
        case _:
            return False


def _decode_u32s(raw: bytes) -> set[int]:
    """A `Vec<u32>`. What is malformed offers nothing."""
    return {int.from_bytes(raw[at : at + 4], "little") for at in range(1, len(raw), 4)}
