"""Compare the mirrors with the chain's own storage, entry by entry, in both directions.

What a mirror says and the chain lacks is a difference, and so is what the chain has and the mirror
lacks: the chain's keys are listed by prefix. What the chain has and cannot be decoded differs, too.
Mirrored items are compared as bytes. Two are not:

* `Balances.Locks`: the governance locks only, the others belong to pallets that are not mirrored.
* `Referenda.ReferendumInfoFor`: the status, the track of an ongoing poll, the end of another one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeAlias

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import DecodeError, InputError, SourceError
from ibp_chain.networks import Network
from ibp_chain.types import AccountId, Hash, SpecVersion
from ledger.mirrors import Mirrors
from ledger.pallets import balances, referenda
from ledger.state import State
from ledger.storage import StorageMap

_KEYS_AT_ONCE = 500


class StorageSource(Protocol):
    """What an audit asks of `ibp_chain.source.NodeSource`."""

    def keys(self, prefix: bytes, at: Hash) -> Iterator[bytes]: ...

    def storage(self, keys: Sequence[bytes], at: Hash) -> list[bytes | None]: ...

    def version_after(self, state: Hash) -> SpecVersion:
        """Of the runtime in the post-state of a block, which may be a new one."""


class Runtime(Protocol):
    """What it asks of `ibp_chain.runtime.Runtime`, of the runtime in the block's post-state."""

    def has_pallet(self, pallet: str) -> bool: ...

    def storage_prefix(self, pallet: str, entry: str) -> bytes: ...

    def decode_storage(self, pallet: str, entry: str, raw: bytes) -> Any: ...


Runtimes: TypeAlias = Callable[[SpecVersion], Runtime]


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


def audit(state: State, node: StorageSource, runtimes: Runtimes, at: BlockRef) -> AuditResult:
    """Compare `state` with the storage of block `at`, whose post-state it must be.

    `runtimes` as `ibp_chain.runtimes` gives them. Raises `InputError` where ledger and audit do not
    stand at the same block, or entries are between two chains: a difference would mean nothing.
    """
    head = state.head.value
    if head is None or head.ref != at:
        stands = "before the first block" if head is None else _ref_text(head.ref)
        raise InputError(
            f"the ledger stands {stands}, the audit is asked {_ref_text(at)}: "
            "both must be the same block"
        )
    if state.mirrors.migration.runs:
        raise InputError(
            f"the Asset Hub Migration runs at block {at.number}: entries are on their way between "
            "two chains; compare after it has finished"
        )
    runtime = runtimes(node.version_after(at.hash))
    compared: dict[str, int] = {}
    differences: list[Difference] = []
    for side in (
        *_mirrored_items(state.mirrors, node, at.hash),
        _polls(state.mirrors, node, at.hash, runtime),
    ):
        keys = side.mirror.keys() | side.chain.keys()
        compared[side.item] = len(keys)
        differences += (
            Difference(
                side.item,
                _key_text(side.keyed, key, state.network),
                _text(side.mirror.get(key)),
                _text(side.chain.get(key)),
            )
            for key in sorted(keys)
            if _raw(side.mirror.get(key)) != _raw(side.chain.get(key))
        )
    return AuditResult(at, compared, tuple(differences))


# --- Both sides, item by item -------------------------------------------------------------


class Entry(NamedTuple):
    """A value to compare by its bytes and to show decoded."""

    raw: bytes
    value: Any


Entries: TypeAlias = Mapping[bytes, Entry]
"""By full storage key."""


class Sides(NamedTuple):
    """One storage item as the mirror and the chain have it."""

    item: str
    keyed: StorageMap[Any, Any]
    mirror: Entries
    chain: Entries


