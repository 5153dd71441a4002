"""Decoders as generated Python: what `ibp_chain.scale.decoder` does, many times faster.

A compiled decoder is `(data, offset, depth) -> (value, offset)` and may fail in any of `FAILURES`,
or run past the end unseen: its caller checks the last offset against the length, and on any doubt
asks `Decoders`, which are slow and careful and say what is wrong and where. So hostile bytes never
give a value that the careful decoder would not give.

Functions are made when first called, one for each enum and each of its variants; everything else is
laid out inline, with runs of fixed-size fields read by one `struct` call. The generated source
holds nothing from the metadata but numbers and `repr()`d names.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.input import MAX_DEPTH
from ibp_chain.scale.layout import INTEGERS, Layout
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.scale.values import Call

Compiled: TypeAlias = Callable[[bytes, int, int], tuple[Any, int]]
Skipper: TypeAlias = Callable[[bytes, int], int]


class Malformed(Exception):  # never seen outside: the careful decoder names the error
    """The bytes are not what the type says."""


FAILURES = (
    Malformed, DecodeError, IndexError, KeyError, ValueError, OverflowError, RecursionError,
    struct.error,
)  # fmt: skip
"""Whatever a compiled decoder raises for malformed bytes."""

_INLINE_DEPTH = 8
"""Types nested deeper than this inside one function get a function of their own."""

_INLINE_LINES = 2000
"""And so do all types once a function is longer than this."""
_FLAT_BYTES = 4096
"""Larger types are read part by part: what `struct` reads at once has an expression for each."""

_STRUCT_CODES = {
    "u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q",
}  # fmt: skip


class _Flat(NamedTuple):
    """A type of fixed size as `struct` reads it."""

    codes: tuple[str, ...]
    """One for each value that `struct` returns."""
    expression: Callable[[Sequence[str]], str]
    """From the names of those values to the expression of ours."""


class Compiler:
    """Compiled decoders for one registry."""

    def __init__(self, metadata: md.Metadata, layout: Layout) -> None:
        self.metadata, self.layout = metadata, layout
        self._names: dict[str, Any] = {
            "C": _compact, "M": Malformed, "N": int.from_bytes, "BOOL": (False, True),
            "CHAR": _char, "CALL": Call, "NEW": tuple.__new__, "MAX": MAX_DEPTH,
            "T": Table(self._whole_type), "X": Table(self._call), "S": Table(self._skip_type),
        }  # fmt: skip
        """What generated code sees: constants, and tables that make what is asked of them."""
        self.variants = Table(lambda enum: Table(lambda index: self._variant(enum, index)))
        """By enum and a variant's index: the decoder of a variant, behind its index."""
        self.skipped_variants = Table(
            lambda enum: Table(lambda index: self._skip_variant(enum, index))
        )
        """The same for what passes over a variant."""
        self.calls = self._call_table()
        """By pallet and call index: the pallet's name and the call's variant."""

    def type(self, type_id: md.TypeId) -> Compiled:
        """The decoder of any type."""
        decoder: Compiled = self._names["T"][type_id]
        return decoder

    def call(self, indices: tuple[int, int]) -> Compiled:
        """The decoder of one call, its two indices included; at depth 1 where it is outermost."""
        decoder: Compiled = self._names["X"][indices]
        return decoder

    def fields(self, fields: Sequence[md.Field]) -> Compiled:
        """The decoder of what a variant carries."""
        code = _Code(self)
        code.line(f"return {code.fields(fields)}, p")
        decoder: Compiled = code.function("b, p, z")
        return decoder

    def skip_fields(self, fields: Sequence[md.Field]) -> int | Skipper:
        """Past what a variant carries: how many bytes, or a function from offset to offset."""
        size = self.layout.sum(field.type for field in fields)
        if size is not None:
            return size
        code = _Code(self)
        code.skip([field.type for field in fields])
        code.line(f"return {code.skipped()}")
        skipper: Skipper = code.function("b, p")
        return skipper

    # --- the tables ---

    def _whole_type(self, type_id: md.TypeId) -> Any:
        code = _Code(self)
        if type_id in self.layout.counted or type_id == self.layout.call_type:
            code.line("z += 1")
            code.line("if z > MAX: raise M")
        if type_id == self.layout.call_type:
            code.line("return X[b[p], b[p + 1]](b, p, z)")
        else:
            code.line(f"return {code.outermost(type_id)}, p")
        return code.function("b, p, z")

    def _variant(self, enum: md.TypeId, index: int) -> Any:
        variant = self._find_variant(enum, index)
        code = _Code(self)
        payload = code.fields(variant.fields)
        code.line(f"return ({variant.name!r}, {payload}), p")
        return code.function("b, p, z")

    def _call(self, key: tuple[int, int]) -> Any:
        pallet, variant = self.calls[key]
        code = _Code(self)
        code.line("s = p")
        code.line("p += 2")
        named = [
            field if field.name else md.Field(str(at), field.type)
            for at, field in enumerate(variant.fields)
        ]
        arguments = code.fields(named) if named else "{}"
        # Call(…), without the call through Python that a named tuple costs
        values = f"({pallet!r}, {variant.name!r}, {arguments}, b, s, p)"
        code.line(f"return NEW(CALL, {values}), p")
        return code.function("b, p, z")

    def _skip_type(self, type_id: md.TypeId) -> Any:
        code = _Code(self)
        code.skip_outermost(type_id)
        code.line(f"return {code.skipped()}")
        return code.function("b, p")

    def _skip_variant(self, enum: md.TypeId, index: int) -> Any:
        found = self.skip_fields(self._find_variant(enum, index).fields)
        if isinstance(found, int):
            size = found
            return lambda _, offset: offset + size
        return found

    def _find_variant(self, enum: md.TypeId, index: int) -> md.Variant:
        for variant in md.variants_of(self.metadata, enum):
            if variant.index == index:
                return variant
        raise KeyError(enum, index)

    def _call_table(self) -> dict[tuple[int, int], tuple[str, md.Variant]]:
        return {
            (pallet.index, variant.index): (pallet.name, variant)
            for pallet in self.metadata.pallets.values()
            for variant in md.variants_of(self.metadata, pallet.calls)
        }


