"""SCALE for types that we define or mirror ourselves, written by hand where no registry says it.

A `Schema[T]` encodes values of `T` and decodes them back, every length checked. Combinators build
larger ones: `vec(u32)`, `option(account)`, `struct(PriorLock, until=u32, amount=u128)`.
Decoding raises `DecodeError` with the offset; encoding raises `ValueError` for a value out of
range, which is a defect of the caller and never of the input.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Generic, NamedTuple, TypeVar

from ibp_chain.errors import DecodeError
from ibp_chain.scale.primitives import decode_compact, encode_compact
from ibp_chain.types import AccountId, Hash

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)


class Schema(Generic[T]):
    """How `T` is laid out in SCALE."""

    __slots__ = ("decode_at", "encode")

    def __init__(
        self, encode: Callable[[T], bytes], decode_at: Callable[[bytes, int], tuple[T, int]]
    ) -> None:
        self.encode = encode
        self.decode_at = decode_at

    def decode(self, data: bytes) -> T:
        """The value that `data` is the whole encoding of."""
        value, end = self.decode_at(data, 0)
        if end != len(data):
            raise DecodeError(f"{len(data) - end} bytes too many", end)
        return value


def _take(data: bytes, offset: int, size: int) -> tuple[bytes, int]:
    end = offset + size
    if end > len(data):
        raise DecodeError(f"{size} bytes expected, {len(data) - offset} left", offset)
    return data[offset:end], end


def _integer(size: int, *, signed: bool = False) -> Schema[int]:
    def encode(value: int) -> bytes:
        try:
            return value.to_bytes(size, "little", signed=signed)
        except OverflowError as error:
            raise ValueError(f"{value} does not fit in {size} bytes") from error

    def decode_at(data: bytes, offset: int) -> tuple[int, int]:
        raw, end = _take(data, offset, size)
        return int.from_bytes(raw, "little", signed=signed), end

    return Schema(encode, decode_at)


u8, u16, u32, u64, u128 = (_integer(size) for size in (1, 2, 4, 8, 16))
i32, i64 = _integer(4, signed=True), _integer(8, signed=True)
compact: Schema[int] = Schema(encode_compact, decode_compact)


def fixed(size: int) -> Schema[bytes]:
    """`[u8; size]`."""

    def encode(value: bytes) -> bytes:
        if len(value) != size:
            raise ValueError(f"{size} bytes expected, not {len(value)}")
        return bytes(value)

    return Schema(encode, lambda data, offset: _take(data, offset, size))


account: Schema[AccountId] = fixed(32)  # type: ignore[assignment]  # a NewType of bytes
hash256: Schema[Hash] = fixed(32)  # type: ignore[assignment]  # a NewType of bytes


def _decode_bytes(data: bytes, offset: int) -> tuple[bytes, int]:
    size, start = decode_compact(data, offset)
    return _take(data, start, size)


octets: Schema[bytes] = Schema(lambda value: encode_compact(len(value)) + value, _decode_bytes)
"""`Vec<u8>`."""


def _decode_text(data: bytes, offset: int) -> tuple[str, int]:
    raw, end = _decode_bytes(data, offset)
    try:
        return raw.decode(), end
    except UnicodeDecodeError as error:
        raise DecodeError("text is no UTF-8", offset) from error


text: Schema[str] = Schema(lambda value: octets.encode(value.encode()), _decode_text)


def _decode_boolean(data: bytes, offset: int) -> tuple[bool, int]:
    raw, end = _take(data, offset, 1)
    if raw[0] > 1:
        raise DecodeError(f"{raw[0]:#04x} is no bool", offset)
    return raw[0] == 1, end


boolean: Schema[bool] = Schema(lambda value: b"\1" if value else b"\0", _decode_boolean)


def enum(kind: type[E]) -> Schema[E]:
    """An enum without fields, whose members are the variant indices."""

    def decode_at(data: bytes, offset: int) -> tuple[E, int]:
        raw, end = _take(data, offset, 1)
        try:
            return kind(raw[0]), end
        except ValueError as error:
            raise DecodeError(f"{kind.__name__} has no variant {raw[0]}", offset) from error

    return Schema(lambda value: bytes((value,)), decode_at)


def option(inner: Schema[T]) -> Schema[T | None]:
    """`Option<T>`."""

    def encode(value: T | None) -> bytes:
        return b"\0" if value is None else b"\1" + inner.encode(value)

    def decode_at(data: bytes, offset: int) -> tuple[T | None, int]:
        some, start = _decode_boolean(data, offset)
        return inner.decode_at(data, start) if some else (None, start)

    return Schema(encode, decode_at)


def vec(inner: Schema[T]) -> Schema[tuple[T, ...]]:
    """`Vec<T>`, as an immutable tuple."""

    def encode(values: Sequence[T]) -> bytes:
        return encode_compact(len(values)) + b"".join(map(inner.encode, values))

    def decode_at(data: bytes, offset: int) -> tuple[tuple[T, ...], int]:
        count, end = decode_compact(data, offset)
        # an element takes at least a byte: no count can ask for more memory than there is input
        if count > len(data) - end:
            raise DecodeError(f"{count} elements announced, {len(data) - end} bytes left", offset)
        values = []
        for _ in range(count):
            value, end = inner.decode_at(data, end)
            values.append(value)
        return tuple(values), end

    return Schema(encode, decode_at)


def sequence(*inner: Schema[Any]) -> Schema[Any]:
    """A tuple of differently typed elements."""

    def encode(values: tuple[Any, ...]) -> bytes:
        return b"".join(s.encode(v) for s, v in zip(inner, values, strict=True))

    def decode_at(data: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
        values = []
        for schema in inner:
            value, offset = schema.decode_at(data, offset)
            values.append(value)
        return tuple(values), offset

    return Schema(encode, decode_at)


def struct(make: Callable[..., T], **fields: Schema[Any]) -> Schema[T]:
    """A struct whose attributes are `fields`, in this order; `make` takes them by name."""

    def encode(value: T) -> bytes:
        return b"".join(schema.encode(getattr(value, name)) for name, schema in fields.items())

    def decode_at(data: bytes, offset: int) -> tuple[T, int]:
        values = {}
        for name, schema in fields.items():
            values[name], offset = schema.decode_at(data, offset)
        return make(**values), offset

    return Schema(encode, decode_at)


class Variant(NamedTuple):
    """One variant of `union`: its discriminant, the Python type for it, and its layout."""

    discriminant: int
    type: type[Any]
    schema: Schema[Any]


def union(*variants: Variant) -> Schema[Any]:
    """An enum with fields; the value's exact type chooses the variant."""
    by_type: Mapping[type[Any], Variant] = {variant.type: variant for variant in variants}
    by_index: Mapping[int, Variant] = {variant.discriminant: variant for variant in variants}

    def encode(value: Any) -> bytes:
        variant = by_type[type(value)]
        return bytes((variant.discriminant,)) + variant.schema.encode(value)

    def decode_at(data: bytes, offset: int) -> tuple[Any, int]:
        raw, start = _take(data, offset, 1)
        if raw[0] not in by_index:
            names = "/".join(variant.type.__name__ for variant in variants)
            raise DecodeError(f"{names} has no variant {raw[0]}", offset)
        return by_index[raw[0]].schema.decode_at(data, start)

    return Schema(encode, decode_at)
