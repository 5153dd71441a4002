"""The daemon: every part of it started, watched and ended together."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import httpx

from ibp_chain.accounts import ss58_encode
from ibp_chain.errors import ConfigError
from ibp_chain.http_server import Health, operators, serving
from ibp_chain.keys import Signer
from ibp_chain.types import Hash
from ledger.pallets.scores import day_date
from oracles import peers, web
from oracles.alert_sinks import Courier, Matrix, Sink, Webhook
from oracles.alerts import Condition, Patience, Watch
from oracles.daemon.chain import ChainSide, Sight
from oracles.daemon.config import AlertTable, Config
from oracles.daemon.duties import Duties
from oracles.daemon.journal import Journal
from oracles.daemon.polls import Poller, watch_of
from oracles.daemon.schedule import Schedule, SlotTrigger, offset_of
from oracles.metrics import Metrics, Missed
from oracles.peers import Peer, Reason, Refusal, Wanted
from oracles.publish import application
from oracles.shelf import Shelf

log = logging.getLogger(__name__)
MATRIX_TOKEN = "IBP_MATRIX_TOKEN"  # noqa: S105 - the name of a variable
_SWITCH_SECONDS = 0.0005
"""How long the chain's thread may keep the probes waiting once they have something to time."""
_GATHER_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 300.0
_RENEW_SECONDS = 15.0
_DRAIN_SECONDS = 5.0
_NAME_CHARACTERS = 8


