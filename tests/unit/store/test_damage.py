"""A database that no longer holds what was written says so when its state is asked for."""

import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from ibp_chain.cli import app
from ibp_chain.errors import CheckFailed, IbpError
from ibp_chain.types import BlockNumber
from ledger.indexer import replay_into
from ledger.store import DatabaseCorrupt, DatabaseError, Store
from tests.support.ledgers import Databases, File, Place, dump, tamper
from tests.support.postgres import Postgres
from tests.unit.store.demo import demo, roots


def load(place: Place) -> None:
    with Store(place.url) as store:
        store.load_state()


def test_any_changed_byte_of_any_state_entry_is_found(ledger: Place) -> None:
    chance, put = random.Random(1), "UPDATE state_entry SET value = ? WHERE key = ?"
    with ledger.editing() as execute, Store(ledger.url) as store:
        for key, value, _ in ledger.rows("state_entry"):
            at = chance.randrange(len(value)) if value else 0
            damaged = value[:at] + bytes((value[at] ^ 1 << chance.randrange(8),)) + value[at + 1 :]
            execute(put, damaged, key)
            with pytest.raises(DatabaseCorrupt, match="its state entries are not those"):
                store.load_state()
            execute(put, value, key)
        assert store.load_state().root() == roots()[-1]


_LAST = "key = (SELECT key FROM state_entry ORDER BY key DESC LIMIT 1)"
DAMAGES: dict[str, tuple[str, *tuple[bytes, ...]]] = {
    "a row is gone": (f"DELETE FROM state_entry WHERE {_LAST}",),
    "all rows are gone": ("DELETE FROM state_entry",),
    "a row too many": ("INSERT INTO state_entry VALUES (?, ?, 1)", b"\0", b"\0"),
    "a key is another": (f"UPDATE state_entry SET key = ? WHERE {_LAST}", bytes(40)),
    "a value is cut": ("UPDATE state_entry SET value = ?", b"\1"),
    "values are exchanged": (
        "UPDATE state_entry SET value = (SELECT value FROM state_entry ORDER BY key LIMIT 1)",
    ),
    "the checksum is another": ("UPDATE ledger_meta SET state_checksum = ?", bytes(32)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_state_entries_are_found(
    ledger: Place, damage: tuple[str, *tuple[bytes, ...]]
) -> None:
    assert tamper(ledger, *damage)
    with pytest.raises(DatabaseCorrupt, match="its state entries are not those") as caught:
        load(ledger)
    assert ledger.name in str(caught.value)
    assert "replay into a new" in str(caught.value)
    assert isinstance(caught.value, CheckFailed)


@pytest.mark.parametrize("value", ["'text'", "5"])
def test_values_of_another_type_which_sqlite_stores_are_found(
    ledger_file: Path, value: str
) -> None:
    assert tamper(File(ledger_file), f"UPDATE state_entry SET value = {value}")
    with pytest.raises(DatabaseCorrupt, match="its state entries are not those"):
        load(File(ledger_file))


@pytest.mark.parametrize(
    "damage",
    [
        (
            "UPDATE block SET hash = ? WHERE number = (SELECT head FROM ledger_meta)",
            bytes(32),
        ),
        ("UPDATE ledger_meta SET head = 1",),
        ("UPDATE ledger_meta SET head = NULL",),
        ("DELETE FROM block",),
    ],
)
def test_a_head_that_is_not_the_states_is_found(
    ledger: Place, damage: tuple[str, *tuple[bytes, ...]]
) -> None:
    assert tamper(ledger, *damage)
    with pytest.raises(DatabaseCorrupt, match="of another block than"):
        load(ledger)


def test_a_damaged_ledger_is_not_continued(fresh: Place) -> None:
    with Store(fresh.url, demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of, last=BlockNumber(20))
    tamper(fresh, *DAMAGES["a row is gone"])
    before = dump(fresh)
    with Store(fresh.url, demo().identity) as store, pytest.raises(DatabaseCorrupt):
        replay_into(store, demo().source, demo().runtime_of)
    assert dump(fresh) == before


def test_damage_under_a_writer_is_found_later_even_where_it_was_written_over(
    fresh: Place,
) -> None:
    with Store(fresh.url, demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of, last=BlockNumber(20))
        state = store.load_state()
        head = state.head.raw_key()  # which every block writes
        assert tamper(fresh, "UPDATE state_entry SET value = ? WHERE key = ?", b"\0", head)
        store.apply(state, demo().apply(state, demo().blocks[20]))
        assert state.root() == roots()[21]
    with pytest.raises(DatabaseCorrupt):
        load(fresh)


def test_damaged_metadata_is_found(ledger: Place) -> None:
    (version,) = {block.spec_version for block in demo().blocks}
    (_, _, packed), *_ = ledger.rows("runtime")
    for damaged in (packed[:-40], packed[:900] + b"\xff\xff" + packed[902:], b"", b"meta"):
        tamper(ledger, "UPDATE runtime SET zstd = ?", damaged)
        with (
            Store(ledger.url) as store,
            pytest.raises(DatabaseCorrupt, match=f"metadata of spec version {version}"),
        ):
            store.metadata(version)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_page_is_never_taken_for_the_state(ledger_file: Path, seed: int) -> None:
    """Either the damage is nowhere in the state, or a clear error says that there is some."""
    chance, content = random.Random(seed), bytearray(ledger_file.read_bytes())
    at = chance.randrange(100, len(content) - 512)
    content[at : at + 512] = chance.randbytes(512)
    ledger_file.write_bytes(content)
    try:
        with Store(File(ledger_file).url) as store:
            root = store.load_state().root()
    except IbpError as error:
        assert str(ledger_file) in str(error)  # noqa: PT017  # it may as well not be raised
    else:
        assert root == roots()[-1]


def test_a_damaged_schema_is_refused_even_where_sqlite_cannot_say_it_in_utf_8(
    ledger_file: Path,
) -> None:
    with closing(sqlite3.connect(ledger_file)) as other, other:
        other.execute("PRAGMA writable_schema = ON")
        other.execute(
            "UPDATE sqlite_master SET sql = CAST(? AS TEXT) WHERE name = 'block'",
            (b"CREATE TABLE block (number \xff\xfe, \xa5)) \x9a",),
        )
    with pytest.raises(DatabaseError, match="malformed"):
        load(File(ledger_file))


def test_a_truncated_file_is_refused(ledger_file: Path) -> None:
    ledger_file.write_bytes(ledger_file.read_bytes()[: ledger_file.stat().st_size // 2])
    with pytest.raises(IbpError, match=r"ledger\.db"):
        load(File(ledger_file))


def test_the_command_line_ends_with_1(
    ledger: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(ledger, *DAMAGES["values are exchanged"])
    monkeypatch.setattr(sys, "argv", ["ibp", "ledger", "state-root", "--db", ledger.url])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 1
    assert "is damaged" in capsys.readouterr().err


# --- The tables' own constraints ----------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE vote SET aye = -1 WHERE aye IS NOT NULL",
        "UPDATE vote SET aye = NULL WHERE kind = 'aye'",
        "UPDATE vote SET kind = 'perhaps'",
        "UPDATE vote SET conviction = 'locked7x'",
        "UPDATE vote SET poll = -1",
        "UPDATE vote SET account = substr(account, 2)",
        "UPDATE state_entry SET value = NULL",
        "UPDATE poll SET ended_at = NULL WHERE status <> 'ongoing'",
        "UPDATE multisig_operation SET closed_by = NULL WHERE status = 'executed'",
        "UPDATE multisig_operation SET threshold = 1",
        "INSERT INTO programme SELECT 2, name, rules, multisig, threshold, quorum FROM programme",
        "INSERT INTO block SELECT * FROM block",
        "UPDATE block_state SET clock = -1",
        "UPDATE block_state SET checksum = substr(checksum, 2)",
        "UPDATE state_history SET until = since",
        "INSERT INTO state_history SELECT * FROM state_history",
        "UPDATE remark SET day = '26-3-7' WHERE day IS NOT NULL",
        "UPDATE closing SET day = 'today'",
    ],
)
def test_wrong_rows_are_refused_by_the_database_itself(ledger: Place, sql: str) -> None:
    with (
        pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)),
        ledger.asking() as execute,
    ):
        execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_meta SET head = 7777777",
        "DELETE FROM block WHERE number = 1",
        "UPDATE block_state SET number = number + 7777777",
        "UPDATE state_history SET until = 7777777",
        "UPDATE remark SET block = block + 7777777",
        "DELETE FROM multisig_operation",
        "DELETE FROM closing",
    ],
)
def test_rows_of_what_is_not_there_are_refused_by_the_database_itself(
    ledger: Place, sql: str
) -> None:
    with (
        pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match=r"(?i)foreign key"),
        ledger.asking() as execute,
    ):
        execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE vote SET aye = 5 WHERE aye IS NOT NULL",
        "UPDATE vote SET aye = '-' || substr(aye, 2) WHERE aye IS NOT NULL",
        "UPDATE block SET extrinsics = 'many'",
        "UPDATE block SET extrinsics = 1.5",
        "UPDATE vote SET account = '01234567890123456789012345678901'",
        "UPDATE state_entry SET value = 'text'",
    ],
)
def test_values_of_another_type_are_refused_by_sqlite_too(ledger_file: Path, sql: str) -> None:
    with pytest.raises(sqlite3.IntegrityError), File(ledger_file).asking() as execute:
        execute(sql)


@pytest.mark.parametrize("amount", ["340282366920938463463374607431768211456", "'NaN'", "1e39"])
def test_planck_beyond_a_u128_is_refused_by_postgresql_too(
    postgres_server: Postgres, amount: str
) -> None:
    place = Databases(postgres_server).new()
    Store(place.url, demo().identity).close()
    with pytest.raises(psycopg.Error), place.asking() as execute:
        execute(f"INSERT INTO class_lock VALUES (?, 0, {amount})", bytes(32))
