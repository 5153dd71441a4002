"""The definition of the response time, with a clock that is given in."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ibp_chain.types import Micros
from oracles.layout import MAX_MICROS
from oracles.probes.outcomes import Doubt, Ok, Outcome, Slow, Unknown
from oracles.probes.timing import LoopWatch, Timing, judge, measure

SLOW_AT = Micros(100_000)
MS = 1_000_000


@pytest.mark.parametrize(
    ("latency_ns", "round_trip_ns", "micros"),
    [
        (60 * MS, 10 * MS, 50_000),
        (10 * MS, 60 * MS, 0),
        (1_999, 1_000, 0),
        (2_000, 1_000, 1),
        (10**18, 0, MAX_MICROS),
    ],
)
def test_response_time_is_latency_less_round_trip_and_never_negative(
    latency_ns: int, round_trip_ns: int, micros: int
) -> None:
    assert Timing(latency_ns, round_trip_ns, 0).response_time == micros


@pytest.mark.parametrize(
    ("micros", "outcome"),
    [
        (99_999, Ok(Micros(99_999))),
        (100_000, Slow(Micros(100_000))),
    ],
)
def test_slow_begins_at_the_limit(micros: int, outcome: Outcome) -> None:
    assert judge(Timing(micros * 1_000, 0, 0), SLOW_AT) == outcome


def test_slow_by_no_more_than_our_own_delay_is_unknown() -> None:
    outcome = judge(Timing(110 * MS, 0, 4 * MS), SLOW_AT)
    assert isinstance(outcome, Unknown)
    assert outcome.doubt is Doubt.OWN_LOOP
    assert isinstance(judge(Timing(113 * MS, 0, 4 * MS), SLOW_AT), Slow)
    assert isinstance(judge(Timing(101 * MS, 0, 1 * MS), SLOW_AT), Slow)
    assert isinstance(judge(Timing(99 * MS, 0, 40 * MS), SLOW_AT), Ok)


@dataclass
class Answer:
    latency_ns: int


class Lags(LoopWatch):
    """A loop whose delays are known beforehand."""

    def __init__(self, *lags: int) -> None:
        super().__init__(lambda: 0)
        self.lags = iter(lags)

    def at_arrival(self, latency_ns: int) -> int:
        assert latency_ns > 0
        return next(self.lags)


def measured(watch: LoopWatch, trips: Iterator[int], latencies: Iterator[int]) -> Timing:
    async def round_trip() -> int:
        return next(trips)

    async def request() -> Answer:
        return Answer(next(latencies))

    answer, timing = asyncio.run(measure(watch, round_trip, request))
    assert answer.latency_ns == timing.latency_ns
    return timing


def test_three_round_trips_precede_the_request_and_the_least_counts() -> None:
    trips = iter([30, 10, 20, 1])
    assert measured(Lags(0), trips, iter([100])) == Timing(100, 10, 0)
    assert list(trips) == [1]


def test_while_our_loop_is_late_it_is_measured_again_and_the_calmest_counts() -> None:
    trips = iter([30, 30, 30, 20, 20, 20, 10, 10, 10])
    found = measured(Lags(9 * MS, 3 * MS, 5 * MS), trips, iter([700, 500, 900]))
    assert found == Timing(500, 10, 3 * MS)


def test_a_calm_second_attempt_ends_it() -> None:
    found = measured(Lags(9 * MS, MS), iter([5] * 6), iter([700, 500]))
    assert found == Timing(500, 5, MS)


def test_the_watch_sees_a_loop_that_is_overdue() -> None:
    now = [0]

    async def run() -> None:
        async with LoopWatch(lambda: now[0]) as watch:
            await asyncio.sleep(0)
            now[0] = 500 * MS  # the next tick is due at 5 ms and has not run
            assert watch.worst_since(0) == 495 * MS
            await asyncio.sleep(0.02)
            assert watch.worst_since(400 * MS) >= 495 * MS
            assert watch.worst_since(501 * MS) == 0

    asyncio.run(run())
