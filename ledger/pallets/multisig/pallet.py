"""Multisig: several accounts act as one.

Mirrors: `substrate/frame/multisig/src/lib.rs`, top to bottom: config, errors, calls by
`call_index`, internals. Rule: spec/pallets.md E.
Contract: a call returns the event that the pallet deposits, or raises one of its errors with
storage untouched.
Out of scope: whether a call's weight exceeds `max_weight`, and the reserve of the deposit.
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from ibp_chain.accounts import multisig_account
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import PalletError
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets.multisig.types import (
    Approval,
    Closing,
    DepositPoked,
    Event,
    Multisig,
    MultisigApproval,
    MultisigCancelled,
    MultisigExecuted,
    NewMultisig,
    Operation,
    OperationKey,
    Position,
    Status,
    Storage,
    Timepoint,
)

# --- Config -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Config:
    """`pallet_multisig::Config` at a moment."""

    block: BlockNumber
    extrinsic_index: int | None
    """None in hooks, where the pallet reads 0."""
    deposit_base: Planck
    deposit_factor: Planck
    max_signatories: int

    @property
    def timepoint(self) -> Timepoint:
        return Timepoint(self.block, self.extrinsic_index or 0)

    @property
    def position(self) -> Position:
        return Position(self.block, self.extrinsic_index)

    def deposit(self, threshold: int) -> Planck:
        return Planck(self.deposit_base + self.deposit_factor * threshold)


# --- Errors -----------------------------------------------------------------------


class Error(PalletError):
    """Base of this pallet's errors, numbered in pallet order."""

    pallet: ClassVar[str] = "Multisig"


class MinimumThreshold(Error):
    index = 0


class AlreadyApproved(Error):
    index = 1


class NoApprovalsNeeded(Error):
    index = 2


class TooFewSignatories(Error):
    index = 3


class TooManySignatories(Error):
    index = 4


class SignatoriesOutOfOrder(Error):
    index = 5


class SenderInSignatories(Error):
    index = 6


class NotFound(Error):
    index = 7


class NotOwner(Error):
    index = 8


class NoTimepoint(Error):
    index = 9


class WrongTimepoint(Error):
    index = 10


class UnexpectedTimepoint(Error):
    index = 11


class MaxWeightTooLow(Error):
    index = 12


class AlreadyStored(Error):
    index = 13


# --- Calls, by call_index -----------------------------------------------------------


def as_multi_threshold_1(  # call_index 0
    config: Config, who: AccountId, others: Sequence[AccountId], call: bytes
) -> Event:
    """Dispatch at once as the account of threshold 1; nothing is stored.

    The event came with 1.7; before, nothing told of the call.
    """
    multisig = multisig_account(_signatories(config, who, others), 1)
    return MultisigExecuted(who, config.timepoint, multisig, blake2_256(call))


def as_multi(  # call_index 1
    storage: Storage,
    config: Config,
    who: AccountId,
    threshold: int,
    others: Sequence[AccountId],
    maybe_timepoint: Timepoint | None,
    call: bytes,
    result: str | None,
) -> Event:
    """Approve with the whole call, and execute it once there are approvals enough.

    `result` is the executed call's error, which the block tells; None for Ok.
    """
    call_hash = blake2_256(call)
    return _operate(
        storage, config, who, threshold, others, maybe_timepoint, call, call_hash, result
    )


def approve_as_multi(  # call_index 2
    storage: Storage,
    config: Config,
    who: AccountId,
    threshold: int,
    others: Sequence[AccountId],
    maybe_timepoint: Timepoint | None,
    call_hash: Hash,
) -> Event:
    """Approve by hash; never executes."""
    return _operate(storage, config, who, threshold, others, maybe_timepoint, None, call_hash, None)


def cancel_as_multi(  # call_index 3
    storage: Storage,
    config: Config,
    who: AccountId,
    threshold: int,
    others: Sequence[AccountId],
    timepoint: Timepoint,
    call_hash: Hash,
) -> Event:
    """Give an operation up; its depositor only."""
    signatories = _checked(config, who, threshold, others)
    multisig = multisig_account(signatories, threshold)
    known = storage.multisigs.find((multisig, call_hash))
    if known is None:
        raise NotFound
    if known.when != timepoint:
        raise WrongTimepoint
    if known.depositor != who:
        raise NotOwner

    key, operation = _recorded(storage, multisig, call_hash, known, threshold, signatories)
    closing = Closing(who, config.position, None)
    storage.operations.insert(key, operation._replace(status=Status.CANCELLED, closing=closing))
    storage.multisigs.remove((multisig, call_hash))
    return MultisigCancelled(who, timepoint, multisig, call_hash)


def poke_deposit(  # call_index 4
    storage: Storage,
    config: Config,
    who: AccountId,
    threshold: int,
    others: Sequence[AccountId],
    call_hash: Hash,
) -> Event | None:
    """Bring an operation's deposit to what it costs now; its depositor only."""
    signatories = _checked(config, who, threshold, others)
    multisig = multisig_account(signatories, threshold)
    known = storage.multisigs.find((multisig, call_hash))
    if known is None:
        raise NotFound
    if known.depositor != who:
        raise NotOwner
    deposit = config.deposit(threshold)
    if deposit == known.deposit:
        return None

    key, operation = _recorded(storage, multisig, call_hash, known, threshold, signatories)
    storage.operations.insert(key, operation._replace(deposit=deposit))
    storage.multisigs.insert((multisig, call_hash), known._replace(deposit=deposit))
    return DepositPoked(who, call_hash, known.deposit, deposit)


