"""Runtime metadata V14, V15 and V16, read into one model.

Source: `frame-metadata` (v14.rs, v15.rs, v16.rs) and `scale-info` 2.x. What later versions add and
nothing here uses (deprecations, view functions, documentation) is read over; what they have behind
it, `ibp_chain.runtime_apis` reads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, TypeAlias, TypeVar, cast

from ibp_chain.errors import DecodeError
from ibp_chain.scale.input import Input

T = TypeVar("T")
TypeId: TypeAlias = int
"""Position in the metadata's own registry; means nothing outside of it."""

VERSIONS = (14, 15, 16)
MAGIC = b"meta"

PrimitiveName: TypeAlias = Literal[
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "u256",
    "i8", "i16", "i32", "i64", "i128", "i256",
]  # fmt: skip
_PRIMITIVES: tuple[PrimitiveName, ...] = (
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "u256",
    "i8", "i16", "i32", "i64", "i128", "i256",
)  # fmt: skip


class Hasher(StrEnum):
    """`StorageHasher`, in the order of its variants."""

    BLAKE2_128 = "Blake2_128"
    BLAKE2_256 = "Blake2_256"
    BLAKE2_128_CONCAT = "Blake2_128Concat"
    TWOX_128 = "Twox128"
    TWOX_256 = "Twox256"
    TWOX_64_CONCAT = "Twox64Concat"
    IDENTITY = "Identity"


_HASHERS = tuple(Hasher)


# --- The registry's types -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """Of a struct or of a variant; `name` is None in tuple structs."""

    name: str | None
    type: TypeId
    type_name: str | None = None
    """As the Rust source writes the type; bytes do not depend on it, the metadata hash does."""


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    index: int
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Composite:
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Variants:
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    item: TypeId


@dataclass(frozen=True, slots=True)
class Array:
    length: int
    item: TypeId


@dataclass(frozen=True, slots=True)
class Tuple:
    items: tuple[TypeId, ...]


@dataclass(frozen=True, slots=True)
class Primitive:
    name: PrimitiveName


@dataclass(frozen=True, slots=True)
class Compact:
    inner: TypeId


@dataclass(frozen=True, slots=True)
class BitSequence:
    store: TypeId
    order: TypeId


Definition: TypeAlias = (
    Composite | Variants | Sequence | Array | Tuple | Primitive | Compact | BitSequence
)


@dataclass(frozen=True, slots=True)
class Type:
    path: tuple[str, ...]
    parameters: Mapping[str, TypeId | None]
    definition: Definition


# --- Pallets --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StorageEntry:
    name: str
    hashers: tuple[Hasher, ...]
    """One for each key; none for a plain value."""
    key: TypeId | None
    """A tuple type where there are several hashers."""
    value: TypeId


@dataclass(frozen=True, slots=True)
class Constant:
    type: TypeId
    value: bytes


@dataclass(frozen=True, slots=True)
class Pallet:
    name: str
    index: int
    storage_prefix: str
    """What its storage keys begin with, hashed; its name unless it was renamed."""
    storage: Mapping[str, StorageEntry]
    calls: TypeId | None
    events: TypeId | None
    errors: TypeId | None
    constants: Mapping[str, Constant]


@dataclass(frozen=True, slots=True)
class Extension:
    """A transaction (once: signed) extension."""

    identifier: str
    type: TypeId
    """Of what stands in the extrinsic."""
    implicit: TypeId
    """Of what is signed beside it."""


@dataclass(frozen=True, slots=True)
class ExtrinsicFormat:
    address: TypeId
    call: TypeId
    signature: TypeId
    extensions: tuple[Extension, ...]
    by_version: Mapping[int, tuple[int, ...]]
    """Extension version to positions in `extensions`; before V16 the only version is 0."""


@dataclass(frozen=True, slots=True)
class Metadata:
    version: int
    types: Mapping[TypeId, Type]
    pallets: Mapping[str, Pallet]
    extrinsic: ExtrinsicFormat


