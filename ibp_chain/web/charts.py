"""Where the marks of a chart go. Pure geometry: the templates in `templates/charts` draw it.

Drawn into the page as SVG with classes, so that the one stylesheet colours them, in light, dark and
print, and no chart needs an inline style, which the page's policy refuses. Numbers are in units of
the view box.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ibp_chain.web.models import BudgetShown, LockHistory, ScoreDay

WIDTH = 1_000


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


# --- A promise over time --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    kind: str
    """kept, broken or expected."""
    title: str


@dataclass(frozen=True, slots=True)
class Timeline:
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    now: float


def lock_timeline(history: LockHistory, now: str) -> Timeline | None:
    """The stretches up to `now` (ISO), and what is expected of the last one behind it."""
    if not history.stretches or history.stretches[0].since.time is None:
        return None
    begin, today = _time(history.stretches[0].since.time), _time(now)
    expected = history.expected_until
    end = today
    if expected is not None:
        # what was matters more than what is to come: it never has less than half of the width
        end = max(today, min(_time(expected.time), today + (today - begin)))
    whole = max((end - begin).total_seconds(), 1.0)

    def x(moment: datetime) -> float:
        return round((moment - begin).total_seconds() / whole * WIDTH, 1)

    bars = []
    followed = [*(each.since.time for each in history.stretches[1:]), now]
    for each, until in zip(history.stretches, followed, strict=True):
        if each.since.time is None or until is None:
            continue
        left, right = x(_time(each.since.time)), x(_time(until))
        state = "kept" if each.kept else "not kept"
        title = f"{each.since.time} to {until}: {state}, {each.covered.display}"
        if each.by is not None:
            title += f" by {each.by}"
        kind = "kept" if each.kept else "broken"
        bars.append(Bar(left, max(right - left, 1.5), kind, title))
    if expected is not None and end > today:
        title = f"expected to hold until about {expected.time}, if nothing changes"
        bars.append(Bar(x(today), x(end) - x(today), "expected", title))
    return Timeline(tuple(bars), tuple(_time_ticks(begin, end, x)), x(today))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


_STEPS = tuple(
    timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 48, 168, 24 * 30, 24 * 91, 24 * 365)
)


def _time_ticks(begin: datetime, end: datetime, x: Callable[[datetime], float]) -> Iterator[Tick]:
    """Four to nine of them, on whole hours or days."""
    step = next((s for s in _STEPS if (end - begin) / s <= 8), _STEPS[-1])
    form = "%H:%M" if step < timedelta(days=1) else "%d %b" if step < timedelta(days=300) else "%Y"
    seconds = int(step.total_seconds())
    first = -(-int(begin.timestamp()) // seconds) * seconds
    for second in range(first, int(end.timestamp()) + 1, seconds):
        moment = datetime.fromtimestamp(second, UTC)
        yield Tick(x(moment), f"{moment:{form}}")


# --- Scores, day by day ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    column: int
    row: int
    level: str
    """none, unknown, or 0 (worst) to 4."""
    title: str
    day: str


@dataclass(frozen=True, slots=True)
class Calendar:
    cells: tuple[Cell, ...]
    columns: int
    months: tuple[Tick, ...]
    """`at` is a column."""


LEVELS = ((999_000, 4), (995_000, 3), (990_000, 2), (950_000, 1))
"""Least uptime in ppm for each level; below the last it is 0."""


def calendar(days: Sequence[ScoreDay], last: date, weeks: int = 53) -> Calendar:
    """The `weeks` up to `last`, Monday at the top."""
    monday = last - timedelta(days=last.weekday())
    begin = monday - timedelta(weeks=weeks - 1)
    known = {each.day: each for each in days}
    cells: list[Cell] = []
    months: list[Tick] = []
    seen = ""
    for number in range((last - begin).days + 1):
        day = begin + timedelta(days=number)
        column, row = divmod(number, 7)
        if row == 0 and f"{day:%b %Y}" != seen:
            seen = f"{day:%b %Y}"
            if months and column - months[-1].at < 3:
                months.pop()  # too near to write both
            months.append(Tick(column, f"{day:%b}" if months else seen))
        score = known.get(day.isoformat())
        cells.append(Cell(column, row, *_level(score), day.isoformat()))
    return Calendar(tuple(cells), cells[-1].column + 1, tuple(months))


def _level(score: ScoreDay | None) -> tuple[str, str]:
    if score is None:
        return "none", "no report stands"
    if not score.known:
        return "unknown", "a report stands, its rows are not at hand"
    if score.uptime_ppm is None:
        return "none", "not scored" if not score.services else "nothing is known of the day"
    level = next((level for least, level in LEVELS if score.uptime_ppm >= least), 0)
    points = sum(each.points for each in score.points)
    return str(level), f"uptime {score.uptime_ppm / 10_000:.2f} %, points {points:+d}"


# --- Response times -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    kind: str
    runs: tuple[str, ...]
    """Each the points of a polyline without a hole."""


@dataclass(frozen=True, slots=True)
class Plot:
    lines: tuple[Line, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    height: int


def response_times(days: Sequence[ScoreDay], service: str, height: int = 160) -> Plot | None:
    """p50 and p95 of one service, milliseconds, day by day; None where it never answered."""
    found = {
        date.fromisoformat(each.day): own
        for each in days
        for own in each.services
        if own.service == service and own.p50_us is not None and own.p95_us is not None
    }
    if not found:
        return None
    begin, end = min(found), max(found)
    span = max((end - begin).days, 1)
    top = _nice(max(own.p95_us or 0 for own in found.values()) / 1_000)

    def point(day: date, micros: int) -> str:
        x = (day - begin).days / span * WIDTH
        return f"{x:.1f},{height - micros / 1_000 / top * height:.1f}"

    def runs(pick: str) -> Iterator[str]:
        run: list[str] = []
        for number in range(span + 1):
            day = begin + timedelta(days=number)
            if day in found:
                run.append(point(day, getattr(found[day], pick)))
            elif run:
                yield " ".join(run)
                run = []
        if run:
            yield " ".join(run)

    y_ticks = tuple(
        Tick(height - share * height / 4, f"{top * share / 4:g} ms") for share in range(5)
    )
    return Plot(
        (Line("p50", tuple(runs("p50_us"))), Line("p95", tuple(runs("p95_us")))),
        y_ticks,
        tuple(_day_ticks(begin, end, span)),
        height,
    )


def _nice(value: float) -> float:
    """A round number that is no less."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    return next(power * step for step in (1, 2, 4, 5, 8, 10) if power * step >= value)


def _day_ticks(begin: date, end: date, span: int) -> Iterator[Tick]:
    every = max(1, -(-span // 6))
    for number in range(0, (end - begin).days + 1, every):
        yield Tick(number / span * WIDTH, f"{begin + timedelta(days=number):%d %b}")


# --- The budget -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Used:
    title: str
    share: str
    """Of the cap, in percent with two decimals, at most all of it."""
    over: bool


def budget_bars(budget: BudgetShown) -> tuple[Used, ...]:
    """One bar for each line; full is its cap."""
    return tuple(
        Used(
            f"{line.used_usd} of {line.cap_usd} USD used",
            f"{min(line.used_ppm, 1_000_000) / 10_000:.2f}",
            line.used_ppm > 1_000_000,
        )
        for line in budget.lines
    )
