"""What the programme's older software got wrong, played from polls to points, uptime and pay.

Each test names a mistake; days are written as text (`tests.support.scores`), seen alike by three
oracles, agreed, scored, and carried over midnight as an oracle does it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pytest

from ibp_chain.types import Ppm
from multisig.service import ServiceRecord, served_days
from oracles.consensus import Commitment, admit, consensus
from oracles.errors import RowsError
from oracles.report import MilestoneDay, ReportRow, ServiceDay
from oracles.rules import Roster, Service
from oracles.samples import OBSERVATION
from oracles.scoring import Runs, month_uptime, report_rows, runs_after
from tests.support.scores import ORACLES, ROSTER, RULES, SERVICES, observed, series

Endpoint = tuple[str, str]
ALPHA, BETA = ("alpha", "polkadot"), ("beta", "polkadot")
FINE = series("")
DOWN = series("", "F")
SLOTS = 288
LAST_OF_JANUARY = date(2026, 1, 31)
MONTHS = [LAST_OF_JANUARY, date(2025, 12, 31), date(2024, 2, 29), date(2026, 4, 30)]


def evening(outage: str) -> str:
    """A good day that ends with `outage`."""
    return series("", ".")[len(outage) :] + outage


def played(
    days: Sequence[Mapping[Endpoint, str]],
    *,
    first: date = LAST_OF_JANUARY,
    roster: Roster = ROSTER,
    rosters: Sequence[Roster] = (),
) -> list[tuple[ReportRow, ...]]:
    """The report of each day; an endpoint that is not named was fine.

    `rosters` are of the first days, `roster` of the others.
    """
    reports: list[tuple[ReportRow, ...]] = []
    carried: Mapping[tuple[str, int], Runs] = {}
    for number, seen in enumerate(days):
        day, who = first + timedelta(days=number), (*rosters, *[roster] * len(days))[number]
        endpoints = dict.fromkeys(who.endpoints, FINE) | dict(seen)
        observations = []
        for oracle, account in enumerate(ORACLES):
            rows = OBSERVATION.canonical(
                observed(oracle, text, *endpoint, day=day) for endpoint, text in endpoints.items()
            )
            commitment = Commitment(account, day, OBSERVATION.root(rows), len(rows))
            observations.append(admit(commitment, rows, RULES.slow_at))
        agreed = consensus(observations, day=day, roster=who, rules=RULES, quorum=2)
        reports.append(report_rows(agreed, roster=who, rules=RULES, carried=carried))
        carried = runs_after(reports[-1], day + timedelta(days=1))
    return reports


def points(reports: Sequence[tuple[ReportRow, ...]], member: str = "alpha") -> list[int]:
    return [
        row.points
        for rows in reports
        for row in rows
        if isinstance(row, MilestoneDay) and row.member == member
    ]


def service_days(
    reports: Sequence[tuple[ReportRow, ...]], endpoint: Endpoint = ALPHA
) -> list[ServiceDay]:
    return [
        row
        for rows in reports
        for row in rows
        if isinstance(row, ServiceDay) and (row.member, row.service) == endpoint
    ]


def failed(reports: Sequence[tuple[ReportRow, ...]]) -> list[int]:
    return [row.failed for row in service_days(reports)]


def uptimes(
    reports: Sequence[tuple[ReportRow, ...]], *periods: str, member: str = "alpha"
) -> list[int | None]:
    rows = [row for report in reports for row in report]
    return [month_uptime(rows, period).get(member) for period in periods]


def served(
    reports: Sequence[tuple[ReportRow, ...]], threshold: int = 999_000
) -> Mapping[str, tuple[date, ...]]:
    """What a statement counts, from the same rows."""
    return served_days(
        [
            ServiceRecord(row.day, row.member, row.service, row.counts.known, row.failed)
            for report in reports
            for row in report
            if isinstance(row, ServiceDay)
        ],
        Ppm(threshold),
    )


# --- A resolved outage still counts ----------------------------------------------------------


def test_a_resolved_outage_still_counts() -> None:
    """The older programme added up what was still open when it looked."""
    reports = played([{ALPHA: series("FFF")}, {}, {}])
    assert points(reports) == [-7, 1, 1]
    assert failed(reports) == [3, 0, 0]
    assert served(reports)["alpha"] == (date(2026, 2, 1), date(2026, 2, 2))


@pytest.mark.parametrize("begins", [0, 1, 100, 282])
def test_an_outage_costs_the_same_whenever_it_was_resolved(begins: int) -> None:
    """Over at noon, over just before midnight: seven slots are two charges."""
    reports = played([{ALPHA: series("." * begins + "FFFFFF")}])
    assert points(reports) == [-14]
    assert failed(reports) == [6]


def test_what_recovers_and_fails_again_counts_each_time() -> None:
    assert points(played([{ALPHA: series("FFF.FFF.FFF")}])) == [-21]


def test_a_resolved_outage_stays_in_the_uptime_of_its_month() -> None:
    reports = played([{ALPHA: DOWN}, *[{}] * 27], first=date(2026, 2, 1))
    assert uptimes(reports, "2026-02") == [27 * 1_000_000 // 28]


# --- Over midnight and the end of a month ------------------------------------------------------


@pytest.mark.parametrize("first", [date(2026, 1, 29), *MONTHS])
@pytest.mark.parametrize("before", range(8))
def test_an_outage_over_midnight_counts_each_slot_and_charge_once(first: date, before: int) -> None:
    """Seven slots, cut anywhere: not lost, not charged on both sides."""
    reports = played([{ALPHA: evening("F" * before)}, {ALPHA: series("F" * (7 - before))}, {}],
                     first=first)  # fmt: skip
    assert failed(reports) == [before, 7 - before, 0]
    charges = [
        row.failed_charges
        for rows in reports
        for row in rows
        if isinstance(row, MilestoneDay) and row.member == "alpha"
    ]
    assert charges == [before // 3, 2 - before // 3, 0]  # where the third slot of each three is
    clean = [before == 0, before == 7, True]
    assert points(reports) == [
        is_clean - 7 * charged for is_clean, charged in zip(clean, charges, strict=True)
    ]


def test_two_slots_before_midnight_and_one_behind_it_are_one_charge() -> None:
    reports = played([{ALPHA: evening("FF")}, {ALPHA: series("F")}])
    assert points(reports) == [0, -7]


def test_what_ended_at_midnight_is_no_run_any_more() -> None:
    reports = played([{ALPHA: evening("FF")}, {ALPHA: series(".FF")}])
    assert points(reports) == [0, 0]


def test_slow_over_midnight_counts_like_failed() -> None:
    reports = played([{ALPHA: evening("SS")}, {ALPHA: series("SSSS")}])
    assert points(reports) == [0, -2]
    assert points(played([{ALPHA: evening("SS")}, {ALPHA: series("F")}])) == [0, 0]


def test_days_down_in_a_row_are_charged_as_one_outage() -> None:
    """863 slots: 287 thirds, as without midnights."""
    reports = played([{ALPHA: evening("F" * 287)}, {ALPHA: DOWN}, {ALPHA: DOWN}, {}])
    assert sum(points(reports)) == -7 * 287 + 1
    assert failed(reports) == [287, 288, 288, 0]


@pytest.mark.parametrize("first", MONTHS)
def test_an_outage_over_a_months_end_is_in_both_months_each_slot_once(first: date) -> None:
    reports = played([{ALPHA: evening("F" * 12)}, {ALPHA: series("F" * 36)}], first=first)
    behind = first + timedelta(days=1)
    ended, begun = f"{first:%Y-%m}", f"{behind:%Y-%m}"
    assert ended != begun
    assert uptimes(reports, ended, begun) == [
        (SLOTS - 12) * 1_000_000 // SLOTS,
        (SLOTS - 36) * 1_000_000 // SLOTS,
    ]
    assert sum(points(reports)) == -7 * 16
    assert uptimes(reports, ended, begun, member="beta") == [1_000_000, 1_000_000]


def test_a_month_ends_where_its_days_do_and_no_later() -> None:
    """The outage of the next month leaves this one whole, and the other way round."""
    after = played([{}, {ALPHA: DOWN}])
    assert uptimes(after, "2026-01", "2026-02") == [1_000_000, 0]
    before = played([{ALPHA: DOWN}, {}])
    assert uptimes(before, "2026-01", "2026-02") == [0, 1_000_000]


def test_a_month_is_of_polls_and_says_nothing_of_other_months() -> None:
    reports = played([{ALPHA: series("F", "?")}, {}], first=date(2026, 1, 30))
    assert uptimes(reports, "2026-01", "2026-02", "2025-12") == [
        288 * 1_000_000 // 289,
        None,
        None,
    ]
    assert month_uptime([], "2026-01") == {}


def test_a_day_that_is_brought_twice_does_not_count_twice() -> None:
    (report,) = played([{ALPHA: series("FFF")}])
    with pytest.raises(RowsError, match="two rows about alpha/polkadot on 2026-01-31"):
        month_uptime([*report, *report], "2026-01")


@pytest.mark.parametrize("threshold", [989_583, 989_584])
def test_a_statement_measures_days_as_months_are_measured(threshold: int) -> None:
    """285 of 288, the whole of this month: one share, one rounding, on either side of it."""
    reports = played([{ALPHA: series("FFF")}])
    (month,) = uptimes(reports, "2026-01")
    assert month == 989_583
    assert ("alpha" in served(reports, threshold)) == (month >= threshold)


# --- A fault of the chain ---------------------------------------------------------------------


def test_a_chain_wide_fault_is_charged_to_nobody() -> None:
    reports = played([{ALPHA: series("F" * 36), BETA: series("F" * 36)}])
    for member in ("alpha", "beta"):
        assert points(reports, member) == [1]
        assert uptimes(reports, "2026-01", member=member) == [1_000_000]
    assert served(reports) == dict.fromkeys(("alpha", "beta"), (LAST_OF_JANUARY,))


@pytest.mark.parametrize("other", [".", "S"])
def test_a_fault_that_one_member_lacks_is_charged_to_the_others(other: str) -> None:
    members = ("alpha", "beta", "gamma")
    roster = Roster(SERVICES, dict.fromkeys(members, frozenset({"polkadot"})))
    reports = played(
        [{ALPHA: series("FFF"), BETA: series("FFF"), ("gamma", "polkadot"): series(other * 3)}],
        roster=roster,
    )
    assert [points(reports, member) for member in members] == [
        [-7],
        [-7],
        [1 if other == "." else -1],
    ]


def test_only_the_slots_in_which_all_failed_are_excused() -> None:
    """Alpha was down before the chain was, and stayed down behind it: three and three slots."""
    reports = played([{ALPHA: series("FFFFFFFFF"), BETA: series("...FFF")}])
    assert points(reports) == [-14]
    assert failed(reports) == [6]
    assert points(reports, "beta") == [1]


def test_a_chain_wide_fault_over_midnight_leaves_no_run_behind() -> None:
    both = [dict.fromkeys((ALPHA, BETA), text) for text in (evening("FF"), series("FF"))]
    reports = played([*both, {}])
    assert points(reports) == points(reports, "beta") == [1, 1, 1]
    assert points(played([both[0], {ALPHA: series("F")}])) == [1, 0]


def test_the_fault_of_one_chain_excuses_no_other() -> None:
    roster = Roster(SERVICES, dict.fromkeys(("alpha", "beta"), frozenset({"polkadot", "kusama"})))
    reports = played(
        [{ALPHA: series("FFF"), BETA: series("FFF"), ("alpha", "kusama"): series("FFF")}],
        roster=roster,
    )
    assert points(reports) == [-7]
    assert points(reports, "beta") == [1]


def test_what_oracles_could_not_tell_is_nobodys_fault_and_no_merit() -> None:
    """The oracles' own network was away: neither charged nor a clean day."""
    reports = played([dict.fromkeys((ALPHA, BETA), series("?" * 36))])
    assert points(reports) == points(reports, "beta") == [0]
    assert uptimes(reports, "2026-01") == [1_000_000]