def read_metadata(raw: bytes) -> Metadata:
    """The metadata in `raw`, magic first. Raises `DecodeError`."""
    return Reader(*read_head(raw)).metadata()


def read_head(raw: bytes) -> tuple[Input, int]:
    """The metadata behind its magic, and its version. Raises `DecodeError`."""
    source = Input(raw)
    if source.take(4) != MAGIC:
        raise DecodeError("this is no metadata: it does not begin with `meta`", 0)
    version = source.u8()
    if version not in VERSIONS:
        raise DecodeError(f"metadata V{version} cannot be read, only V14 to V16", 4)
    return source, version


class Reader:
    """Reads one blob, in the order of its fields; `ibp_chain.runtime_apis` reads on behind it."""

    def __init__(self, source: Input, version: int) -> None:
        self.source, self.version = source, version

    def metadata(self) -> Metadata:
        numbered = self.each(self.type)
        types = without_empty_compacts(dict(numbered))
        if len(types) < len(numbered):
            raise DecodeError("two types have the same number", self.source.at)
        pallets = self.each(self.pallet)
        extrinsic = self.extrinsic_v14(types) if self.version == 14 else self.extrinsic()
        metadata = Metadata(self.version, types, {p.name: p for p in pallets}, extrinsic)
        if len({p.index for p in pallets}) < len(pallets) or len(metadata.pallets) < len(pallets):
            raise DecodeError("two pallets have the same name or index")
        _ensure_closed(metadata)
        return metadata

    # --- parts ---

    def each(self, read: Callable[[], T]) -> tuple[T, ...]:
        return tuple([read() for _ in range(self.source.count())])

    def option(self, read: Callable[[], T]) -> T | None:
        return read() if self.source.flag() else None

    def documentation(self) -> None:
        for _ in range(self.source.count()):
            self.source.octets()

    def deprecation(self) -> None:
        """`ItemDeprecationInfo`, `VariantDeprecationInfo`."""
        if self.version >= 16 and self.tag("deprecation", 3) == 2:
            self.source.octets()
            self.option(self.source.octets)

    def tag(self, what: str, end: int) -> int:
        tag = self.source.u8()
        if tag >= end:
            raise DecodeError(f"unknown {what} {tag}", self.source.at - 1)
        return tag

    # --- types ---

    def type(self) -> tuple[TypeId, Type]:
        source = self.source
        type_id, path = source.compact(), self.each(source.text)
        parameters = dict(self.each(lambda: (source.text(), self.option(source.compact))))
        found = Type(path, parameters, self.definition())
        self.documentation()
        return type_id, found

    def definition(self) -> Definition:
        source = self.source
        match self.tag("type definition", 8):
            case 0:
                return Composite(self.fields())
            case 1:
                return Variants(self.variants())
            case 2:
                return Sequence(source.compact())
            case 3:
                return Array(source.u32(), source.compact())
            case 4:
                return Tuple(self.each(source.compact))
            case 5:
                return Primitive(_PRIMITIVES[self.tag("primitive", len(_PRIMITIVES))])
            case 6:
                return Compact(source.compact())
            case _:
                return BitSequence(source.compact(), source.compact())

    def fields(self) -> tuple[Field, ...]:
        """All with names of their own, or none with a name."""
        fields = self.each(self.field)
        names = {field.name for field in fields}
        if names != {None} and (None in names or len(names) < len(fields)):
            raise DecodeError("fields lack names of their own", self.source.at)
        return fields

    def variants(self) -> tuple[Variant, ...]:
        variants = self.each(self.variant)
        names, indices = {v.name for v in variants}, {v.index for v in variants}
        if min(len(names), len(indices)) < len(variants):
            raise DecodeError("two variants have the same name or index", self.source.at)
        return variants

    def field(self) -> Field:
        source = self.source
        field = Field(self.option(source.text), source.compact(), self.option(source.text))
        self.documentation()
        return field

    def variant(self) -> Variant:
        name, fields, index = self.source.text(), self.fields(), self.source.u8()
        self.documentation()
        return Variant(name, index, fields)

    # --- pallets ---

    def pallet(self) -> Pallet:
        source, name = self.source, self.source.text()
        storage = self.option(lambda: (source.text(), self.each(self.storage_entry)))
        calls, events = self.option(self.enum), self.option(self.enum)
        constants = self.each(self.constant)
        errors = self.option(self.enum)
        if self.version >= 16:
            self.each(self.associated_type)
            self.each(self.view_function)
        index = source.u8()
        if self.version >= 15:
            self.documentation()
        self.deprecation()
        prefix, entries = storage or (name, ())
        return Pallet(
            name=name,
            index=index,
            storage_prefix=prefix,
            storage={entry.name: entry for entry in entries},
            calls=calls,
            events=events,
            errors=errors,
            constants=dict(constants),
        )

    def enum(self) -> TypeId:
        """The type of a pallet's calls, events or errors."""
        type_id = self.source.compact()
        if self.version >= 16:
            self.each(self.variant_deprecation)
        return type_id

    def variant_deprecation(self) -> None:
        self.source.u8()
        self.deprecation()

    def storage_entry(self) -> StorageEntry:
        source, name = self.source, self.source.text()
        self.tag("storage modifier", 2)
        hashers: tuple[Hasher, ...] = ()
        key = None
        if self.tag("kind of storage entry", 2) == 1:
            hashers = self.each(lambda: _HASHERS[self.tag("hasher", len(_HASHERS))])
            key = source.compact()
        value = source.compact()
        source.octets()  # what reads of an absent value give
        self.documentation()
        self.deprecation()
        return StorageEntry(name, hashers, key, value)

    def constant(self) -> tuple[str, Constant]:
        name = self.source.text()
        constant = Constant(self.source.compact(), self.source.octets())
        self.documentation()
        self.deprecation()
        return name, constant

    def associated_type(self) -> None:
        self.source.octets()
        self.source.compact()
        self.documentation()

    def view_function(self) -> None:
        source = self.source
        source.take(32)
        source.octets()
        self.each(lambda: (source.octets(), source.compact()))
        source.compact()
        self.documentation()
        self.deprecation()

    # --- extrinsics ---

    def extrinsic_v14(self, types: Mapping[TypeId, Type]) -> ExtrinsicFormat:
        """V14 names the parts only as parameters of the extrinsic's type."""
        whole = types.get(self.source.compact())
        self.source.u8()
        parameters: Mapping[str, TypeId | None] = {} if whole is None else whole.parameters
        address, call, signature = (
            parameters.get(name) for name in ("Address", "Call", "Signature")
        )
        if address is None or call is None or signature is None:
            raise DecodeError("the extrinsic's type lacks its parameters", self.source.at)
        extensions = self.each(self.extension)
        return ExtrinsicFormat(address, call, signature, extensions, _all_of(extensions))

    def extrinsic(self) -> ExtrinsicFormat:
        source = self.source
        if self.version == 15:
            source.u8()
        else:
            self.each(source.u8)
        address, call, signature = source.compact(), source.compact(), source.compact()
        if self.version == 15:
            source.compact()  # the extensions as one type
            extensions = self.each(self.extension)
            return ExtrinsicFormat(address, call, signature, extensions, _all_of(extensions))
        by_version = dict(self.each(lambda: (source.u8(), self.each(source.compact))))
        extensions = self.each(self.extension)
        if any(at >= len(extensions) for places in by_version.values() for at in places):
            raise DecodeError(
                "an extension version names an extension that is not there", source.at
            )
        return ExtrinsicFormat(address, call, signature, extensions, by_version)

    def extension(self) -> Extension:
        source = self.source
        return Extension(source.text(), source.compact(), source.compact())


