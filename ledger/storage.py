"""Storage items as pallets declare them: typed inside, canonical SCALE outside.

A mirrored FRAME pallet uses the chain's own keys and values, so that an audit compares bytes. The
programme's own pallets use the same scheme under their own names: the ledger's state reads like
one more part of the chain's storage.

Every write is noted until `take_changes`, which is how the store learns what a block changed.
Source: `frame_support::storage` for the key layout (twox128(pallet) ++ twox128(item) ++ hashed
keys).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, Self, TypeVar

from ibp_chain.errors import DecodeError
from ibp_chain.scale import hashers
from ibp_chain.scale.metadata import Hasher
from ibp_chain.scale.schema import Schema

__all__ = ["Hasher", "KeyPart", "StorageMap", "StorageValue", "twox_128"]

K = TypeVar("K")
V = TypeVar("V")


def twox_128(text: str) -> bytes:
    """The prefix hash of a pallet's or storage item's name."""
    return hashers.twox_128(text.encode())


class KeyPart(NamedTuple):
    """One key of a map: its hasher, one that keeps the key itself, and its layout."""

    hasher: Hasher
    schema: Schema[Any]


class StorageMap(Generic[K, V]):
    """`StorageMap`, `StorageDoubleMap` or `StorageNMap`; with two keys or more, `K` is a tuple."""

    def __init__(
        self,
        pallet: str,
        item: str,
        keys: tuple[KeyPart, ...],
        value: Schema[V],
        default: Callable[[], V] | None = None,
    ) -> None:
        self.pallet, self.item = pallet, item
        self.prefix = twox_128(pallet) + twox_128(item)
        self._keys, self._value, self._default = keys, value, default
        self._entries: dict[K, V] = {}
        self.changed: set[K] = set()
        """Keys written since `take_changes`."""

    def get(self, key: K) -> V:
        """The value, or the default of a `ValueQuery` item. Raises `KeyError` where none is."""
        if self._default is not None and key not in self._entries:
            return self._default()
        return self._entries[key]

    def find(self, key: K) -> V | None:
        """The value, or None where nothing is stored."""
        return self._entries.get(key)

    def insert(self, key: K, value: V) -> None:
        self._entries[key] = value
        self.changed.add(key)

    def remove(self, key: K) -> None:
        """Delete the entry; nothing happens where none is."""
        if self._entries.pop(key, None) is not None:
            self.changed.add(key)

    def clear(self) -> None:
        """Delete every entry."""
        self.changed.update(self._entries)
        self._entries.clear()

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> Iterator[tuple[K, V]]:
        """Every entry, in insertion order: sort where order matters."""
        yield from self._entries.items()

    def raw_key(self, key: K) -> bytes:
        """The full storage key."""
        parts = key if len(self._keys) > 1 else (key,)
        assert isinstance(parts, tuple)
        return self.prefix + b"".join(
            hashers.HASH[part.hasher](part.schema.encode(value))
            for part, value in zip(self._keys, parts, strict=True)
        )

    def raw_value(self, key: K) -> bytes | None:
        """The stored bytes, or None where nothing is stored."""
        return self._value.encode(self._entries[key]) if key in self._entries else None

    def encode_value(self, value: V) -> bytes:
        """As it is stored."""
        return self._value.encode(value)

    def key_of(self, raw_key: bytes) -> K:
        """The key behind a full storage key. Raises `DecodeError`."""
        offset = len(self.prefix)
        if raw_key[:offset] != self.prefix:
            raise DecodeError(f"not a key of {self.pallet}.{self.item}", 0)
        parts = []
        for part in self._keys:
            start = offset + hashers.PREFIX_SIZE[part.hasher]
            value, end = part.schema.decode_at(raw_key, start)
            if hashers.HASH[part.hasher](raw_key[start:end]) != raw_key[offset:end]:
                raise DecodeError(f"key of {self.pallet}.{self.item} has a wrong hash", offset)
            parts.append(value)
            offset = end
        if offset != len(raw_key):
            raise DecodeError(f"key of {self.pallet}.{self.item} is too long", offset)
        key: Any = tuple(parts) if len(self._keys) > 1 else parts[0]
        return key  # type: ignore[no-any-return]  # K is what the key schemas decode to

    def load(self, raw_key: bytes, raw_value: bytes) -> None:
        """Take over an entry from its bytes, not noted as a change.

        Raises `DecodeError` for a malformed one and for one that is there already.
        """
        key = self.key_of(raw_key)
        if key in self._entries:
            raise DecodeError(f"an entry of {self.pallet}.{self.item} is there twice")
        self._entries[key] = self._value.decode(raw_value)

    def copy_from(self, other: Self) -> None:
        """Become what `other` is, nothing noted as changed. Values are shared: none is mutable."""
        self._entries = dict(other._entries)
        self.changed.clear()

    def raw_items(self) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._entries.items():
            yield self.raw_key(key), self._value.encode(value)

    def take_changes(self) -> Mapping[K, V | None]:
        """What was written since the last call; None marks a deletion."""
        if not self.changed:
            return {}
        changes = {key: self._entries.get(key) for key in self.changed}
        self.changed.clear()
        return changes


class StorageValue(StorageMap[tuple[()], V]):
    """A single value. `value` and `put` spare the empty key."""

    def __init__(
        self, pallet: str, item: str, value: Schema[V], default: Callable[[], V] | None = None
    ) -> None:
        super().__init__(pallet, item, (), value, default)

    def raw_key(self, key: tuple[()] = ()) -> bytes:
        del key  # there is only the empty one
        return self.prefix

    def key_of(self, raw_key: bytes) -> tuple[()]:
        if raw_key != self.prefix:
            raise DecodeError(f"not the key of {self.pallet}.{self.item}", 0)
        return ()

    @property
    def value(self) -> V | None:
        return self.find(())

    def put(self, value: V) -> None:
        self.insert((), value)
