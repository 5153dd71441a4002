"""What became of a bundle, read from the ledger of the recording at every stage."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.cli.reconcile import ensure_settled
from ibp_chain.errors import CheckFailed
from ibp_chain.remark_bodies import Payout
from ibp_chain.remarks import encode
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets.multisig.types import Operation, OperationKey, Status
from ledger.pallets.payouts import BatchStatus, Violation, ViolationCode
from ledger.state import State
from multisig.decode import Reading, read_payout
from multisig.errors import BundleRefused
from multisig.reconcile import Outcome, Reconciliation, reconcile
from tests.support import payouts, recording
from tests.support.payouts import (
    FAILED,
    HALF_SIGNED,
    OPEN_AGAIN,
    PAID,
    PASEO,
    PERIOD,
    STATED,
    Operations,
)

BUNDLE = payouts.bundle()
SIGNATORIES = BUNDLE.multisig.account_ids(PASEO)
LINES = BUNDLE.statement.lines
AMFORC = (PERIOD, "amforc", "services")


def reading() -> Reading:
    return read_payout(recording.peer(), BUNDLE.call, PASEO)


def after(operations: Operations) -> Reconciliation:
    return of(payouts.state(operations))


def of(state: State) -> Reconciliation:
    return reconcile(BUNDLE, reading(), state)


def operations_of(state: State) -> Iterator[tuple[OperationKey, Operation]]:
    """Of the bundle's call, in order."""
    for key, operation in sorted(state.mirrors.multisig.operations.items()):
        if key[1] == BUNDLE.call_hash:
            yield key, operation


# --- The recording, stage by stage --------------------------------------------------------


def test_nobody_has_approved_a_bundle_that_the_ledger_never_saw() -> None:
    result = after(STATED)
    assert result.outcome is Outcome.UNSEEN
    assert result.attempts == ()
    assert result.signed == ()
    assert result.missing == SIGNATORIES
    assert not result.settled
    assert [(each.line, each.paid, each.elsewhere) for each in result.lines] == [
        (line, None, None) for line in LINES
    ]


def test_a_half_signed_bundle_is_pending_and_lacks_one() -> None:
    result = after(HALF_SIGNED)
    assert result.outcome is Outcome.PENDING
    (attempt,) = result.attempts
    assert len(result.signed) == 2
    assert set(result.signed) | set(result.missing) == set(SIGNATORIES)
    assert not set(result.signed) & set(result.missing)
    assert result.lacking == 1
    assert attempt.depositor == result.signed[0]
    assert attempt.deposit_held == attempt.deposit > 0
    assert (attempt.closed, attempt.error) == (None, None)
    assert not result.settled


def test_a_bundle_that_failed_inside_moved_nothing_and_says_why() -> None:
    result = after(FAILED)
    assert result.outcome is Outcome.FAILED
    (attempt,) = result.attempts
    assert attempt.error == "Token.FundsUnavailable"
    assert attempt.closed == attempt.opened[0] + 2
    assert attempt.deposit_held == 0
    assert len(result.signed) == 3
    assert result.lacking == 0
    assert not any(each.paid or each.elsewhere for each in result.lines)
    assert not result.settled
    assert payouts.the_batch(payouts.state(FAILED)).total == 0


def test_a_second_attempt_is_counted_apart() -> None:
    result = after(OPEN_AGAIN)
    first, second = result.attempts
    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.PENDING)
    assert result.outcome is Outcome.PENDING
    assert result.signed == second.signed == (second.depositor,)
    assert result.lacking == 2


def test_a_paid_bundle_is_settled_line_by_line() -> None:
    result = after(PAID)
    assert result.outcome is Outcome.PAID
    assert [attempt.outcome for attempt in result.attempts] == [Outcome.FAILED, Outcome.PAID]
    assert result.settled
    assert not result.violations
    assert [(each.line.member, each.paid and each.paid.amount) for each in result.lines] == [
        ("amforc", 1_500_372_093_023),
        ("gatotech", 1_125_255_813_953),
        ("stake-plus", 1_500_372_093_023),
        ("turboflakes", 1_500_372_093_023),
    ]
    assert all(each.elsewhere is None for each in result.lines)
    assert [attempt.deposit_held for attempt in result.attempts] == [0, 0]
    assert payouts.the_batch(payouts.state(PAID)).total == BUNDLE.statement.total


