"""The metadata hash that `CheckMetadataHash` signs: what a device shows is what the runtime reads.

Source: RFC 78 (merkleised metadata), `merkleized-metadata`. Pure: the runtime's metadata comes in,
as `ibp_chain.scale.metadata` models it. Token symbol and decimals are in no metadata; they are the
network's, and the runtime was built with them.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from blake3 import blake3

from ibp_chain.errors import CheckFailed, DecodeError
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.scale import metadata as md
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.types import Hash

EXTENSION = "CheckMetadataHash"
_DIGEST_V1 = b"\1"
_EXTRINSIC_V4 = b"\4"
"""The only format that the digest is defined for."""
_EMPTY_TREE = bytes(32)

# TypeRef, in the order of its variants
_PRIMITIVES: tuple[md.PrimitiveName, ...] = (
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "u256",
    "i8", "i16", "i32", "i64", "i128", "i256",
)  # fmt: skip
_COMPACTS: tuple[md.PrimitiveName, ...] = ("u8", "u16", "u32", "u64", "u128", "u256")
_REFERENCES = {name: bytes((at,)) for at, name in enumerate(_PRIMITIVES)}
_COMPACT_REFERENCES = {name: bytes((15 + at,)) for at, name in enumerate(_COMPACTS)}
_VOID, _PER_ID = b"\x15", b"\x16"

_STORE_BYTES: dict[md.PrimitiveName, int] = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


@dataclass(frozen=True, slots=True)
class ExtraInfo:
    """What a device needs to show amounts and addresses, and metadata has as blobs or not at all.

    `ss58_prefix` is the runtime's own constant, which need not be the one that wallets use.
    """

    spec_version: int
    spec_name: str
    ss58_prefix: int
    decimals: int
    symbol: str

    def encode(self) -> bytes:
        return (
            self.spec_version.to_bytes(4, "little")
            + _text(self.spec_name)
            + self.ss58_prefix.to_bytes(2, "little")
            + bytes((self.decimals,))
            + _text(self.symbol)
        )


def has_metadata_hash(runtime: Runtime) -> bool:
    """Whether transactions of `runtime` can be bound to its metadata."""
    return any(one.identifier == EXTENSION for one in runtime.metadata.extrinsic.extensions)


def runtime_metadata_hash(runtime: Runtime, network: Network) -> Hash:
    """The hash that `runtime` was built with, as it follows from its metadata.

    Raises `CheckFailed` for the runtime of another network, `DecodeError` for metadata of which no
    digest is defined.
    """
    if runtime.spec_name != network.spec_name:
        raise CheckFailed(
            f"the runtime calls itself {runtime.spec_name}, {network.name}'s {network.spec_name}"
        )
    info = ExtraInfo(
        spec_version=runtime.spec_version,
        spec_name=runtime.spec_name,
        ss58_prefix=runtime.constant("System", "SS58Prefix"),
        decimals=network.decimals,
        symbol=network.symbol,
    )
    return metadata_hash(runtime.metadata, info)


def metadata_hash(metadata: md.Metadata, info: ExtraInfo) -> Hash:
    """blake3 of `MetadataDigest::V1`. Raises `DecodeError`."""
    types = _Types(metadata)
    root = tree_root([_hash(leaf) for leaf in types.leaves()])
    return Hash(_hash(_DIGEST_V1 + root + _hash(types.extrinsic()) + info.encode()))


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in their order; zeros over none.

    A complete binary tree, its deepest level filled from the left with the last leaves: two nodes
    are taken from the back, and their parent goes to the front.
    """
    nodes = deque(leaves)
    if not nodes:
        return _EMPTY_TREE
    while len(nodes) > 1:
        right, left = nodes.pop(), nodes.pop()
        nodes.appendleft(_hash(left + right))
    return nodes[0]


