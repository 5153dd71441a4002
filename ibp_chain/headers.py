"""Headers from SCALE bytes, and what a block's own hashes say about it.

Mirrors: `sp_runtime::generic::{Header, DigestItem}`, number u32 compact, hashed with blake2b-256.

Contract: pure.
"""

from typing import NamedTuple

from ibp_chain.blocks import Block, BlockRef, Header
from ibp_chain.errors import DecodeError
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.trie import extrinsics_root
from ibp_chain.types import BlockNumber, Hash

_ENGINE_ID_SIZE = 4
_MAX_BLOCK_NUMBER = 2**32 - 1


class DigestType:
    """`DigestItem`'s variant indices."""

    OTHER = 0
    CONSENSUS = 4
    SEAL = 5
    PRE_RUNTIME = 6
    RUNTIME_ENVIRONMENT_UPDATED = 8


_WITH_ENGINE_ID = (DigestType.CONSENSUS, DigestType.SEAL, DigestType.PRE_RUNTIME)


class Fault(NamedTuple):
    """What is wrong with a block: the field's name, and how it shows."""

    field: str
    detail: str


def decode_header(data: bytes) -> Header:
    """The header that `data` is the whole encoding of. Raises `DecodeError`."""
    parent_hash = _take(data, 0, 32, "parent hash")
    number, offset = decode_compact(data, 32)
    if number > _MAX_BLOCK_NUMBER:
        raise DecodeError(f"header: block number {number} is no u32", 32)
    state_root = _take(data, offset, 32, "state root")
    root = _take(data, offset + 32, 32, "extrinsics root")
    count, offset = decode_compact(data, offset + 64)
    digest = []
    for _ in range(count):  # each item takes a byte at least, so the input bounds the loop
        end = _digest_item_end(data, offset)
        digest.append(data[offset:end])
        offset = end
    if offset != len(data):
        raise DecodeError(f"header: {len(data) - offset} bytes too many", offset)
    header = Header(
        Hash(parent_hash), BlockNumber(number), Hash(state_root), Hash(root), (*digest,)
    )
    # nothing but these bytes encodes this header: every compact integer was in its shortest form
    header.__dict__["encoded"] = data
    return header


def _digest_item_end(data: bytes, offset: int) -> int:
    kind = _take(data, offset, 1, "digest item")[0]
    if kind == DigestType.RUNTIME_ENVIRONMENT_UPDATED:
        return offset + 1
    if kind in _WITH_ENGINE_ID:
        body = offset + 1 + _ENGINE_ID_SIZE
    elif kind == DigestType.OTHER:
        body = offset + 1
    else:
        raise DecodeError(f"header: unknown digest item {kind}", offset)
    size, start = decode_compact(data, body)
    _take(data, start, size, "digest item")
    return start + size


def _take(data: bytes, offset: int, size: int, what: str) -> bytes:
    if offset + size > len(data):
        raise DecodeError(f"header: {what} of {size} bytes, input ends", offset)
    return data[offset : offset + size]


def first_fault(block: Block, previous: BlockRef | None) -> Fault | None:
    """The first of a block's hashes that does not hold, or None.

    Checks the block's hash, the link to `previous` (the last block before it, whose number is
    lower but, where heights were skipped, not always by one) and the extrinsics root. Events are
    not covered: only a read proof binds them to the header.
    """
    header = block.header
    if header.hash != block.hash:
        return Fault(
            "hash", f"the header hashes to 0x{header.hash.hex()}, not 0x{block.hash.hex()}"
        )
    if previous is not None:
        if header.number <= previous.number:
            return Fault("number", f"stands behind block {previous.number}")
        if header.parent_hash != previous.hash:
            return Fault(
                "parent_hash",
                f"0x{header.parent_hash.hex()}, but block {previous.number} is "
                f"0x{previous.hash.hex()}",
            )
    # Runtimes with `system_version` 2 use layout V1; either root commits to the same body.
    roots = (extrinsics_root(block.extrinsics, version) for version in (0, 1))
    if header.extrinsics_root not in roots:
        return Fault(
            "extrinsics",
            f"their root is 0x{extrinsics_root(block.extrinsics).hex()}, the header says "
            f"0x{header.extrinsics_root.hex()}",
        )
    return None
