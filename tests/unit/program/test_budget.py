"""Seed 001: no payment without a line, none above its cap."""

from decimal import Decimal

import pytest

from ledger.program.budget import Budget, BudgetError, Payment
from tests.support.law import LAW

FRESH = Budget.fresh(LAW.budget)


def pay(usd: str, item: str = "curator", period: str = "2026-01", member: str = "a") -> Payment:
    return Payment(period, member, item, Decimal(usd))


def used(budget: Budget, line: str = "curators") -> Decimal:
    (found,) = (each for each in budget.lines if each.name == line)
    return found.used


def test_nothing_is_used_at_first() -> None:
    assert FRESH.used == 0
    assert [line.left for line in FRESH.lines] == [line.cap for line in FRESH.lines]


def test_a_payment_uses_the_line_of_its_item() -> None:
    after = FRESH.with_([pay("10.50")])
    assert used(after) == Decimal("10.50")
    assert used(after, "rpc") == 0
    assert after.used == Decimal("10.50")


def test_an_item_without_a_line_is_refused() -> None:
    with pytest.raises(BudgetError, match="no line of the budget pays 'party'"):
        FRESH.with_([pay("1", "party")])


def test_a_line_can_be_used_up_and_not_a_cent_more() -> None:
    full = FRESH.with_([pay("26000")])
    (line,) = (each for each in full.lines if each.name == "curators")
    assert line.left == 0
    with pytest.raises(BudgetError, match=r"0\.01 USD on top of 26000 are more than the 26000"):
        full.with_([pay("0.01", period="2026-02")])


def test_what_is_left_of_other_lines_does_not_help() -> None:
    with pytest.raises(BudgetError, match="of the line curators"):
        FRESH.with_([pay("26000.01")])


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    with pytest.raises(BudgetError):
        FRESH.with_([pay("1"), pay("26000", period="2026-02")])
    assert FRESH.used == 0


def test_payments_of_one_batch_add_up() -> None:
    with pytest.raises(BudgetError, match="on top of 20000"):
        FRESH.with_([pay("20000"), pay("6000.01", period="2026-02")])


def test_the_same_item_is_not_paid_twice() -> None:
    with pytest.raises(BudgetError, match="curator of a for 2026-01 is paid already"):
        FRESH.with_([pay("1")]).with_([pay("1")])


@pytest.mark.parametrize("usd", ["-0.01", "NaN", "Infinity"])
def test_no_payment_gives_a_line_back(usd: str) -> None:
    with pytest.raises(BudgetError, match="is no payment"):
        FRESH.with_([pay(usd)])


def test_a_small_amount_on_top_of_a_large_one_is_not_rounded_away() -> None:
    tiny = "0.000000000000000001"
    after = FRESH.with_([pay("25999.99"), pay(tiny, period="2026-02")])
    assert used(after) == Decimal("25999.990000000000000001")


def test_a_line_tells_what_is_left_of_it() -> None:
    (step,) = (line.step for line in FRESH.with_([pay("1000")]).lines if line.name == "curators")
    assert step.text == "Administrative Curator payments: 26000 - 1000"
    assert (step.rule, step.value) == ("U1.curators", 25_000)


# --- What was paid, whether or not it should have been --------------------------------------------


def test_what_was_paid_above_a_cap_leaves_less_than_nothing() -> None:
    spent = Budget.recorded(LAW.budget, [pay("26000"), pay("0.01", period="2026-02")])
    (line,) = (each for each in spent.lines if each.name == "curators")
    assert (line.used, line.left) == (Decimal("26000.01"), Decimal("-0.01"))
    with pytest.raises(BudgetError, match=r"on top of 26000\.01 are more than the 26000"):
        spent.with_([pay("0.01", period="2026-03")])


def test_what_was_paid_is_paid_once_and_of_some_line() -> None:
    with pytest.raises(BudgetError, match="curator of a for 2026-01 is paid already"):
        Budget.recorded(LAW.budget, [pay("1"), pay("2")])
    with pytest.raises(BudgetError, match="no line of the budget pays 'party'"):
        Budget.recorded(LAW.budget, [pay("1", "party")])
    with pytest.raises(BudgetError, match="is paid already"):
        Budget.recorded(LAW.budget, [pay("1")]).with_([pay("2")])


def test_months_are_told_apart_and_add_up() -> None:
    spent = Budget.recorded(
        LAW.budget, [pay("1", period="2026-02"), pay("2.50"), pay("4", "tools")]
    )
    assert spent.months == ("2026-01", "2026-02")
    assert [used(spent.month(month)) for month in spent.months] == [Decimal("2.50"), Decimal(1)]
    assert sum(spent.month(month).used for month in spent.months) == spent.used
    assert spent.month("2026-03").used == 0
