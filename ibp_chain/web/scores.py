"""The published report rows of every standing day, ready to be looked up by member.

The rows are checked against the day's standing root when they are read (`oracles.rowfiles`), so a
folder that anybody filled is good enough. The agreed slots are left in the files: they are most of
the rows, and only proofs want them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType

from ibp_chain.errors import IbpError
from ibp_chain.types import Hash
from ledger.pallets.scores import Day, Standing, day_date
from oracles.report import REPORT, MilestoneDay, ReportRow, ServiceDay
from oracles.rowfiles import read_rows


@dataclass(frozen=True, slots=True)
class DayScores:
    """One day's report."""

    day: date
    root: Hash
    services: Mapping[str, tuple[ServiceDay, ...]]
    """By member."""
    points: Mapping[str, tuple[MilestoneDay, ...]]


@dataclass(frozen=True, slots=True)
class Scores:
    """What is known of the days that stand."""

    given: bool
    """Whether the server was told where rows are."""
    days: Mapping[Day, DayScores] = field(default_factory=dict)
    """Ascending."""
    missing: Mapping[Day, str] = field(default_factory=dict)
    """Days whose rows cannot be had, and why."""
    waiting: int = 0
    """Days that are still to be read."""

    def of(self, member: str) -> Iterator[tuple[DayScores, tuple[ServiceDay, ...]]]:
        """Every day's services of `member`, ascending; days without any are left out."""
        for day in self.days.values():
            if services := day.services.get(member):
                yield day, services


def day_scores(root: Hash, day: Day, rows: tuple[ReportRow, ...]) -> DayScores:
    services: defaultdict[str, list[ServiceDay]] = defaultdict(list)
    points: defaultdict[str, list[MilestoneDay]] = defaultdict(list)
    for row in rows:
        if isinstance(row, ServiceDay):
            services[row.member].append(row)
        elif isinstance(row, MilestoneDay):
            points[row.member].append(row)
    return DayScores(
        day_date(day),
        root,
        MappingProxyType({member: tuple(own) for member, own in services.items()}),
        MappingProxyType({member: tuple(own) for member, own in points.items()}),
    )


def grown(
    known: Scores, standing: Mapping[Day, Standing], folder: Path | None, most: int
) -> Scores:
    """`known` with up to `most` further days of `standing` read from `folder`, the latest first.

    A report that stands does so for ever, so what was read once is kept. A day whose file is not
    there, or holds something else, is noted with the reason and tried again the next time.
    """
    if folder is None:
        return Scores(given=False)
    days = {day: known.days[day] for day in standing if day in known.days}
    missing: dict[Day, str] = {}
    todo = sorted((day for day in standing if day not in days), reverse=True)
    for day in todo[:most]:
        report = standing[day]
        try:
            rows = read_rows(folder, REPORT, root=report.root, size=report.rows)
        except IbpError as error:
            missing[day] = str(error)
        else:
            days[day] = day_scores(report.root, day, rows)
    untried = {day: why for day, why in known.missing.items() if day in todo[most:]}
    return Scores(
        given=True,
        days=MappingProxyType(dict(sorted(days.items()))),
        missing=MappingProxyType(dict(sorted({**untried, **missing}.items()))),
        waiting=len([day for day in todo[most:] if day not in untried]),
    )