def test_the_executor_is_among_those_who_signed_and_is_the_last() -> None:
    state = payouts.state(PAID)
    *_, (_, operation) = operations_of(state)
    assert operation.closing is not None
    signed = of(state).signed
    assert signed[-1] == operation.closing.by
    assert len(signed) == len(set(signed)) == BUNDLE.multisig.threshold


# --- What did not happen in the recording -------------------------------------------------


def close(state: State, **changes: Any) -> None:
    *_, (key, operation) = operations_of(state)
    state.mirrors.multisig.operations.insert(key, operation._replace(**changes))


def test_an_approver_that_only_executed_is_counted_once() -> None:
    """Whoever executes with all approvals given need not be among them."""
    state = payouts.state(PAID)
    *_, (_, operation) = operations_of(state)
    assert operation.closing is not None
    other = next(who for who in SIGNATORIES if who not in of(state).signed)
    close(state, closing=operation.closing._replace(by=other))
    assert of(state).signed == (*(each.who for each in operation.approvals), other)


def test_a_cancelled_operation_holds_no_deposit() -> None:
    state = payouts.state(PAID)
    close(state, status=Status.CANCELLED)
    result = of(state)
    assert result.outcome is Outcome.CANCELLED
    assert result.attempts[-1].deposit_held == 0


def test_a_line_paid_by_another_call_is_not_paid_by_this_one() -> None:
    state = payouts.state(STATED)
    paid = payouts.state(PAID)
    line = paid.payouts.paid.get(AMFORC)
    state.payouts.paid.insert(AMFORC, line)
    state.payouts.batches.insert(
        line.batch, payouts.the_batch(paid)._replace(call_hash=Hash(bytes(32)))
    )
    result = of(state)
    assert result.outcome is Outcome.UNSEEN
    assert (result.lines[0].paid, result.lines[0].elsewhere) == (None, line)
    assert not result.lines[0].as_stated
    assert not result.settled


def test_an_amount_that_differs_by_a_planck_is_not_settled() -> None:
    state = payouts.state(PAID)
    line = state.payouts.paid.get(AMFORC)
    state.payouts.paid.insert(AMFORC, line._replace(amount=Planck(line.amount - 1)))
    result = of(state)
    assert result.lines[0].paid is not None
    assert not result.lines[0].as_stated
    assert not result.settled


def test_a_violation_by_this_call_unsettles_it_and_anothers_does_not() -> None:
    violation = Violation(ViolationCode.WRONG_PAYEE, AccountId(bytes(32)), Planck(1))
    state = payouts.state(PAID)
    *_, (key, batch) = state.payouts.batches.items()
    state.payouts.violations.insert((key[0], key[1] + 1, 0), violation)
    assert of(state).settled
    state.payouts.violations.insert((*key, 0), violation)
    state.payouts.batches.insert(key, batch._replace(status=BatchStatus.IRREGULAR))
    result = of(state)
    assert result.violations == (violation,)
    assert result.outcome is Outcome.IRREGULAR
    assert not result.settled


def test_an_executed_call_that_the_ledger_has_no_batch_of_is_irregular() -> None:
    """As when the multisig was the curators' no longer: money moved, and no rule covers it."""
    state = payouts.state(PAID)
    *_, (key, _) = state.payouts.batches.items()
    state.payouts.batches.remove(key)
    assert of(state).outcome is Outcome.IRREGULAR


def test_another_batch_in_the_same_extrinsic_does_not_stand_for_this_one() -> None:
    state = payouts.state(PAID)
    *_, (key, batch) = state.payouts.batches.items()
    other = batch._replace(call_hash=Hash(bytes(32)))
    state.payouts.batches.insert((key[0], key[1] + 1), other)
    assert of(state).outcome is Outcome.PAID
    state.payouts.batches.insert(key, batch._replace(status=BatchStatus.IRREGULAR))
    assert of(state).outcome is Outcome.IRREGULAR


def test_operations_of_other_multisigs_and_calls_are_not_this_bundles() -> None:
    state = payouts.state(HALF_SIGNED)
    ((key, operation),) = operations_of(state)
    state.mirrors.multisig.operations.insert((AccountId(bytes(32)), *key[1:]), operation)
    state.mirrors.multisig.operations.insert((key[0], Hash(bytes(32)), *key[2:]), operation)
    assert len(of(state).attempts) == 1


# --- Once, and only once ------------------------------------------------------------------


