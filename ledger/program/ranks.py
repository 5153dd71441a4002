"""Ranks: the points of standing reports, added up day by day (F4, F5).

Source: seed 000, milestones 3 and 5, and the gates of milestones 4 and 6. A report's row has the
points of one (member, milestone) on one UTC day; a rank is their running sum, never below the
floor. The gate is an event: passed for good on the first day that the rank is there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Protocol

from ibp_chain.errors import InputError
from ledger.program.decisions import Made
from ledger.program.derivation import Step
from ledger.program.law import RankRules

RankKey = tuple[str, int]
"""(member, milestone)."""


class RankError(InputError):
    """Rows that no standing reports could have together."""


class DayPoints(Protocol):
    """A report's row about one (member, milestone); `oracles.report.MilestoneDay` is one."""

    @property
    def day(self) -> date: ...
    @property
    def member(self) -> str: ...
    @property
    def milestone(self) -> int: ...
    @property
    def points(self) -> int:
        """Of this day alone, below zero after charges."""


@dataclass(frozen=True, slots=True)
class RankDay:
    day: date
    points: int
    """That counted."""
    rank: int
    """Behind them."""
    let_off: Made | None
    """The decision by which the day's charges do not count (F13)."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A member's rank in one milestone, and every day of it."""

    member: str
    milestone: int
    floor: int
    days: tuple[RankDay, ...]

    @property
    def value(self) -> int:
        return self.days[-1].rank if self.days else self.floor

    @property
    def highest(self) -> int:
        return max((each.rank for each in self.days), default=self.floor)

    def reached(self, least: int) -> date | None:
        """The first day behind which the rank was there: when a gate was passed."""
        return next((each.day for each in self.days if each.rank >= least), None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Days of equal points together; F4 names the floor."""
        return tuple(self._steps())

    def _steps(self) -> Iterator[Step]:
        before = self.floor
        for (points, let_off), group in groupby(self.days, lambda d: (d.points, d.let_off)):
            days = list(group)
            when = f"{days[0].day}" if len(days) == 1 else f"{days[0].day} to {days[-1].day}"
            sum_ = f"{before} {points:+d}" + (f" x {len(days)} days" if len(days) > 1 else "")
            floored = f"max({self.floor}, {sum_})" if points < 0 else sum_
            reason = "" if let_off is None else f", charges let off: {let_off}"
            yield Step("F4", f"{when}: {floored}{reason}", days[-1].rank)
            before = days[-1].rank


def ranks(
    rows: Iterable[DayPoints],
    rules: RankRules,
    *,
    let_off: Mapping[RankKey, Mapping[date, Made]] | None = None,
    since: Mapping[str, date] | None = None,
) -> dict[RankKey, Rank]:
    """The rank of every (member, milestone) that `rows` tell of, whatever their order.

    `let_off`: days whose charges do not count, and are worth nothing either. `since`: the day from
    which a member's rows count, for one who left and came again. Rows of milestones without a rank
    are none of ours. Raises `RankError` for two rows about the same day.
    """
    begin, forgiven = since or {}, let_off or {}
    grouped: dict[RankKey, list[DayPoints]] = {}
    for row in rows:
        counts = row.day >= begin.get(row.member, date.min)
        if row.milestone in rules.milestones and counts:
            grouped.setdefault((row.member, row.milestone), []).append(row)
    return {
        key: Rank(*key, rules.floor, tuple(_days(of, rules.floor, forgiven.get(key, {}))))
        for key, of in sorted(grouped.items())
    }


def _days(rows: list[DayPoints], floor: int, let_off: Mapping[date, Made]) -> Iterator[RankDay]:
    rank, last = floor, None
    for row in sorted(rows, key=lambda row: row.day):
        if row.day == last:
            raise RankError(f"two rows about {row.member}, milestone {row.milestone}, on {row.day}")
        made = let_off.get(row.day) if row.points < 0 else None
        points = 0 if made is not None else row.points
        rank, last = max(floor, rank + points), row.day
        yield RankDay(row.day, points, rank, made)
