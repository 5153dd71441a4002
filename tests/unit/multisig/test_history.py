"""What executed batches cost, by statements that the ledger knows by hash: never by their word."""

from decimal import Decimal
from pathlib import Path

import pytest

from ibp_chain.errors import InputError
from ibp_chain.types import Hash, Planck
from ledger.pallets.payouts import BatchStatus, Violation, ViolationCode
from ledger.program.budget import Payment
from ledger.program.rules import load_rules
from ledger.state import State
from multisig.batch import build_batches
from multisig.checks import Caps, Policy
from multisig.documents import write_file
from multisig.errors import BatchRefused, DocumentError
from multisig.history import History, history_of, read_history
from multisig.statement import Statement
from tests.support import payouts, recording
from tests.support.command_line import DEMO
from tests.support.payouts import FAILED, PAID, PERIOD, STATED

STATEMENT = payouts.bundle().statement
BUDGET = load_rules(None).budget
TOTAL = Decimal("1209.67")
AMFORC = (PERIOD, "amforc", "services")


def told(state: State, *statements: Statement) -> History:
    return history_of(statements or (STATEMENT,), state)


def test_an_executed_statement_counts_in_usd_line_by_line() -> None:
    history = told(payouts.state(PAID))
    assert history.complete
    assert history.followed == {STATEMENT.hash}
    assert [(each.period, each.member, each.usd) for each in history.payments] == [
        (PERIOD, line.member, line.usd) for line in STATEMENT.lines
    ]
    spent, strange = history.spent(BUDGET)
    assert (spent.used, strange) == (TOTAL, ())
    assert {line.name: line.used for line in spent.lines if line.used} == {"rpc": TOTAL}
    assert spent.months == (PERIOD,)
    assert spent.month(PERIOD).used == TOTAL
    assert spent.month("2026-02").used == 0


@pytest.mark.parametrize("operations", [STATED, FAILED], ids=["stated", "failed"])
def test_what_was_not_executed_costs_nothing(operations: payouts.Operations) -> None:
    history = told(payouts.state(operations))
    assert (history.payments, history.gaps, history.followed) == ((), (), frozenset())


def test_a_payment_by_a_statement_that_is_missing_is_named() -> None:
    history = history_of([], payouts.state(PAID))
    assert not history.payments
    (gap,) = history.gaps
    assert gap == (
        "block 60107 paid 562.6372093022 PAS for 2026-01 by the statement "
        f"0x{STATEMENT.hash.hex()}, which is not among those given"
    )


def test_a_statement_with_another_amount_is_another_statement() -> None:
    """Whoever keeps the folder cannot change what a month cost."""
    line = STATEMENT.lines[0].model_copy(update={"usd": Decimal("0.01")})
    cheaper = STATEMENT.model_copy(update={"lines": (line, *STATEMENT.lines[1:])})
    history = told(payouts.state(PAID), cheaper)
    assert not history.payments
    assert len(history.gaps) == 1
    assert told(payouts.state(PAID), cheaper, STATEMENT).complete


def test_an_amount_that_the_ledger_has_otherwise_is_not_counted() -> None:
    state = payouts.state(PAID)
    paid = state.payouts.paid.get(AMFORC)
    state.payouts.paid.insert(AMFORC, paid._replace(amount=Planck(paid.amount + 1)))
    history = told(state)
    assert len(history.payments) == 3
    (gap,) = history.gaps
    assert gap == (
        "block 60107 paid 150.0372093024 PAS to amforc/services for 2026-01, and its statement "
        "says 150.0372093023 PAS"
    )


def test_a_line_that_the_statement_does_not_have_is_not_counted() -> None:
    state = payouts.state(PAID)
    paid = state.payouts.paid.get(AMFORC)
    state.payouts.paid.insert((PERIOD, "dwellir", "services"), paid)
    assert "dwellir/services for 2026-01, and its statement does not have it" in told(state).gaps[0]


