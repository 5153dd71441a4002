"""What became of a bundle, by the ledger alone: executed, failed inside, pending, never seen.

Pure. The ledger knows every approval and the result of the executed call; whether each line was
paid is read from the paid register, not concluded from the result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ibp_chain.accounts import ss58_decode
from ibp_chain.blocks import blake2_256
from ibp_chain.types import AccountId, BlockNumber, Planck
from ledger.pallets.multisig.types import Closing, Operation, OperationKey, Position, Status
from ledger.pallets.payout_lines import ChildKey
from ledger.pallets.payouts import BatchStatus, PaidLine, Violation
from ledger.state import State
from multisig.bundle import Bundle
from multisig.claims import Award, Course, awards_of
from multisig.decode import Reading
from multisig.errors import BundleRefused
from multisig.paid_again import PaidAgain, paid_again
from multisig.plan import Kind
from multisig.statement import Line


class Outcome(StrEnum):
    UNSEEN = "nobody has approved it"
    PENDING = "pending"
    CANCELLED = "cancelled"
    FAILED = "executed, failed inside: nothing was paid"
    PAID = "paid"
    IRREGULAR = "executed, not as its remark says"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One operation of the bundle's call, opened and perhaps closed."""

    outcome: Outcome
    opened: tuple[BlockNumber, int]
    """Block and extrinsic: the timepoint."""
    depositor: AccountId
    deposit: Planck
    signed: tuple[AccountId, ...]
    """Who approved, in order, the executor last where it was executed."""
    closing: Closing | None
    """Who executed or cancelled it, where, and what became of the call inside."""
    approved: tuple[Position, ...]
    """Where it was approved, as far as the ledger saw it."""

    @property
    def closed(self) -> BlockNumber | None:
        return None if self.closing is None else self.closing.at.block

    @property
    def error(self) -> str | None:
        """Of the executed call, `Pallet.Error`. The extrinsic around it succeeded all the same."""
        return None if self.closing is None else self.closing.error

    @property
    def deposit_returned(self) -> Planck:
        """To the depositor, whoever closed the operation and however."""
        return Planck(self.deposit - self.deposit_held)

    @property
    def positions(self) -> tuple[Position, ...]:
        """Of the extrinsics that approved and closed it, each once; their signers paid a fee."""
        closed = () if self.closing is None else (self.closing.at,)
        return tuple(dict.fromkeys((*self.approved, *closed)))

    @property
    def deposit_held(self) -> Planck:
        """Reserved from the depositor; returned when the operation is closed, in any way."""
        return self.deposit if self.outcome is Outcome.PENDING else Planck(0)


@dataclass(frozen=True, slots=True)
class LineResult:
    """One line of the bundle's call, and what the ledger says of it."""

    line: Line
    paid: PaidLine | None
    """By this bundle's call; None where it was not, or by another."""
    elsewhere: PaidLine | None
    """By another call than this bundle's: it must not be paid again."""

    @property
    def as_stated(self) -> bool:
        """Whether exactly this amount was paid."""
        return self.paid is not None and self.paid.amount == self.line.planck


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What became of one bundle."""

    outcome: Outcome
    """Of the last attempt."""
    attempts: tuple[Attempt, ...]
    signed: tuple[AccountId, ...]
    """In the last attempt."""
    missing: tuple[AccountId, ...]
    """Signatories who have not; while it is pending, `lacking` of them still have to."""
    lacking: int
    lines: tuple[LineResult, ...]
    violations: tuple[Violation, ...]
    """What the bundle's call did otherwise than its remark says, in any attempt."""
    open_claims: tuple[ChildKey, ...] = ()
    """Child bounties that were awarded for its lines, and whose money is not claimed yet."""
    astray: tuple[Award, ...] = ()
    """Child bounties that were awarded for its lines, and did not go to their payees."""
    paid_again: tuple[PaidAgain, ...] = ()
    """Its lines once more, by any call."""

    @property
    def open_again(self) -> Attempt | None:
        """The same call, open while its lines are paid: executed, it pays them a second time."""
        still = next((each for each in self.attempts if each.outcome is Outcome.PENDING), None)
        return still if any(line.paid is not None for line in self.lines) else None

    @property
    def settled(self) -> bool:
        """Every line paid as stated, by this call, once, and claimed where it has to be; and the
        call is not open again.
        """
        against = self.violations, self.open_claims, self.astray, self.paid_again, self.open_again
        return all(line.as_stated for line in self.lines) and not any(against)


