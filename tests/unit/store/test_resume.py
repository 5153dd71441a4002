"""A replay that ends anywhere, in any way, goes on as if it had not."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import Block
from ibp_chain.types import BlockNumber, Hash
from ledger.indexer import follow, replay_into
from ledger.store import Store
from tests.unit.store.demo import (
    ARCHIVE,
    CURATORS,
    PASEO,
    Listed,
    demo,
    dump,
    roots,
    url,
)

HERE = Path(__file__).parents[3]


def replay(path: Path, last: int | None = None, batch: int = 200) -> Hash:
    end = None if last is None else BlockNumber(last)
    with Store(url(path), demo().identity) as store:
        state = replay_into(store, demo().source, demo().runtime_of, last=end, batch=batch)
    return state.root()


def applied(path: Path) -> int:
    """How many blocks the ledger has."""
    with Store(url(path)) as store:
        head = store.head()
    return 0 if head is None else [b.ref for b in demo().blocks].index(head) + 1


def test_replaying_into_a_database_gives_the_root_of_a_replay_in_memory(replayed: Path) -> None:
    with Store(url(replayed)) as store:
        assert store.load_state().root() == roots()[-1]
        assert store.head() == demo().source.head()


def test_a_ledger_stopped_behind_any_block_has_that_blocks_root(
    replayed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    for stop in (1, 2, 9, 17, 30, 31, 44, 51, 52):
        block, root = demo().blocks[stop - 1], roots()[stop]
        assert replay(path, last=block.header.number) == root
        with Store(url(path)) as store:
            assert store.head() == block.ref
            assert store.load_state().root() == root
    assert dump(path) == dump(replayed)


@pytest.mark.parametrize("batch", [1, 7, 51])
def test_the_size_of_batches_leaves_no_trace(replayed: Path, tmp_path: Path, batch: int) -> None:
    replay(tmp_path / "ledger.db", batch=batch)
    assert dump(tmp_path / "ledger.db") == dump(replayed)


class Interrupted(Exception):
    """Stands for whatever may end a process in between."""


@pytest.mark.parametrize("seed", range(2))
def test_a_run_that_dies_between_blocks_loses_its_open_batch_only(
    replayed: Path, tmp_path: Path, seed: int
) -> None:
    path, chance = tmp_path / "ledger.db", random.Random(seed)
    done = 0
    while done < len(demo().blocks):
        batch, dies_behind = chance.randint(1, 9), chance.randint(1, 20)
        heard = itertools.count(1)

        def die(_: object, heard: "itertools.count[int]" = heard, at: int = dies_behind) -> None:
            if next(heard) == at:
                raise Interrupted

        with Store(url(path), demo().identity) as store:
            try:
                replay_into(store, demo().source, demo().runtime_of, batch=batch, heard=die)
            except Interrupted:
                expected = done + dies_behind // batch * batch
            else:
                expected = len(demo().blocks)
        assert applied(path) == expected
        done = expected
    assert dump(path) == dump(replayed)


def test_replaying_a_finished_archive_again_changes_nothing(ledger: Path) -> None:
    before = dump(ledger)
    assert replay(ledger) == roots()[-1]
    assert dump(ledger) == before


def test_following_goes_on_where_a_replay_stopped(replayed: Path, tmp_path: Path) -> None:
    class Followed(Listed):
        def follow(self, first: BlockNumber, stop: object) -> "itertools.chain[Block]":
            del stop
            later = (block for block in demo().blocks if block.header.number >= first)
            return itertools.chain(later)

    path = tmp_path / "ledger.db"
    with Store(url(path), demo().identity) as store:
        follow(store, Followed(demo().blocks[:20]), demo().runtime_of)
    assert dump(path) == dump(replayed)


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


def test_a_process_killed_in_a_transaction_leaves_whole_batches_and_the_next_goes_on(
    replayed: Path, tmp_path: Path
) -> None:
    path, left = tmp_path / "ledger.db", 15
    script = [sys.executable, "-c", DIES, "5", "4", *COMMAND, url(path)]
    killed = subprocess.run(script, cwd=HERE, capture_output=True, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert applied(path) == left
    with Store(url(path)) as store:
        assert store.load_state().root() == roots()[left]
    assert replay(path) == roots()[-1]
    assert dump(path) == dump(replayed)


def test_a_replay_killed_from_outside_is_finished_by_the_next_command(
    replayed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    command = [sys.executable, "-m", "ibp_chain.cli.app", *COMMAND, url(path)]
    with subprocess.Popen(
        command, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        deadline = time.monotonic() + 30
        while not path.with_name("ledger.db-wal").exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert path.exists()
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert roots()[-1].hex() in "".join(done.stdout.split())
    assert dump(path) == dump(replayed)
