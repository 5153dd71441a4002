"""`ledger.check` finds whatever was changed behind the store's back, and names it."""

import random
from pathlib import Path

import pytest

from ibp_chain.errors import CheckFailed, ConfigError, InputError
from ledger.check import check
from ledger.migrations import migrate, plan
from ledger.store import DatabaseCorrupt, Store
from tests.support.ledgers import File, Place, tamper
from tests.unit.store.demo import demo, roots

_MIDDLE = "(SELECT number FROM block ORDER BY number LIMIT 1 OFFSET 20)"
DAMAGES: dict[str, tuple[str, str, *tuple[object, ...]]] = {
    "a state entry": (
        "are not those that were written",
        (
            "UPDATE state_entry SET value = ? WHERE key = "
            "(SELECT key FROM state_entry ORDER BY key DESC LIMIT 1)"
        ),
        b"\1",
    ),
    "a state entry's block": (
        "the state behind block",
        (
            "UPDATE state_entry SET changed_at = 1 WHERE key = "
            "(SELECT key FROM state_entry ORDER BY changed_at DESC LIMIT 1 OFFSET 5)"
        ),
    ),
    "a block's hash": (
        "block .* does not follow the one before it",
        f"UPDATE block SET hash = ? WHERE number = {_MIDDLE}",
        bytes(32),
    ),
    "the first block's parent": (
        "block 1 does not follow the genesis block",
        "UPDATE block SET parent_hash = ? WHERE number = 1",
        bytes(32),
    ),
    "a block is gone": (
        "does not follow the one before it|refers to one",
        f"DELETE FROM block WHERE number = {_MIDDLE}",
    ),
    "a runtime is gone": (
        "the metadata of spec version 1001002 is not there",
        "DELETE FROM runtime",
    ),
    "metadata": ("is not metadata", "UPDATE runtime SET zstd = ?", b"\1\2\3"),
    "a value of history": (
        "the state behind block .* is not the one written then",
        "UPDATE state_history SET value = ? WHERE since = (SELECT min(since) FROM state_history)",
        b"\1",
    ),
    "a row of history is gone": (
        "the state behind block",
        "DELETE FROM state_history WHERE since = (SELECT max(since) FROM state_history)",
    ),
    "the end of a value": (
        "the state behind block",
        (
            "UPDATE state_history SET until = until + 1 WHERE until = "
            "(SELECT min(until) FROM state_history)"
        ),
    ),
    "a block's checksum": (
        "the state behind block",
        f"UPDATE block_state SET checksum = ? WHERE number = {_MIDDLE}",
        bytes(32),
    ),
    "a block's clock": (
        "the state behind block",
        f"UPDATE block_state SET clock = clock + 1 WHERE number = {_MIDDLE}",
    ),
    "a block's state is gone": (
        "the state behind block .* is not there, as others are",
        f"DELETE FROM block_state WHERE number = {_MIDDLE}",
    ),
    "every block's state is gone": (
        "does not know the state behind any block",
        "DELETE FROM block_state",
    ),
    "a vote": ("vote has a row, contrary to the state", "UPDATE vote SET poll = poll + 100"),
    "a member is gone": (
        "member lacks a row, contrary to the state: ",
        "DELETE FROM member WHERE member = (SELECT max(member) FROM member)",
    ),
    "an amount": ("paid has a row", "UPDATE paid SET amount = amount || '0'"),
    "a name": ("member has a row", "UPDATE member SET name = 'Mallory'"),
    "a rejection's code": ("rejection has a row", "UPDATE rejection SET code = 'malformed'"),
    "a rejection is gone": ("rejection lacks a row", "DELETE FROM rejection"),
    "the head": ("of another block than", "UPDATE ledger_meta SET head = 1"),
    "a remark of no block": (
        "remark refers to one of block",
        "UPDATE remark SET block = block + 1000000",
    ),
}
ON_A_SERVER = ("a state entry", "a value of history", "a name", "a block's hash", "metadata")


def test_a_ledger_that_is_whole_is_said_so(replayed: Place) -> None:
    told: list[tuple[str, int, int]] = []
    whole = check(replayed.url, lambda *step: told.append(step))
    assert whole.root == roots()[-1]
    assert whole.head == demo().source.head()
    assert (whole.blocks, whole.history_since) == (len(demo().blocks), 1)
    assert [what for what, _, _ in told] == [
        "looking at the database",
        "comparing states",
        "comparing projections",
    ]


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_was_changed_is_found_and_named(ledger_file: Path, damage: str) -> None:
    words, statement, *values = DAMAGES[damage]
    place = File(ledger_file)
    if damage == "an amount":
        statement = "UPDATE paid SET amount = substr(amount, 2) || '0'"
    assert tamper(place, statement, *values)
    with pytest.raises(DatabaseCorrupt, match=words) as caught:
        check(place.url)
    assert place.name in str(caught.value)
    assert "restore a backup" in str(caught.value)


@pytest.mark.parametrize("damage", ON_A_SERVER)
def test_it_is_found_in_either_database(ledger: Place, damage: str) -> None:
    words, statement, *values = DAMAGES[damage]
    assert tamper(ledger, statement, *values)
    with pytest.raises(DatabaseCorrupt, match=words):
        check(ledger.url)


def test_a_value_of_another_type_is_found(ledger_file: Path) -> None:
    assert tamper(File(ledger_file), "UPDATE block SET timestamp_ms = 'yesterday' WHERE number = 1")
    with pytest.raises(CheckFailed, match=r"SQLite finds .*CHECK constraint failed in block"):
        check(File(ledger_file).url)


def test_flipped_bytes_of_the_file_are_found_or_hurt_nothing(ledger_file: Path) -> None:
    whole, chance, found = ledger_file.read_bytes(), random.Random(5), 0
    for _ in range(25):
        at = chance.randrange(4096, len(whole))
        ledger_file.write_bytes(whole[:at] + bytes((whole[at] ^ 0x55,)) + whole[at + 1 :])
        try:
            assert check(File(ledger_file).url).root == roots()[-1]
        except CheckFailed:
            found += 1
    assert found > 4


def test_a_ledger_without_blocks_has_nothing_to_check(fresh: Place) -> None:
    Store(fresh.url, demo().identity).close()
    with pytest.raises(InputError, match="has no blocks yet"):
        check(fresh.url)


def test_what_is_no_ledger_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no ledger"):
        check(File(tmp_path / "nothing.db").url)


def test_a_ledger_whose_history_begins_later_is_whole(ledger_file: Path) -> None:
    url = File(ledger_file).url
    for version in (2, 3):
        migrate(plan(url, version), url)
    whole = check(url)
    assert whole.root == roots()[-1]
    assert whole.history_since == demo().blocks[-1].header.number
