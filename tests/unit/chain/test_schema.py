from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.errors import DecodeError
from ibp_chain.scale import schema
from ibp_chain.scale.primitives import decode_compact, encode_compact


class Colour(IntEnum):
    RED = 0
    BLUE = 5


@dataclass(frozen=True)
class Point:
    x: int
    y: int | None


@dataclass(frozen=True)
class Line:
    points: tuple[Point, ...]


POINT = schema.struct(Point, x=schema.u16, y=schema.option(schema.i32))
SHAPE = schema.union(
    schema.Variant(0, Point, POINT),
    schema.Variant(7, Line, schema.struct(Line, points=schema.vec(POINT))),
)
points = st.builds(Point, st.integers(0, 2**16 - 1), st.none() | st.integers(-(2**31), 2**31 - 1))
EVERYTHING = schema.sequence(
    SHAPE, schema.text, schema.compact, schema.enum(Colour), schema.boolean
)
values = st.tuples(
    points | st.builds(Line, st.lists(points, max_size=4).map(tuple)),
    st.text(max_size=6),
    st.integers(0, 2**536 - 1) | st.integers(0, 300),
    st.sampled_from(Colour),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"), (63, "fc"), (64, "0101"), (16_383, "fdff"), (16_384, "02000100"),
        (2**30 - 1, "feffffff"), (2**30, "0300000040"), (2**64 - 1, "13ffffffffffffffff"),
    ],
)  # fmt: skip
def test_compact_integers_have_the_scale_references_bytes(value: int, encoded: str) -> None:
    assert encode_compact(value).hex() == encoded
    assert decode_compact(bytes.fromhex(encoded)) == (value, len(encoded) // 2)


@pytest.mark.parametrize(
    "encoded", ["0100", "02000000", "0300000000", "0700000040" + "00", "01", "03ff", ""]
)
def test_compact_integers_that_are_longer_than_needed_or_cut_short_are_refused(
    encoded: str,
) -> None:
    with pytest.raises(DecodeError):
        decode_compact(bytes.fromhex(encoded))


@given(values)
def test_values_come_back_from_their_bytes(value: Any) -> None:
    assert EVERYTHING.decode(EVERYTHING.encode(value)) == value


@given(values, st.data())
def test_shortened_bytes_are_refused(value: Any, data: st.DataObject) -> None:
    encoded = EVERYTHING.encode(value)
    with pytest.raises(DecodeError):
        EVERYTHING.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@given(st.binary(max_size=60))
def test_arbitrary_bytes_decode_canonically_or_not_at_all(data: bytes) -> None:
    try:
        value = EVERYTHING.decode(data)
    except DecodeError:
        return
    assert EVERYTHING.encode(value) == data


def test_a_count_beyond_the_input_asks_for_no_memory() -> None:
    with pytest.raises(DecodeError, match="elements announced"):
        schema.vec(schema.u8).decode(encode_compact(2**60) + b"x")


def test_integers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit in 2 bytes"):
        schema.u16.encode(2**16)
    with pytest.raises(ValueError, match="no compact encoding"):
        schema.compact.encode(-1)
