"""Ranks add up the points of standing reports: F4, F5, F13."""

from datetime import date, timedelta

import pytest

from ledger.program.ranks import RankError, ranks
from oracles.report import MilestoneDay
from tests.support.law import FIRST_DAY, LAW, MEMBER, days_of, decided

KEY = MEMBER, 3
LET_OFF = {KEY: decided(("M3 2026-01-02", "waive")).days_let_off(3)}


def value(*points: int) -> int:
    return ranks(days_of(*points), LAW.rank)[KEY].value


def test_a_rank_is_the_sum_of_its_days() -> None:
    assert value(1, 1, 1) == 3
    assert value(1, 1, 1, -1) == 2


def test_a_rank_never_falls_below_zero_and_rises_from_there() -> None:
    """F4: one day without an answer is -672; 180 could not be reached otherwise."""
    assert value(-672) == 0
    assert value(1, -672, 1, 1) == 2


def test_the_order_of_rows_does_not_matter() -> None:
    rows = days_of(1, 1, -7, 1, 1, -1, 1)
    assert ranks(rows[::-1], LAW.rank) == ranks(rows, LAW.rank)


def test_a_gate_is_passed_on_the_first_day_that_the_rank_is_there() -> None:
    rank = ranks(days_of(*[1] * 200), LAW.rank)[KEY]
    assert rank.reached(180) == FIRST_DAY + timedelta(days=179)
    assert rank.reached(201) is None


def test_a_gate_stays_passed_when_the_rank_falls() -> None:
    rank = ranks(days_of(*[1] * 180, -180), LAW.rank)[KEY]
    assert (rank.value, rank.highest) == (0, 180)
    assert rank.reached(180) == FIRST_DAY + timedelta(days=179)


def test_ranks_in_milestones_3_and_5_are_counted_apart() -> None:
    """F5."""
    rows = [*days_of(1, 1), *days_of(-7, 1, milestone=5)]
    found = ranks(rows, LAW.rank)
    assert {key: rank.value for key, rank in found.items()} == {KEY: 2, (MEMBER, 5): 1}


def test_members_have_ranks_of_their_own() -> None:
    found = ranks([*days_of(1), *days_of(1, 1, member="rival")], LAW.rank)
    assert [rank.value for rank in found.values()] == [1, 2]


def test_rows_of_other_milestones_are_none_of_ours() -> None:
    assert ranks(days_of(1, milestone=6), LAW.rank) == {}


def test_days_before_a_member_came_again_do_not_count() -> None:
    rank = ranks(days_of(1, 1, 1), LAW.rank, since={MEMBER: date(2026, 1, 3)})[KEY]
    assert (rank.value, len(rank.days)) == (1, 1)


def test_charges_that_curators_let_off_cost_nothing() -> None:
    """F13."""
    rank = ranks(days_of(1, -7, 1), LAW.rank, let_off=LET_OFF)[KEY]
    assert rank.value == 2
    assert rank.days[1].let_off is not None
    assert "charges let off: waive in block 1" in rank.steps[1].text


def test_a_clean_day_that_curators_let_off_is_worth_what_it_is() -> None:
    assert ranks(days_of(1, 1), LAW.rank, let_off=LET_OFF)[KEY].value == 2


def test_two_rows_about_one_day_are_refused() -> None:
    with pytest.raises(RankError, match="two rows about amforc, milestone 3, on 2026-01-01"):
        ranks([*days_of(1), *days_of(1)], LAW.rank)


def test_every_day_is_in_the_steps_equal_ones_together() -> None:
    steps = ranks(days_of(1, 1, 1, -7, 1), LAW.rank)[KEY].steps
    assert [(step.text, step.value) for step in steps] == [
        ("2026-01-01 to 2026-01-03: 0 +1 x 3 days", 3),
        ("2026-01-04: max(0, 3 -7)", 0),
        ("2026-01-05: 0 +1", 1),
    ]


def test_the_oracles_own_rows_are_what_it_takes() -> None:
    row = MilestoneDay(FIRST_DAY, MEMBER, 3, 1, clean=True, failed_charges=0, slow_charges=0,
                       failed_run=0, slow_run=0)  # fmt: skip
    assert ranks([row], LAW.rank)[KEY].value == 1
