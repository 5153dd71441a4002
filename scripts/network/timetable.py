"""How fast the network's time passes: slowly where the protocol acts, in leaps where it does not.

A programme day is polled from 23:30 on and to 01:30 of the next. After midnight oracles commit,
from 01:00 on they fetch and report: a turn's 300 quiet seconds have to outlast a block and its
finality, and its other 600 a round of fetching.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

from oracles.layout import SLOT_SECONDS, SLOTS

FIRST_DAY = date(2026, 1, 28)
OPENS = 23 * 12 + 6
"""The first slot of a day that is polled at its end."""
COMMITTED = 5
"""The first slot of a day that is leapt over: whoever commits has done so by 00:25."""
REPORTS = 10
"""The first slot behind that leap: 00:50."""
CLOSES = 18
"""The first slot that is leapt over until the next day opens: 01:30, when turn 2 begins."""
_POLL_SECONDS, _COMMIT_SECONDS, _REPORT_SECONDS = 5.0, 6.0, 6.5
"""Machine seconds of a slot."""
_LEAP_SECONDS = 0.2
"""So short that the schedule of polls sees one moment, not hundreds of slots."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """`days` programme days that are scored, from `FIRST_DAY` on, on a machine's clock.

    `begins` is the machine's time at 23:30 of the first day; `stretch` makes everything slower,
    for a slow machine.
    """

    begins: float
    days: int
    stretch: float = 1.0
    closes: int = CLOSES
    """Later where a turn after the first may be needed."""

    @property
    def dates(self) -> tuple[date, ...]:
        return tuple(FIRST_DAY + timedelta(days=count) for count in range(self.days))

    @property
    def knots(self) -> tuple[tuple[float, float], ...]:
        """As `oracles.daemon.clocks.TimeLapse` takes them."""
        lengths = list(self._lengths())
        machine = accumulate(
            (seconds * self.stretch for seconds, _ in lengths), initial=self.begins
        )
        programme = accumulate(
            (float(slots * SLOT_SECONDS) for _, slots in lengths), initial=moment(FIRST_DAY, OPENS)
        )
        return tuple(zip(machine, programme, strict=True))

    @property
    def ends(self) -> float:
        """The machine's time when the last report is due to stand."""
        return self.knots[-1][0]

    def polled(self, day: date) -> Iterator[int]:
        """The slots of `day` that are not leapt over."""
        if day in self.dates[1:]:
            yield from range(COMMITTED)
            yield from range(REPORTS, self.closes)
        yield from range(OPENS, SLOTS)

    def _lengths(self) -> Iterator[tuple[float, int]]:
        """Machine seconds and slots of each even stretch."""
        for day in range(self.days):
            if day:
                yield _LEAP_SECONDS, OPENS - self.closes
            yield _POLL_SECONDS * (SLOTS - OPENS), SLOTS - OPENS
            yield _COMMIT_SECONDS * COMMITTED, COMMITTED
            yield _LEAP_SECONDS, REPORTS - COMMITTED
            yield _REPORT_SECONDS * (self.closes - REPORTS), self.closes - REPORTS


def moment(day: date, slot: float) -> float:
    """Unix seconds at which `slot` of `day` begins; slots above 287 are of the next day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight.timestamp() + slot * SLOT_SECONDS


def clock_time(day: date, hours: int, minutes: float = 0) -> float:
    """Unix seconds of a time of `day`; hours above 23 are of the next."""
    return moment(day, hours * 12 + minutes * 60 / SLOT_SECONDS)