class _Types:
    """The types that an extrinsic is made of, numbered anew in the order of their ids."""

    def __init__(self, metadata: md.Metadata) -> None:
        self._types = metadata.types
        self._format = metadata.extrinsic
        if 0 not in self._format.by_version:
            raise DecodeError("the metadata has no transaction extensions of version 0")
        places = self._format.by_version[0]
        self._extensions = tuple(self._format.extensions[at] for at in places)

    @cached_property
    def _numbers(self) -> dict[md.TypeId, int]:
        found: set[md.TypeId] = set()
        waiting = [self._format.call, self._format.address, self._format.signature]
        for extension in self._extensions:
            waiting += extension.type, extension.implicit
        while waiting:
            type_id = waiting.pop()
            if type_id not in found and self._stands_alone(type_id):
                found.add(type_id)
                waiting += self._inner(type_id)
        return {type_id: number for number, type_id in enumerate(sorted(found))}

    def _stands_alone(self, type_id: md.TypeId) -> bool:
        """Whether it is a type of its own, not one of those that a reference says in full."""
        match self._types[type_id].definition:
            case md.Primitive() | md.Compact() | md.Composite(()) | md.Variants(()) | md.Tuple(()):
                return False
        return True

    def _inner(self, type_id: md.TypeId) -> tuple[md.TypeId, ...]:
        found = self._types[type_id]
        # the types of a bit sequence say how it is stored, and are in no extrinsic
        return () if isinstance(found.definition, md.BitSequence) else md.types_in(found)

    def leaves(self) -> Iterator[bytes]:
        """Encoded `Type`s by number; every variant of an enum is one, by index."""
        for type_id, number in self._numbers.items():
            found = self._types[type_id]
            head, tail = _each(map(_text, found.path)), encode_compact(number)
            for definition in self._definitions(found.definition):
                yield head + definition + tail

    def extrinsic(self) -> bytes:
        """Encoded `ExtrinsicMetadata`."""
        parts = (self._format.address, self._format.call, self._format.signature)
        return (
            _EXTRINSIC_V4
            + b"".join(map(self._reference, parts))
            + _each(
                _text(one.identifier) + self._reference(one.type) + self._reference(one.implicit)
                for one in self._extensions
            )
        )

    # --- parts ---

    def _definitions(self, definition: md.Definition) -> Iterator[bytes]:
        match definition:
            case md.Composite(fields):
                yield b"\0" + self._fields(fields)
            case md.Variants(variants):
                for variant in sorted(variants, key=lambda one: one.index):
                    yield (
                        b"\1"
                        + _text(variant.name)
                        + self._fields(variant.fields)
                        + encode_compact(variant.index)
                    )
            case md.Sequence(item):
                yield b"\2" + self._reference(item)
            case md.Array(length, item):
                yield b"\3" + length.to_bytes(4, "little") + self._reference(item)
            case md.Tuple(items):
                yield b"\4" + _each(map(self._reference, items))
            case md.BitSequence(store, order):
                yield b"\5" + self._bits(store, order)
            case md.Primitive() | md.Compact():
                raise AssertionError("primitives and compacts are no types of their own")

    def _fields(self, fields: Sequence[md.Field]) -> bytes:
        return _each(
            _option(field.name) + self._reference(field.type) + _option(field.type_name)
            for field in fields
        )

    def _reference(self, type_id: md.TypeId) -> bytes:
        """Encoded `TypeRef`."""
        match self._types[type_id].definition:
            case md.Primitive(name):
                return _REFERENCES[name]
            case md.Compact(inner):
                return self._compact(inner)
        number = self._numbers.get(type_id)
        return _VOID if number is None else _PER_ID + encode_compact(number)

    def _compact(self, type_id: md.TypeId) -> bytes:
        name = self._wrapped(type_id)
        if name is None:
            return _VOID
        if name not in _COMPACT_REFERENCES:
            raise DecodeError(f"the metadata has a compact {name}, which SCALE does not")
        return _COMPACT_REFERENCES[name]

    def _wrapped(self, type_id: md.TypeId) -> md.PrimitiveName | None:
        """The primitive inside any number of structs of one field; None for nothing inside."""
        for _ in self._types:
            match self._types[type_id].definition:
                case md.Primitive(name):
                    return name
                case md.Composite((field,)):
                    type_id = field.type
                case md.Tuple((inner,)):
                    type_id = inner
                case md.Composite(()) | md.Tuple(()):
                    return None
                case _:
                    break
        raise DecodeError(f"type {type_id} stands for a primitive, and is none")

    def _bits(self, store: md.TypeId, order: md.TypeId) -> bytes:
        name = self._wrapped(store)
        path = self._types[order].path
        if name not in _STORE_BYTES or not {"Lsb0", "Msb0"} & {*path}:
            raise DecodeError("a bit sequence of unknown storage")
        return bytes((_STORE_BYTES[name], "Lsb0" in path))


def _hash(data: bytes) -> bytes:
    return blake3(data).digest()


def _each(items: Iterable[bytes]) -> bytes:
    """A SCALE vector of encoded items."""
    found = tuple(items)
    return encode_compact(len(found)) + b"".join(found)


def _text(text: str) -> bytes:
    data = text.encode()
    return encode_compact(len(data)) + data


def _option(text: str | None) -> bytes:
    return b"\0" if text is None else b"\1" + _text(text)
