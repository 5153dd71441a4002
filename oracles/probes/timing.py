"""Response time: the latency of a request on an open connection less the network's, F1.

The network's latency is the least of at least three round trips in the same poll. All times are
integers of the clock that is given in; `time.perf_counter_ns` outside of tests.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar

from ibp_chain.types import Micros
from oracles.layout import MAX_MICROS
from oracles.probes.outcomes import Doubt, Ok, Outcome, Slow, Unknown
from oracles.samples import Status, status_of

Clock = Callable[[], int]
"""Nanoseconds that never go back."""

ROUND_TRIPS = 3
_ATTEMPTS = 3
_CALM_NS = 2_000_000
"""A loop that was never later than this disturbs no measurement that matters."""
_TURNS = 3
"""An answer passes through at most this many turns of the loop before its time is taken."""
_TICK_SECONDS = 0.005
_ARRIVAL_NS = 10_000_000
"""Two ticks: what made the loop late when an answer came shows in them. Before, it only waited."""
_KEPT_TICKS = 1 << 16


class Timed(Protocol):
    """An answer that knows its latency."""

    @property
    def latency_ns(self) -> int: ...


T = TypeVar("T", bound=Timed)


class LoopWatch:
    """How late this process's own event loop runs what is due: the error of every measurement."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._late: deque[tuple[int, int]] = deque(maxlen=_KEPT_TICKS)
        self._due = clock()
        self._task: asyncio.Task[None] | None = None

    def worst_since(self, start_ns: int) -> int:
        """The greatest delay since then, in nanoseconds; an overdue tick counts already."""
        now = self._clock()
        worst = max(0, now - self._due) if self._task else 0
        for at, late in reversed(self._late):
            if at < start_ns:
                break
            worst = max(worst, late)
        return worst

    def at_arrival(self, latency_ns: int) -> int:
        """How late the loop was when an answer came that has just been timed, in nanoseconds."""
        return self.worst_since(self._clock() - min(latency_ns, _ARRIVAL_NS))

    async def __aenter__(self) -> Self:
        self._due = self._clock()
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _tick(self) -> None:
        while True:
            self._due = self._clock() + int(_TICK_SECONDS * 1e9)
            await asyncio.sleep(_TICK_SECONDS)
            now = self._clock()
            self._late.append((now, max(0, now - self._due)))


@dataclass(frozen=True, slots=True)
class Timing:
    """One measurement, in nanoseconds."""

    latency_ns: int
    round_trip_ns: int
    own_lag_ns: int

    @property
    def response_time(self) -> Micros:
        return Micros(min(max(0, self.latency_ns - self.round_trip_ns) // 1_000, MAX_MICROS))

    def facts(self) -> dict[str, int]:
        """In the names of `Facts`."""
        return {
            "response_us": self.response_time,
            "round_trip_us": self.round_trip_ns // 1_000,
            "own_lag_us": self.own_lag_ns // 1_000,
        }


async def measure(
    watch: LoopWatch,
    round_trip: Callable[[], Awaitable[int]],
    request: Callable[[], Awaitable[T]],
) -> tuple[T, Timing]:
    """The answer and its timing: three round trips, then the request.

    While our own loop was late, it is measured again, up to three times; the calmest counts. The
    round trips of all attempts count.
    """
    least: int | None = None
    best: tuple[T, Timing] | None = None
    for _ in range(_ATTEMPTS):
        trips = [await round_trip() for _ in range(ROUND_TRIPS)]
        least = min(trips) if least is None else min(least, *trips)
        answer = await request()
        lag = watch.at_arrival(answer.latency_ns)
        if best is None or lag < best[1].own_lag_ns:
            best = answer, Timing(answer.latency_ns, least, lag)
        if lag <= _CALM_NS:
            break
    assert best is not None
    assert least is not None
    answer, timing = best
    return answer, Timing(timing.latency_ns, least, timing.own_lag_ns)


def judge(timing: Timing, slow_at: Micros) -> Outcome:
    """OK or slow; unknown where it is slow only with a delay that may have been our own."""
    response_time = timing.response_time
    if status_of(response_time, slow_at) is Status.OK:
        return Ok(response_time)
    if timing.own_lag_ns > _CALM_NS:
        ours = _TURNS * timing.own_lag_ns // 1_000
        if status_of(Micros(response_time - ours), slow_at) is Status.OK:
            return Unknown(
                Doubt.OWN_LOOP,
                f"{response_time} µs, of which up to {ours} may be this oracle's own delay",
            )
    return Slow(response_time)
