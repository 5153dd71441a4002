"""Compare the mirrors with the chain's own storage, entry by entry, in both directions.

What a mirror says and the chain lacks is a difference, and so is what the chain has and the mirror
lacks: the chain's keys are listed by prefix. Mirrored items are compared as bytes. Two are not:

* `Balances.Locks`: the governance lock only, the others belong to pallets that are not mirrored.
* `Referenda.ReferendumInfoFor`: the status, the track of an ongoing poll, the end of another one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import DecodeError, InputError
from ibp_chain.networks import Network
from ibp_chain.types import AccountId, Hash, PollIndex
from ledger.mirrors import Mirrors
from ledger.pallets import balances, referenda
from ledger.pallets.conviction_voting import CONVICTION_VOTING_ID
from ledger.state import State
from ledger.storage import StorageMap

_KEYS_AT_ONCE = 500


class StorageSource(Protocol):
    """What an audit asks of `ibp_chain.source.NodeSource`."""

    def keys(self, prefix: bytes, at: Hash) -> Iterator[bytes]: ...

    def storage(self, keys: list[bytes], at: Hash) -> list[bytes | None]: ...


class Runtime(Protocol):
    """What it asks of `ibp_chain.runtime.Runtime`, of the runtime in the block's post-state."""

    def has_pallet(self, pallet: str) -> bool: ...

    def storage_prefix(self, pallet: str, entry: str) -> bytes: ...

    def decode_storage(self, pallet: str, entry: str, raw: bytes) -> Any: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry on which mirror and chain disagree; None where one side has no such entry."""

    item: str
    """`Pallet.Item` as the chain names it."""
    key: str
    mirror: str | None
    chain: str | None

    def __str__(self) -> str:
        mirror, chain = self.mirror or "nothing", self.chain or "nothing"
        return f"{self.item}({self.key}): mirror has {mirror}, chain has {chain}"


@dataclass(frozen=True, slots=True)
class AuditResult:
    """As of a block: how many entries were compared, per item, and those that differ."""

    at: BlockRef
    compared: Mapping[str, int]
    """Entries on either side, by `Pallet.Item`."""
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        return not self.differences


def audit(
    state: State, head: BlockRef, node: StorageSource, at: BlockRef, runtime: Runtime
) -> AuditResult:
    """Compare `state`, which stands at `head`, with the storage of block `at`.

    `runtime` is the one in the block's post-state. Raises `InputError` where ledger and audit do
    not stand at the same block: a difference would mean nothing.
    """
    if head != at:
        raise InputError(
            f"the ledger stands at block {head.number} (0x{head.hash.hex()}), the audit is asked "
            f"at block {at.number} (0x{at.hash.hex()}): both must be the same block"
        )
    compared: dict[str, int] = {}
    differences: list[Difference] = []
    sides = [
        *_mirrored_items(state.mirrors, node, at.hash),
        _polls(state.mirrors, node, at.hash, runtime),
    ]
    for item, ours, theirs in sides:
        keys = ours.keys() | theirs.keys()
        compared[item] = len(keys)
        differences += (
            Difference(item, _key_text(key, state.network), _text(ours, key), _text(theirs, key))
            for key in sorted(keys)
            if ours.get(key) != theirs.get(key)
        )
    return AuditResult(at, compared, tuple(differences))


class Entry(NamedTuple):
    """A value to compare by its bytes and to show decoded."""

    raw: bytes
    value: Any


Entries: TypeAlias = Mapping[bytes, Entry]
"""By full storage key."""
Sides: TypeAlias = tuple[StorageMap[Any, Any], str, Entries, Entries]
"""The map that reads keys, what the chain calls it, the mirror's entries, the chain's."""


def _mirrored_items(mirrors: Mirrors, node: StorageSource, at: Hash) -> Iterator[Sides]:
    for mirror, reader in zip(mirrors.mirrored_maps(), Mirrors().mirrored_maps(), strict=True):
        view = _governance_lock if mirror is mirrors.balances.locks else _whole
        theirs = _read(node, mirror.prefix, at)
        yield (
            reader,
            f"{mirror.pallet}.{mirror.item}",
            _entries(reader, mirror.raw_items(), view),
            _entries(reader, theirs, view),
        )


def _entries(
    reader: StorageMap[Any, Any],
    raw_items: Iterable[tuple[bytes, bytes]],
    view: Callable[[bytes, Any], Entry | None],
) -> Entries:
    entries = {}
    for key, raw in raw_items:
        reader.load(key, raw)
        entry = view(raw, reader.get(reader.key_of(key)))
        if entry is not None:
            entries[key] = entry
    return entries


def _whole(raw: bytes, value: Any) -> Entry:
    return Entry(raw, value)


def _governance_lock(_raw: bytes, locks: tuple[balances.BalanceLock, ...]) -> Entry | None:
    for lock in locks:
        if lock.id == CONVICTION_VOTING_ID:
            return Entry(schema.u128.encode(lock.amount) + bytes((lock.reasons,)), lock)
    return None


def _read(node: StorageSource, prefix: bytes, at: Hash) -> Iterator[tuple[bytes, bytes]]:
    keys = iter(node.keys(prefix, at))
    while page := list(islice(keys, _KEYS_AT_ONCE)):
        for key, raw in zip(page, node.storage(page, at), strict=True):
            if raw is None:
                raise SourceError(f"the node lists storage key 0x{key.hex()} and has no value")
            yield key, raw
