"""Encoders from a registry: one closure for each type, made when first needed.

Takes the shapes of `ibp_chain.scale.values`, exactly: a missing or superfluous field, an unknown
variant or an integer out of range raises `InputError`, for values come from people too. One
shorthand: of any enum, a variant without fields may be given by its bare name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ibp_chain.errors import InputError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.layout import INTEGERS, Layout
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.scale.values import Call

Encoder: TypeAlias = Callable[[Any], bytes]


class Encoders:
    """The encoders of one registry."""

    def __init__(self, metadata: md.Metadata, layout: Layout) -> None:
        self.types, self.call_type = metadata.types, metadata.extrinsic.call
        self._layout = layout
        self._made: dict[md.TypeId, Encoder] = {}

    def of(self, type_id: md.TypeId) -> Encoder:
        """The encoder of a type; while it is being made, one that looks it up later."""
        if type_id not in self._made:
            self._made[type_id] = self._later(type_id)
            self._made[type_id] = self._make(type_id)
        return self._made[type_id]

    def _later(self, type_id: md.TypeId) -> Encoder:
        def encode(value: Any) -> bytes:
            return self._made[type_id](value)

        return encode

    def fields(self, fields: Sequence[md.Field]) -> Encoder:
        """Of a struct, or of what a variant carries."""
        encoders = [self.of(field.type) for field in fields]
        names = [field.name for field in fields if field.name is not None]
        return _struct(names, encoders) if names else _tuple(encoders)

    def _make(self, type_id: md.TypeId) -> Encoder:
        found = self.types[type_id]
        if type_id == self.call_type:
            return _call
        match found.definition:
            case md.Primitive(name):
                return _primitive(name)
            case md.Compact(inner):
                return _compact(self._layout.compact_bits(inner))
            case md.Composite(fields):
                return self.fields(fields)
            case md.Tuple(items):
                return _tuple([self.of(item) for item in items])
            case md.Array(length, item):
                return (
                    _octets(length) if self._layout.is_u8(item) else _array(length, self.of(item))
                )
            case md.Sequence(item):
                return _vec_u8 if self._layout.is_u8(item) else _sequence(self.of(item))
            case md.BitSequence():
                return self._bits(type_id)
            case md.Variants(variants):
                some = self._layout.some_type(type_id)
                if some is not None:
                    return self._option(some)
                return self._enum("::".join(found.path), variants)

    def _option(self, some: md.TypeId) -> Encoder:
        encode, nested = self.of(some), self._layout.may_be_none(some)

        def option(value: Any) -> bytes:
            if value is None:
                return b"\0"
            return b"\1" + encode(_some(value) if nested else value)

        return option

    def _bits(self, type_id: md.TypeId) -> Encoder:
        def bits(value: Any) -> bytes:
            count, raw = _pair(value)
            size = self._layout.bits_size(type_id, _integer(count, 32))
            if len(octets := _bytes(raw)) != size:
                raise InputError(f"{count} bits are {size} bytes, not {len(octets)}")
            return encode_compact(count) + octets

        return bits

    def _enum(self, path: str, variants: Sequence[md.Variant]) -> Encoder:
        table = {v.name: (bytes((v.index,)), self.fields(v.fields)) for v in variants}
        bare = {v.name for v in variants if not v.fields}

        def enum(value: Any) -> bytes:
            name, payload = (value, ()) if isinstance(value, str) else _pair(value)
            if not isinstance(name, str) or name not in table:
                raise InputError(f"{path} has no variant {name!r}")
            if value is name and name not in bare:
                raise InputError(f"{path}.{name} has fields, and none are given")
            index, encode = table[name]
            return index + encode(payload)

        return enum


# --- Shapes ---------------------------------------------------------------------------


def _call(value: Any) -> bytes:
    if not isinstance(value, Call):
        raise InputError(f"a call is expected, not {value!r}")
    return value.data


def _pair(value: Any) -> tuple[Any, Any]:
    if isinstance(value, tuple) and len(value) == 2:
        return value
    raise InputError(f"a variant is written (name, payload), not {value!r}")


def _some(value: Any) -> Any:
    name, payload = _pair(value)
    if name != "Some":
        raise InputError(f"a value that may be None is written ('Some', value), not {value!r}")
    return payload


def _integer(value: Any, bits: int, *, signed: bool = False) -> int:
    least, end = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    # a bool is an int to Python, and never meant as one here
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < end:
        raise InputError(f"{value!r} is no {'i' if signed else 'u'}{bits}")
    return value


def _compact(bits: int) -> Encoder:
    return lambda value: encode_compact(_integer(value, bits))


def _primitive(name: md.PrimitiveName) -> Encoder:
    match name:
        case "bool":
            return _bool
        case "str":
            return _str
        case "char":
            return _char
    size, signed = INTEGERS[name]
    return lambda value: _integer(value, size * 8, signed=signed).to_bytes(
        size, "little", signed=signed
    )


def _bool(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise InputError(f"{value!r} is no bool")
    return b"\1" if value else b"\0"


def _str(value: Any) -> bytes:
    if not isinstance(value, str):
        raise InputError(f"{value!r} is no text")
    try:
        return _vec_u8(value.encode())
    except UnicodeEncodeError as error:
        raise InputError(f"{value!r} is no text: {error.reason}") from error


def _char(value: Any) -> bytes:
    if not isinstance(value, str) or len(value) != 1 or "\ud800" <= value <= "\udfff":
        raise InputError(f"{value!r} is no char")
    return ord(value).to_bytes(4, "little")


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise InputError(f"bytes are expected, not {value!r}")
    return value


def _octets(length: int) -> Encoder:
    def octets(value: Any) -> bytes:
        if len(_bytes(value)) != length:
            raise InputError(f"{length} bytes are expected, not {len(value)}")
        return _bytes(value)

    return octets


def _vec_u8(value: Any) -> bytes:
    raw = _bytes(value)
    return encode_compact(len(raw)) + raw


def _items(value: Any, length: int | None = None) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or length not in {None, len(value)}:
        raise InputError(f"{'items' if length is None else f'{length} items'}, not {value!r}")
    return value


def _array(length: int, encode: Encoder) -> Encoder:
    return lambda value: b"".join(map(encode, _items(value, length)))


def _sequence(encode: Encoder) -> Encoder:
    return lambda value: encode_compact(len(_items(value))) + b"".join(map(encode, value))


def _tuple(encoders: Sequence[Encoder]) -> Encoder:
    if len(encoders) == 1:
        return encoders[0]

    def encode_tuple(value: Any) -> bytes:
        items = _items(value, len(encoders))
        return b"".join(encode(item) for encode, item in zip(encoders, items, strict=True))

    return encode_tuple


def _struct(names: Sequence[str], encoders: Sequence[Encoder]) -> Encoder:
    pairs = tuple(zip(names, encoders, strict=True))

    def struct(value: Any) -> bytes:
        if not isinstance(value, Mapping) or value.keys() != set(names):
            raise InputError(f"the fields {', '.join(names)} are expected, not {value!r}")
        return b"".join(encode(value[name]) for name, encode in pairs)

    return struct
