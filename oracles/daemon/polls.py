"""One slot: every target probed once, what was found kept, who has to hear of it told."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter_ns

from ibp_chain.types import AccountId
from oracles.alerts import Alert, Watch
from oracles.daemon.chain import Sight
from oracles.daemon.config import Config
from oracles.daemon.journal import Journal
from oracles.metrics import Metrics, Missed
from oracles.probes.outcomes import Result
from oracles.probes.pool import probe_all
from oracles.probes.slots import samples, settle
from oracles.probes.targets import Target
from oracles.probes.timing import LoopWatch
from oracles.probes.wire import Tools
from oracles.samples import slot_of

log = logging.getLogger(__name__)
_WATCH = "alerts"
_KEPT = timedelta(days=40)
"""How long samples are kept; rows and words are kept for ever."""


@dataclass
class Poller:
    """Polls for one oracle; `sight` tells what its chain side saw last."""

    config: Config
    me: AccountId
    journal: Journal
    metrics: Metrics
    watch: Watch
    sight: Callable[[], Sight]
    post: Callable[[Alert], object]

    async def poll(self) -> None:
        """Poll the present slot, unless it was, or nobody can tell which it is."""
        now = self.config.clock.now()
        slot = slot_of(int(now))
        sound = self.sound()
        if sound is False:  # which slot it is nobody knows, so none is noted before it is known
            self.metrics.missed(Missed.CLOCK)
            return
        late = await asyncio.to_thread(self.journal.miss_before, slot, Missed.LATE)
        self.metrics.missed(Missed.LATE, late)
        if not await asyncio.to_thread(self.journal.begin, slot):
            return
        start = perf_counter_ns()
        results, lag_ns = await self._probed(int(now), slot[1], sound=bool(sound))
        settled = settle(results, self.config.freshness)
        found = samples(settled, oracle=self.me, day=slot[0], slot=slot[1])
        await asyncio.to_thread(self.journal.finish, slot, found)
        self.metrics.polled(found, (perf_counter_ns() - start) / 1e9, lag_ns / 1e9)
        for alert in self.watch.slot(*slot, settled):
            self.post(alert)
        await self.keep_watch()
        if slot[1] == 0:
            await asyncio.to_thread(self.journal.forget_before, slot[0] - _KEPT)
        log.info("slot %s %d: %d services", slot[0], slot[1], len(found))

    def sound(self) -> bool | None:
        """Whether the machine's clock is right; None where no node tells."""
        offset = self.sight().clock_offset
        return None if offset is None else self.config.chain.sound(offset)

    async def missed(self, machine: float, reason: Missed) -> None:
        """Note that the poll which was due when the machine said `machine` did not begin."""
        self.metrics.missed(reason)
        if self.sound() is False:
            return
        slot = slot_of(int(self.config.clock.at(machine)))
        if reason is Missed.LATE:  # of several only the last one is told, such as after a restart
            late = await asyncio.to_thread(self.journal.miss_before, slot, reason)
            self.metrics.missed(reason, late)
        await asyncio.to_thread(self.journal.miss, slot, reason)

    async def keep_watch(self) -> None:
        """So that a restart tells nothing twice."""
        text = self.watch.save().decode()
        await asyncio.to_thread(self.journal.note, _WATCH, text)

    async def _probed(self, now: int, turn: int, *, sound: bool) -> tuple[tuple[Result, ...], int]:
        async with LoopWatch(perf_counter_ns) as loop:
            tools = Tools(
                perf_counter_ns,
                loop,
                self.config.tls,
                self.config.sla.slow_at,
                now,
                self.config.limits,
                clock_sound=sound,
                turn=turn,
            )
            start = perf_counter_ns()
            results = await probe_all(self._targets(), tools, self.config.pace)
            return results, loop.worst_since(start)

    def _targets(self) -> tuple[Target, ...]:
        """Of the roster's endpoints whose member is active, as far as anybody can tell."""
        members = self.sight().members
        measured = set(self.config.roster.endpoints)
        return tuple(
            target
            for target in self.config.targets
            if (target.member, target.service) in measured
            and (members is None or target.member in members)
        )


def watch_of(journal: Journal, watch: Callable[[bytes], Watch], anew: Callable[[], Watch]) -> Watch:
    """The alerts that are out, as `Poller.keep_watch` left them."""
    text = journal.noted(_WATCH)
    return anew() if text is None else watch(text.encode())