def reconcile(bundle: Bundle, reading: Reading, state: State) -> Reconciliation:
    """What `state` knows of `bundle`, whose call reads as `reading`.

    Raises `BundleRefused` for a call with another hash, that names another statement, or pays what
    the statement does not have.
    """
    if wrong := [*_unfit(bundle, reading)]:
        raise BundleRefused(wrong)
    account = bundle.multisig.account_id(bundle.network)
    mine: list[tuple[OperationKey, Operation]] = sorted(
        (key, operation)
        for key, operation in state.mirrors.multisig.operations.items()
        if key[:2] == (account, bundle.call_hash)
    )
    attempts = tuple(_attempt(bundle, key, operation, state) for key, operation in mine)
    last = attempts[-1] if attempts else None
    signed = () if last is None else last.signed
    pending = last is not None and last.outcome is Outcome.PENDING
    signatories = bundle.multisig.account_ids(bundle.network)
    awards = _awards(bundle, reading.lines, state)
    batches = {key for key, b in state.payouts.batches.items() if b.call_hash == bundle.call_hash}
    return Reconciliation(
        outcome=Outcome.UNSEEN if last is None else last.outcome,
        attempts=attempts,
        signed=signed,
        missing=tuple(who for who in signatories if who not in signed),
        lacking=bundle.multisig.threshold - len(signed) if pending else 0,
        lines=_lines(bundle, reading.lines, state),
        violations=tuple(
            violation
            for key, violation in sorted(state.payouts.violations.items())
            if key[:2] in batches
        ),
        open_claims=tuple(each.child for each in awards if each.course is Course.WAITING),
        astray=tuple(each for each in awards if each.course is Course.ASTRAY),
        paid_again=_paid_again(bundle, reading.lines, state),
    )


# --- Internals ----------------------------------------------------------------------


def _unfit(bundle: Bundle, reading: Reading) -> Iterator[str]:
    if bundle.call_hash != blake2_256(bundle.call):
        yield f"its call hashes to 0x{blake2_256(bundle.call).hex()}"
    if bundle.statement.hash != reading.statement:
        yield (
            f"its statement hashes to 0x{bundle.statement.hash.hex()}, "
            f"its call names 0x{reading.statement.hex()}"
        )


def _attempt(bundle: Bundle, key: OperationKey, operation: Operation, state: State) -> Attempt:
    closing = operation.closing
    signed = [approval.who for approval in operation.approvals]
    if operation.status is Status.EXECUTED and closing is not None and closing.by not in signed:
        signed.append(closing.by)
    return Attempt(
        outcome=_outcome(bundle, operation.status, closing, state),
        opened=(key[2], key[3]),
        depositor=operation.depositor,
        deposit=operation.deposit,
        signed=tuple(signed),
        closing=closing,
        approved=tuple(each.at for each in operation.approvals if each.at is not None),
    )


def _outcome(bundle: Bundle, status: Status, closing: Closing | None, state: State) -> Outcome:
    if status in (Status.CANCELLED, Status.MIGRATED):
        return Outcome.CANCELLED
    if closing is None:
        return Outcome.PENDING
    if closing.error is not None:
        return Outcome.FAILED
    for (block, _), batch in state.payouts.batches.items():
        here = (block, batch.extrinsic) == closing.at and batch.call_hash == bundle.call_hash
        if here and batch.status is BatchStatus.PAID:
            return Outcome.PAID
    # also where the ledger recorded no batch: the multisig was the curators' no longer
    return Outcome.IRREGULAR


def _lines(bundle: Bundle, keys: Sequence[tuple[str, str]], state: State) -> tuple[LineResult, ...]:
    lines = {(line.member, line.item): line for line in bundle.statement.lines}
    claimed = any(
        batch.call_hash == bundle.call_hash and batch.status is BatchStatus.PAID
        for _, batch in state.payouts.batches.items()
    )
    found = []
    for key in keys:
        if key not in lines:
            raise BundleRefused([f"its call pays {'/'.join(key)}, its statement does not"])
        paid = state.payouts.paid.find((bundle.statement.period, *key))
        if bundle.paid_by.kind is Kind.CHILD_CLAIMS:
            # another call registered it, and paid nothing until this one
            found.append(LineResult(lines[key], paid if claimed else None, None))
            continue
        batch = None if paid is None else state.payouts.batches.find(paid.batch)
        by_this = batch is not None and batch.call_hash == bundle.call_hash
        found.append(LineResult(lines[key], paid if by_this else None, None if by_this else paid))
    return tuple(found)


def _awards(bundle: Bundle, keys: Sequence[tuple[str, str]], state: State) -> tuple[Award, ...]:
    return tuple(awards_of(state, {(bundle.statement.period, *key) for key in keys}))


def _paid_again(
    bundle: Bundle, keys: Sequence[tuple[str, str]], state: State
) -> tuple[PaidAgain, ...]:
    prefix = bundle.network.ss58_prefix
    payees = {
        (line.member, line.item): ss58_decode(line.payee, prefix)
        for line in bundle.statement.lines
        if (line.member, line.item) in keys
    }
    return tuple(paid_again(state, bundle.statement.period, payees))
