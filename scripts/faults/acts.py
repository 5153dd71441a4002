"""What is done to a process at its moment, and how it has to take it."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from scripts.faults.crew import Crew
from scripts.faults.faults import OF_NODES, Kind, Turn
from scripts.faults.gate import Gate
from scripts.faults.processes import Running, start
from scripts.faults.stage import Stage
from tests.support.ledgers import File, InServer, Place

_SOON_SECONDS = 2.0
"""For which a process may take a blow and go on."""
_PAGE = 4096


@dataclass(frozen=True)
class Scene:
    """Where a round is played."""

    stage: Stage
    gate: Gate
    place: Place
    crew: Crew
    archive: Path
    recording: Path
    """Another archive, by `ibp archive record`."""
    folder: Path

    def begin(self, turn: Turn) -> Running:
        """The process of a turn."""
        if turn.kind is Kind.DEAD_WORKER:
            cluster = self.crew.options()
            source = ("--node", self.gate.good_http_url, "--range-blocks", 4)
            return start(
                self.folder, "ledger", "backfill", *source, "--db", self.place.url, *cluster
            )
        if turn.kind is Kind.RECORDING:
            return self.record()
        return self.follow(turn.scheme, turn)

    def follow(self, scheme: str, turn: Turn | None = None) -> Running:
        kind = None if turn is None else turn.kind
        nodes = "--node", self.gate.bad_urls[scheme], "--node", self.gate.good_url
        view = ("--unfinalised",) if kind is Kind.REORG else ()
        where = "--db", self.place.url, "--archive", self.archive
        full = turn is not None and kind is Kind.DISK_FULL and isinstance(self.place, File)
        room = _PAGE * (8 + 2 * turn.ms) if turn is not None and full else None
        return start(self.folder, "ledger", "follow", *nodes, *where, *view, file_bytes=room)

    def record(self) -> Running:
        where = self.recording, "--node", self.gate.good_http_url, "--proofs"
        return start(self.folder, "archive", "record", *where)


Act = Callable[[Scene, Turn, Running], str | None]
"""Disturbs a process and sees it to its end; what was not as it has to be, in words."""


def _killed(_: Scene, turn: Turn, running: Running) -> str | None:
    """Which may end by itself in the same moment, where it may at all."""
    return ended(running, running.kill(), -signal.SIGKILL, *BY_ITSELF.get(turn.kind, ()))


def _told_to_stop(_: Scene, __: Turn, running: Running) -> str | None:
    return ended(running, running.terminate(), 0)


def _disk_full(scene: Scene, _: Turn, running: Running) -> str | None:
    """A file's length is limited, or those of whoever serves it in PostgreSQL."""
    if isinstance(scene.place, InServer):
        with scene.place.server.connect() as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s", (scene.place.database,)
            ).fetchall()
            for (pid,) in found:  # by the server: its processes are of another user
                # it reads what it is given, or the server could find nobody to give it to
                limit = f"cat >/dev/null; prlimit --pid {pid} --fsize={_PAGE} || true"
                connection.execute(
                    sql.SQL("COPY (SELECT 1) TO PROGRAM {}").format(sql.Literal(limit))
                )
    return _survived(running)


def _restarted(scene: Scene, _: Turn, running: Running) -> str | None:
    assert isinstance(scene.place, InServer), "a file has no server"
    scene.place.server.restart()
    return _survived(running)


def _survived(running: Running) -> str | None:
    """It has ended with one clear line, or goes on and stops when it is told to."""
    deadline = time.monotonic() + _SOON_SECONDS
    while not running.ended and time.monotonic() < deadline:
        time.sleep(0.02)
    return ended(running, running.wait() if running.ended else running.terminate(), 0, 2)


def _second_writer(scene: Scene, turn: Turn, running: Running) -> str | None:
    """Of two who want to write one is refused; which one, depends on who comes first."""
    other = scene.follow(turn.scheme)
    both, deadline = (running, other), time.monotonic() + 60
    while not any(one.ended for one in both) and time.monotonic() < deadline:
        time.sleep(0.02)
    refused = [one for one in both if one.ended]
    wrong = [ended(one, one.wait(), 2) for one in refused]
    wrong += [ended(one, one.terminate(), 0) for one in both if one not in refused]
    words = refused[0].said() if refused else ""
    if len(refused) != 1 or not ("one writer" in words or "another process is adding" in words):
        wrong.append(f"{len(refused)} of two writers were refused: {words}")
    return next(filter(None, wrong), None)


def _reorganised(scene: Scene, turn: Turn, running: Running) -> str | None:
    for _ in range(2):
        scene.stage.busy_blocks(2)
        scene.stage.reorganise()
        scene.gate.horizon.hashes[:] = scene.stage.final_hashes(scene.gate.horizon.hashes)
    if turn.ms % 2:
        return _killed(scene, turn, running)
    return _told_to_stop(scene, turn, running)


def _worker_killed(scene: Scene, turn: Turn, running: Running) -> str | None:
    os.kill(scene.crew.pids()[turn.ms % 2], signal.SIGKILL)
    return ended(running, running.wait(), 0)


ACTS: dict[Kind, Act] = {
    **dict.fromkeys(OF_NODES, _told_to_stop),
    Kind.KILL: _killed,
    Kind.RECORDING: _killed,
    Kind.DISK_FULL: _disk_full,
    Kind.DATABASE_RESTART: _restarted,
    Kind.SECOND_WRITER: _second_writer,
    Kind.REORG: _reorganised,
    Kind.DEAD_WORKER: _worker_killed,
}
BY_ITSELF: dict[Kind, frozenset[int]] = {
    Kind.DISK_FULL: frozenset({2}),
    Kind.DEAD_WORKER: frozenset({0}),
    Kind.RECORDING: frozenset({0}),
}
"""With which codes a process may have ended before its moment came."""


def ended(running: Running, code: int, *expected: int) -> str | None:
    """What is wrong with the end of a process."""
    words = running.said()
    if code not in expected:
        return f"ended with {code}: {words or 'it said nothing'}"
    if "Traceback" in words:
        return f"a traceback: {words}"
    if code == 2 and not words.splitlines()[-1].startswith("ibp: "):
        return f"ended with 2 and no clear line: {words}"
    return None