# --- A member that is not active --------------------------------------------------------------

WITHOUT_BETA = Roster(SERVICES, {"alpha": frozenset({"polkadot"})})


def test_a_member_that_is_not_active_is_not_measured_and_not_paid() -> None:
    """Oracles went on probing it, and saw it well: no row, no points, no uptime, no served day."""
    (report,) = played([{BETA: FINE}], roster=WITHOUT_BETA)
    assert {row.member for row in report} == {"alpha"}
    assert points([report], "beta") == []
    assert month_uptime(report, "2026-01") == {"alpha": 1_000_000}
    assert served([report]) == {"alpha": (LAST_OF_JANUARY,)}


def test_a_member_that_is_not_active_is_not_charged() -> None:
    with_it, without = (
        played([{BETA: text}], roster=WITHOUT_BETA) for text in (DOWN, FINE)
    )  # fmt: skip
    assert with_it == without


def test_a_member_is_paid_for_the_days_on_which_it_was_active() -> None:
    """Suspended on the second of three days."""
    reports = played([{}] * 3, first=date(2026, 2, 1), rosters=(ROSTER, WITHOUT_BETA))
    assert served(reports)["beta"] == (date(2026, 2, 1), date(2026, 2, 3))
    assert served(reports)["alpha"] == tuple(date(2026, 2, day) for day in (1, 2, 3))
    assert [row.day.day for row in service_days(reports, BETA)] == [1, 3]


