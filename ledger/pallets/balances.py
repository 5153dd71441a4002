"""Balance locks, as far as other pallets' locks need them.

Mirrors: `LockableCurrency` of `pallet_balances` (`substrate/frame/balances/src/impl_currency.rs`)
and its `Locks` item. Locks of other pallets on an account are carried as storage gave them.
Rule: spec/pallets.md A.3.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from ibp_chain.scale import schema
from ibp_chain.types import AccountId, Planck, SpecVersion
from ledger.storage import Hasher, KeyPart, StorageMap

LockIdentifier: TypeAlias = bytes
"""8 bytes, such as `b"pyconvot"`."""

GOVERNANCE_LOCKS: frozenset[LockIdentifier] = frozenset({b"pyconvot", b"democrac"})
"""Whose amounts the mirrors know: the locks of conviction voting and of democracy."""

REASONS_ALL_SINCE = SpecVersion(9420)
"""First runtime whose governance locks hold for fees too (substrate #13914)."""


class Reasons(IntEnum):
    """`pallet_balances::Reasons`."""

    FEE = 0
    MISC = 1
    ALL = 2

    def __or__(self, other: int) -> "Reasons":
        return self if self == other else Reasons.ALL


class BalanceLock(NamedTuple):
    id: LockIdentifier
    amount: Planck
    reasons: Reasons


class Storage:
    """`Locks`: no entry where an account has none."""

    def __init__(self) -> None:
        self.locks: StorageMap[AccountId, tuple[BalanceLock, ...]] = StorageMap(
            "Balances",
            "Locks",
            (KeyPart(Hasher.BLAKE2_128_CONCAT, schema.account),),
            schema.vec(
                schema.struct(
                    BalanceLock,
                    id=schema.fixed(8),
                    amount=schema.u128,
                    reasons=schema.enum(Reasons),
                )
            ),
            default=tuple,
        )


def governance_reasons(spec_version: SpecVersion) -> Reasons:
    """What a governance lock written under `spec_version` holds for."""
    return Reasons.ALL if spec_version >= REASONS_ALL_SINCE else Reasons.MISC


def set_lock(
    storage: Storage, lock_id: LockIdentifier, who: AccountId, amount: Planck, reasons: Reasons
) -> None:
    """Make the lock exactly this, in its place or at the end; nothing happens for no amount."""
    if amount:
        _place(storage, who, BalanceLock(lock_id, amount, reasons))


def extend_lock(
    storage: Storage, lock_id: LockIdentifier, who: AccountId, amount: Planck, reasons: Reasons
) -> None:
    """Make the lock at least this, in its place or at the end; nothing happens for no amount."""
    if not amount:
        return
    old = find_lock(storage, lock_id, who)
    if old is not None:
        amount, reasons = max(old.amount, amount), old.reasons | reasons
    _place(storage, who, BalanceLock(lock_id, amount, reasons))


def remove_lock(storage: Storage, lock_id: LockIdentifier, who: AccountId) -> None:
    _update_locks(storage, who, (lock for lock in storage.locks.get(who) if lock.id != lock_id))


def find_lock(storage: Storage, lock_id: LockIdentifier, who: AccountId) -> BalanceLock | None:
    return next((lock for lock in storage.locks.get(who) if lock.id == lock_id), None)


def _place(storage: Storage, who: AccountId, new: BalanceLock) -> None:
    locks = storage.locks.get(who)
    if any(lock.id == new.id for lock in locks):
        _update_locks(storage, who, (new if lock.id == new.id else lock for lock in locks))
    else:
        _update_locks(storage, who, (*locks, new))


def _update_locks(storage: Storage, who: AccountId, locks: Iterable[BalanceLock]) -> None:
    kept = tuple(locks)
    if kept:
        storage.locks.insert(who, kept)
    else:
        storage.locks.remove(who)
