"""The network's timetable and its random courses: what a run of minutes relies on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.daemon.clocks import TimeLapse
from oracles.layout import SLOT_SECONDS
from oracles.report import Verdict
from scripts.network.byzantine import Sin, sins_of
from scripts.network.checks import charges_of
from scripts.network.course import ORACLES, random_course, short_course
from scripts.network.timetable import (
    CLOSES,
    FIRST_DAY,
    OPENS,
    REPORTS,
    Timetable,
    clock_time,
    moment,
)

FAILED, OK, SLOW, UNKNOWN = (
    bytes([v]) for v in (Verdict.FAILED, Verdict.OK, Verdict.SLOW, Verdict.UNKNOWN)
)


@given(days=st.integers(1, 9), stretch=st.floats(1, 3), closes=st.integers(CLOSES, CLOSES + 6))
def test_time_never_stands_still_and_begins_and_ends_where_the_protocol_does(
    days: int, stretch: float, closes: int
) -> None:
    table = Timetable(1_000.0, days, stretch, closes)
    clock = TimeLapse(lambda: 0.0, table.knots)
    assert clock.at(table.begins) == moment(FIRST_DAY, OPENS)
    assert clock.at(table.ends) == pytest.approx(moment(table.dates[-1], 288 + closes))
    assert len(table.dates) == days


def test_no_slot_that_is_polled_is_shorter_than_a_poll() -> None:
    table = Timetable(0.0, 3)
    clock = TimeLapse(lambda: 0.0, table.knots)
    for day in table.dates:
        for slot in table.polled(day):
            begins, ends = (clock.machine_at(moment(day, s)) for s in (slot, slot + 1))
            assert ends - begins >= 5.0 - 1e-6


def test_a_turn_leaves_time_for_blocks_and_fetching() -> None:
    clock = TimeLapse(lambda: 0.0, Timetable(0.0, 1).knots)
    begins, ends = (clock.machine_at(clock_time(FIRST_DAY, 25, minutes)) for minutes in (0, 10))
    assert ends - begins > 2 * 6.0
    assert REPORTS * SLOT_SECONDS < 3_600 < CLOSES * SLOT_SECONDS


@given(days=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_a_random_course_never_takes_the_quorum_away(days: int, seed: int) -> None:
    course = random_course(days, seed)
    assert course == random_course(days, seed)
    assert 0 <= course.liar < ORACLES
    assert len(course.kills) == len(course.cuts) == days
    for kill, cut in zip(course.kills, course.cuts, strict=True):
        assert {kill.oracle, cut.oracle} <= set(course.honest)
        assert kill.oracle != cut.oracle
        assert kill.at < kill.again
        assert cut.at < cut.until
    for before, after in pairwise(course.kills):
        assert before.again < after.at


def test_the_short_course_has_every_kind_of_lie_that_is_asked_for() -> None:
    sins = sins_of(0) | sins_of(1)
    assert short_course().days == 2
    assert sins >= {Sin.SPLIT, Sin.COPY, Sin.CONTRADICT_LATE, Sin.REPORT_WRONG, Sin.REPORT_TWICE}


@pytest.mark.parametrize(
    ("verdicts", "before", "charges", "after"),
    [
        (OK * 4, (2, 0), (0, 0), (0, 0)),
        (FAILED * 2, (0, 0), (0, 0), (2, 0)),
        (FAILED * 2, (1, 0), (1, 0), (3, 0)),
        (FAILED * 7 + OK, (0, 0), (2, 0), (0, 0)),
        (FAILED * 3 + OK + SLOW * 3, (0, 0), (1, 1), (0, 3)),
        (FAILED * 2 + UNKNOWN + FAILED * 2, (0, 0), (0, 0), (2, 0)),
    ],
)
def test_every_third_slot_of_a_run_is_charged(
    verdicts: bytes, before: tuple[int, int], charges: tuple[int, int], after: tuple[int, int]
) -> None:
    assert charges_of(verdicts, before) == (charges, after)