def _all_of(extensions: tuple[Extension, ...]) -> Mapping[int, tuple[int, ...]]:
    return {0: tuple(range(len(extensions)))}


def _ensure_closed(metadata: Metadata) -> None:
    """Every type that is named is there, and every enum is one: decoders need not ask again."""
    named = {type_id for found in metadata.types.values() for type_id in types_in(found)}
    for pallet in metadata.pallets.values():
        enums = [
            type_id
            for type_id in (pallet.calls, pallet.events, pallet.errors)
            if type_id is not None
        ]
        for type_id in enums:
            if type_id in metadata.types:
                _ensure_enum(metadata, type_id, pallet.name)
        named.update(enums)
        named.update(constant.type for constant in pallet.constants.values())
        for entry in pallet.storage.values():
            _ensure_keys(metadata, pallet, entry)
            named.add(entry.value)
    extrinsic = metadata.extrinsic
    named |= {extrinsic.address, extrinsic.call, extrinsic.signature}
    named |= {extension.type for extension in extrinsic.extensions}
    if missing := named - metadata.types.keys():
        raise DecodeError(f"the metadata names type {min(missing)} and does not have it")
    _ensure_enum(metadata, extrinsic.call, "the runtime's call")
    _ensure_calls(metadata)


def _ensure_calls(metadata: Metadata) -> None:
    """The runtime's call is the enum of its pallets' calls: decoders go by either."""
    enum = {
        variant.index: tuple(field.type for field in variant.fields)
        for variant in variants_of(metadata, metadata.extrinsic.call)
    }
    pallets = {
        pallet.index: (pallet.calls,)
        for pallet in metadata.pallets.values()
        if pallet.calls is not None
    }
    if enum != pallets:
        raise DecodeError("the runtime's call is not the enum of its pallets' calls")


