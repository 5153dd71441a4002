"""Uptime: one share for days, months and statements, rounded without changing an answer."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.program.polls import MILLION, uptime, uptime_of

counts = st.integers(0, 10_000).flatmap(
    lambda known: st.tuples(st.just(known), st.integers(0, known))
)


@pytest.mark.parametrize(
    ("known", "failed", "ppm"),
    [(288, 0, 1_000_000), (288, 7, 975_694), (3, 3, 0), (3, 1, 666_666), (0, 0, None)],
)
def test_uptime_is_what_did_not_fail_of_the_known(known: int, failed: int, ppm: int | None) -> None:
    assert uptime(known, failed) == ppm


@pytest.mark.parametrize(("known", "failed"), [(1, 2), (0, 1), (5, -1), (-1, -1), (-1, 0)])
def test_counts_that_cannot_be_have_none(known: int, failed: int) -> None:
    with pytest.raises(ValueError, match="polls failed"):
        uptime(known, failed)


def test_polls_are_added_before_they_are_divided() -> None:
    """A day of two known polls, one failed, beside a whole good one: not the mean, 750,000."""
    assert uptime_of([(2, 1), (288, 0)]) == 289 * MILLION // 290
    assert uptime_of([]) is None
    assert uptime_of([(0, 0), (0, 0)]) is None


@given(counts, st.integers(0, MILLION))
def test_rounding_down_passes_exactly_who_reaches_the_threshold(
    polls: tuple[int, int], threshold: int
) -> None:
    known, failed = polls
    share = uptime(known, failed)
    if share is None:
        assert known == 0
        return
    assert (share >= threshold) == (Fraction(known - failed, known) >= Fraction(threshold, MILLION))


@given(st.lists(counts), st.lists(counts))
def test_the_order_and_grouping_of_days_is_nothing(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    whole = uptime_of(one + other)
    assert uptime_of(other + one) == whole
    known, failed = (sum(part[i] for part in one + other) for i in (0, 1))
    assert whole == uptime(known, failed)
