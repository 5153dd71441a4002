"""What became of a bundle, by the ledger alone: executed, failed inside, pending, never seen.

Pure. The ledger knows every approval and the result of the executed call; whether each line was
paid is read from the paid register, not concluded from the result.
"""

from dataclasses import dataclass
from enum import StrEnum

from ibp_chain.accounts import ss58_decode
from ibp_chain.types import AccountId, Planck
from ledger.pallets.multisig.types import Operation, OperationKey, Status
from ledger.pallets.payouts import Batch, BatchStatus, PaidLine
from ledger.state import State
from multisig.bundle import Bundle
from multisig.decode import Reading
from multisig.statement import Line


class Outcome(StrEnum):
    UNSEEN = "nobody has approved it"
    PENDING = "pending"
    CANCELLED = "cancelled"
    FAILED = "executed, failed inside: nothing was paid"
    PAID = "paid"
    IRREGULAR = "executed, not as its remark says"


@dataclass(frozen=True, slots=True)
class LineResult:
    line: Line
    paid: PaidLine | None
    """By this bundle's call; None where it was not, or by another."""

    @property
    def as_stated(self) -> bool:
        """Whether exactly this amount was paid."""
        return self.paid is not None and self.paid.amount == self.line.planck


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What became of one bundle."""

    outcome: Outcome
    attempts: int
    """Operations with this call hash, the last of which is described here."""
    signed: tuple[AccountId, ...]
    missing: tuple[AccountId, ...]
    """Signatories who have not approved; as many as the threshold lacks still have to."""
    error: str | None
    """Of the executed call, `Pallet.Error`."""
    deposit_held: Planck
    """Reserved from whoever opened the operation, until it is closed."""
    lines: tuple[LineResult, ...]

    @property
    def settled(self) -> bool:
        """Paid, every line as stated."""
        return self.outcome is Outcome.PAID and all(line.as_stated for line in self.lines)


def reconcile(bundle: Bundle, reading: Reading, state: State) -> Reconciliation:
    """What `state` knows of `bundle`, whose call reads as `reading`."""
    account = ss58_decode(bundle.multisig.account, bundle.network.ss58_prefix)
    signatories = bundle.multisig.account_ids(bundle.network)
    mine: list[tuple[OperationKey, Operation]] = sorted(
        (key, operation)
        for key, operation in state.mirrors.multisig.operations.items()
        if key[:2] == (account, bundle.call_hash)
    )
    last = mine[-1][1] if mine else None
    signed = () if last is None else tuple(approval.who for approval in last.approvals)
    return Reconciliation(
        outcome=_outcome(bundle, last, state),
        attempts=len(mine),
        signed=signed,
        missing=tuple(who for who in signatories if who not in signed),
        error=None if last is None or last.closing is None else last.closing.error,
        deposit_held=last.deposit if last and last.status is Status.OPEN else Planck(0),
        lines=tuple(_line(bundle, key, state) for key in reading.lines),
    )


def _outcome(bundle: Bundle, operation: Operation | None, state: State) -> Outcome:
    if operation is None:
        return Outcome.UNSEEN
    if operation.status is Status.OPEN:
        return Outcome.PENDING
    if operation.status is Status.CANCELLED:
        return Outcome.CANCELLED
    batches: list[Batch] = [
        batch
        for _, batch in sorted(state.payouts.batches.items())
        if batch.call_hash == bundle.call_hash
    ]
    match batches[-1].status if batches else BatchStatus.FAILED:
        case BatchStatus.PAID:
            return Outcome.PAID
        case BatchStatus.IRREGULAR:
            return Outcome.IRREGULAR
        case BatchStatus.FAILED:
            return Outcome.FAILED


def _line(bundle: Bundle, key: tuple[str, str], state: State) -> LineResult:
    lines = {(line.member, line.item): line for line in bundle.statement.lines}
    paid = state.payouts.paid.find((bundle.statement.period, *key))
    if paid is not None:
        batch = state.payouts.batches.find(paid.batch)
        if batch is None or batch.call_hash != bundle.call_hash:
            paid = None
    return LineResult(lines[key], paid)
