"""Polls that did not begin: all of them are noted, though the schedule tells only the last one."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from oracles.alerts import Patience, Watch
from oracles.daemon.chain import Sight
from oracles.daemon.clocks import MachineClock
from oracles.daemon.config import Config
from oracles.daemon.journal import Journal, PollState
from oracles.daemon.polls import Poller
from oracles.metrics import Metrics, Missed
from oracles.samples import slot_start
from tests.support.scores import DAY, ORACLES


def told(folder: Path, reason: Missed) -> dict[int, PollState]:
    """What is noted where slot 0 was begun, and then slot 3 is said to have been missed."""
    journal, clock = Journal(folder), MachineClock(lambda: 0.0)
    config = cast("Config", SimpleNamespace(clock=clock))
    poller = Poller(
        config,
        ORACLES[0],
        journal,
        Metrics(clock.now),
        Watch(Patience()),
        Sight,
        lambda _: None,
    )
    try:
        journal.begin((DAY, 0))
        asyncio.run(poller.missed(slot_start(DAY, 3).timestamp(), reason))
        return {poll.slot: poll.state for poll in journal.polls(DAY)}
    finally:
        journal.close()


def test_after_a_restart_every_slot_in_between_is_missed(tmp_path: Path) -> None:
    assert told(tmp_path, Missed.LATE) == dict.fromkeys(range(4), PollState.MISSED)


def test_a_poll_that_still_runs_is_not_missed_by_the_next_one(tmp_path: Path) -> None:
    assert told(tmp_path, Missed.OVERLAP) == {0: PollState.BEGUN, 3: PollState.MISSED}
