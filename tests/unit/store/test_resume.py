"""A replay that ends anywhere, in any way, goes on as if it had not."""

import itertools
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.types import BlockNumber, Hash
from ledger.indexer import Telling, follow, replay_into
from ledger.progress import Committed, Event, HeadSeen
from ledger.store import Store
from tests.support.ledgers import Place, dump
from tests.unit.store.demo import (
    ARCHIVE,
    CURATORS,
    PASEO,
    Listed,
    demo,
    roots,
)

HERE = Path(__file__).parents[3]


def replay(place: Place, last: int | None = None, batch: int = 200) -> Hash:
    end = None if last is None else BlockNumber(last)
    with Store(place.url, demo().identity) as store:
        state = replay_into(store, demo().source, demo().runtime_of, last=end, batch=batch)
    return state.root()


def applied(place: Place) -> int:
    """How many blocks the ledger has."""
    with Store(place.url) as store:
        head = store.head()
    return 0 if head is None else [b.ref for b in demo().blocks].index(head) + 1


def test_replaying_into_a_database_gives_the_root_of_a_replay_in_memory(replayed: Place) -> None:
    with Store(replayed.url) as store:
        assert store.load_state().root() == roots()[-1]
        assert store.head() == demo().source.head()


def test_a_ledger_stopped_behind_any_block_has_that_blocks_root(
    replayed: Place, fresh: Place
) -> None:
    for stop in (1, 2, 9, 17, 30, 31, 44, 59, 60):
        block, root = demo().blocks[stop - 1], roots()[stop]
        assert replay(fresh, last=block.header.number) == root
        with Store(fresh.url) as store:
            assert store.head() == block.ref
            assert store.load_state().root() == root
    assert dump(fresh) == dump(replayed)


@pytest.mark.parametrize("batch", [1, 7, 59])
def test_the_size_of_batches_leaves_no_trace(replayed: Place, fresh: Place, batch: int) -> None:
    replay(fresh, batch=batch)
    assert dump(fresh) == dump(replayed)


class Interrupted(Exception):
    """Stands for whatever may end a process in between."""


@pytest.mark.parametrize("seed", range(2))
def test_a_run_that_dies_between_blocks_loses_its_open_batch_only(
    replayed: Place, fresh: Place, seed: int
) -> None:
    chance, done = random.Random(seed), 0
    while done < len(demo().blocks):
        batch, dies_behind = chance.randint(1, 9), chance.randint(1, 20)
        heard = itertools.count(1)

        def die(_: object, heard: "itertools.count[int]" = heard, at: int = dies_behind) -> None:
            if next(heard) == at:
                raise Interrupted

        with Store(fresh.url, demo().identity) as store:
            try:
                replay_into(store, demo().source, demo().runtime_of, batch=batch, heard=die)
            except Interrupted:
                expected = done + dies_behind // batch * batch
            else:
                expected = len(demo().blocks)
        assert applied(fresh) == expected
        done = expected
    assert dump(fresh) == dump(replayed)


def test_replaying_a_finished_archive_again_changes_nothing(ledger: Place) -> None:
    before = dump(ledger)
    assert replay(ledger) == roots()[-1]
    assert dump(ledger) == before


def test_following_goes_on_where_a_replay_stopped(replayed: Place, fresh: Place) -> None:
    known = [20]

    class Followed(Listed):
        def heads(self, stop: object) -> Iterator[BlockRef]:
            del stop
            for known[0] in (20, 21, 40, len(demo().blocks)):
                yield self.head()

        def head(self) -> BlockRef:
            return demo().blocks[known[0] - 1].ref

        def blocks(self, first: BlockNumber, last: BlockNumber | None = None) -> Iterator[Block]:
            del last
            there = demo().blocks[: known[0]]
            return (block for block in there if block.header.number >= first)

    with Store(fresh.url, demo().identity) as store:
        follow(store, Followed(()), demo().runtime_of)
    assert dump(fresh) == dump(replayed)


# --- Processes that are killed ------------------------------------------------------------

COMMAND = (
    "ledger",
    "replay",
    str(ARCHIVE),
    "--curators",
    ss58_encode(CURATORS, PASEO.ss58_prefix),
    "--db",
)
DIES = """
import itertools, os, signal, sys
import ledger.indexer, ledger.store
from ibp_chain.cli.app import main

batch, at = int(sys.argv[1]), int(sys.argv[2])
ledger.indexer.replay_into.__kwdefaults__["batch"] = batch
project, transactions = ledger.store.project, itertools.count(1)

def dies(*args):
    project(*args)
    if next(transactions) == at:
        os.kill(os.getpid(), signal.SIGKILL)

ledger.store.project = dies
sys.argv[1:] = sys.argv[3:]
main()
"""


NEVER_ENDS = """
import sys, time
import ledger.store
from ibp_chain.cli.app import main

project = ledger.store.project

def hangs(*args):
    project(*args)
    time.sleep(3600)

ledger.store.project = hangs
main()
"""
"""A replay that cannot be over before it is killed, however late: its commit never comes."""
_SECONDS = 240.0
"""For a process to do its work on a slow machine."""


def test_a_process_killed_in_a_transaction_leaves_whole_batches_and_the_next_goes_on(
    replayed: Place, fresh: Place
) -> None:
    left = 15
    script = [sys.executable, "-c", DIES, "5", "4", *COMMAND, fresh.url]
    killed = subprocess.run(script, cwd=HERE, capture_output=True, check=False, timeout=_SECONDS)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    fresh.wait_until_left()
    assert applied(fresh) == left
    with Store(fresh.url) as store:
        assert store.load_state().root() == roots()[left]
    assert replay(fresh) == roots()[-1]
    assert dump(fresh) == dump(replayed)


def test_a_replay_killed_from_outside_is_finished_by_the_next_command(
    replayed: Place, fresh: Place
) -> None:
    command = [sys.executable, "-m", "ibp_chain.cli.app", *COMMAND, fresh.url]
    with subprocess.Popen(
        [sys.executable, "-c", NEVER_ENDS, *COMMAND, fresh.url],
        cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        deadline = time.monotonic() + _SECONDS
        try:
            while not fresh.begun() and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
        finally:
            running.kill()
        assert running.stderr is not None
        said = running.stderr.read()
    assert running.returncode == -signal.SIGKILL, said
    assert fresh.begun()
    fresh.wait_until_left()
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    assert done.returncode == 0, done.stderr
    assert roots()[-1].hex() in "".join(done.stdout.split())
    assert dump(fresh) == dump(replayed)


def _told(place: Place, telling: Telling) -> None:
    with Store(place.url, demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of, telling=telling)


def test_the_head_is_looked_at_again_while_blocks_are_caught_up_with(fresh: Place) -> None:
    """A clock on which every block takes 7 seconds."""
    seconds, events = itertools.count(step=7), list[Event]()
    _told(fresh, Telling(observer=events.append, clock=lambda: float(next(seconds))))
    heads = [event for event in events if isinstance(event, HeadSeen)]
    assert heads == [HeadSeen(demo().source.head())] * len(heads)
    assert len(heads) >= len(demo().blocks) // 5


def test_the_end_of_an_archive_is_not_told_as_the_chains_head(fresh: Place) -> None:
    seconds, events = itertools.count(step=7), list[Event]()
    clock = Telling(observer=events.append, clock=lambda: float(next(seconds)), of_chain=False)
    _told(fresh, clock)
    assert any(isinstance(event, Committed) for event in events)
    assert not any(isinstance(event, HeadSeen) for event in events)
