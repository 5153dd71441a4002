"""Snapshots of a database that somebody is writing."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Never

import pytest

from ibp_chain.errors import ConfigError
from ibp_chain.networks import network
from ibp_chain.web.loading import Loader, Places
from ibp_chain.web.queries import members, oracles
from ibp_chain.web.snapshot import Snapshot
from ledger.replay import apply_block
from ledger.state import State
from ledger.store import Identity, Store
from tests.support import recording
from tests.support.ledgers import File, tamper

_FIRST, _MORE = 12, 3


class Written:
    """A database with the recording's first blocks, and the writer that goes on."""

    def __init__(self, path: Path) -> None:
        self.file = File(path)
        self._state, self._blocks = State(network("paseo")), iter(recording.blocks())
        source = recording.source()
        self.store = Store(self.file.url, Identity("paseo", source.genesis_hash))
        metadata = source.metadata(recording.SPEC_VERSION)
        v14 = source.metadata_v14(recording.SPEC_VERSION)
        self.store.collect_runtime(recording.SPEC_VERSION, (metadata, v14))

    def go_on(self, blocks: int) -> None:
        for _ in range(blocks):
            report = apply_block(self._state, next(self._blocks), recording.runtime())
            self.store.apply(self._state, report)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    found = Written(tmp_path / "ledger.db")
    found.go_on(_FIRST)
    yield found
    found.store.close()


def test_a_new_block_makes_a_new_snapshot_and_leaves_the_old_one_as_it_was(
    written: Written,
) -> None:
    loader = Loader(Places(written.file.url))
    before = loader.current
    members = len(before.state.membership.members)
    assert loader.refresh() is False
    assert loader.current is before
    written.go_on(_MORE)
    loader.refresh()
    after = loader.current
    assert after.chain.head.number > before.chain.head.number
    assert after.version != before.version
    assert after.state_root == after.state.root()
    assert (before.state_root, len(before.state.membership.members)) == (
        before.state.root(), members,
    )  # fmt: skip


def test_what_cannot_be_read_leaves_the_last_snapshot_and_says_why(written: Written) -> None:
    now = iter(range(1_000))
    loader = Loader(Places(written.file.url), steady=lambda: float(next(now)))
    before = loader.current
    written.go_on(_MORE)
    tamper(written.file, "UPDATE state_entry SET value = x'00'")
    stop = threading.Event()
    turns = []

    def two_turns(seconds: float) -> bool:
        turns.append(seconds)
        return len(turns) > 2

    stop.wait = two_turns  # type: ignore[method-assign, assignment]  # the thread's own clock
    loader.run(stop, every_s=3.0)
    assert loader.current is before
    assert loader.problem is not None
    assert "ledger.db is damaged" in loader.problem
    assert str(written.file.path.parent) not in loader.problem
    assert turns == [0.0, 4.0, 4.0]  # a turn took a second: four of rest


def test_a_block_that_came_while_something_else_could_not_be_read_is_shown_afterwards(
    written: Written, tmp_path: Path
) -> None:
    """`ibp ledger audit --json > audit.json`: the file is empty until the command ends."""
    audit = tmp_path / "audit.json"
    result = '{"block": 1, "compared": {}, "differences": []}'
    audit.write_text(result)
    loader = Loader(Places(written.file.url, audit=audit))
    before = loader.current
    written.go_on(_MORE)
    audit.write_text("")
    with pytest.raises(ConfigError, match="no audit result"):
        loader.refresh()
    assert loader.current is before
    audit.write_text(result)
    loader.refresh()
    assert loader.current.chain.head.number > before.chain.head.number


def test_a_database_without_blocks_is_refused(tmp_path: Path) -> None:
    empty = Written(tmp_path / "ledger.db")
    empty.store.close()
    with pytest.raises(ConfigError, match="no blocks yet"):
        Loader(Places(empty.file.url))


def test_two_ledgers_of_one_chain_are_refused(written: Written) -> None:
    with pytest.raises(ConfigError, match="two of the ledgers are of paseo"):
        Loader(Places(written.file.url, also=(written.file.url,)))


def test_no_request_waits_for_what_takes_long(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with the first snapshot nor with a later one."""
    loader = Loader(Places(written.file.url))
    before = loader.current
    written.go_on(_MORE)
    loader.refresh()

    def late(_: Snapshot) -> Never:
        raise AssertionError("a request would wait for this")

    for name in ("_summaries", "_paid_by_member"):
        monkeypatch.setattr(members, name, late)
    for name in ("_oracles", "_days"):
        monkeypatch.setattr(oracles, name, late)
    for snapshot in (before, loader.current):
        assert members.summaries(snapshot)
        assert oracles.oracles(snapshot).oracles
        oracles.days(snapshot)