def _ensure_enum(metadata: Metadata, type_id: TypeId, what: str) -> None:
    if not isinstance(metadata.types[type_id].definition, Variants):
        raise DecodeError(f"{what}: type {type_id} is no enum")


def _ensure_keys(metadata: Metadata, pallet: Pallet, entry: StorageEntry) -> None:
    where = f"{pallet.name}.{entry.name}"
    if entry.key is None:
        return
    found = metadata.types.get(entry.key)
    if found is None:
        raise DecodeError(f"{where}: the metadata does not have its key's type {entry.key}")
    if len(entry.hashers) != 1 and (
        not isinstance(found.definition, Tuple) or len(found.definition.items) != len(entry.hashers)
    ):
        raise DecodeError(f"{where}: {len(entry.hashers)} hashers for another number of keys")


def without_empty_compacts(types: Mapping[TypeId, Type]) -> dict[TypeId, Type]:
    """`Compact<()>` as `()`, which it is: parity-scale-codec writes nothing for it.

    `MultiAddress::Index` is one on most chains.
    """
    return {
        type_id: replace(found, definition=Tuple(()))
        if isinstance(found.definition, Compact) and _is_empty(found.definition, types)
        else found
        for type_id, found in types.items()
    }


def _is_empty(definition: Definition, types: Mapping[TypeId, Type]) -> bool:
    """Of what is wrapped any number of times; a type that wraps itself is not."""
    for _ in types:
        match definition:
            case Composite(()) | Tuple(()):
                return True
            case Compact(inner) | Tuple((inner,)) if inner in types:
                definition = types[inner].definition
            case Composite((field,)) if field.type in types:
                definition = types[field.type].definition
            case _:
                return False
    return False


def types_in(found: Type) -> tuple[TypeId, ...]:
    """The types that a type is made of, one step down."""
    match found.definition:
        case Composite(fields):
            return tuple(field.type for field in fields)
        case Variants(variants):
            return tuple(field.type for variant in variants for field in variant.fields)
        case Sequence(item) | Array(_, item):
            return (item,)
        case Tuple(items):
            return items
        case Compact(inner):
            return (inner,)
    return ()


def variants_of(metadata: Metadata, type_id: TypeId | None) -> tuple[Variant, ...]:
    """The variants of an enum that `read_metadata` found to be one; none for None."""
    if type_id is None:
        return ()
    return cast("Variants", metadata.types[type_id].definition).variants
