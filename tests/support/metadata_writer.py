"""Metadata written from the model, in every version: for registries that no runtime has.

Without documentation, deprecations and whatever else nothing here reads.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from ibp_chain.scale import metadata as md
from ibp_chain.scale.primitives import encode_compact

T = TypeVar("T")
_PRIMITIVES = (
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "u256",
    "i8", "i16", "i32", "i64", "i128", "i256",
)  # fmt: skip
_NONE, _NOTHING = b"\0", b"\0"


def write(metadata: md.Metadata) -> bytes:
    """What `read_metadata` reads as `metadata`; in V14 with one more type, the extrinsic's."""
    return _Writer(metadata.version).metadata(metadata)


class _Writer:
    def __init__(self, version: int) -> None:
        self.version = version

    def metadata(self, metadata: md.Metadata) -> bytes:
        types, extrinsic = dict(metadata.types), metadata.extrinsic
        tail = self.extrinsic(extrinsic)
        if self.version == 14:
            whole = max(types) + 1
            types[whole] = md.Type(
                ("UncheckedExtrinsic",),
                {
                    "Address": extrinsic.address,
                    "Call": extrinsic.call,
                    "Signature": extrinsic.signature,
                    "Extra": None,
                },
                md.Sequence(next(iter(types))),
            )
            extensions = _each(extrinsic.extensions, _extension)
            tail = encode_compact(whole) + b"\4" + extensions
        return b"".join(
            (
                md.MAGIC,
                bytes((self.version,)),
                _each(types.items(), lambda pair: encode_compact(pair[0]) + _type(pair[1])),
                _each(metadata.pallets.values(), self.pallet),
                tail,
            )
        )

    def extrinsic(self, extrinsic: md.ExtrinsicFormat) -> bytes:
        parts = (extrinsic.address, extrinsic.call, extrinsic.signature)
        extensions = _each(extrinsic.extensions, _extension)
        if self.version == 15:
            return b"\4" + b"".join(map(encode_compact, parts)) + encode_compact(0) + extensions
        by_version = _each(
            extrinsic.by_version.items(),
            lambda pair: bytes((pair[0],)) + _each(pair[1], encode_compact),
        )
        return b"\x08\x04\x05" + b"".join(map(encode_compact, parts)) + by_version + extensions

    def pallet(self, pallet: md.Pallet) -> bytes:
        storage = (
            b"\1"
            + _text(pallet.storage_prefix)
            + _each(pallet.storage.values(), self.storage_entry)
        )
        parts = [
            _text(pallet.name),
            storage,
            _option(pallet.calls, self.enum),
            _option(pallet.events, self.enum),
            _each(pallet.constants.items(), self.constant),
            _option(pallet.errors, self.enum),
        ]
        if self.version >= 16:
            parts += [_NOTHING, _NOTHING]
        parts.append(bytes((pallet.index,)))
        if self.version >= 15:
            parts.append(_NOTHING)
        return b"".join([*parts, self.deprecation()])

    def enum(self, type_id: md.TypeId) -> bytes:
        return encode_compact(type_id) + (_NOTHING if self.version >= 16 else b"")

    def deprecation(self) -> bytes:
        return b"\0" if self.version >= 16 else b""

    def storage_entry(self, entry: md.StorageEntry) -> bytes:
        kind = b"\0"
        if entry.key is not None:
            places = list(md.Hasher)
            hashers = _each(entry.hashers, lambda hasher: bytes((places.index(hasher),)))
            kind = b"\1" + hashers + encode_compact(entry.key)
        value = encode_compact(entry.value)
        return _text(entry.name) + b"\0" + kind + value + _NOTHING * 2 + self.deprecation()

    def constant(self, pair: tuple[str, md.Constant]) -> bytes:
        name, constant = pair
        value = encode_compact(len(constant.value)) + constant.value
        head = _text(name) + encode_compact(constant.type)
        return head + value + _NOTHING + self.deprecation()


def _type(found: md.Type) -> bytes:
    parameters = _each(
        found.parameters.items(), lambda pair: _text(pair[0]) + _option(pair[1], encode_compact)
    )
    return _each(found.path, _text) + parameters + _definition(found.definition) + _NOTHING


def _definition(definition: md.Definition) -> bytes:
    match definition:
        case md.Composite(fields):
            return b"\0" + _each(fields, _field)
        case md.Variants(variants):
            return b"\1" + _each(variants, _variant)
        case md.Sequence(item):
            return b"\2" + encode_compact(item)
        case md.Array(length, item):
            return b"\3" + length.to_bytes(4, "little") + encode_compact(item)
        case md.Tuple(items):
            return b"\4" + _each(items, encode_compact)
        case md.Primitive(name):
            return b"\5" + bytes((_PRIMITIVES.index(name),))
        case md.Compact(inner):
            return b"\6" + encode_compact(inner)
        case md.BitSequence(store, order):
            return b"\7" + encode_compact(store) + encode_compact(order)


def _field(field: md.Field) -> bytes:
    return _option(field.name, _text) + encode_compact(field.type) + _NONE + _NOTHING


def _variant(variant: md.Variant) -> bytes:
    fields = _each(variant.fields, _field)
    return _text(variant.name) + fields + bytes((variant.index,)) + _NOTHING


def _extension(extension: md.Extension) -> bytes:
    types = encode_compact(extension.type) + encode_compact(extension.implicit)
    return _text(extension.identifier) + types


def _text(text: str) -> bytes:
    raw = text.encode()
    return encode_compact(len(raw)) + raw


def _each(items: Iterable[T], write_one: Callable[[T], bytes]) -> bytes:
    written = [write_one(item) for item in items]
    return encode_compact(len(written)) + b"".join(written)


def _option(value: T | None, write_one: Callable[[T], bytes]) -> bytes:
    return b"\0" if value is None else b"\1" + write_one(value)
