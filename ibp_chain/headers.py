"""Headers from SCALE bytes, and what a block's own hashes say about it.

Mirrors: `sp_runtime::generic::{Header, DigestItem}`, number u32 compact, hashed with blake2b-256.

Contract: pure.
"""

from typing import NamedTuple

from ibp_chain.blocks import Block, BlockRef, Header, blake2_256
from ibp_chain.errors import DecodeError
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.trie import extrinsics_root

_MAX_BLOCK_NUMBER = 2**32 - 1
_SHORTEST = 32 + 1 + 32 + 32 + 1
"""Bytes of a header: parent hash, number, state root, extrinsics root, an empty digest."""


class DigestType:
    """`DigestItem`'s variant indices."""

    OTHER = 0
    CONSENSUS = 4
    SEAL = 5
    PRE_RUNTIME = 6
    RUNTIME_ENVIRONMENT_UPDATED = 8


_BODY_AT = {
    DigestType.OTHER: 1,
    DigestType.CONSENSUS: 5,
    DigestType.SEAL: 5,
    DigestType.PRE_RUNTIME: 5,
}
"""Where in an item its bytes begin: behind its variant, or that and an engine's id."""


class Fault(NamedTuple):
    """What is wrong with a block: the field's name, and how it shows."""

    field: str
    detail: str


def decode_header(data: bytes) -> Header:
    """The header that `data` is the whole encoding of. Raises `DecodeError`."""
    if len(data) < _SHORTEST:
        raise DecodeError(f"header: {_SHORTEST} bytes at least, input ends", len(data))
    number, root_at = decode_compact(data, 32)
    if number > _MAX_BLOCK_NUMBER:
        raise DecodeError(f"header: block number {number} is no u32", 32)
    count, offset = decode_compact(data, root_at + 64)
    digest = []
    for _ in range(count):  # each item takes a byte at least, so the input bounds the loop
        end = _digest_item_end(data, offset)
        digest.append(data[offset:end])
        offset = end
    if offset != len(data):
        raise DecodeError(f"header: {len(data) - offset} bytes too many", offset)
    # as Header(…), which would set its frozen fields one by one
    header = object.__new__(Header)
    header.__dict__.update(
        parent_hash=data[:32],
        number=number,
        state_root=data[root_at : root_at + 32],
        extrinsics_root=data[root_at + 32 : root_at + 64],
        digest=(*digest,),
        # nothing but these bytes encodes it: every compact integer was in its shortest form
        encoded=data,
    )
    return header


def _digest_item_end(data: bytes, offset: int) -> int:
    if offset >= len(data):
        raise DecodeError("header: digest item expected, input ends", offset)
    kind = data[offset]
    if kind == DigestType.RUNTIME_ENVIRONMENT_UPDATED:
        return offset + 1
    if kind not in _BODY_AT:
        raise DecodeError(f"header: unknown digest item {kind}", offset)
    size, start = decode_compact(data, offset + _BODY_AT[kind])
    if start + size > len(data):
        raise DecodeError(f"header: digest item of {size} bytes, input ends", start)
    return start + size


def first_fault(block: Block, previous: BlockRef | None) -> Fault | None:
    """The first of a block's hashes that does not hold, or None.

    Checks the block's hash, the link to `previous` (the last block before it, whose number is
    lower but, where heights were skipped, not always by one) and the extrinsics root. Events are
    not covered: only a read proof binds them to the header.
    """
    header = block.header
    digest = blake2_256(header.encoded)  # not `header.hash`: keeping it takes longer
    if digest != block.hash:
        return Fault("hash", f"the header hashes to 0x{digest.hex()}, not 0x{block.hash.hex()}")
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
    root, said = extrinsics_root(block.extrinsics), header.extrinsics_root
    if said != root and said != extrinsics_root(block.extrinsics, 1):
        return Fault(
            "extrinsics",
            f"their root is 0x{root.hex()}, the header says 0x{said.hex()}",
        )
    return None