def test_a_paid_call_that_is_open_again_is_not_settled() -> None:
    state = payouts.state(PAID)
    *_, (key, operation) = operations_of(state)
    again = (key[0], key[1], BlockNumber(key[2] + 50), 2, 0)
    opened = operation._replace(status=Status.OPEN, closing=None, call=None)
    state.mirrors.multisig.operations.insert(again, opened)
    result = of(state)
    assert all(line.as_stated for line in result.lines)
    assert result.open_again is not None
    assert result.open_again.opened == again[2:4]
    assert not result.settled
    with pytest.raises(CheckFailed, match=r"open again since .* ibp multisig cancel x\.json"):
        ensure_settled(result, Path("x.json"))
    assert after(OPEN_AGAIN).open_again is None  # the first attempt has paid nothing


def paid_by_another(state: State, line: int, *, call: bytes | None) -> None:
    """`state` after another call has paid the second line of the month again, as its `line`."""
    key, other = (BlockNumber(60_200), 0), Hash(b"\7" * 32)
    batch = payouts.the_batch(state)._replace(status=BatchStatus.IRREGULAR, call_hash=other)
    paid = state.payouts.paid.get((PERIOD, "gatotech", "services"))
    state.payouts.batches.insert(key, batch)
    wrong = Violation(ViolationCode.PAID_BEFORE, paid.payee, paid.amount)
    state.payouts.violations.insert((*key, line), wrong)
    *_, (about, operation) = operations_of(state)
    state.mirrors.multisig.operations.insert(
        (about[0], other, about[2], about[3], 0), operation._replace(call=call)
    )


@pytest.mark.parametrize(
    ("call", "what"), [(BUNDLE.call, "gatotech/services"), (None, "a payee of its lines")]
)
def test_a_line_that_another_call_paid_again_unsettles_it(call: bytes | None, what: str) -> None:
    state = payouts.state(PAID)
    paid_by_another(state, 1, call=call)
    result = of(state)
    assert all(line.as_stated for line in result.lines)
    assert [str(each) for each in result.paid_again] == [
        f"block 60200 paid {what} again, by call 0x{'07' * 32}"
    ]
    assert not result.settled
    with pytest.raises(CheckFailed, match=f"block 60200 paid {what} again"):
        ensure_settled(result, Path("x.json"))


def test_a_second_payment_of_another_line_or_period_is_none_of_this_bundles() -> None:
    other = payouts.remark(
        encode(Payout(period=PERIOD, statement=Hash(bytes(32)), lines=(("gatotech", "iaas"),)), 0)
    )
    state = payouts.state(PAID)
    paid_by_another(state, 0, call=payouts.batch_all(other))
    assert of(state).settled
    state = payouts.state(PAID)
    paid_by_another(state, 1, call=None)
    ((key, batch),) = [each for each in state.payouts.batches.items() if each[0][0] == 60_200]
    state.payouts.batches.insert(key, batch._replace(period="2026-02"))
    assert of(state).settled


# --- Bundles that do not fit themselves ---------------------------------------------------


def test_a_call_that_pays_what_the_statement_does_not_have_is_refused() -> None:
    remark, transfers = payouts.parts()
    text = remark.args["remark"].decode().replace("gatotech", "dwellir")
    call = payouts.batch_all(payouts.remark(text), *transfers)
    bundle = payouts.resealed(BUNDLE, call)
    with pytest.raises(BundleRefused, match="its call pays dwellir/services, its statement does"):
        reconcile(bundle, read_payout(recording.peer(), call, PASEO), payouts.state(PAID))


def test_a_call_with_another_hash_than_the_bundles_is_refused() -> None:
    """Else a file could show the operation of one call beside the lines of another."""
    other = BUNDLE.model_copy(update={"call_hash": Hash(bytes(32))})
    with pytest.raises(BundleRefused, match=f"its call hashes to 0x{BUNDLE.call_hash.hex()}"):
        reconcile(other, reading(), payouts.state(PAID))


def test_a_statement_that_the_call_does_not_name_is_refused() -> None:
    """Else amounts could be stated after the fact, to fit what was paid."""
    less = LINES[0].model_copy(update={"planck": Planck(1)})
    statement = BUNDLE.statement.model_copy(update={"lines": (less, *LINES[1:])})
    other = BUNDLE.model_copy(update={"statement": statement, "statement_hash": statement.hash})
    with pytest.raises(BundleRefused, match=f"its statement hashes to 0x{statement.hash.hex()}"):
        reconcile(other, reading(), payouts.state(PAID))
