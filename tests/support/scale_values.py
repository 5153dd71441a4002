"""Values of any type of a registry, for tests and for fuzzing: every shape, small and extreme.

The choices come from a `Dice`: hypothesis (which shrinks them) or a seeded generator (which is
quick).
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hypothesis import strategies as st

from ibp_chain.scale import metadata as md
from ibp_chain.scale.encoder import Encoders
from ibp_chain.scale.layout import INTEGERS, Layout
from ibp_chain.scale.values import Call

_CHARACTERS = "a\0é\u0301\ud7ff\ue000\uffff😀\U0010ffff"
_ENDLESS = 1 << 30


class Dice(Protocol):
    """Where choices come from."""

    def integer(self, least: int, most: int) -> int:
        """From `least` to `most`, both included."""
        ...

    def octets(self, size: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SeededDice:
    source: random.Random

    def integer(self, least: int, most: int) -> int:
        return self.source.randint(least, most)

    def octets(self, size: int) -> bytes:
        return self.source.randbytes(size)


@dataclass(frozen=True, slots=True)
class HypothesisDice:
    draw: Callable[[st.SearchStrategy[Any]], Any]

    def integer(self, least: int, most: int) -> int:
        number: int = self.draw(st.integers(least, most))
        return number

    def octets(self, size: int) -> bytes:
        octets: bytes = self.draw(st.binary(min_size=size, max_size=size))
        return octets


class Values:
    """Makes values of the types of one registry."""

    def __init__(self, metadata: md.Metadata) -> None:
        self.metadata, self.types, self.layout = metadata, metadata.types, Layout(metadata)
        self._encoders = Encoders(metadata, self.layout)
        self._calls = [
            (pallet, variant)
            for pallet in metadata.pallets.values()
            for variant in md.variants_of(metadata, pallet.calls)
        ]
        self._heights = _heights(metadata)

    def of(self, type_id: md.TypeId, dice: Dice, room: int = 6) -> Any:
        """A value that nests about `room` deep. The type must have a finite value."""
        if type_id == self.metadata.extrinsic.call:
            return self._call(dice, room)
        match self.types[type_id].definition:
            case md.Primitive(name):
                return _primitive(name, dice)
            case md.Compact(inner):
                return _unsigned(self.layout.compact_bits(inner), dice)
            case md.Composite(fields):
                return self.fields(fields, dice, room - 1)
            case md.Tuple(items):
                return self._tuple(items, dice, room)
            case md.Array(length, item) if self.layout.is_u8(item):
                return dice.octets(length)
            case md.Array(length, item):
                return [self.of(item, dice, room - 1) for _ in range(length)]
            case md.Sequence(item) if self.layout.is_u8(item):
                return dice.octets(_length(dice, room))
            case md.Sequence(item):
                length = 0 if self.layout.size(item) == 0 else _length(dice, room)
                return [self.of(item, dice, room - 1) for _ in range(length)]
            case md.BitSequence():
                count = dice.integer(0, 70)
                return count, dice.octets(self.layout.bits_size(type_id, count))
            case md.Variants(variants):
                return self._enum(type_id, variants, dice, room)

    def fields(self, fields: Sequence[md.Field], dice: Dice, room: int) -> Any:
        """Of a struct, or of what a variant carries."""
        values = [self.of(field.type, dice, room) for field in fields]
        names = [field.name for field in fields if field.name is not None]
        if names:
            return dict(zip(names, values, strict=True))
        return values[0] if len(values) == 1 else tuple(values)

    def is_finite(self, type_id: md.TypeId) -> bool:
        """Whether a type has any value of finite size."""
        return self._heights[type_id] < _ENDLESS

    def _tuple(self, items: Sequence[md.TypeId], dice: Dice, room: int) -> Any:
        values = [self.of(item, dice, room - 1) for item in items]
        return values[0] if len(values) == 1 else tuple(values)

    def _call(self, dice: Dice, room: int) -> Call:
        pallet, variant = self._shallow_enough(self._calls, room, lambda each: each[1], dice)
        args = self.fields(variant.fields, dice, room - 1) or {}
        data = bytes((pallet.index, variant.index))
        data += self._encoders.fields(variant.fields)(args or ())
        return Call(pallet.name, variant.name, args, data, 0, len(data))

    def _enum(
        self, type_id: md.TypeId, variants: Sequence[md.Variant], dice: Dice, room: int
    ) -> Any:
        some = self.layout.some_type(type_id)
        if some is not None:
            if room < self._heights[some] or not dice.integer(0, 2):
                return None
            value = self.of(some, dice, room - 1)
            return ("Some", value) if self.layout.may_be_none(some) else value
        variant = self._shallow_enough(variants, room, lambda each: each, dice)
        if not any(each.fields for each in variants):
            return variant.name
        return variant.name, self.fields(variant.fields, dice, room - 1)

    def _shallow_enough(self, every: Sequence[Any], room: int, of: Any, dice: Dice) -> Any:
        heights = [_height_of_fields(of(each).fields, self._heights) for each in every]
        least = min(heights)
        fitting = [
            each for each, height in zip(every, heights, strict=True) if height <= max(room, least)
        ]
        return fitting[dice.integer(0, len(fitting) - 1)]


def plain(value: Any) -> Any:
    """A value with its calls as (pallet, name, arguments, bytes), wherever these bytes stand."""
    match value:
        case Call():
            return value.pallet, value.name, plain(value.args), value.data
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case tuple():
            return tuple(plain(item) for item in value)
    return value


def _length(dice: Dice, room: int) -> int:
    return dice.integer(0, 3) if room > 0 else 0


def _unsigned(bits: int, dice: Dice) -> int:
    """Of every magnitude alike: the modes of compact integers are magnitudes."""
    width = dice.integer(0, bits)
    match dice.integer(0, 3):
        case 0:
            return (1 << width) - 1
        case 1:
            return 1 << max(0, width - 1) if bits else 0
    return dice.integer(0, (1 << width) - 1)


def _primitive(name: md.PrimitiveName, dice: Dice) -> Any:
    match name:
        case "bool":
            return bool(dice.integer(0, 1))
        case "char":
            return _character(dice)
        case "str":
            return "".join(_character(dice) for _ in range(dice.integer(0, 4)))
    size, signed = INTEGERS[name]
    value = _unsigned(8 * size, dice)
    return value - (1 << 8 * size - 1) if signed else value


def _character(dice: Dice) -> str:
    return _CHARACTERS[dice.integer(0, len(_CHARACTERS) - 1)]


# --- How deep a type's shallowest value is ----------------------------------------------


def _heights(metadata: md.Metadata) -> dict[md.TypeId, int]:
    heights = dict.fromkeys(metadata.types, _ENDLESS)
    while True:
        found = {type_id: _height(metadata, type_id, heights) for type_id in metadata.types}
        if found == heights:
            return heights
        heights = found


def _height(metadata: md.Metadata, type_id: md.TypeId, heights: Mapping[md.TypeId, int]) -> int:
    found = metadata.types[type_id]
    match found.definition:
        case md.Composite(fields):
            return _height_of_fields(fields, heights)
        case md.Variants(variants):
            return min((_height_of_fields(v.fields, heights) for v in variants), default=_ENDLESS)
        case md.Tuple() | md.Array():
            inner = md.types_in(found)
            return min(_ENDLESS, 1 + max((heights[each] for each in inner), default=0))
    return 0


def _height_of_fields(fields: Sequence[md.Field], heights: Mapping[md.TypeId, int]) -> int:
    return min(_ENDLESS, 1 + max((heights[field.type] for field in fields), default=0))


# --- What kinds of types there are --------------------------------------------------------


def shape_of(layout: Layout, type_id: md.TypeId) -> str:
    """The kind of a type, as far as decoders and encoders treat kinds differently."""
    found = layout.types[type_id]
    if type_id == layout.call_type:
        return "call"
    if type_id in layout.counted:
        return "XCM" if any("xcm" in part for part in found.path) else "recursive"
    match found.definition:
        case md.Primitive(name):
            return name
        case md.Compact(inner) if not isinstance(layout.types[inner].definition, md.Primitive):
            return "compact in a struct"
        case md.Compact(inner):
            return f"compact {layout.compact_bits(inner)}"
        case md.BitSequence():
            return "bits"
        case md.Array(_, item):
            return f"array of {_item(layout, item)}"
        case md.Sequence(item):
            return f"sequence of {_item(layout, item)}"
        case md.Variants(variants):
            return _enum_shape(layout, type_id, variants)
        case md.Tuple():
            return f"tuple{_size(layout.size(type_id))}"
        case md.Composite():
            return f"struct{_size(layout.size(type_id))}"


def _size(size: int | None) -> str:
    return "" if size is None else " of fixed size" if size else " of nothing"


def _item(layout: Layout, item: md.TypeId) -> str:
    if layout.is_u8(item):
        return "u8"
    size = layout.size(item)
    return "variable size" if size is None else "fixed size" if size else "nothing"


def _enum_shape(layout: Layout, type_id: md.TypeId, variants: Sequence[md.Variant]) -> str:
    some = layout.some_type(type_id)
    if some is not None:
        return "option of what may be None" if layout.may_be_none(some) else "option"
    if layout.types[type_id].path == ("Result",) or {v.name for v in variants} == {"Ok", "Err"}:
        return "result"
    if not any(variant.fields for variant in variants):
        return "enum without fields" if variants else "enum without variants"
    return "enum" if layout.size(type_id) is None else "enum of fixed size"