class Table(dict[Any, Any]):
    """Makes what is not there yet; `KeyError` where there is nothing to make."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> Any:
        made = self._make(key)
        self[key] = made
        return made


# --- Generated code -------------------------------------------------------------------


class _Code:
    """The body of one function: statements that advance `p` over `b`, and expressions of them."""

    def __init__(self, compiler: Compiler) -> None:
        self.compiler, self.layout = compiler, compiler.layout
        self._lines: list[str] = []
        self._indent = 1
        self._fresh = 0
        self._inside: list[md.TypeId] = []
        self._constants: dict[str, Any] = {}
        self._ahead = 0
        """Bytes that are passed over and not yet added to `p`."""

    def line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(head)
        self._indent += 1
        before = len(self._lines)
        yield
        if len(self._lines) == before:
            self.line("pass")
        self._indent -= 1

    def name(self) -> str:
        self._fresh += 1
        return f"v{self._fresh}"

    def constant(self, value: Any) -> str:
        name = f"c{len(self._constants)}"
        self._constants[name] = value
        return name

    def function(self, parameters: str) -> Any:
        """Compile what was written."""
        # constants as defaults: locals are quicker to reach than globals, and shared with nobody
        defaults = "".join(f", {name}={name}" for name in self._constants)
        source = "\n".join([f"def decode({parameters}{defaults}):", *self._lines])
        names = {**self.compiler._names, **self._constants}  # noqa: SLF001  # of this module
        exec(compile(source, "<scale>", "exec"), names)  # noqa: S102  # see the module's docstring
        return names["decode"]

    # --- reading ---

    def outermost(self, type_id: md.TypeId) -> str:
        """The expression of a type whose own function this is."""
        self._inside = [type_id]
        flat = self._flat(type_id)
        return self._inline(type_id) if flat is None else self._unpack([flat])[0]

    def read(self, type_id: md.TypeId) -> str:
        """Write what reads a type; the expression of its value."""
        flat = self._flat(type_id)
        if flat is not None:
            return self._unpack([flat])[0]
        if self._stands_alone(type_id):
            value = self.name()
            self.line(f"{value}, p = T[{type_id}](b, p, z)")
            return value
        self._inside.append(type_id)
        expression = self._inline(type_id)
        self._inside.pop()
        return expression

    def fields(self, fields: Sequence[md.Field]) -> str:
        expressions = self.each([field.type for field in fields])
        return _fields(fields, expressions)

    def each(self, types: Sequence[md.TypeId]) -> list[str]:
        """One type after the other, fixed-size ones in as few steps as possible."""
        expressions: list[str] = []
        waiting: list[_Flat] = []
        for type_id in types:
            flat = self._flat(type_id)
            if flat is not None:
                waiting.append(flat)
                continue
            expressions += self._unpack(waiting)
            waiting = []
            expressions.append(self.read(type_id))
        return expressions + self._unpack(waiting)

    def _stands_alone(self, type_id: md.TypeId) -> bool:
        return (
            self._is_enough(type_id)
            or type_id in self.layout.counted
            or type_id == self.layout.call_type
        )

    def _is_enough(self, type_id: md.TypeId) -> bool:
        """Whether a type's code has no place in this function."""
        return (
            type_id in self._inside
            or len(self._inside) > _INLINE_DEPTH
            or len(self._lines) > _INLINE_LINES
        )

    def _inline(self, type_id: md.TypeId) -> str:
        layout = self.layout
        found = layout.types[type_id]
        match found.definition:
            case md.Primitive("str"):
                count, value = self._compact(32), self.name()
                self.line(f"{value} = b[p:p + {count}].decode(); p += {count}")
                return value
            case md.Compact(inner):
                return self._compact(layout.compact_bits(inner))
            case md.Composite(fields):
                return self.fields(fields)
            case md.Tuple(items):
                return _tuple(self.each(items))
            case md.Array(length, item):
                if layout.size(item) != 0:
                    self.line(f"if {length} > len(b) - p: raise M")
                return self._items(str(length), item)
            case md.Sequence(item):
                return self._sequence(item)
            case md.BitSequence():
                count, value, size = self._compact(32), self.name(), self.name()
                self.line(f"{size} = {self._bits_size(type_id, count)}")
                self.line(f"{value} = {count}, b[p:p + {size}]; p += {size}")
                return value
            case md.Variants(variants):
                some = layout.some_type(type_id)
                if some is not None:
                    return self._option(some)
                return self._enum(type_id, variants)
        flat = self._flat(type_id)
        assert flat is not None, "every other primitive has a fixed size"
        return self._unpack([flat])[0]

    def _compact(self, bits: int) -> str:
        value, ahead = self.name(), self._take_ahead()
        at = [_ahead_of_p(ahead + more) for more in range(3)]
        if bits < 8:
            self.line(f"{value}, p = C(b, {at[0]}, {bits})")
            return value
        self.line(f"{value} = b[{at[0]}]")
        self.line(f"if not {value} & 3: {value} >>= 2; p = {at[1]}")
        if bits >= 16:  # two bytes are common enough to be worth the room
            self.line(f"elif {value} & 3 == 1 and b[{at[1]}]:")
            self.line(f"    {value} = ({value} | b[{at[1]}] << 8) >> 2; p = {at[2]}")
        self.line(f"else: {value}, p = C(b, {at[0]}, {bits})")
        return value

    def _sequence(self, item: md.TypeId) -> str:
        count = self._compact(32)
        enough = "0" if self.layout.size(item) == 0 else "len(b) - p"
        self.line(f"if {count} > {enough}: raise M")
        if self.layout.is_u8(item):
            value = self.name()
            self.line(f"{value} = b[p:p + {count}]; p += {count}")
            return value
        return self._items(count, item)

    def _items(self, count: str, item: md.TypeId) -> str:
        value, flat = self.name(), self._flat(item)
        if flat is not None and self.layout.size(item):
            return self._flat_items(count, flat)
        self.line(f"{value} = []")
        with self.block(f"for _ in range({count}):"):
            self.line(f"{value}.append({self.read(item)})")
        return value

    def _flat_items(self, count: str, flat: _Flat) -> str:
        layout = struct.Struct("<" + "".join(flat.codes))
        value, unpack = self.name(), self.constant(layout.iter_unpack)
        names = [self.name() for _ in flat.codes]
        end = self.name()
        self.line(f"{end} = p + {count} * {layout.size}")
        self.line(f"if {end} > len(b): raise M")
        each = f"{', '.join(names)}{',' if len(names) == 1 else ''}"
        self.line(f"{value} = [{flat.expression(names)} for {each} in {unpack}(b[p:{end}])]")
        self.line(f"p = {end}")
        return value

    def _option(self, some: md.TypeId) -> str:
        value, nested = self.name(), self.layout.may_be_none(some)
        self.line(f"{value} = b[p]; p += 1")
        with self.block(f"if {value} == 1:"):
            inner = self.read(some)
            self.line(f'{value} = ("Some", {inner})' if nested else f"{value} = {inner}")
        self.line(f"elif {value}: raise M")
        self.line(f"else: {value} = None")
        return value

    def _enum(self, type_id: md.TypeId, variants: Sequence[md.Variant]) -> str:
        value = self.name()
        if not variants:
            self.line("raise M")
        table = self.constant(self.compiler.variants[type_id])
        self.line(f"{value}, p = {table}[b[p]](b, p + 1, z)")
        return value

    def _bits_size(self, type_id: md.TypeId, count: str) -> str:
        word = self.layout.bits_word(type_id)
        return f"({count} + {8 * word - 1}) // {8 * word} * {word}"

    # --- fixed sizes ---

    def _unpack(self, flats: Sequence[_Flat]) -> list[str]:
        """Read a run of fixed-size values with one `struct` call."""
        codes = [code for flat in flats for code in flat.codes]
        names = [self.name() for _ in codes]
        if codes == ["B"]:
            self.line(f"{names[0]} = b[p]; p += 1")
        elif codes:
            layout = struct.Struct("<" + "".join(codes))
            unpack = self.constant(layout.unpack_from)
            targets = f"{', '.join(names)}{',' if len(names) == 1 else ''}"
            self.line(f"{targets} = {unpack}(b, p); p += {layout.size}")
        expressions, at = [], 0
        for flat in flats:
            expressions.append(flat.expression(names[at : at + len(flat.codes)]))
            at += len(flat.codes)
        return expressions

    def _flat(self, type_id: md.TypeId) -> _Flat | None:
        """How `struct` reads a type; None where it cannot."""
        found, size = self.layout.types[type_id], self.layout.size(type_id)
        if size is None or type_id == self.layout.call_type:
            return None
        if size > _FLAT_BYTES and not isinstance(found.definition, md.Array):
            return None
        match found.definition:
            case md.Primitive(name):
                return _flat_primitive(name)
            case md.Composite(fields):
                return self._flat_fields([f.type for f in fields], lambda e: _fields(fields, e))
            case md.Tuple(items):
                return self._flat_fields(items, _tuple)
            case md.Array(length, item) if self.layout.is_u8(item):
                return _Flat((f"{length}s",), lambda names: names[0])
            case md.Variants(variants) if variants and not any(v.fields for v in variants):
                table = self.constant({v.index: v.name for v in variants})
                return _Flat(("B",), lambda names: f"{table}[{names[0]}]")
        return None

    def _flat_fields(
        self, types: Sequence[md.TypeId], join: Callable[[list[str]], str]
    ) -> _Flat | None:
        parts = [self._flat(type_id) for type_id in types]
        flats = [part for part in parts if part is not None]
        if len(flats) != len(parts):
            return None

        def expression(names: Sequence[str]) -> str:
            expressions, at = [], 0
            for flat in flats:
                expressions.append(flat.expression(names[at : at + len(flat.codes)]))
                at += len(flat.codes)
            return join(expressions)

        return _Flat(tuple(code for flat in flats for code in flat.codes), expression)

    # --- skipping ---

    def skip_outermost(self, type_id: md.TypeId) -> None:
        self._inside = [type_id]
        self._skip_inline(type_id)

    def skip(self, types: Sequence[md.TypeId]) -> None:
        """Write what passes over types; what is of fixed size only adds to `_ahead`."""
        for type_id in types:
            size = self.layout.size(type_id)
            if size is not None:
                self._ahead += size
            elif self._is_enough(type_id):
                self._advance()
                self.line(f"p = S[{type_id}](b, p)")
            else:
                self._inside.append(type_id)
                self._skip_inline(type_id)
                self._inside.pop()

    def skipped(self) -> str:
        """The expression of where skipping ends."""
        return _ahead_of_p(self._take_ahead())

    def _take_ahead(self) -> int:
        ahead, self._ahead = self._ahead, 0
        return ahead

    def _advance(self) -> None:
        if self._ahead:
            self.line(f"p += {self._take_ahead()}")

    def _skip_inline(self, type_id: md.TypeId) -> None:
        found = self.layout.types[type_id]
        match found.definition:
            case md.Primitive():
                count = self._compact(32)
                self.line(f"p += {count}")
            case md.Compact():
                self._advance()
                value = self.name()
                self.line(f"{value} = b[p]")
                self.line(f"p += ({value} >> 2) + 5 if {value} & 3 == 3 else 1 << ({value} & 3)")
            case md.Composite(fields):
                self.skip([field.type for field in fields])
            case md.Tuple(items):
                self.skip(items)
            case md.Array(length, item):
                self._skip_items(str(length), item)
            case md.Sequence(item):
                self._skip_items(self._compact(32), item)
            case md.BitSequence():
                self.line(f"p += {self._bits_size(type_id, self._compact(32))}")
            case md.Variants():
                self._advance()
                self._skip_enum(type_id)

    def _skip_items(self, count: str, item: md.TypeId) -> None:
        size = self.layout.size(item)
        if size is not None:
            self.line(f"p += {count} * {size}" if size != 1 else f"p += {count}")
            return
        self._advance()
        with self.block(f"for _ in range({count}):"):
            self.skip([item])
            self._advance()

    def _skip_enum(self, type_id: md.TypeId) -> None:
        some = self.layout.some_type(type_id)
        if some is None:
            if type_id == self.layout.call_type:
                # a call is read, not skipped: the table of calls is the one way through it
                self.line(f"p = T[{type_id}](b, p, 0)[1]")
            else:
                table = self.constant(self.compiler.skipped_variants[type_id])
                self.line(f"p = {table}[b[p]](b, p + 1)")
            return
        self.line("p += 1")
        with self.block("if b[p - 1]:"):
            self.skip([some])
            self._advance()


