"""The state behind any block that was applied comes back, and damage to it is found."""

import json
import sys
from typing import Any

import pytest

from ibp_chain.cli import app
from ibp_chain.errors import ConfigError
from ibp_chain.types import BlockNumber
from ledger.indexer import replay_into
from ledger.state import State
from ledger.store import DatabaseCorrupt, Store
from tests.support.ledgers import Place, tamper
from tests.unit.store.demo import ARCHIVE, demo, roots


def numbers() -> list[BlockNumber]:
    return [block.header.number for block in demo().blocks]


def test_the_root_behind_every_block_is_that_of_a_replay_to_it(replayed: Place) -> None:
    with Store(replayed.url) as store:
        for number, root in zip(numbers(), roots()[1:], strict=True):
            assert store.load_state(number).root() == root


def test_the_whole_state_is_there_not_its_root_only(replayed: Place) -> None:
    half = len(demo().blocks) // 2
    state, _ = demo().replay(half)
    with Store(replayed.url) as store:
        past = store.load_state(numbers()[half - 1])
    assert past.entries() == state.entries()
    assert past.head.value == state.head.value
    demo().apply(past, demo().blocks[half])  # and it goes on from there
    assert past.root() == roots()[half + 1]


def test_a_height_that_the_chain_skipped_means_the_block_before_it(replayed: Place) -> None:
    skipped = next(at for at, number in enumerate(numbers()) if number != at + 1)
    with Store(replayed.url) as store:
        for number in (numbers()[skipped - 1] + 1, numbers()[skipped] - 1):
            assert store.load_state(BlockNumber(number)).root() == roots()[skipped]


def test_what_the_ledger_cannot_know_is_refused(ledger: Place, fresh: Place) -> None:
    with Store(ledger.url) as store:
        with pytest.raises(ConfigError, match=r"ends with block \d+: it cannot tell"):
            store.load_state(BlockNumber(numbers()[-1] + 1))
        with pytest.raises(ConfigError, match="has no block 0 and none before it"):
            store.load_state(BlockNumber(0))
    with (
        Store(fresh.url, demo().identity) as store,
        pytest.raises(ConfigError, match="has no blocks yet"),
    ):
        store.load_state(BlockNumber(1))


def test_looking_back_does_not_disturb_what_is_being_collected(fresh: Place) -> None:
    with Store(fresh.url, demo().identity) as store:
        state = store.load_state()
        for at, block in enumerate(demo().blocks[:40]):
            store.collect(state, demo().apply(state, block))
            if at == 10:
                store.commit()
            if at > 10:
                assert store.load_state(numbers()[10]).root() == roots()[11]
        store.commit()
        assert store.load_state().root() == roots()[40]


def test_a_value_is_kept_once_from_the_block_that_wrote_it_to_the_one_that_changed_it(
    replayed: Place,
) -> None:
    wanted, now = set(), dict[bytes, tuple[int, bytes]]()
    state = State(demo().replay(0)[0].network, demo().identity.expected_origin)
    for block in demo().blocks:
        number = block.header.number
        demo().apply(state, block)
        entries = dict(state.entries())
        for key in now.keys() | entries.keys():
            since, value = now.get(key, (0, None))
            if entries.get(key) == value:
                continue
            if value is not None and key != state.head.raw_key():
                wanted.add((key, since, number, value))
            if key in entries:
                now[key] = number, entries[key]
            else:
                del now[key]
    found = replayed.rows("state_history")
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert {row[0] for row in replayed.rows("block_state")} == set(numbers())


DAMAGES: dict[str, tuple[str, *tuple[bytes, ...]]] = {
    "a value is another": ("UPDATE state_history SET value = ?", b"\0"),
    "history is gone": ("DELETE FROM state_history",),
    "a value was had longer": ("UPDATE state_history SET until = until + 1",),
    "the checksum is another": ("UPDATE block_state SET checksum = ?", bytes(32)),
    "the clock is another": ("UPDATE block_state SET clock = clock + 1",),
    "the block is another": ("UPDATE block SET hash = ?", bytes(32)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_past_is_found(ledger: Place, damage: tuple[str, *tuple[bytes, ...]]) -> None:
    assert tamper(ledger, *damage)
    found = 0
    with Store(ledger.url) as store:
        for number, root in zip(numbers(), roots()[1:], strict=True):
            try:
                assert store.load_state(number).root() == root
            except DatabaseCorrupt as error:
                assert "not those that were written" in str(error)  # noqa: PT017  (either way)
                found += 1
    assert found


def test_a_damaged_present_is_found_from_the_past_that_shares_it(ledger: Place) -> None:
    (first, *_), *_ = ledger.rows("state_entry")
    assert tamper(ledger, "UPDATE state_entry SET value = ? WHERE key = ?", b"\0", first)
    with Store(ledger.url) as store, pytest.raises(DatabaseCorrupt):
        store.load_state(numbers()[-2])


def test_a_store_that_is_behind_tells_its_own_past(fresh: Place) -> None:
    with Store(fresh.url, demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of, last=numbers()[19], batch=7)
        assert store.load_state(numbers()[12]).root() == roots()[13]


# --- The command line -----------------------------------------------------------------


@pytest.mark.parametrize("command", ["state-root", "scores", "payouts"])
def test_a_database_answers_as_of_a_block_as_an_archive_does(
    replayed: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    def asked(*source: str) -> Any:
        arguments = ["ibp", "ledger", command, *source, "--at", str(numbers()[30]), "--json"]
        monkeypatch.setattr(sys, "argv", arguments)
        try:
            app.main()
        except SystemExit as ended:
            assert not ended.code  # noqa: PT017  (which a command may or may not raise)
        return json.loads(capsys.readouterr().out)

    assert asked("--db", replayed.url) == asked("--archive", str(ARCHIVE))