# --- Not of the pallet ------------------------------------------------------------------


def close_all(storage: Storage) -> None:
    """What the Asset Hub Migration does on the relay chain: nothing stays open (D.4)."""
    for key, operation in list(storage.operations.items()):
        if operation.status is Status.OPEN:
            storage.operations.insert(key, operation._replace(status=Status.MIGRATED))
    storage.multisigs.clear()


# --- Internals ------------------------------------------------------------------------


def _checked(
    config: Config, who: AccountId, threshold: int, others: Sequence[AccountId]
) -> tuple[AccountId, ...]:
    """All signatories, sorted, of a call that names them rightly."""
    if threshold < 2:
        raise MinimumThreshold
    return _signatories(config, who, others)


def _signatories(
    config: Config, who: AccountId, others: Sequence[AccountId]
) -> tuple[AccountId, ...]:
    """`ensure_sorted_and_insert`."""
    if not others:
        raise TooFewSignatories
    if len(others) >= config.max_signatories:
        raise TooManySignatories
    if any(left >= right for left, right in pairwise(others)):
        raise SignatoriesOutOfOrder
    if who in others:
        raise SenderInSignatories
    return tuple(sorted((*others, who)))


def _operate(
    storage: Storage,
    config: Config,
    who: AccountId,
    threshold: int,
    others: Sequence[AccountId],
    maybe_timepoint: Timepoint | None,
    call: bytes | None,
    call_hash: Hash,
    result: str | None,
) -> Event:
    signatories = _checked(config, who, threshold, others)
    multisig = multisig_account(signatories, threshold)
    known = storage.multisigs.find((multisig, call_hash))
    if known is None:
        if maybe_timepoint is not None:
            raise UnexpectedTimepoint
        _open(storage, config, who, threshold, signatories, multisig, call_hash, call)
        return NewMultisig(who, multisig, call_hash)
    if maybe_timepoint is None:
        raise NoTimepoint
    if known.when != maybe_timepoint:
        raise WrongTimepoint
    counts = len(known.approvals) < threshold and who not in known.approvals
    executes = call is not None and len(known.approvals) + counts >= threshold
    if not (counts or executes):
        raise AlreadyApproved

    key, operation = _recorded(storage, multisig, call_hash, known, threshold, signatories)
    if call is not None:
        operation = operation._replace(call=call)
    if counts:
        approval = Approval(who, config.position)
        operation = operation._replace(approvals=(*operation.approvals, approval))
    if executes:
        closing = Closing(who, config.position, result)
        operation = operation._replace(status=Status.EXECUTED, closing=closing)
        storage.operations.insert(key, operation)
        storage.multisigs.remove((multisig, call_hash))
        return MultisigExecuted(who, known.when, multisig, call_hash)
    approvals = list(known.approvals)
    insort(approvals, who)
    storage.operations.insert(key, operation)
    storage.multisigs.insert((multisig, call_hash), known._replace(approvals=tuple(approvals)))
    return MultisigApproval(who, known.when, multisig, call_hash)


def _open(
    storage: Storage,
    config: Config,
    who: AccountId,
    threshold: int,
    signatories: tuple[AccountId, ...],
    multisig: AccountId,
    call_hash: Hash,
    call: bytes | None,
) -> None:
    deposit, when = config.deposit(threshold), config.timepoint
    storage.multisigs.insert((multisig, call_hash), Multisig(when, deposit, who, (who,)))
    key = _next_key(storage, multisig, call_hash, when)
    first = Approval(who, config.position)
    storage.operations.insert(
        key,
        Operation(Status.OPEN, threshold, signatories, who, deposit, (first,), call, None),
    )


def _next_key(
    storage: Storage, multisig: AccountId, call_hash: Hash, when: Timepoint
) -> OperationKey:
    count = 0
    while (multisig, call_hash, when.height, when.index, count) in storage.operations:
        count += 1
    return multisig, call_hash, when.height, when.index, count


def _recorded(
    storage: Storage,
    multisig: AccountId,
    call_hash: Hash,
    known: Multisig,
    threshold: int,
    signatories: tuple[AccountId, ...],
) -> tuple[OperationKey, Operation]:
    """The record of an open operation; a new one where storage knew it before our first block."""
    following = _next_key(storage, multisig, call_hash, known.when)
    key: OperationKey = (*following[:4], max(following[4] - 1, 0))
    operation = storage.operations.find(key)
    if operation is not None and operation.status is Status.OPEN:
        return key, operation
    others = (who for who in known.approvals if who != known.depositor)
    opened = Position(known.when.height, known.when.index)
    approvals = (Approval(known.depositor, opened), *(Approval(who, None) for who in others))
    return following, Operation(
        Status.OPEN,
        threshold,
        signatories,
        known.depositor,
        known.deposit,
        approvals,
        None,
        None,
    )