def _mirrored_items(mirrors: Mirrors, node: StorageSource, at: Hash) -> Iterator[Sides]:
    # one reader for each side: a reader takes an entry once
    readers = Mirrors().mirrored_maps(), Mirrors().mirrored_maps()
    for mirror, ours, theirs in zip(mirrors.mirrored_maps(), *readers, strict=True):
        view = _governance_locks if mirror is mirrors.balances.locks else _whole
        yield Sides(
            f"{mirror.pallet}.{mirror.item}",
            mirror,
            _entries(ours, mirror.raw_items(), view),
            _entries(theirs, _read(node, mirror.prefix, at), view),
        )


def _polls(mirrors: Mirrors, node: StorageSource, at: Hash, runtime: Runtime) -> Sides:
    """Referenda by what both sides know of them; the chain's values hold far more."""
    keyed = referenda.info_keys()
    mirror = {
        keyed.raw_key(index): Entry(b"", referenda.info(poll))
        for index, poll in mirrors.referenda.polls.items()
    }
    chain = {}
    if runtime.has_pallet(keyed.pallet):
        for key, raw in _read(node, keyed.prefix, at):
            try:
                info = referenda.info_of(runtime.decode_storage(keyed.pallet, keyed.item, raw))
            except DecodeError as error:
                chain[key] = _undecoded(raw, error)
            else:
                chain[key] = Entry(b"", info)
    return Sides(f"{keyed.pallet}.{keyed.item}", keyed, mirror, chain)


def _entries(
    reader: StorageMap[Any, Any],
    raw_items: Iterable[tuple[bytes, bytes]],
    view: Callable[[bytes, Any], Entry | None],
) -> Entries:
    entries = {}
    for key, raw in raw_items:
        try:
            reader.load(key, raw)
        except DecodeError as error:
            entries[key] = _undecoded(raw, error)
            continue
        entry = view(raw, reader.get(reader.key_of(key)))
        if entry is not None:
            entries[key] = entry
    return entries


def _undecoded(raw: bytes, error: DecodeError) -> Entry:
    return Entry(raw, f"0x{raw.hex()}, which does not decode: {error}")


def _whole(raw: bytes, value: Any) -> Entry:
    return Entry(raw, value)


def _governance_locks(_raw: bytes, locks: tuple[balances.BalanceLock, ...]) -> Entry | None:
    ours = tuple(lock for lock in locks if lock.id in balances.GOVERNANCE_LOCKS)
    return Entry(Mirrors().balances.locks.encode_value(ours), ours) if ours else None


def _read(node: StorageSource, prefix: bytes, at: Hash) -> Iterator[tuple[bytes, bytes]]:
    keys = iter(node.keys(prefix, at))
    while page := list(islice(keys, _KEYS_AT_ONCE)):
        for key, raw in zip(page, node.storage(page, at), strict=True):
            if raw is None:
                raise SourceError(f"the node lists storage key 0x{key.hex()} and has no value")
            yield key, raw


# --- For people -----------------------------------------------------------------------------


def _raw(entry: Entry | None) -> tuple[bytes, Any] | None:
    """What is compared: the bytes, and the value where only a part of the bytes counts."""
    return None if entry is None else (entry.raw, None if entry.raw else entry.value)


def _text(entry: Entry | None) -> str | None:
    return None if entry is None else str(entry.value)


def _key_text(keyed: StorageMap[Any, Any], raw_key: bytes, network: Network) -> str:
    try:
        key = keyed.key_of(raw_key)
    except DecodeError:
        return f"0x{raw_key.hex()}"
    parts = key if isinstance(key, tuple) else (key,)
    hashes = _HASHES_IN_KEYS.get(keyed.item, frozenset())
    return ", ".join(
        f"0x{part.hex()}" if at in hashes else _part_text(part, network)
        for at, part in enumerate(parts)
    )


_HASHES_IN_KEYS = {"Multisigs": frozenset({1})}
"""Which keys of an item are hashes; other keys of 32 bytes are accounts."""


def _part_text(part: Any, network: Network) -> str:
    if isinstance(part, bytes):
        return ss58_encode(AccountId(part), network.ss58_prefix)
    return str(part)


def _ref_text(ref: BlockRef) -> str:
    return f"at block {ref.number} (0x{ref.hash.hex()})"