class Oracle:
    """One oracle from `run` to `stop`."""

    def __init__(self, config: Config, signer: Signer) -> None:
        self._config, self._me = config, signer.account
        self._stop = threading.Event()
        self._ended = asyncio.Event()
        self._sight = Sight()
        self._ask_again: dict[Hash, float] = {}
        """When rows that were not to be had are asked for again, on the loop's clock."""
        self._tries: dict[Hash, int] = {}
        self._said: dict[tuple[Peer, Hash], Reason] = {}
        self._journal = Journal(config.folder)
        self._shelf = Shelf(config.folder / "rows")
        self._metrics = Metrics(config.clock.now)
        patience = Patience(bad_slots=config.alerts.after_slots)
        self._watch = watch_of(
            self._journal, partial(Watch.load, patience=patience), partial(Watch, patience)
        )
        self._watch.keep(config.roster.endpoints)
        duties = Duties(
            signer=signer,
            journal=self._journal,
            shelf=self._shelf,
            roster=config.roster,
            rules=config.rules,
            turns=config.turns,
            era=config.chain.era,
            metrics=self._metrics,
        )
        self._chain = ChainSide(
            config.chain, config.folder, config.clock, duties, self._me, self._stop, self._seen
        )

    async def run(self) -> None:
        """Until `stop` is called. Raises what no restart would mend, and mistakes of our own."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._loop = asyncio.get_running_loop()
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self._served())
                client = await stack.enter_async_context(web.opened(self._config.tls))
                await stack.enter_async_context(self._delivering(client))
                await stack.enter_async_context(self._polling())
                await self._until_stopped(client)
        finally:
            self._journal.close()

    def stop(self) -> None:
        """Ends `run` soon; what is under way is left as a crash would leave it, and taken up."""
        self._stop.set()
        self._ended.set()

    async def _until_stopped(self, client: httpx.AsyncClient) -> None:
        gathering = asyncio.create_task(self._gather(client))
        chain = asyncio.create_task(asyncio.to_thread(self._chain.run))
        ended = asyncio.create_task(self._ended.wait())
        done, _ = await asyncio.wait((gathering, chain, ended), return_when=asyncio.FIRST_COMPLETED)
        self.stop()
        gathering.cancel()
        await asyncio.gather(gathering, ended, return_exceptions=True)
        await chain
        for task in done - {ended}:
            task.result()  # raises

    # --- rows of others ---

    async def _gather(self, client: httpx.AsyncClient) -> None:
        while True:
            now = self._loop.time()
            due = [one for one in self._sight.wanted if self._ask_again.get(one.root, 0) <= now]
            if due:
                others = [peer for peer in self._config.peers if peer.oracle != self._me]
                found = await peers.gather(due, others, self._shelf, client)
                self._metrics.gathered(found)
                for root, peer in found.kept.items():
                    log.info("rows 0x%s from %s", root.hex(), peer.url)
                for refusal in found.refusals:
                    self._say_once(refusal)
                self._put_off(found.missing)
            await asyncio.sleep(_GATHER_SECONDS)

    def _put_off(self, missing: Iterable[Wanted]) -> None:
        """Rows that nobody has yet are asked for less and less often."""
        for one in missing:
            tries = self._tries[one.root] = self._tries.get(one.root, 0) + 1
            pause = min(_GATHER_SECONDS * 1.3 ** (tries - 1), _LONGEST_PAUSE_SECONDS)
            self._ask_again[one.root] = self._loop.time() + pause

    def _say_once(self, refusal: Refusal) -> None:
        what = refusal.peer, refusal.root
        if self._said.get(what) is not refusal.reason:
            self._said[what] = refusal.reason
            log.warning("%s", refusal)

    # --- what others see ---

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app = application(self._shelf, self._health)
            port = await stack.enter_async_context(serving(app, *self._config.listen))
            log.info("rows at %s port %d", self._config.listen[0], port)
            if self._config.operator is not None:
                inside = operators(self._health, self._metrics.registry)
                port = await stack.enter_async_context(serving(inside, *self._config.operator))
                log.info("health and metrics at %s port %d", self._config.operator[0], port)
            yield

    def _health(self) -> Health:
        sight = self._sight
        problems = [*sight.problems]
        problems += [problem for problem in (sight.node, sight.contradiction) if problem]
        if sight.head is None and not problems:
            problems.append("no block has been read yet")
        standing = None if sight.standing is None else day_date(sight.standing).isoformat()
        facts = {
            "oracle": self._name(sight),
            "head": sight.head,
            "head_seconds": sight.timestamp_ms // 1_000 if sight.head is not None else None,
            "last_standing_day": standing,
        }
        return Health(tuple(problems), facts)

    def _name(self, sight: Sight) -> str:
        if sight.network is None:
            return "0x" + self._me.hex()
        return ss58_encode(self._me, sight.network.ss58_prefix)

    # --- alerts ---

    @asynccontextmanager
    async def _delivering(self, client: httpx.AsyncClient) -> AsyncIterator[None]:
        name = f"oracle 0x{self._me.hex()[:_NAME_CHARACTERS]}"
        sinks = tuple(sinks_of(self._config.alerts))
        self._courier = Courier(sinks, client, name, self._metrics.alert)
        running = asyncio.create_task(self._courier.run())
        try:
            yield
        finally:
            await self._courier.drain(_DRAIN_SECONDS)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _seen(self, sight: Sight) -> None:
        """In the chain's thread."""
        self._loop.call_soon_threadsafe(self._take, sight)

    def _take(self, sight: Sight) -> None:
        self._sight = sight
        self._metrics.clock_offset(sight.clock_offset)
        if sight.head is not None:
            self._metrics.ledger_head(sight.head, sight.timestamp_ms / 1_000)
        if sight.standing is not None:
            self._metrics.standing(day_date(sight.standing))
        at = int(self._config.clock.now())
        conditions = (
            (Condition.NODE, sight.node),
            (Condition.CLOCK, "its time is not the chain's" if self._unsound(sight) else None),
            (Condition.CONTRADICTION, sight.contradiction),
            (Condition.BALANCE, sight.low_balance),
            (Condition.DUTIES, "; ".join(sight.problems) or None),
        )
        for what, detail in conditions:
            self._tell(what, at, bad=detail is not None, detail=detail or "")
        for day, missing in sight.unscored.items():
            key = day_date(day).isoformat()
            self._tell(Condition.NO_STANDING_REPORT, at, bad=missing, key=key)

    def _tell(
        self, what: Condition, at: int, *, bad: bool, detail: str = "", key: str = ""
    ) -> None:
        for alert in self._watch.condition(what, at, bad=bad, detail=detail, key=key):
            log.warning("%s", alert.text)
            self._courier.post(alert)

    def _unsound(self, sight: Sight) -> bool:
        return sight.clock_offset is not None and not self._config.chain.sound(sight.clock_offset)

    # --- polls ---

    @asynccontextmanager
    async def _polling(self) -> AsyncIterator[None]:
        config = self._config
        poller = Poller(
            config,
            self._me,
            self._journal,
            self._metrics,
            self._watch,
            lambda: self._sight,
            self._courier.post,
        )
        noted: set[asyncio.Task[None]] = set()

        def ended(task: asyncio.Task[None]) -> None:
            noted.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a missed slot could not be noted: %s", error)

        def missed(machine: float, reason: Missed) -> None:
            task = self._loop.create_task(poller.missed(machine, reason))
            noted.add(task)
            task.add_done_callback(ended)

        trigger = SlotTrigger(config.clock, offset_of(self._me, config.poll.begin_within))
        schedule = Schedule(config.folder, trigger, poller.poll, missed)
        schedule.start()
        renewing = asyncio.create_task(self._renew(schedule))
        try:
            yield
        finally:
            renewing.cancel()
            schedule.stop()
            await asyncio.gather(*noted, return_exceptions=True)

    async def _renew(self, schedule: Schedule) -> None:
        """By the monotonic clock: what the other one did to the schedule does not last."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            schedule.renew()


def sinks_of(table: AlertTable) -> Iterable[Sink]:
    """Where alerts go. Raises `ConfigError`."""
    if table.webhook is not None:
        yield Webhook(table.webhook)
    if table.matrix_homeserver is not None and table.matrix_room is not None:
        token = os.environ.get(MATRIX_TOKEN)
        if token is None:
            raise ConfigError(f"alerts to a Matrix room need an access token in {MATRIX_TOKEN}")
        yield Matrix(table.matrix_homeserver, table.matrix_room, token)
    elif table.matrix_homeserver is not None or table.matrix_room is not None:
        raise ConfigError("alerts: matrix_homeserver and matrix_room belong together")
