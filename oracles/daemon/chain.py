"""The chain as the daemon sees it: its own ledger, kept at the finalised head by one thread.

Duties are attended to in the same thread, between two looks for new blocks, so nobody else touches
the state. What others need to know is a `Sight`, replaced as a whole.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ibp_chain.accounts import ss58_decode
from ibp_chain.errors import ConfigError, IbpError, SourceError
from ibp_chain.extrinsics import Submitter
from ibp_chain.networks import Network
from ibp_chain.runtimes import network_of, runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.indexer import replay_into
from ledger.pallets import membership
from ledger.pallets.scores import closes_at, day_at
from ledger.remark_routing import Refused
from ledger.replay import BlockReport
from ledger.state import State
from ledger.store import Identity, Store
from oracles.daemon.clocks import Clock
from oracles.daemon.config import ChainTable
from oracles.daemon.duties import HORIZON, Duties, Now
from oracles.daemon.journal import JournalError, WouldContradict
from oracles.peers import Wanted

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0
"""Between two attempts to reach a node."""
_BALANCE_LOOKS = 100
"""How many looks for new blocks there are to one for the balance."""
_PATIENT_LOOKS = 20
"""How often in a row a node may be found behind before the next one is asked."""
_LONG_CLOSED_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen last."""

    network: Network | None = None
    head: BlockNumber | None = None
    timestamp_ms: int = 0
    """Of the head."""
    clock_offset: float | None = None
    """This machine's clock less the head's own time, in seconds; None where no node tells."""
    members: frozenset[str] | None = None
    """The active ones; None where there is no programme yet."""
    standing: int | None = None
    """The last day that stands, counted from 1970."""
    unscored: Mapping[int, bool] = field(default_factory=dict)
    """Of the last days that are closed long since: whether there is no score of it."""
    low_balance: str | None = None
    """What is left for fees, in words, where it is not much."""
    wanted: tuple[Wanted, ...] = ()
    problems: tuple[str, ...] = ()
    """What keeps this oracle from its duties."""
    contradiction: str | None = None
    """What it was about to sign against its own word."""
    node: str | None = None
    """Why no node can be read; None while one can."""


