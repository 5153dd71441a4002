"""A database that no longer holds what was written says so when its state is asked for."""

import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ibp_chain.cli import app
from ibp_chain.errors import CheckFailed, IbpError
from ibp_chain.types import BlockNumber
from ledger.indexer import replay_into
from ledger.store import DatabaseCorrupt, DatabaseError, Store
from tests.unit.store.demo import demo, dump, roots, rows, tamper, url


def load(path: Path) -> None:
    with Store(url(path)) as store:
        store.load_state()


def test_any_changed_byte_of_any_state_entry_is_found(ledger: Path) -> None:
    chance = random.Random(1)
    with closing(sqlite3.connect(ledger)) as other, Store(url(ledger)) as store:
        for key, value, _ in rows(ledger, "state_entry"):
            at = chance.randrange(len(value)) if value else 0
            damaged = value[:at] + bytes((value[at] ^ 1 << chance.randrange(8),)) + value[at + 1 :]
            with other:
                other.execute("UPDATE state_entry SET value = ? WHERE key = ?", (damaged, key))
            with pytest.raises(DatabaseCorrupt, match="its state entries are not those"):
                store.load_state()
            with other:
                other.execute("UPDATE state_entry SET value = ? WHERE key = ?", (value, key))
        assert store.load_state().root() == roots()[-1]


DAMAGES = {
    "a row is gone": "DELETE FROM state_entry WHERE key = (SELECT max(key) FROM state_entry)",
    "all rows are gone": "DELETE FROM state_entry",
    "a row too many": "INSERT INTO state_entry VALUES (x'00', x'00', 1)",
    "a key is longer": "UPDATE state_entry SET key = CAST(key || x'00' AS BLOB) "
    "WHERE key = (SELECT max(key) FROM state_entry)",
    "a value is cut": "UPDATE state_entry SET value = CAST(substr(value, 2) AS BLOB)",
    "a value is text": "UPDATE state_entry SET value = 'text'",
    "a value is a number": "UPDATE state_entry SET value = 5",
    "values are exchanged": "UPDATE state_entry SET value = (SELECT max(value) FROM state_entry)",
    "the checksum is another": "UPDATE ledger_meta SET state_checksum = zeroblob(32)",
}


@pytest.mark.parametrize("sql", DAMAGES.values(), ids=DAMAGES)
def test_damaged_state_entries_are_found(ledger: Path, sql: str) -> None:
    assert tamper(ledger, sql)
    with pytest.raises(DatabaseCorrupt, match="its state entries are not those") as caught:
        load(ledger)
    assert str(ledger) in str(caught.value)
    assert "replay into a new file" in str(caught.value)
    assert isinstance(caught.value, CheckFailed)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE block SET hash = zeroblob(32) WHERE number = (SELECT head FROM ledger_meta)",
        "UPDATE ledger_meta SET head = 1",
        "UPDATE ledger_meta SET head = NULL",
        "DELETE FROM block",
    ],
)
def test_a_head_that_is_not_the_states_is_found(ledger: Path, sql: str) -> None:
    assert tamper(ledger, sql)
    with pytest.raises(DatabaseCorrupt, match="of another block than"):
        load(ledger)


def test_a_damaged_ledger_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Store(url(path), demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of, last=BlockNumber(20))
    tamper(path, DAMAGES["a row is gone"])
    before = dump(path)
    with Store(url(path), demo().identity) as store, pytest.raises(DatabaseCorrupt):
        replay_into(store, demo().source, demo().runtime_of)
    assert dump(path) == before


def test_damage_under_a_writer_is_found_later_even_where_it_was_written_over(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    with Store(url(path), demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of, last=BlockNumber(20))
        state = store.load_state()
        head = state.head.raw_key()  # which every block writes
        assert tamper(path, "UPDATE state_entry SET value = x'00' WHERE key = ?", head)
        store.apply(state, demo().apply(state, demo().blocks[20]))
        assert state.root() == roots()[21]
    with pytest.raises(DatabaseCorrupt):
        load(path)


def test_damaged_metadata_is_found(ledger: Path) -> None:
    (version,) = {block.spec_version for block in demo().blocks}
    (_, _, packed), *_ = rows(ledger, "runtime")
    for damaged in (packed[:-40], packed[:900] + b"\xff\xff" + packed[902:], b"", b"meta"):
        tamper(ledger, "UPDATE runtime SET zstd = ?", damaged)
        with (
            Store(url(ledger)) as store,
            pytest.raises(DatabaseCorrupt, match=f"metadata of spec version {version}"),
        ):
            store.metadata(version)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_page_is_never_taken_for_the_state(ledger: Path, seed: int) -> None:
    """Either the damage is nowhere in the state, or a clear error says that there is some."""
    chance, content = random.Random(seed), bytearray(ledger.read_bytes())
    at = chance.randrange(100, len(content) - 512)
    content[at : at + 512] = chance.randbytes(512)
    ledger.write_bytes(content)
    try:
        with Store(url(ledger)) as store:
            root = store.load_state().root()
    except IbpError as error:
        assert str(ledger) in str(error)  # noqa: PT017  # it may as well not be raised
    else:
        assert root == roots()[-1]


def test_a_damaged_schema_is_refused_even_where_sqlite_cannot_say_it_in_utf_8(
    ledger: Path,
) -> None:
    with closing(sqlite3.connect(ledger)) as other, other:
        other.execute("PRAGMA writable_schema = ON")
        other.execute(
            "UPDATE sqlite_master SET sql = CAST(? AS TEXT) WHERE name = 'block'",
            (b"CREATE TABLE block (number \xff\xfe, \xa5)) \x9a",),
        )
    with pytest.raises(DatabaseError, match="malformed"):
        load(ledger)


def test_a_truncated_file_is_refused(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 2])
    with pytest.raises(IbpError, match=r"ledger\.db"):
        load(ledger)


def test_the_command_line_ends_with_1(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(ledger, DAMAGES["values are exchanged"])
    monkeypatch.setattr(sys, "argv", ["ibp", "ledger", "state-root", "--db", url(ledger)])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 1
    assert "is damaged" in capsys.readouterr().err


# --- The tables' own constraints ----------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE vote SET aye = 5 WHERE aye IS NOT NULL",
        "UPDATE vote SET aye = '-' || substr(aye, 2) WHERE aye IS NOT NULL",
        "UPDATE vote SET aye = NULL WHERE kind = 'aye'",
        "UPDATE vote SET kind = 'perhaps'",
        "UPDATE vote SET conviction = 'locked7x'",
        "UPDATE vote SET poll = -1",
        "UPDATE block SET extrinsics = 'many'",
        "UPDATE block SET extrinsics = 1.5",
        "UPDATE vote SET account = x'00'",
        "UPDATE vote SET account = '01234567890123456789012345678901'",
        "UPDATE state_entry SET value = NULL",
        "UPDATE state_entry SET value = 'text'",
        "UPDATE poll SET ended_at = NULL WHERE status <> 'ongoing'",
        "UPDATE multisig_operation SET closed_by = NULL WHERE status = 'executed'",
        "UPDATE multisig_operation SET threshold = 1",
        "INSERT INTO programme SELECT 2, name, rules, multisig, threshold, quorum FROM programme",
        "INSERT INTO block SELECT * FROM block",
    ],
)
def test_wrong_rows_are_refused_by_the_database_itself(ledger: Path, sql: str) -> None:
    with (
        closing(sqlite3.connect(ledger)) as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute(sql)
