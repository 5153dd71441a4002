"""The SCALE pieces that the rows of this room share. `docs/scores.md` has them byte by byte."""

import struct
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeVar

from ibp_chain.errors import DecodeError
from ibp_chain.scale import schema
from ibp_chain.scale.primitives import decode_compact, encode_compact
from ibp_chain.scale.schema import Schema
from ibp_chain.types import Micros

T = TypeVar("T")

SLOTS = 288
SLOT_SECONDS = 300
MAX_MICROS = 2**32 - 1
RESPONSIVE = (0, 2)
"""The codes of OK and SLOW, in samples and verdicts alike: the slots that have a response time."""
_EPOCH = date(1970, 1, 1).toordinal()


def _encode_day(value: date) -> bytes:
    return schema.u32.encode(value.toordinal() - _EPOCH)


def _decode_day(data: bytes, offset: int) -> tuple[date, int]:
    number, end = schema.u32.decode_at(data, offset)
    try:
        return date.fromordinal(_EPOCH + number), end
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"{number} days from 1970 are no date", offset) from error


def _encode_times(values: Sequence[Micros]) -> bytes:
    return encode_compact(len(values)) + struct.pack(f"<{len(values)}I", *values)


def _decode_times(data: bytes, offset: int) -> tuple[tuple[Micros, ...], int]:
    count, start = decode_compact(data, offset)
    end = start + 4 * count
    if end > len(data):
        raise DecodeError(f"{count} response times announced, the input ends", offset)
    return struct.unpack_from(f"<{count}I", data, start), end


day: Schema[date] = Schema(_encode_day, _decode_day)
"""`u32`: days since 1970-01-01."""
codes = schema.fixed(SLOTS)
"""`[u8; 288]`: one code per slot."""
times: Schema[tuple[Micros, ...]] = Schema(_encode_times, _decode_times)
"""`Vec<u32>`: the response times of the responsive slots, in slot order."""


def row(make: Callable[..., T], **fields: Schema[Any]) -> Schema[T]:
    """A struct whose constructor refuses impossible rows with `ValueError`."""
    plain = schema.struct(make, **fields)

    def decode_at(data: bytes, offset: int) -> tuple[T, int]:
        try:
            return plain.decode_at(data, offset)
        except ValueError as error:
            raise DecodeError(str(error), offset) from error

    return Schema(plain.encode, decode_at)


def check_series(series: bytes, values: Sequence[int], known: bytes) -> None:
    """Raises `ValueError` unless there is one code of `known` per slot and one time per answer."""
    if len(series) != SLOTS:
        raise ValueError(f"{len(series)} slots; a day has {SLOTS}")
    if stray := series.translate(None, known):
        raise ValueError(f"{stray[0]} is no code of a slot")
    answers = sum(series.count(code) for code in RESPONSIVE)
    if len(values) != answers:
        raise ValueError(f"{len(values)} response times for {answers} answered slots")
    if values and not 0 <= min(values) <= max(values) <= MAX_MICROS:
        raise ValueError("a response time is outside 0 to 2**32 - 1 microseconds")


def spread(series: bytes, values: Sequence[Micros]) -> list[Micros | None]:
    """One entry per slot: its response time, or None where there was no answer."""
    remaining = iter(values)
    return [next(remaining) if code in RESPONSIVE else None for code in series]
