"""When polls begin: once a slot, never twice at once, never made up for."""

import asyncio
import itertools
import pickle
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.types import AccountId
from oracles.daemon.clocks import MachineClock, TimeLapse
from oracles.daemon.schedule import Schedule, SlotTrigger, offset_of
from oracles.metrics import Missed

NOON = datetime(2026, 1, 29, 12, tzinfo=UTC)
MACHINE = MachineClock(time.time)


def fires(trigger: SlotTrigger, start: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    for _ in range(count):
        found.append(trigger.get_next_fire_time(found[-1] if found else None, start))
    return found


@given(st.floats(0, 299.9), st.floats(0, 86_400))
def test_there_is_one_moment_in_every_slot(into: float, after_noon: float) -> None:
    start = NOON + timedelta(seconds=after_noon)
    moments = [moment.timestamp() for moment in fires(SlotTrigger(MACHINE, into), start, 5)]
    assert moments[0] > start.timestamp()
    assert moments[0] - start.timestamp() <= 300 + 1e-2
    for earlier, later in itertools.pairwise(moments):
        assert later - earlier == pytest.approx(300, abs=1e-3)
    for moment in moments:
        assert moment % 300 == pytest.approx(into, abs=1e-3)


def test_a_lapse_fires_as_often_as_its_slots_pass() -> None:
    begin = NOON.timestamp()
    clock = TimeLapse(time.time, [(begin, begin), (begin + 10, begin + 3_000)])
    trigger = SlotTrigger(clock, 30.0)
    moments = [moment.timestamp() - begin for moment in fires(trigger, NOON, 4)]
    assert moments == pytest.approx([0.1, 1.1, 2.1, 3.1], abs=1e-3)


def test_a_trigger_survives_the_job_store() -> None:
    trigger = SlotTrigger(TimeLapse(time.time, [(0.0, 0.0)]), 12.5)
    again = pickle.loads(pickle.dumps(trigger))
    assert again == trigger
    assert again != SlotTrigger(MACHINE, 12.5)


def test_oracles_begin_at_different_moments_and_each_always_at_its_own() -> None:
    offsets = {offset_of(AccountId(bytes([number]) * 32), 30.0) for number in range(20)}
    assert len(offsets) == 20
    assert all(0 <= offset < 30 for offset in offsets)
    assert offset_of(AccountId(bytes(32)), 30.0) == offset_of(AccountId(bytes(32)), 30.0)


# --- With the real scheduler --------------------------------------------------------------


def lapse(slot_seconds: float, hours: int = 2) -> SlotTrigger:
    now = time.time()
    begin = now - now % 300
    count = hours * 12
    knots = [(now, begin), (now + count * slot_seconds, begin + count * 300)]
    return SlotTrigger(TimeLapse(time.time, knots), 0)


async def run(
    folder: Path, trigger: SlotTrigger, seconds: float, poll_seconds: float = 0.0
) -> tuple[list[float], list[tuple[float, Missed]]]:
    begun: list[float] = []
    missed: list[tuple[float, Missed]] = []

    async def poll() -> None:
        begun.append(time.time())
        await asyncio.sleep(poll_seconds)

    schedule = Schedule(folder, trigger, poll, lambda at, why: missed.append((at, why)))
    schedule.start()
    try:
        await asyncio.sleep(seconds)
    finally:
        schedule.stop()
    return begun, missed


def test_every_slot_is_polled(tmp_path: Path) -> None:
    begun, missed = asyncio.run(run(tmp_path, lapse(0.3), 1.6))
    assert 4 <= len(begun) <= 6
    assert missed == []


def test_a_poll_that_takes_too_long_costs_the_next_slots(tmp_path: Path) -> None:
    begun, missed = asyncio.run(run(tmp_path, lapse(0.3), 2.0, poll_seconds=0.8))
    assert len(begun) <= 3
    assert {why for _, why in missed} == {Missed.OVERLAP}
    for earlier, later in itertools.pairwise(begun):
        assert later - earlier >= 0.8


def test_a_restart_goes_on_with_the_stored_job_and_makes_up_for_nothing(tmp_path: Path) -> None:
    trigger = lapse(0.3)
    first, _ = asyncio.run(run(tmp_path, trigger, 0.8))
    time.sleep(1.5)
    second, missed = asyncio.run(run(tmp_path, trigger, 0.8))
    assert len(first) >= 2
    assert 2 <= len(second) <= 4
    assert Missed.FAULT not in {why for _, why in missed}
    assert (tmp_path / "jobs.sqlite").exists()


def test_what_a_clock_that_was_ahead_did_to_the_schedule_does_not_last(tmp_path: Path) -> None:
    async def whole() -> list[float]:
        begun: list[float] = []

        async def poll() -> None:
            begun.append(time.time())

        schedule = Schedule(tmp_path, lapse(0.3), poll, lambda *_: None)
        schedule.start()
        job = schedule._scheduler.get_job("poll")
        job.modify(next_run_time=datetime.now(UTC) + timedelta(days=2))
        await asyncio.sleep(0.7)
        assert len(begun) <= 1
        schedule.renew()
        await asyncio.sleep(1.0)
        schedule.stop()
        return begun

    assert len(asyncio.run(whole())) >= 2


def test_a_poll_that_breaks_is_missed_and_the_next_one_comes(tmp_path: Path) -> None:
    async def whole() -> tuple[int, list[Missed]]:
        count, missed = 0, list[Missed]()

        async def poll() -> None:
            nonlocal count
            count += 1
            raise ValueError("broken")

        schedule = Schedule(tmp_path, lapse(0.3), poll, lambda _, why: missed.append(why))
        schedule.start()
        await asyncio.sleep(1.4)
        schedule.stop()
        return count, missed

    count, missed = asyncio.run(whole())
    assert count >= 3
    assert set(missed) == {Missed.FAULT}
