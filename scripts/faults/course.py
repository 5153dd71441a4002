"""Rounds: one ledger each, followed by one process after the other, each with a bad end."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from ibp_chain.errors import ConfigError
from ledger.store import DatabaseError, Store
from scripts.faults.acts import ACTS, BY_ITSELF, Scene, ended
from scripts.faults.crew import Crew
from scripts.faults.faults import OF_NODES, Database, Kind, Round, Turn
from scripts.faults.gate import Gate, gate
from scripts.faults.judge import Clean, clean_replay, differences
from scripts.faults.processes import Running
from scripts.faults.stage import Stage, staged
from tests.support.ledgers import Databases, Files, InServer, Ledgers, Place
from tests.support.postgres import postgres

_REACHED_SECONDS = 6.0
"""For which a process's moment is waited for, from its first call on; then what is planned happens
anyway."""
_PATIENCE_SECONDS = 120.0

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Happened:
    """One process and what became of it."""

    turn: Turn
    mishaps: tuple[Kind, ...]
    """Those of its node that it met."""
    code: int | None
    block: int | None
    """Where the ledger stands behind it."""
    wrong: str | None
    """In words, where it did not end as it should."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One round and what is not as a clean replay has it."""

    round: Round
    happened: tuple[Happened, ...]
    blocks: int
    rows: int
    differences: tuple[str, ...]

    @property
    def wrong(self) -> list[str]:
        return [*(h.wrong for h in self.happened if h.wrong), *self.differences]


@dataclass
class Theatre:
    """Everything that rounds share."""

    stage: Stage
    gate: Gate
    crew: Crew
    ledgers: dict[Database, Ledgers]
    folder: Path
    tell: Tell
    kept: dict[Database, Place] = field(default_factory=dict)
    """The last ledger on each database."""
    _clean: dict[tuple[Database, str], Clean] = field(default_factory=dict)

    def play(self, round_: Round) -> Judged:
        """One round, judged; its ledger is kept until the next one, or for good if it is wrong."""
        ledgers = self.ledgers[round_.database]
        folder = self.folder / f"round-{round_.number}"
        folder.mkdir()
        scene = Scene(
            self.stage,
            self.gate,
            _durable(ledgers.new()),
            self.crew,
            folder / "archive",
            folder / "recording",
            folder,
        )
        horizon = self.gate.horizon
        horizon.hashes[:] = self.stage.final_hashes(horizon.hashes)
        horizon.shown, horizon.pace = round_.shown, round_.pace
        happened = []
        for nth, turn in enumerate(round_.turns, 1):
            # something to do for each of them, and for whoever comes last
            horizon.limit = 1 + len(horizon.hashes) * nth // (len(round_.turns) + 1)
            happened.append(self._turn(scene, turn))
            self.tell(f"round {round_.number}, {round_.database}: {_line(happened[-1])}")
        finished = [*self._finish(scene)]
        clean = self.clean(round_.database)
        found = differences(scene.place, (scene.archive, scene.recording), clean, folder)
        judged = Judged(
            round_, tuple(happened), len(clean.hashes), clean.counted, (*finished, *found)
        )
        before = self.kept.pop(round_.database, None)
        if before is not None:
            ledgers.drop(before)
        if not judged.wrong:
            self.kept[round_.database] = scene.place
        return judged

    def _turn(self, scene: Scene, turn: Turn) -> Happened:
        self.gate.bad.begin(turn.mishaps)
        self.gate.calls.begin(turn.calls)
        scene.place.wait_until_left()  # a server ends a killed writer's session a moment later
        running = scene.begin(turn)
        self._await(turn, running)
        time.sleep(turn.ms / 1_000)
        if running.ended and turn.kind is not Kind.SECOND_WRITER:
            wrong = ended(running, running.wait(), *BY_ITSELF.get(turn.kind, ()))
        else:
            wrong = ACTS[turn.kind](scene, turn, running)
        mishaps = tuple(mishap.kind for mishap in self.gate.bad.happened)
        return Happened(turn, mishaps, running.wait(), _stands(scene.place), wrong)

    def _await(self, turn: Turn, running: Running) -> None:
        """Until its moment has come, or it has ended.

        Not before its first call: who is told to stop has to have begun to listen. A node's mishap,
        where that is what the turn is for, is met in any case.
        """
        latest = time.monotonic() + _PATIENCE_SECONDS
        until: float | None = None
        while not running.ended and (now := time.monotonic()) < latest:
            if until is None and self.gate.calls.count:
                until = now + _REACHED_SECONDS
            reached = self.gate.calls.reached.wait(0.01) and running.blocks() >= turn.blocks
            over = until is not None and (reached or now > until)
            if over and (turn.kind not in OF_NODES or self.gate.bad.happened):
                return

    def _finish(self, scene: Scene) -> Iterator[str]:
        """Undisturbed to the head, told to stop there; what is wrong with that."""
        self.gate.bad.begin(())
        self.gate.calls.begin(None)
        horizon = self.gate.horizon
        horizon.limit = horizon.shown = len(horizon.hashes)
        scene.place.wait_until_left()
        running = scene.follow("ws")
        head = self._replayed_head(scene)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not running.ended and _stands(scene.place) != head:
            if time.monotonic() > deadline:
                running.kill()
                yield f"it does not come to block {head}: {running.said()}"
                return
            time.sleep(0.1)
        told = ended(running, running.terminate(), 0)
        if told is not None:
            yield f"an undisturbed follower {told}"
        recorded = scene.record()
        told = ended(recorded, recorded.wait(), 0)
        if told is not None:
            yield f"an undisturbed recording {told}"

    def _replayed_head(self, scene: Scene) -> int:
        database = Database.POSTGRESQL if isinstance(scene.place, InServer) else Database.SQLITE
        return self.clean(database).head.number

    def clean(self, database: Database) -> Clean:
        """A clean replay of the chain as it is now, into a database of this kind."""
        key = database, self.gate.horizon.hashes[-1]
        if key not in self._clean:
            self._clean[key] = clean_replay(self.stage.devnet.http_url, self.ledgers[database])
        return self._clean[key]