def test_money_that_moved_otherwise_than_its_remark_says_is_a_gap() -> None:
    """A statement that was executed twice: the second time is no payment, and was paid."""
    state = payouts.state(PAID)
    (key, batch) = list(state.payouts.batches.items())[-1]
    again = (key[0], key[1] + 1)
    state.payouts.batches.insert(again, batch._replace(status=BatchStatus.IRREGULAR))
    paid = state.payouts.paid.get(AMFORC)
    violation = Violation(ViolationCode.PAID_BEFORE, paid.payee, paid.amount)
    state.payouts.violations.insert((*again, 0), violation)
    history = told(state)
    assert len(history.payments) == 4
    (gap,) = history.gaps
    assert gap == (
        "block 60107 moved 150.0372093023 PAS by line 1 otherwise than its remark says "
        "(paid_before)"
    )


def test_claims_of_what_an_earlier_batch_awarded_cost_nothing_again() -> None:
    state = payouts.state(PAID)
    (key, batch) = list(state.payouts.batches.items())[-1]
    claims = batch._replace(call_hash=Hash(bytes(32)), total=Planck(0))
    state.payouts.batches.insert((key[0], key[1] + 1), claims)
    assert told(state).complete
    assert len(told(state).payments) == 4


def test_an_item_that_no_line_of_the_budget_pays_is_named_and_not_added() -> None:
    history = told(payouts.state(PAID))
    strange = Payment(PERIOD, "amforc", "yacht", Decimal(5))
    spent, said = History((*history.payments, strange), (), history.followed).spent(BUDGET)
    assert spent.used == TOTAL
    assert said == ("yacht of amforc for 2026-01: no line of the budget pays 'yacht'",)


# --- What a later month has left --------------------------------------------------------


def february(cap: str, *given: Statement) -> tuple[Statement, State, Policy]:
    """The same lines a month later, where the line of the budget ends at `cap` USD."""
    state = payouts.state(PAID)
    history = history_of(given, state)
    lines = dict(BUDGET.lines)
    lines["rpc"] = lines["rpc"].model_copy(update={"usd": Decimal(cap)})
    budget = BUDGET.model_copy(update={"lines": lines})
    caps = Caps(budget=budget, earlier=history.payments, gaps=history.gaps)
    return STATEMENT.model_copy(update={"period": "2026-02"}), state, Policy(caps)


def test_a_month_is_built_while_its_line_of_the_budget_lasts() -> None:
    statement, state, policy = february("2419.34", STATEMENT)
    assert build_batches(statement, state, recording.runtime(), policy=policy)


def test_a_month_above_what_earlier_months_have_left_is_refused() -> None:
    statement, state, policy = february("2419.33", STATEMENT)
    with pytest.raises(BatchRefused) as caught:
        build_batches(statement, state, recording.runtime(), policy=policy)
    (row,) = caught.value.rows
    assert row.startswith("the batch: budget-cap: services of turboflakes for 2026-02: 322.58 USD")
    assert "are more than the 2419.33 of the line rpc" in row


def test_a_month_is_not_built_on_a_history_with_a_gap() -> None:
    statement, state, policy = february("500000")
    with pytest.raises(BatchRefused, match=r"budget-cap: block 60107 paid 562\.6372093022 PAS"):
        build_batches(statement, state, recording.runtime(), policy=policy)


# --- The folder -------------------------------------------------------------------------


def test_a_folder_may_hold_bundles_and_statements_each_once(tmp_path: Path) -> None:
    write_file(tmp_path / "a.json", payouts.bundle().encoded)
    write_file(tmp_path / "b.json", STATEMENT.encoded)
    (tmp_path / "notes.txt").write_text("not read")
    assert read_history(tmp_path) == (STATEMENT,)


def test_what_is_no_folder_or_no_bundle_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder of bundles"):
        read_history(tmp_path / "nowhere")
    (tmp_path / "c.json").write_bytes((DEMO / "demo.json").read_bytes())
    with pytest.raises(DocumentError, match=r"c\.json"):
        read_history(tmp_path)
