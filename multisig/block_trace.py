"""What the blocks show of an operation and the ledger's state does not keep: fees and movements.

Pure: decoded events of the blocks in which an operation was approved and closed. The events are
those of finalised blocks only, because an archive and a ledger hold no others.
Rule: `docs/payouts.md`, "Reconciliation". Amounts are planck.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ibp_chain.accounts import ss58_decode
from ibp_chain.blocks import BlockRef, EventRecord
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, BlockNumber, Planck
from ledger.dispatch_values import dispatch_error, field, is_event
from ledger.pallets.multisig.types import Position
from multisig.bundle import Bundle
from multisig.decode import Reading
from multisig.plan import Kind
from multisig.reconcile import Attempt, Outcome
from multisig.runs import DEPOSIT_RETURNED

PALLETS = frozenset({"System", "Balances", "Multisig", "TransactionPayment"})
"""Whose events are read."""


@dataclass(frozen=True, slots=True)
class TracedBlock:
    """One block, as far as it is read here."""

    ref: BlockRef
    events: tuple[EventRecord, ...]
    """Of `PALLETS` at least, in order."""
    runtime: Runtime
    """That executed it: it names the errors."""


@dataclass(frozen=True, slots=True)
class Fee:
    """What one approval cost its signer. The tip is part of the fee."""

    at: Position
    payer: AccountId
    fee: Planck
    tip: Planck


@dataclass(frozen=True, slots=True)
class Trace:
    """What the blocks show of one attempt."""

    attempt: Attempt
    fees: tuple[Fee, ...]
    """One for each extrinsic that approved or closed it; none for what hooks dispatched."""
    block: BlockRef | None
    """In which it was closed."""
    outer: str | None
    """The error of the closing extrinsic; None where it succeeded, and while it is open."""
    inner: str | None
    """The error of the call inside; None where it succeeded, and where none was executed."""
    deposit_returned: Planck
    """To the depositor, in the closing extrinsic."""
    received: Mapping[AccountId, Planck]
    """What the executed call transferred to each account, less what it transferred away."""


def trace(bundle: Bundle, attempt: Attempt, blocks: Mapping[BlockNumber, TracedBlock]) -> Trace:
    """`blocks` has every block of `attempt.positions`."""
    fees = tuple(fee for at in attempt.positions for fee in _fees(at, blocks[at.block].events))
    if attempt.closing is None:
        return Trace(attempt, fees, None, None, None, Planck(0), {})
    at = attempt.closing.at
    block = blocks[at.block]
    own = _of(block.events, at)
    inside, close = _inside(bundle, attempt, own)
    error = None if close is None else dispatch_error(close)
    return Trace(
        attempt=attempt,
        fees=fees,
        block=block.ref,
        outer=_outer(own, block.runtime),
        inner=None if error is None else block.runtime.error_name(error),
        deposit_returned=_returned(own, attempt),
        received=_received(inside),
    )


def expected(
    bundle: Bundle, reading: Reading, claimed: Mapping[AccountId, Planck]
) -> Mapping[AccountId, Planck]:
    """What the bundle's call transfers to each payee once it is executed.

    By child bounties that are claimed later nothing; by their claims `claimed`, what was awarded.
    """
    if bundle.paid_by.kind is Kind.CHILD_CLAIMS:
        return claimed
    found: Counter[AccountId] = Counter()
    prefix = bundle.network.ss58_prefix
    children = reading.children or [None] * len(reading.transfers)
    for (payee, amount), child in zip(reading.transfers, children, strict=True):
        found[ss58_decode(payee, prefix)] += amount if child is None or child.claimed else 0
    return {account: Planck(amount) for account, amount in found.items()}


def disagreements(
    found: Trace, payees: Mapping[AccountId, Planck], names: Mapping[AccountId, str], bundle: Bundle
) -> Iterator[str]:
    """Where the blocks say otherwise than the ledger or the lines do, a sentence each."""
    attempt, chain = found.attempt, bundle.network
    if attempt.closing is None:
        return
    if found.outer is not None:
        yield f"the closing extrinsic failed with {found.outer}, the ledger has it as executed"
    if found.inner != attempt.error:
        yield f"the call inside ended with {found.inner}, by the ledger with {attempt.error}"
    if found.deposit_returned != attempt.deposit_returned:
        yield (
            f"{chain.format(found.deposit_returned)} of deposit went back, by the ledger "
            f"{chain.format(attempt.deposit_returned)}"
        )
    if attempt.outcome is Outcome.IRREGULAR:
        return  # the ledger says itself that it moved otherwise than the lines say
    paid = attempt.outcome is Outcome.PAID
    for account, amount in payees.items():
        seen, due = found.received.get(account, Planck(0)), amount if paid else Planck(0)
        if seen != due:
            yield (
                f"the balance of {names.get(account, '0x' + account.hex())} changed by "
                f"{chain.format(seen)}, its lines are {chain.format(due)}"
            )


def received_by_payee(bundle: Bundle, found: Trace) -> dict[str, Planck]:
    """What each payee of the statement received, by address, in the order of the lines."""
    prefix = bundle.network.ss58_prefix
    return {
        line.payee: found.received.get(ss58_decode(line.payee, prefix), Planck(0))
        for line in bundle.statement.lines
    }


# --- Internals ----------------------------------------------------------------------


def _of(events: Iterable[EventRecord], at: Position) -> list[EventRecord]:
    """Of one extrinsic; where a hook dispatched it, of the block's hooks."""
    return [event for event in events if event.extrinsic_index == at.extrinsic]