@contextmanager
def opened(folder: Path, tell: Tell, busy: int) -> Iterator[Theatre]:
    """The chain, its doors, a server and, once somebody needs them, workers."""
    with (
        staged() as stage,
        gate(stage.devnet.http_url) as doors,
        postgres() as server,
        Crew(folder) as crew,
    ):
        stage.busy_blocks(busy)
        ledgers: dict[Database, Ledgers] = {
            Database.SQLITE: Files(folder),
            Database.POSTGRESQL: Databases(server),
        }
        yield Theatre(stage, doors, crew, ledgers, folder, tell)


def ran(
    rounds: Iterable[Round], tell: Tell, keep: Path | None = None, *, busy: int = 24
) -> Iterator[Judged]:
    """Play rounds one after the other, on a chain with `busy` more blocks of votes.

    With `keep` everything is left in that folder.
    """
    if keep is not None:
        if keep.exists():
            raise ConfigError(f"{keep} is there already")
        keep.mkdir(parents=True)
        with opened(keep, tell, busy) as theatre:
            yield from map(theatre.play, rounds)
        return
    with (
        TemporaryDirectory(prefix="ibp-faults-") as name,
        opened(Path(name), tell, busy) as theatre,
    ):
        yield from map(theatre.play, rounds)


@dataclass(frozen=True)
class _Durable(InServer):
    """The tests' server forgets what it said it had committed, unless it is told not to."""

    @property
    def url(self) -> str:
        return f"{super().url}&options=-csynchronous_commit%3Don"


def _durable(place: Place) -> Place:
    return _Durable(place.server, place.database) if isinstance(place, InServer) else place


def _stands(place: Place) -> int | None:
    """Its last block. A server that recovers is waited for."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with Store(place.url) as store:
                head = store.head()
        except ConfigError:  # nobody has written into it yet
            return None
        except DatabaseError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return None if head is None else head.number


def _line(happened: Happened) -> str:
    met = "" if not happened.mishaps else f"; met {', '.join(happened.mishaps)}"
    where = "nothing yet" if happened.block is None else f"block {happened.block}"
    told = "" if happened.wrong is None else f"; WRONG: {happened.wrong}"
    return f"{happened.turn}{met}; exit {happened.code}, {where}{told}"
