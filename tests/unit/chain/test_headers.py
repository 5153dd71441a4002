"""Headers byte by byte, and the faults that a block's own hashes show."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.blocks import Block, BlockRef, Header
from ibp_chain.errors import DecodeError
from ibp_chain.headers import decode_header, first_fault
from ibp_chain.trie import extrinsics_root
from ibp_chain.types import BlockNumber, Hash, SpecVersion

EXTRINSICS = (b"\x08\x04\x00", b"\x0c\x04\x01\x02")
DIGEST = (b"\x06BABE\x08\x01\x02", b"\x05BABE\x00", b"\x00\x04x", b"\x08", b"\x04RPSR\x04z")


def _header(number: int = 7, parent: bytes = b"p" * 32) -> Header:
    return Header(
        parent_hash=Hash(parent),
        number=BlockNumber(number),
        state_root=Hash(b"s" * 32),
        extrinsics_root=extrinsics_root(EXTRINSICS),
        digest=DIGEST,
    )


def _block(header: Header) -> Block:
    return Block(header.hash, header, EXTRINSICS, b"\0", SpecVersion(1))


PREVIOUS = BlockRef(BlockNumber(6), Hash(b"p" * 32))


@pytest.mark.parametrize("number", [0, 1, 63, 64, 16_384, 2**30, 2**32 - 1])
def test_a_header_survives_its_encoding(number: int) -> None:
    header = _header(number)
    assert decode_header(header.encoded) == header


def test_every_truncated_header_is_refused() -> None:
    encoded = _header().encoded
    for size in range(len(encoded)):
        with pytest.raises(DecodeError):
            decode_header(encoded[:size])


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(DecodeError, match="too many"):
        decode_header(_header().encoded + b"\0")


def test_a_number_beyond_u32_is_refused() -> None:
    encoded = _header(2**30).encoded
    wide = encoded[:32] + b"\x07" + (2**32).to_bytes(5, "little") + encoded[37:]
    with pytest.raises(DecodeError, match="no u32"):
        decode_header(wide)


def test_an_unknown_digest_item_is_refused() -> None:
    header = replace(_header(), digest=(b"\x07",))
    with pytest.raises(DecodeError, match="unknown digest item 7"):
        decode_header(header.encoded)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_a_decode_error_or_a_header_that_says_the_same(data: bytes) -> None:
    try:
        header = decode_header(data)
    except DecodeError:
        return
    assert header.encoded == data


def test_a_sound_block_has_no_fault() -> None:
    block = _block(_header())
    assert first_fault(block, None) is None
    assert first_fault(block, PREVIOUS) is None


def test_heights_may_be_skipped_where_the_parent_links() -> None:
    assert first_fault(_block(_header()), BlockRef(BlockNumber(3), PREVIOUS.hash)) is None


@pytest.mark.parametrize(
    ("block", "field"),
    [
        (replace(_block(_header()), hash=Hash(b"h" * 32)), "hash"),
        (_block(_header(parent=b"q" * 32)), "parent_hash"),
        (_block(_header(number=6)), "number"),
        (replace(_block(_header()), extrinsics=EXTRINSICS[:1]), "extrinsics"),
        (replace(_block(_header()), extrinsics=EXTRINSICS[::-1]), "extrinsics"),
        (replace(_block(_header()), extrinsics=(*EXTRINSICS, EXTRINSICS[0])), "extrinsics"),
    ],
    ids=["hash", "parent", "number", "dropped", "reordered", "replayed"],
)
def test_a_fault_names_its_field(block: Block, field: str) -> None:
    fault = first_fault(block, PREVIOUS)
    assert fault is not None
    assert fault.field == field
