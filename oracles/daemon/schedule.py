"""When to poll: once in every slot, on APScheduler, whose job outlives the process.

Each oracle begins a little into the slot, always at the same moment of it, so that not all of them
knock at the members' doors at once. What was not begun in time is not made up for: the slot is
missed, and unknown.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from ibp_chain.blocks import blake2_256
from ibp_chain.types import AccountId
from oracles.daemon.clocks import Clock, MachineClock
from oracles.layout import SLOT_SECONDS
from oracles.metrics import Missed

log = logging.getLogger(__name__)
Poll = Callable[[], Awaitable[None]]
WasMissed = Callable[[float, Missed], None]
"""Told of the machine's time at which a poll should have begun, and of why it did not."""

_JOB = "poll"
_SAME_MOMENT = 0.001
_GRACE_SECONDS = 60
_polls: dict[str, Poll] = {}
"""By folder: a stored job names a function, and the running daemon stands behind it."""


class SlotTrigger(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """`into` programme seconds after each slot begins."""

    def __init__(self, clock: Clock, into: float) -> None:
        self.clock, self.into = clock, into

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        behind = (previous or now).timestamp() + _SAME_MOMENT
        moment = self.clock.at(behind)
        begins = moment - moment % SLOT_SECONDS
        fire = self.clock.machine_at(begins + self.into)
        if fire <= behind:
            fire = self.clock.machine_at(begins + SLOT_SECONDS + self.into)
        return datetime.fromtimestamp(fire, UTC)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotTrigger) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it can be changed


class Schedule:
    """Calls `poll` in every slot from `start` to `stop`; never twice at once."""

    def __init__(self, folder: Path, trigger: SlotTrigger, poll: Poll, missed: WasMissed) -> None:
        self._folder, self._trigger, self._missed = str(folder.resolve()), trigger, missed
        self._poll = poll
        store = SQLAlchemyJobStore(url=f"sqlite:///{folder / 'jobs.sqlite'}")
        self._scheduler = AsyncIOScheduler(jobstores={"default": store}, timezone=UTC)
        self._scheduler.add_listener(self._late, EVENT_JOB_MISSED)
        self._scheduler.add_listener(self._overlapped, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._failed, EVENT_JOB_ERROR)

    def start(self) -> None:
        """In a running event loop. What should have run meanwhile is missed, once."""
        _polls[self._folder] = self._poll
        self._scheduler.start(paused=True)
        self.renew()
        self._scheduler.resume()

    def renew(self) -> None:
        """Put the job right where it is not: a clock that was ahead left it far in the future."""
        now = datetime.now(UTC)
        due = self._trigger.get_next_fire_time(None, now) + timedelta(seconds=_SAME_MOMENT * 2)
        job = self._scheduler.get_job(_JOB)
        if job is None or job.trigger != self._trigger or job.next_run_time > due:
            lapse = not isinstance(self._trigger.clock, MachineClock)
            self._scheduler.add_job(
                _run,
                self._trigger,
                args=[self._folder],
                id=_JOB,
                replace_existing=True,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=1 if lapse else _GRACE_SECONDS,
            )

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
        _polls.pop(self._folder, None)

    def _late(self, event: JobExecutionEvent) -> None:
        self._missed(event.scheduled_run_time.timestamp(), Missed.LATE)

    def _overlapped(self, event: JobSubmissionEvent) -> None:
        for moment in event.scheduled_run_times:
            self._missed(moment.timestamp(), Missed.OVERLAP)

    def _failed(self, event: JobExecutionEvent) -> None:
        if isinstance(event.exception, asyncio.CancelledError):
            return  # the daemon is stopping; the slot is missed by whoever comes next
        self._missed(event.scheduled_run_time.timestamp(), Missed.FAULT)
        log.error("a poll ended with an error: %s\n%s", event.exception, event.traceback)


def offset_of(oracle: AccountId, spread_seconds: float) -> float:
    """Where in the slot `oracle` begins: its own place in the first `spread_seconds`."""
    return int.from_bytes(blake2_256(oracle)[:4], "little") / 2**32 * spread_seconds


async def _run(folder: str) -> None:
    poll = _polls.get(folder)
    if poll is None:
        log.error("the poll of %s is due, and no oracle runs there", folder)
        return
    await poll()