def _fees(at: Position, events: Iterable[EventRecord]) -> Iterator[Fee]:
    if at.extrinsic is None:
        return
    for event in _of(events, at):
        if is_event(event, "TransactionPayment", "TransactionFeePaid"):
            yield Fee(
                at,
                AccountId(field(event, "who", 0)),
                Planck(field(event, "actual_fee", 1)),
                Planck(field(event, "tip", 2)),
            )


def _inside(
    bundle: Bundle, attempt: Attempt, events: Sequence[EventRecord]
) -> tuple[Sequence[EventRecord], EventRecord | None]:
    """The events up to the operation's own `MultisigExecuted`, from the last of another on."""
    account, start = bundle.multisig.account_id(bundle.network), 0
    for place, event in enumerate(events):
        if not is_event(event, "Multisig", "MultisigExecuted"):
            continue
        point = field(event, "timepoint", 1)
        if (
            field(event, "multisig", 2) == account
            and field(event, "call_hash", 3) == bundle.call_hash
            and (point["height"], point["index"]) == attempt.opened
        ):
            return events[start:place], event
        start = place + 1
    return (), None


def _outer(events: Iterable[EventRecord], runtime: Runtime) -> str | None:
    for event in events:
        if is_event(event, "System", "ExtrinsicFailed"):
            return runtime.error_name(field(event, "dispatch_error", 0))
    return None


def _returned(events: Iterable[EventRecord], attempt: Attempt) -> Planck:
    """The deposit itself, where several went back to the same account in one extrinsic."""
    amounts = [
        Planck(_value(event, "amount", 1))
        for event in events
        if event.pallet == "Balances" and event.name in DEPOSIT_RETURNED
        if _value(event, "who", 0) == attempt.depositor
    ]
    return attempt.deposit if attempt.deposit in amounts else Planck(sum(amounts))


def _value(event: EventRecord, name: str, position: int) -> Any:
    """Of an event that ends a deposit: `Released` has its reason before the others."""
    return field(event, name, position + (event.name == "Released"))


def _received(events: Iterable[EventRecord]) -> Mapping[AccountId, Planck]:
    found: Counter[AccountId] = Counter()
    for event in events:
        if is_event(event, "Balances", "Transfer"):
            found[field(event, "to", 1)] += field(event, "amount", 2)
            found[field(event, "from", 0)] -= field(event, "amount", 2)
    return {account: Planck(amount) for account, amount in found.items()}