@dataclass
class ChainSide:
    """Follows one of `table.nodes` until `stop` is set; `seen` is told of every new `Sight`."""

    table: ChainTable
    folder: Path
    clock: Clock
    duties: Duties
    me: AccountId
    stop: threading.Event
    seen: Callable[[Sight], object]
    sight: Sight = field(default_factory=Sight)
    _genesis: Hash | None = None
    _state: State | None = None
    _timestamp_ms: int = 0
    _refused: list[Refused] = field(default_factory=list)
    _looks: int = 0
    _behind: int = 0

    def run(self) -> None:
        """Returns when stopped. Raises only what a person has to mend: another chain's ledger."""
        turn = 0
        while not self.stop.is_set():
            url = self.table.nodes[turn % len(self.table.nodes)]
            turn += 1
            try:
                self._follow(url)
            except SourceError as error:
                log.warning("%s", error)
                self._see(node=str(error), clock_offset=None)
            except ConfigError:
                raise
            except (IbpError, OSError) as error:
                log.error("the ledger cannot go on: %s", error)  # noqa: TRY400 - for people
                self._see(node=str(error), clock_offset=None)
            # whatever was collected and not committed is gone
            self._state, self._timestamp_ms, self._refused, self._behind = None, 0, [], 0
            self.stop.wait(_PAUSE_SECONDS)

    def _follow(self, url: str) -> None:
        with NodeSource(url, expected_genesis=self._genesis) as source:
            self._genesis = source.genesis_hash
            runtime_of = runtimes(source)
            network = network_of(source, runtime_of)
            submitter = Submitter(source, runtime_of, period=self.table.era)
            with Store(self._url, self._identity(source, network)) as store:
                while not self.stop.is_set():
                    self._state = replay_into(
                        store,
                        source,
                        runtime_of,
                        heard=self._heard,
                        state=self._state,
                        stop=self.stop.is_set,
                    )
                    if self._looks % _BALANCE_LOOKS == 0:
                        self._see(low_balance=self._low_balance(source, submitter, network))
                    self._looks += 1
                    self._look(self._state, store, network, submitter)
                    self.stop.wait(self.table.poll_seconds)

    @property
    def _url(self) -> str:
        return f"sqlite:///{self.folder / 'ledger.sqlite'}"

    def _identity(self, source: NodeSource, network: Network) -> Identity:
        curators = self.table.curators
        origin = None if curators is None else ss58_decode(curators, network.ss58_prefix)
        return Identity(network.name, source.genesis_hash, origin)

    def _heard(self, report: BlockReport) -> None:
        """Keeps the block's time, and what became of this oracle's remarks."""
        self._timestamp_ms = report.timestamp_ms
        for refused in report.refused:
            if refused.origin == self.me:
                log.warning("block %d refused a remark: %s", report.ref.number, refused.reason)
                self._refused.append(refused)

    def _look(self, state: State, store: Store, network: Network, submitter: Submitter) -> None:
        head = state.head.value
        if head is None:
            return
        if not self._timestamp_ms:
            self._timestamp_ms = store.block(head.number).timestamp_ms
        offset = self.clock.now() - self._timestamp_ms / 1_000
        program = state.programme.program.value
        seen: dict[str, Any] = {
            "network": network,
            "head": head.number,
            "timestamp_ms": self._timestamp_ms,
            "clock_offset": offset,
            "members": None if program is None else membership.active(state.membership),
            "standing": max((day for day, _ in state.scores.standing.items()), default=None),
            "unscored": unscored(state, self._timestamp_ms),
            "node": None,
        }
        self._behind = self._behind + 1 if offset > self.table.behind_seconds else 0
        if self._behind >= _PATIENT_LOOKS and len(self.table.nodes) > 1:
            raise SourceError(f"the node's finalised head is {offset:.0f} s old")
        if not self.table.sound(offset):
            problem = f"the chain's time is {-offset:+.0f} s from this machine's"
            self._see(**seen, problems=(problem,))
            return
        refused, self._refused = tuple(self._refused), []
        now = Now(state, head.number, self._timestamp_ms, submitter, refused)
        try:
            done = self.duties.attend(now)
        except WouldContradict as error:
            log.error("%s", error)  # noqa: TRY400 - for people
            self._see(**seen, problems=(str(error),), contradiction=str(error))
        except (SourceError, JournalError):
            raise
        except Exception as error:  # a mistake of ours must not end the polling
            log.exception("duties")
            self._see(**seen, problems=(f"a mistake in this program: {error!r}",))
        else:
            self._see(**seen, wanted=done.wanted, problems=done.problems, contradiction=None)

    def _low_balance(
        self, source: NodeSource, submitter: Submitter, network: Network
    ) -> str | None:
        runtime = submitter.runtime()
        key = runtime.storage_key("System", "Account", self.me)
        (raw,) = source.storage([key], source.head().hash)
        account = None if raw is None else runtime.decode_storage("System", "Account", raw)
        free = Planck(0 if account is None else account["data"]["free"])
        enough = network.planck(self.table.low_balance)
        return f"{network.format(free)} left for fees" if free < enough else None

    def _see(self, **changes: Any) -> None:
        self.sight = replace(self.sight, **changes)
        self.seen(self.sight)


def unscored(state: State, timestamp_ms: int) -> dict[int, bool]:
    """Of the last days that were closed an hour ago or more: whether no score of it stands."""
    last = day_at(timestamp_ms)
    return {
        day: day not in state.scores.standing
        for day in range(max(0, last - HORIZON), last)
        if day in state.scores.closings and timestamp_ms >= closes_at(day) + _LONG_CLOSED_MS
    }
