"""Metadata V14, V15 and V16, read into one model. Source: frame-metadata and scale-info."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar

from ibp_chain.errors import DecodeError
from ibp_chain.scale.primitives import decode_compact

T = TypeVar("T")
MAGIC = b"meta"
PRIMITIVES = (
    "bool",
    "char",
    "str",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "u256",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "i256",
)
HASHERS = (
    "Blake2_128",
    "Blake2_256",
    "Blake2_128Concat",
    "Twox128",
    "Twox256",
    "Twox64Concat",
    "Identity",
)


class Field(NamedTuple):
    name: str | None
    type: int
    type_name: str | None


class Variant(NamedTuple):
    name: str
    index: int
    fields: tuple[Field, ...]


class Composite(NamedTuple):
    fields: tuple[Field, ...]


class VariantDef(NamedTuple):
    variants: tuple[Variant, ...]


class Sequence(NamedTuple):
    type: int


class Array(NamedTuple):
    length: int
    type: int


class Tuple(NamedTuple):
    types: tuple[int, ...]


class Primitive(NamedTuple):
    name: str


class Compact(NamedTuple):
    type: int


class BitSequence(NamedTuple):
    store: int
    order: int


TypeDef = Composite | VariantDef | Sequence | Array | Tuple | Primitive | Compact | BitSequence


class Type(NamedTuple):
    path: tuple[str, ...]
    params: tuple[tuple[str, int | None], ...]
    definition: TypeDef


class StorageEntry(NamedTuple):
    name: str
    hashers: tuple[str, ...]
    key: int | None
    value: int
    default: bytes
    optional: bool


class Constant(NamedTuple):
    name: str
    type: int
    value: bytes


class Pallet(NamedTuple):
    name: str
    index: int
    calls: int | None
    event: int | None
    error: int | None
    storage: dict[str, StorageEntry]
    storage_prefix: str
    constants: dict[str, Constant]


class Extension(NamedTuple):
    identifier: str
    type: int
    implicit: int


class ExtrinsicFormat(NamedTuple):
    versions: tuple[int, ...]
    address: int
    call: int
    signature: int
    extensions: tuple[Extension, ...]


@dataclass(frozen=True)
class Metadata:
    version: int
    types: dict[int, Type]
    pallets: dict[str, Pallet]
    extrinsic: ExtrinsicFormat


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise DecodeError(f"metadata ends where {size} bytes are expected", self.at)
        raw = self.data[self.at : end]
        self.at = end
        return raw

    def u8(self) -> int:
        return self.take(1)[0]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def compact(self) -> int:
        value, self.at = decode_compact(self.data, self.at)
        return value

    def text(self) -> str:
        at = self.at
        try:
            return self.take(self.compact()).decode()
        except UnicodeDecodeError as error:
            raise DecodeError("metadata text is no UTF-8", at) from error

    def octets(self) -> bytes:
        return self.take(self.compact())

    def option(self, read: Callable[[], T]) -> T | None:
        flag = self.u8()
        if flag > 1:
            raise DecodeError(f"metadata option has tag {flag}", self.at - 1)
        return read() if flag else None

    def vec(self, read: Callable[[], T]) -> tuple[T, ...]:
        count = self.compact()
        if count > len(self.data) - self.at:
            raise DecodeError(f"metadata announces {count} items", self.at)
        return tuple(read() for _ in range(count))


def read_metadata(raw: bytes) -> Metadata:
    r = Reader(raw)
    if r.take(4) != MAGIC:
        raise DecodeError("not metadata: magic `meta` expected", 0)
    version = r.u8()
    if version not in (14, 15, 16):
        raise DecodeError(f"metadata V{version} is not supported, only V14 to V16", 4)
    types = dict(r.vec(lambda: _type(r)))
    pallets = r.vec(lambda: _pallet(r, version))
    extrinsic = _extrinsic(r, version, types)
    return Metadata(version, types, {p.name: p for p in pallets}, extrinsic)


def _type(r: Reader) -> tuple[int, Type]:
    type_id = r.compact()
    path = r.vec(r.text)
    params = r.vec(lambda: (r.text(), r.option(r.compact)))
    kind = r.u8()
    definition: TypeDef
    match kind:
        case 0:
            definition = Composite(r.vec(lambda: _field(r)))
        case 1:
            definition = VariantDef(r.vec(lambda: _variant(r)))
        case 2:
            definition = Sequence(r.compact())
        case 3:
            definition = Array(r.u32(), r.compact())
        case 4:
            definition = Tuple(r.vec(r.compact))
        case 5:
            index = r.u8()
            if index >= len(PRIMITIVES):
                raise DecodeError(f"unknown primitive {index}", r.at - 1)
            definition = Primitive(PRIMITIVES[index])
        case 6:
            definition = Compact(r.compact())
        case 7:
            definition = BitSequence(r.compact(), r.compact())
        case _:
            raise DecodeError(f"unknown type definition {kind}", r.at - 1)
    r.vec(r.text)
    return type_id, Type(path, params, definition)


def _field(r: Reader) -> Field:
    f = Field(r.option(r.text), r.compact(), r.option(r.text))
    r.vec(r.text)
    return f


def _variant(r: Reader) -> Variant:
    name, fields, index = r.text(), r.vec(lambda: _field(r)), r.u8()
    r.vec(r.text)
    return Variant(name, index, fields)


def _deprecation(r: Reader) -> None:
    if r.u8() == 2:
        r.text()
        r.option(r.text)


def _enum_deprecation(r: Reader) -> None:
    def item() -> None:
        r.u8()
        if r.u8() == 2:
            r.text()
            r.option(r.text)

    r.vec(item)


def _storage_entry(r: Reader, version: int) -> StorageEntry:
    name, modifier, kind = r.text(), r.u8(), r.u8()
    if kind == 0:
        hashers: tuple[str, ...] = ()
        key, value = None, r.compact()
    else:
        hashers = tuple(HASHERS[i] for i in r.vec(r.u8))
        key, value = r.compact(), r.compact()
    default = r.octets()
    r.vec(r.text)
    if version >= 16:
        _deprecation(r)
    return StorageEntry(name, hashers, key, value, default, modifier == 0)


def _pallet(r: Reader, version: int) -> Pallet:
    name = r.text()
    storage = r.option(lambda: (r.text(), r.vec(lambda: _storage_entry(r, version))))

    def enum_ref() -> int:
        t = r.compact()
        if version >= 16:
            _enum_deprecation(r)
        return t

    def constant() -> Constant:
        c = Constant(r.text(), r.compact(), r.octets())
        r.vec(r.text)
        if version >= 16:
            _deprecation(r)
        return c

    calls, event = r.option(enum_ref), r.option(enum_ref)
    constants = r.vec(constant)
    error = r.option(enum_ref)
    if version >= 16:
        r.vec(lambda: (r.text(), r.compact(), r.vec(r.text)))

        def view() -> None:
            r.text() if False else r.take(32)
            r.text()
            r.vec(lambda: (r.text(), r.compact()))
            r.compact()
            r.vec(r.text)
            _deprecation(r)

        r.vec(view)
    index = r.u8()
    if version >= 15:
        r.vec(r.text)
    if version >= 16:
        _deprecation(r)
    prefix, entries = storage or (name, ())
    return Pallet(
        name,
        index,
        calls,
        event,
        error,
        {e.name: e for e in entries},
        prefix,
        {c.name: c for c in constants},
    )


def _extrinsic(r: Reader, version: int, types: dict[int, Type]) -> ExtrinsicFormat:
    def ext() -> Extension:
        return Extension(r.text(), r.compact(), r.compact())

    if version == 14:
        r.compact()
        versions = (r.u8(),)
        exts = r.vec(ext)
        params: dict[str, int | None] = {}
        for t in types.values():
            if t.path[-1:] == ("UncheckedExtrinsic",):
                params = dict(t.params)
        return ExtrinsicFormat(
            versions, params["Address"] or 0, params["Call"] or 0, params["Signature"] or 0, exts
        )
    versions = (r.u8(),) if version == 15 else r.vec(r.u8)
    address, call, signature = r.compact(), r.compact(), r.compact()
    if version == 15:
        r.compact()
    else:
        r.vec(lambda: (r.u8(), r.vec(r.compact)))
    return ExtrinsicFormat(versions, address, call, signature, r.vec(ext))
