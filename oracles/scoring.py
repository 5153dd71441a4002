"""Points, uptime and percentiles of one day, from its consensus: F2 to F6 of the programme's rules.

Readings that the rules leave open, chosen here so that nobody pays for what was not seen: a slot
that is unknown or excluded ends a run, as a good one does; a day with a gap before it starts from
no run at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import NamedTuple

from ibp_chain.types import Micros, Ppm
from ledger.program.polls import MILLION, uptime_of
from oracles.consensus import Consensus
from oracles.errors import RowsError
from oracles.report import (
    REPORT,
    ConsensusRow,
    Counts,
    MilestoneDay,
    ReportRow,
    ServiceDay,
    Verdict,
)
from oracles.rules import ChargeWindow, Roster, SlaRules

MilestoneKey = tuple[str, int]
"""(member, milestone)."""


class Runs(NamedTuple):
    """Unbroken bad slots up to now; at most one of the two is above zero."""

    failed: int = 0
    slow: int = 0


class Charges(NamedTuple):
    """What a series of slots costs, in charges, and the runs behind it."""

    failed: int
    slow: int
    runs: Runs


def report_rows(
    agreed: Consensus, *, roster: Roster, rules: SlaRules, carried: Mapping[MilestoneKey, Runs]
) -> tuple[ReportRow, ...]:
    """All rows of the day's report, canonical: consensus, service days, milestone days.

    `carried` is `runs_after` the day before, empty where no report of that day stands.
    """
    by_endpoint = {(row.member, row.service): row for row in agreed.rows}
    milestones = (
        milestone_day(key, [by_endpoint[e] for e in endpoints], rules, carried.get(key, Runs()))
        for key, endpoints in roster.by_milestone.items()
    )
    return REPORT.canonical(chain(agreed.rows, map(service_day, agreed.rows), milestones))


def runs_after(rows: Iterable[ReportRow], day: date) -> dict[MilestoneKey, Runs]:
    """The runs that go into `day`, from the report rows of the day before.

    Raises `RowsError` for rows of any other day: runs do not jump over days.
    """
    runs = {}
    for row in rows:
        if row.day != day - timedelta(days=1):
            raise RowsError(f"rows of {row.day} say nothing of the runs into {day}")
        if isinstance(row, MilestoneDay):
            runs[row.member, row.milestone] = Runs(row.failed_run, row.slow_run)
    return runs


def service_day(row: ConsensusRow) -> ServiceDay:
    """What one endpoint's agreed slots come to."""
    counts = row.counts
    ordered = sorted(row.times)
    return ServiceDay(
        row.day,
        row.member,
        row.service,
        *counts,
        uptime=counts.uptime,
        p50=percentile(ordered, 50),
        p95=percentile(ordered, 95),
        p99=percentile(ordered, 99),
    )


def milestone_day(
    key: MilestoneKey, rows: Sequence[ConsensusRow], rules: SlaRules, carried: Runs
) -> MilestoneDay:
    """The points of one (member, milestone) from all its endpoints (at least one), as one run."""
    slots = (worst(column) for column in zip(*(row.verdicts for row in rows), strict=True))
    charges = charge(slots, rules, carried)
    clean = is_clean(total(row.counts for row in rows), rules.clean_day_known)
    points = (
        clean * rules.clean_day
        - charges.failed * rules.failed_charge
        - charges.slow * rules.slow_charge
    )
    member, milestone = key
    return MilestoneDay(
        rows[0].day,
        member,
        milestone,
        points,
        clean,
        charges.failed,
        charges.slow,
        *charges.runs,
    )


def worst(verdicts: Iterable[int]) -> Verdict:
    """One slot over several endpoints: bad if any is bad, good if any is known."""
    present = set(verdicts)
    for verdict in (Verdict.FAILED, Verdict.SLOW, Verdict.OK):
        if verdict in present:
            return verdict
    return Verdict.UNKNOWN


def charge(slots: Iterable[Verdict], rules: SlaRules, carried: Runs) -> Charges:
    """Charges for every n-th slot of a run (F2), where n is `slots_per_charge`.

    A slow slot ends a failed run and the other way round. With aligned windows a run also ends at
    every n-th slot from the first, so nothing is carried.
    """
    every = rules.slots_per_charge
    aligned = rules.window is ChargeWindow.ALIGNED
    failed_charges = slow_charges = 0
    failed, slow = carried
    for position, slot in enumerate(slots):
        if aligned and position % every == 0:
            failed = slow = 0
        failed = failed + 1 if slot is Verdict.FAILED else 0
        slow = slow + 1 if slot is Verdict.SLOW else 0
        failed_charges += failed > 0 and failed % every == 0
        slow_charges += slow > 0 and slow % every == 0
    return Charges(failed_charges, slow_charges, Runs() if aligned else Runs(failed, slow))


def is_clean(counts: Counts, known_share: Ppm) -> bool:
    """Nothing failed, nothing slow, and enough known of what was not excluded (F3)."""
    expected = counts.known + counts.unknown
    return (
        counts.known > 0
        and counts.failed == counts.slow == 0
        and counts.known * MILLION >= expected * known_share
    )


def total(parts: Iterable[Counts]) -> Counts:
    """The counts of several days or services together."""
    return Counts(*map(sum, zip(Counts(0, 0, 0, 0, 0), *parts, strict=True)))


def month_uptime(rows: Iterable[ReportRow], period: str) -> dict[str, Ppm | None]:
    """F6: each member's uptime over all its services in the calendar month `period`, as 2026-01.

    `rows` are those of standing reports, of any days: a slot belongs to the UTC day that it began
    in, and so an outage over a month's end to both months, each slot to one. A member of whom no
    row tells is not in it; None where no poll is known. Raises `RowsError` for two rows about the
    same service and day.
    """
    polls: dict[str, list[tuple[int, int]]] = {}
    seen: set[tuple[date, str, str]] = set()
    for row in rows:
        if not isinstance(row, ServiceDay) or f"{row.day:%Y-%m}" != period:
            continue
        about = row.day, row.member, row.service
        if about in seen:
            raise RowsError(f"two rows about {row.member}/{row.service} on {row.day}")
        seen.add(about)
        polls.setdefault(row.member, []).append((row.counts.known, row.failed))
    return {member: uptime_of(parts) for member, parts in sorted(polls.items())}


def percentile(ordered: Sequence[Micros], percent: int) -> Micros | None:
    """Nearest rank: the value at position ceil(percent * n / 100), counted from 1; None of none.

    `ordered` ascends, `percent` is 1 to 100. Always a measured value.
    """
    if not ordered:
        return None
    return ordered[(percent * len(ordered) + 99) // 100 - 1]
