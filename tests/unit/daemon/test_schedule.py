"""When polls begin: once a slot, never twice at once, never made up for."""

import asyncio
import itertools
import pickle
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED
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


def lapse(slot_seconds: float, hours: int = 48) -> SlotTrigger:
    now = time.time()
    begin = now - now % 300
    count = hours * 12
    knots = [(now, begin), (now + count * slot_seconds, begin + count * 300)]
    return SlotTrigger(TimeLapse(time.time, knots), 0)


class Course:
    """One schedule while it runs, and what came of it; the machine may be as slow as it likes."""

    def __init__(self, folder: Path, trigger: SlotTrigger, poll_seconds: float = 0.0) -> None:
        self.poll_seconds = poll_seconds
        self.begun: list[float] = []
        """On the loop's clock, which is never set."""
        self.due: list[float] = []
        """When each poll that ended should have begun, by the machine's time."""
        self.missed: list[tuple[float, Missed]] = []
        self.schedule = Schedule(
            folder, trigger, self.poll, lambda at, why: self.missed.append((at, why))
        )
        self.schedule._scheduler.add_listener(
            lambda event: self.due.append(event.scheduled_run_time.timestamp()), EVENT_JOB_EXECUTED
        )

    async def poll(self) -> None:
        self.begun.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.poll_seconds)

    async def __aenter__(self) -> Self:
        self.schedule.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.schedule.stop()

    @property
    def reasons(self) -> set[Missed]:
        return {why for _, why in self.missed}

    async def until(self, done: Callable[[Self], bool]) -> None:
        ends = time.monotonic() + 120
        while not done(self):
            assert time.monotonic() < ends, (self.begun, self.due, self.missed)
            await asyncio.sleep(0.02)


def run(
    folder: Path,
    trigger: SlotTrigger,
    done: Callable[[Course], bool],
    poll_seconds: float = 0.0,
) -> Course:
    async def whole() -> Course:
        async with Course(folder, trigger, poll_seconds) as course:
            await course.until(done)
        return course

    return asyncio.run(whole())


SLOT = 0.3
STANDSTILL = {Missed.LATE, Missed.OVERLAP}
"""What a machine that stands still for longer than a slot may bring about."""


def in_a_row(course: Course) -> list[float]:
    """The last polls of which each was due one slot after the one before."""
    row = course.due[-1:]
    for earlier, later in itertools.pairwise(reversed(course.due)):
        if earlier - later != pytest.approx(SLOT, abs=0.01):
            break
        row.append(later)
    return row


def test_every_slot_is_polled(tmp_path: Path) -> None:
    course = run(tmp_path, lapse(SLOT), lambda course: len(in_a_row(course)) >= 4)
    assert not {at for at, _ in course.missed} & set(course.due)
    assert course.reasons <= STANDSTILL
    for earlier, later in itertools.pairwise(course.due):
        assert later - earlier >= SLOT - 0.01


def test_a_poll_that_takes_too_long_costs_the_next_slots(tmp_path: Path) -> None:
    def enough(course: Course) -> bool:
        return len(course.begun) >= 3 and Missed.OVERLAP in course.reasons

    course = run(tmp_path, lapse(SLOT), enough, poll_seconds=0.8)
    assert course.reasons <= STANDSTILL
    for earlier, later in itertools.pairwise(course.begun):
        assert later - earlier >= 0.799


def test_a_restart_goes_on_with_the_stored_job_and_makes_up_for_nothing(tmp_path: Path) -> None:
    trigger = lapse(SLOT)
    first = run(tmp_path, trigger, lambda course: len(course.due) >= 2)
    time.sleep(1.5)
    again = time.time()
    second = run(tmp_path, trigger, lambda course: len(course.due) >= 3)
    assert first.due[-1] < second.due[0]
    assert sum(due < again for due in second.due) <= 1
    for earlier, later in itertools.pairwise(second.due):
        assert later - earlier >= SLOT - 0.01
    assert second.reasons <= STANDSTILL
    assert (tmp_path / "jobs.sqlite").exists()


def test_what_a_clock_that_was_ahead_did_to_the_schedule_does_not_last(tmp_path: Path) -> None:
    async def whole() -> None:
        async with Course(tmp_path, lapse(SLOT)) as course:
            job = course.schedule._scheduler.get_job("poll")
            job.modify(next_run_time=datetime.now(UTC) + timedelta(days=2))
            await asyncio.sleep(0.7)
            assert len(course.begun) <= 1
            course.schedule.renew()
            await course.until(lambda course: len(course.begun) >= 2)

    asyncio.run(whole())


def test_a_poll_that_breaks_is_missed_and_the_next_one_comes(tmp_path: Path) -> None:
    class Broken(Course):
        async def poll(self) -> None:
            await super().poll()
            raise ValueError("broken")

    async def whole() -> Broken:
        async with Broken(tmp_path, lapse(SLOT)) as course:
            await course.until(lambda course: faults(course) >= 3)
        return course

    def faults(course: Course) -> int:
        return sum(why is Missed.FAULT for _, why in course.missed)

    course = asyncio.run(whole())
    assert course.reasons <= {Missed.FAULT} | STANDSTILL
    assert course.due == []
    assert len(course.begun) >= faults(course)
