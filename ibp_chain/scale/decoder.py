"""Decoders from a registry: one closure for each type, made when first needed.

Shapes of the values: `ibp_chain.scale.values`. All raise `DecodeError`. Depth is limited where a
type may hold itself; Python's own limit lies far above what that allows.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.input import MAX_DEPTH, Input
from ibp_chain.scale.layout import INTEGERS, Layout
from ibp_chain.scale.values import Call

Decoder: TypeAlias = Callable[[Input], Any]

FRAMES_PER_LEVEL = 20
"""Python calls from one level to the next: the limit below stays far from what a stack holds."""


class _CallEntry(NamedTuple):
    pallet: str
    name: str
    arguments: tuple[tuple[str, Decoder], ...]


class Decoders:
    """The decoders of one registry."""

    def __init__(self, metadata: md.Metadata, layout: Layout) -> None:
        # a call of depth MAX_DEPTH is valid on chain and must be readable
        sys.setrecursionlimit(max(sys.getrecursionlimit(), MAX_DEPTH * FRAMES_PER_LEVEL + 1000))
        self.types, self.call_type = metadata.types, metadata.extrinsic.call
        self._metadata, self._layout = metadata, layout
        self._made: dict[md.TypeId, Decoder] = {}

    def of(self, type_id: md.TypeId) -> Decoder:
        """The decoder of a type; while it is being made, one that looks it up later."""
        if type_id not in self._made:
            self._made[type_id] = self._later(type_id)
            made = self._make(type_id)
            self._made[type_id] = _deeper(made) if type_id in self._layout.counted else made
        return self._made[type_id]

    def _later(self, type_id: md.TypeId) -> Decoder:
        def decode(source: Input) -> Any:
            return self._made[type_id](source)

        return decode

    def fields(self, fields: Sequence[md.Field]) -> Decoder:
        """Of a struct, or of what a variant carries."""
        decoders = [self.of(field.type) for field in fields]
        names = [field.name for field in fields if field.name is not None]
        return _struct(names, decoders) if names else _tuple(decoders)

    def _make(self, type_id: md.TypeId) -> Decoder:
        found = self.types[type_id]
        if type_id == self.call_type:
            return self._call()
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
                return self._array(length, item)
            case md.Sequence(item):
                return self._sequence(item)
            case md.BitSequence():
                return _bits(self._layout.bits_word(type_id))
            case md.Variants(variants):
                some = self._layout.some_type(type_id)
                if some is not None:
                    return self._option(some)
                return self._enum("::".join(found.path), variants)

    def _array(self, length: int, item: md.TypeId) -> Decoder:
        if self._layout.is_u8(item):
            return _octets(length)
        least = 0 if self._layout.size(item) == 0 else length
        return _array(length, least, self.of(item))

    def _sequence(self, item: md.TypeId) -> Decoder:
        if self._layout.is_u8(item):
            return Input.octets
        if self._layout.size(item) == 0:
            return _nothing
        return _sequence(self.of(item))

    def _option(self, some: md.TypeId) -> Decoder:
        decode, nested = self.of(some), self._layout.may_be_none(some)

        def option(source: Input) -> Any:
            if not source.flag():
                return None
            value = decode(source)
            return ("Some", value) if nested else value

        return option

    def _enum(self, path: str, variants: Sequence[md.Variant]) -> Decoder:
        plain = not any(variant.fields for variant in variants)
        table = {v.index: (v.name, self.fields(v.fields)) for v in variants}

        def enum(source: Input) -> Any:
            start, index = source.at, source.u8()
            entry = table.get(index)
            if entry is None:
                raise DecodeError(f"{path} has no variant {index}", start)
            name, decode = entry
            if plain:
                return name
            return name, decode(source)

        return enum

    def _call(self) -> Decoder:
        table = {(p, c): entry for p, c, entry in self._call_entries()}

        def call(source: Input) -> Call:
            start, pallet, index = source.at, source.u8(), source.u8()
            entry = table.get((pallet, index))
            if entry is None:
                raise DecodeError(f"the runtime has no call {pallet}.{index}", start)
            arguments = {name: decode(source) for name, decode in entry.arguments}
            return Call(entry.pallet, entry.name, arguments, source.data, start, source.at)

        return call

    def _call_entries(self) -> list[tuple[int, int, _CallEntry]]:
        entries = []
        for pallet in self._metadata.pallets.values():
            for variant in md.variants_of(self._metadata, pallet.calls):
                arguments = tuple(
                    (field.name or str(at), self.of(field.type))
                    for at, field in enumerate(variant.fields)
                )
                entry = _CallEntry(pallet.name, variant.name, arguments)
                entries.append((pallet.index, variant.index, entry))
        return entries


# --- Shapes ---------------------------------------------------------------------------


def _deeper(decode: Decoder) -> Decoder:
    def deeper(source: Input) -> Any:
        source.descend()
        try:
            value = decode(source)
        except RecursionError as error:  # a registry with long ways from a type back to itself
            raise DecodeError("nested deeper than can be read", source.at) from error
        source.ascend()
        return value

    return deeper


def _primitive(name: md.PrimitiveName) -> Decoder:
    match name:
        case "bool":
            return Input.flag
        case "str":
            return Input.text
        case "char":
            return _char
    size, signed = INTEGERS[name]
    return lambda source: int.from_bytes(source.take(size), "little", signed=signed)


def _char(source: Input) -> str:
    start, value = source.at, source.u32()
    if value > sys.maxunicode or 0xD800 <= value <= 0xDFFF:
        raise DecodeError(f"{value:#x} is no char", start)
    return chr(value)


def _octets(length: int) -> Decoder:
    return lambda source: source.take(length)


def _bits(word: int) -> Decoder:
    def bits(source: Input) -> tuple[int, bytes]:
        count = source.compact()
        return count, source.take((count + 8 * word - 1) // (8 * word) * word)

    return bits


def _compact(bits: int) -> Decoder:
    def compact(source: Input) -> int:
        start, value = source.at, source.compact()
        if value >> bits:
            raise DecodeError(f"compact {value} does not fit u{bits}", start)
        return value

    return compact


def _array(length: int, least: int, decode: Decoder) -> Decoder:
    """`least`: in bytes."""

    def array(source: Input) -> list[Any]:
        source.ensure_room(least)
        return [decode(source) for _ in range(length)]

    return array


def _nothing(source: Input) -> list[Any]:
    """Of what takes no bytes: a count alone could ask for any memory."""
    start, count = source.at, source.compact()
    if count:
        raise DecodeError(f"{count} elements of no size announced, none are read", start)
    return []


def _sequence(decode: Decoder) -> Decoder:
    def sequence(source: Input) -> list[Any]:
        return [decode(source) for _ in range(source.count())]

    return sequence


def _tuple(decoders: Sequence[Decoder]) -> Decoder:
    if len(decoders) == 1:
        return decoders[0]
    return lambda source: tuple([decode(source) for decode in decoders])


def _struct(names: Sequence[str], decoders: Sequence[Decoder]) -> Decoder:
    pairs = tuple(zip(names, decoders, strict=True))
    return lambda source: {name: decode(source) for name, decode in pairs}