# --- Expressions ------------------------------------------------------------------------


def _ahead_of_p(size: int) -> str:
    return f"p + {size}" if size else "p"


def _tuple(expressions: Sequence[str]) -> str:
    if len(expressions) == 1:
        return expressions[0]
    return f"({', '.join(expressions)})"


def _fields(fields: Sequence[md.Field], expressions: Sequence[str]) -> str:
    names = [field.name for field in fields if field.name is not None]
    if not names:
        return _tuple(expressions)
    pairs = (f"{name!r}: {value}" for name, value in zip(names, expressions, strict=True))
    return f"{{{', '.join(pairs)}}}"


def _flat_primitive(name: md.PrimitiveName) -> _Flat:
    if name in _STRUCT_CODES:
        return _Flat((_STRUCT_CODES[name],), lambda names: names[0])
    if name == "bool":
        return _Flat(("B",), lambda names: f"BOOL[{names[0]}]")
    if name == "char":
        return _Flat(("I",), lambda names: f"CHAR({names[0]})")
    if name == "u128":
        return _Flat(("Q", "Q"), lambda names: f"({names[1]} << 64 | {names[0]})")
    size, signed = INTEGERS[name]
    return _Flat((f"{size}s",), lambda names: f'N({names[0]}, "little", signed={signed})')


# --- What generated code calls ----------------------------------------------------------


def _compact(data: bytes, offset: int, bits: int) -> tuple[int, int]:
    """Refuses a form longer than needed. Bytes that are not there are noticed by the end."""
    first = data[offset]
    if first & 3 == 3:
        start, end = offset + 1, offset + 5 + (first >> 2)
        value = int.from_bytes(data[start:end], "little")
        if value < 1 << 30 or not data[end - 1]:
            raise Malformed
    elif first & 3 == 2:
        end = offset + 4
        value = int.from_bytes(data[offset:end], "little") >> 2
        if value < 1 << 14:
            raise Malformed
    else:
        value, end = decode_compact(data, offset)
    if value >> bits:
        raise Malformed
    return value, end


def _char(value: int) -> str:
    if 0xD800 <= value <= 0xDFFF:
        raise Malformed
    return chr(value)