def test_a_member_that_is_not_active_neither_excuses_nor_accuses() -> None:
    """Down with alpha it makes no fault of the chain; up without the others it prevents none."""
    alone = played([dict.fromkeys((ALPHA, BETA), series("FFF"))], roster=WITHOUT_BETA)
    assert points(alone) == [-7]
    two = Roster(SERVICES, dict.fromkeys(("alpha", "gamma"), frozenset({"polkadot"})))
    down = dict.fromkeys((ALPHA, ("gamma", "polkadot")), series("FFF"))
    assert points(played([{**down, BETA: FINE}], roster=two)) == [1]


def test_a_run_does_not_outlast_a_days_absence() -> None:
    """Suspended for a day between two bad nights: the second begins anew."""
    nights = [{BETA: evening("FF")}, {BETA: DOWN}, {BETA: series("F")}]
    assert points(played(nights, rosters=(ROSTER, WITHOUT_BETA)), "beta") == [0, 0]
    assert points(played([nights[0], nights[2]]), "beta") == [0, -7]


def test_services_of_a_milestone_are_one_series_over_midnight_too() -> None:
    """One endpoint fails before midnight, the other behind it: the member's run goes on."""
    services = (Service("rpc", "hub", 5), Service("eth-rpc", "hub", 5))
    roster = Roster(services, dict.fromkeys(("alpha", "beta"), frozenset({"rpc", "eth-rpc"})))
    reports = played(
        [{("alpha", "rpc"): evening("FF")}, {("alpha", "eth-rpc"): series("F")}], roster=roster
    )
    assert points(reports) == [0, -7]
