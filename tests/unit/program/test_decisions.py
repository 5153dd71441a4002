"""What `decision` remarks come to: F13 and the cap of F7."""

from datetime import date
from decimal import Decimal

import pytest

from ibp_chain.remark_bodies import DecisionOutcome
from ibp_chain.types import BlockNumber
from ledger.program.decisions import Decisions
from tests.support.law import MEMBER, at, decided, decision


def test_a_waiver_lifts_its_own_requirement() -> None:
    made = decided(("M3.anycast-pools", "waive"))
    assert made.waiver("M3.anycast-pools") is not None
    assert made.waiver("M5.anycast-pools") is None


@pytest.mark.parametrize("outcome", ["override", "uphold", "overturn"])
def test_nothing_else_waives(outcome: str) -> None:
    assert decided(("M3.anycast-pools", outcome)).waiver("M3.anycast-pools") is None


def test_the_latest_decision_counts_whatever_the_order_in_which_they_are_read() -> None:
    made = [at(9, "M4", "uphold"), at(2, "M4", "override")]
    assert Decisions.about(MEMBER, made).promotion(4) is None
    assert Decisions.about(MEMBER, made[::-1]).promotion(4) is None
    again = [*made, at(10, "M4", "override")]
    promotion = Decisions.about(MEMBER, again).promotion(4)
    assert promotion is not None
    assert str(promotion) == "override in block 10, remark 0: seen"


def test_two_remarks_of_one_block_are_told_apart_by_their_place() -> None:
    first, second = decision("M4", "override"), decision("M4", "uphold")
    made = [((BlockNumber(1), 1), second), ((BlockNumber(1), 0), first)]
    assert Decisions.about(MEMBER, made).promotion(4) is None


def test_decisions_about_others_do_not_count() -> None:
    assert Decisions.about("rival", [at(1, "M4", "override")]).promotion(4) is None


@pytest.mark.parametrize("outcome", ["waive", "overturn"])
def test_charges_of_a_day_are_let_off(outcome: str) -> None:
    days = decided(("M3 2026-03-09", outcome)).days_let_off(3)
    assert list(days) == [date(2026, 3, 9)]
    assert decided(("M3 2026-03-09", outcome)).days_let_off(5) == {}


@pytest.mark.parametrize("outcome", ["uphold", "override"])
def test_charges_that_were_upheld_stand(outcome: str) -> None:
    assert decided(("M3 2026-03-09", "waive"), ("M3 2026-03-09", outcome)).days_let_off(3) == {}


@pytest.mark.parametrize(
    "subject",
    ["M3 2026-02-30", "M3 2026-3-9", "M9 2026-03-09", " M3 2026-03-09", "M3  2026-03-09",
     "M3 ٢٠٢٦-03-09"],
)  # fmt: skip
def test_what_is_no_day_is_for_people(subject: str) -> None:
    assert decided((subject, "waive")).days_let_off(3) == {}


def test_good_intentions_cap_a_lock() -> None:
    cap = decided(("lock polkadot 3200.5", "override")).lock_cap("polkadot")
    assert cap is not None
    assert cap[0] == Decimal("3200.5")
    assert decided(("lock polkadot 3200", "override")).lock_cap("kusama") is None


def test_the_latest_cap_counts_and_can_be_taken_back() -> None:
    made = (("lock polkadot 3200", "override"), ("lock polkadot 100", "override"))
    cap = decided(*made).lock_cap("polkadot")
    assert cap is not None
    assert cap[0] == 100
    assert decided(*made, ("lock polkadot 100", "uphold")).lock_cap("polkadot") is None


@pytest.mark.parametrize(
    "subject",
    ["lock polkadot", "lock polkadot ", "lock polkadot -1", "lock polkadot 1e3",
     "lock polkadot 5,000", "lock polkadot NaN", "lock polkadot ٣", "lock  polkadot 1"],
)  # fmt: skip
def test_what_is_no_amount_caps_nothing(subject: str) -> None:
    assert decided((subject, "override")).lock_cap("polkadot") is None


@pytest.mark.parametrize("outcome", ["waive", "uphold", "overturn"])
def test_only_an_override_caps(outcome: str) -> None:
    assert decided(("lock polkadot 1", outcome)).lock_cap("polkadot") is None


def test_a_subject_is_found_with_one_of_the_outcomes_asked_for() -> None:
    made = decided(("M2.receipts", "uphold"))
    assert made.find("M2.receipts", DecisionOutcome.UPHOLD, DecisionOutcome.WAIVE) is not None
    assert made.find("M2.receipts", DecisionOutcome.WAIVE) is None
