"""Points, uptime and percentiles: the programme's rules F2 to F6 on worked examples."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from ibp_chain.types import Micros, Ppm
from oracles.errors import RowsError
from oracles.report import REPORT, ConsensusRow, Counts, MilestoneDay, ServiceDay, Verdict
from oracles.rules import ChargeWindow, Roster, Service
from oracles.scoring import (
    Charges,
    Runs,
    charge,
    is_clean,
    milestone_day,
    percentile,
    report_rows,
    runs_after,
    service_day,
    total,
    worst,
)
from tests.support.scores import DAY, FAST, RULES, SLOW, admitted, agreed, observed, series

ALIGNED = replace(RULES, window=ChargeWindow.ALIGNED)
KEY = "alpha", 3
NO_RUNS = Runs()
_CODES = {letter: code for code, letter in enumerate(".FS?x")}


def slots(text: str) -> list[Verdict]:
    return [Verdict(_CODES[letter]) for letter in text]


def row(head: str, rest: str = ".", service: str = "polkadot") -> ConsensusRow:
    text = series(head, rest)
    times = {".": FAST, "S": SLOW}
    answered = tuple(times[letter] for letter in text if letter in times)
    return ConsensusRow(DAY, "alpha", service, bytes(_CODES[c] for c in text), answered)


def points(*rows: ConsensusRow, carried: Runs = NO_RUNS) -> int:
    return milestone_day(KEY, rows, RULES, carried).points


# --- F2: charges ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "charges"),
    [
        ("", Charges(0, 0, Runs())),
        ("FF.", Charges(0, 0, Runs())),
        ("FFF.", Charges(1, 0, Runs())),
        ("FFFFFFF.", Charges(2, 0, Runs())),
        ("SSSSSS.", Charges(0, 2, Runs())),
        ("FFSFF", Charges(0, 0, Runs(failed=2))),  # failed or slow, never both
        ("FFFSSS", Charges(1, 1, Runs(slow=3))),
        ("FF?FF", Charges(0, 0, Runs(failed=2))),  # what was not seen is not charged
        ("FFxFF", Charges(0, 0, Runs(failed=2))),
        ("..FF", Charges(0, 0, Runs(failed=2))),
    ],
)
def test_each_third_slot_of_an_unbroken_run_is_charged(text: str, charges: Charges) -> None:
    assert charge(slots(text), RULES, Runs()) == charges


def test_a_run_goes_on_over_midnight() -> None:
    assert charge(slots("F."), RULES, Runs(failed=2)).failed == 1
    assert charge(slots("S."), RULES, Runs(slow=5)).slow == 1
    assert charge(slots("S."), RULES, Runs(failed=2)) == Charges(0, 0, Runs())
    assert charge(slots("F" * 288), RULES, Runs(failed=1)) == Charges(96, 0, Runs(failed=289))


def test_three_bad_slots_are_charged_once_however_midnight_cuts_them() -> None:
    for before in range(4):
        first = charge(slots("F" * before), RULES, Runs())
        second = charge(slots("F" * (3 - before) + "."), RULES, first.runs)
        assert first.failed + second.failed == 1


@pytest.mark.parametrize(
    ("text", "failed", "slow"),
    [
        ("FFF", 1, 0),
        (".FFF..", 0, 0),  # no window is bad throughout
        (".FFFFF", 1, 0),
        ("FFS", 0, 0),
        ("SSSFFF", 1, 1),
    ],
)
def test_aligned_windows_are_charged_when_they_are_bad_throughout(
    text: str, failed: int, slow: int
) -> None:
    assert charge(slots(text), ALIGNED, Runs()) == Charges(failed, slow, Runs())


def test_aligned_windows_carry_nothing() -> None:
    assert charge(slots("F."), ALIGNED, Runs(failed=2)) == Charges(0, 0, Runs())


def test_the_two_readings_differ() -> None:
    text = slots(".FFF.")
    assert charge(text, RULES, Runs()).failed != charge(text, ALIGNED, Runs()).failed


# --- F3 and F5: points -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("", 1),
        ("F", 0),  # one bad slot costs the day's point, not more
        ("S", 0),
        ("FFF", -7),
        ("SSS", -1),
        ("FFFFFFF", -14),  # gatotech on the recorded 29th of January
        ("F" * 9, -21),  # 45 minutes cost 21 clean days
        ("F" * 288, -672),  # a day down
        ("FFF.SSS", -8),
        ("x", 1),
        ("?" * 14, 1),  # 274 of 288 are 95.1 %
        ("?" * 15, 0),  # 273 are 94.8 %
        ("?" * 288, 0),  # never charged, never rewarded
        ("x" * 288, 0),
    ],
)
def test_points_of_a_day(head: str, expected: int) -> None:
    assert points(row(head)) == expected


def test_a_clean_day_after_a_bad_night_keeps_yesterdays_run_out_of_it() -> None:
    assert points(row(""), carried=Runs(failed=2)) == 1


def test_one_run_for_all_endpoints_of_a_milestone() -> None:
    # bad for one slot and for two: together for three
    day = milestone_day(KEY, [row("F"), row(".FF", service="kusama")], RULES, Runs())
    assert (day.points, day.failed_charges, day.clean) == (-7, 1, False)


def test_a_slot_that_is_bad_on_two_endpoints_is_charged_once() -> None:
    assert points(row("FFF"), row("FFF", service="kusama")) == -7


def test_failing_outweighs_slow_in_the_same_slot() -> None:
    day = milestone_day(KEY, [row("FFF"), row("SSS", service="kusama")], RULES, Runs())
    assert (day.failed_charges, day.slow_charges) == (1, 0)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("F.S?x", "F"), (".S?x", "S"), (".?x", "."), ("?x", "?"), ("x", "?"), ("", "?")],
)
def test_the_worst_endpoint_speaks_for_the_slot(text: str, verdict: str) -> None:
    assert [worst(slots(text))] == slots(verdict)


def test_other_prices_give_other_points() -> None:
    rules = replace(RULES, failed_charge=100, slow_charge=10, clean_day=5, slots_per_charge=2)
    day = milestone_day(KEY, [row("FF.SSSS")], rules, Runs())
    assert day.points == -120
    assert milestone_day(KEY, [row("")], rules, Runs()).points == 5


def test_open_runs_are_in_the_row() -> None:
    late = row("." * 286, "F")
    day = milestone_day(KEY, [late], RULES, Runs())
    assert (day.failed_run, day.slow_run, day.points) == (2, 0, 0)


@pytest.mark.parametrize(
    ("counts", "clean"),
    [
        (Counts(95, 0, 0, 5, 0), True),  # exactly 95 %
        (Counts(94, 0, 0, 6, 0), False),
        (Counts(1, 0, 0, 0, 287), True),  # what is excluded is not expected
        (Counts(0, 0, 0, 0, 288), False),
        (Counts(287, 1, 0, 0, 0), False),
        (Counts(287, 0, 1, 0, 0), False),
    ],
)
def test_a_clean_day_needs_knowledge_and_no_fault(
    counts: Counts,
    clean: bool,
) -> None:
    assert is_clean(counts, Ppm(950_000)) is clean


def test_a_programme_that_asks_for_no_knowledge_still_wants_some() -> None:
    assert not is_clean(Counts(0, 0, 0, 288, 0), Ppm(0))


# --- F6: uptime and percentiles -------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "ppm"),
    [
        (Counts(288, 0, 0, 0, 0), 1_000_000),
        (Counts(281, 7, 0, 0, 0), 975_694),  # 281/288, rounded down
        (Counts(0, 3, 0, 0, 0), 0),
        (Counts(1, 1, 0, 286, 0), 500_000),  # of the known
        (Counts(0, 0, 2, 0, 0), 1_000_000),  # slow is up
        (Counts(0, 0, 0, 200, 88), None),
    ],
)
def test_uptime_is_one_less_the_failed_share_of_the_known(counts: Counts, ppm: int | None) -> None:
    assert counts.uptime == ppm


def test_uptime_of_a_month_is_of_its_total_not_the_mean_of_days() -> None:
    month = total([Counts(1, 1, 0, 286, 0), Counts(288, 0, 0, 0, 0)])
    assert month == Counts(289, 1, 0, 286, 0)
    assert month.uptime == 289 * 1_000_000 // 290
    assert total([]) == Counts(0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ((), 50, None),
        ((5,), 1, 5),
        ((5,), 99, 5),
        ((15, 20, 35, 40, 50), 5, 15),
        ((15, 20, 35, 40, 50), 30, 20),
        ((15, 20, 35, 40, 50), 40, 20),
        ((15, 20, 35, 40, 50), 50, 35),
        ((15, 20, 35, 40, 50), 100, 50),
        (tuple(range(1, 101)), 95, 95),
        (tuple(range(1, 101)), 99, 99),
    ],
)
def test_percentiles_are_of_the_nearest_rank(
    values: Sequence[int], percent: int, expected: int | None
) -> None:
    assert percentile([Micros(value) for value in values], percent) == expected


def test_a_service_day_sums_up_its_slots() -> None:
    assert service_day(row("FSS?x")) == ServiceDay(
        DAY, "alpha", "polkadot", ok=283, failed=1, slow=2, unknown=1, excluded=1,
        uptime=Ppm(285 * 1_000_000 // 286), p50=FAST, p95=FAST, p99=FAST,
    )  # fmt: skip
    assert service_day(row("SSSS")).p99 == SLOW
    silent = service_day(row("", "?"))
    assert (silent.uptime, silent.p50, silent.p95, silent.p99) == (None,) * 4


# --- The whole report ------------------------------------------------------------------

SERVICES = (Service("polkadot", "polkadot", 3), Service("hub", "hub", 5))
ROSTER = Roster(SERVICES, {"alpha": frozenset({"polkadot", "hub"}), "beta": frozenset({"hub"})})


def report_of(head: str, carried: dict[tuple[str, int], Runs] | None = None) -> list[MilestoneDay]:
    both = [
        admitted(
            i,
            observed(i, series(head)),
            observed(i, series(""), service="hub"),
            observed(i, series(""), "beta", "hub"),
        )
        for i in range(2)
    ]
    rows = report_rows(
        agreed(*both, roster=ROSTER), roster=ROSTER, rules=RULES, carried=carried or {}
    )
    assert rows == REPORT.canonical(rows)
    assert [type(item).__name__ for item in rows] == (
        ["ConsensusRow"] * 3 + ["ServiceDay"] * 3 + ["MilestoneDay"] * 3
    )
    return [item for item in rows if isinstance(item, MilestoneDay)]


def test_a_report_has_slots_services_and_milestones() -> None:
    assert [(day.member, day.milestone, day.points) for day in report_of("FFF")] == [
        ("alpha", 3, -7), ("alpha", 5, 1), ("beta", 5, 1),
    ]  # fmt: skip


def test_carried_runs_are_those_of_the_member_and_milestone() -> None:
    assert report_of("F", {("alpha", 3): Runs(failed=2)})[0].points == -7
    assert report_of("F", {("alpha", 5): Runs(failed=2)})[0].points == 0
    assert report_of("F", {("gone", 3): Runs(failed=2)})[0].points == 0


def test_the_runs_into_a_day_come_from_the_report_before() -> None:
    tomorrow = DAY + timedelta(days=1)
    day = milestone_day(KEY, [row("." * 287, "S")], RULES, Runs())
    assert runs_after([row(""), day], tomorrow) == {KEY: Runs(slow=1)}
    assert runs_after([], tomorrow) == {}


@pytest.mark.parametrize("days", [0, 2, -1])
def test_runs_do_not_jump_over_days(days: int) -> None:
    day = milestone_day(KEY, [row("")], RULES, Runs())
    with pytest.raises(RowsError, match="rows of 2026-01-29 say nothing"):
        runs_after([day], DAY + timedelta(days=days))
