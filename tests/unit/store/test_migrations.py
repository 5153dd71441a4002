"""A ledger comes to another version of the tables with every row, or stays as it was."""

import io
import re
import sqlite3
import sys
from contextlib import closing
from typing import Any

import pytest

from ibp_chain.blocks import BlockRef, blake2_256
from ibp_chain.cli import app
from ibp_chain.errors import ConfigError
from ibp_chain.types import (
    AccountId,
    BlockNumber,
    Hash,
    Planck,
    PollIndex,
    RelayBlockNumber,
    SpecVersion,
    TrackId,
    Votes,
)
from ledger.indexer import replay_into
from ledger.migrations import create, migrate, plan
from ledger.pallets.conviction_voting.types import (
    Casting,
    Conviction,
    Delegations,
    PriorLock,
    Standard,
)
from ledger.replay import BlockReport
from ledger.state import Head, entry_leaf
from ledger.store import DatabaseCorrupt, DatabaseError, Store
from ledger.store_open import open_database
from ledger.tables import SCHEMA_VERSION
from tests.support.ledgers import File, Ledgers, Place, dump, tamper
from tests.unit.store.demo import demo, roots

NOBODY = Delegations(Votes(0), Planck(0))
NOTHING = PriorLock(RelayBlockNumber(0), Planck(0))
NEW_IN_3 = {"block_state", "state_history"}
NEW_IN_2 = {"closing", "closing_commitment", "closing_member", "remark"}


def to(place: Place, version: int) -> None:
    migrate(plan(place.url, version), place.url)


def version(place: Place) -> int:
    ((_, found, *_),) = place.rows("ledger_meta")
    assert isinstance(found, int)
    return found


def without(tables: dict[str, list[Any]], *left_out: str) -> dict[str, list[Any]]:
    """Of the one row in `ledger_meta`, all but the version."""
    found = {name: rows for name, rows in tables.items() if name not in left_out}
    found["ledger_meta"] = [(*row[:1], *row[2:]) for row in found["ledger_meta"]]
    return found


@pytest.fixture
def governance(fresh: Place) -> Place:
    """Blocks with votes and without a programme, in version 1: what its program could leave."""
    who, parent = AccountId(b"\1" * 32), demo().identity.genesis_hash
    with Store(fresh.url, demo().identity) as store:
        state, nothing = store.load_state(), ()
        for number in range(1, 6):
            vote = Standard(True, Conviction.LOCKED_1X, Planck(10**30 + number))
            casting = Casting(((PollIndex(number), vote),), NOBODY, NOTHING)
            key = who, TrackId(number % 2)
            state.mirrors.conviction_voting.voting_for.insert(key, casting)
            ref = BlockRef(BlockNumber(number), Hash(bytes((number,)) * 32))
            state.head.put(Head(ref.number, ref.hash, RelayBlockNumber(70_000 + number)))
            report = BlockReport(
                ref, parent, SpecVersion(1), 5, 2, nothing, nothing, nothing, False, nothing
            )
            store.apply(state, report)
            parent = ref.hash
    to(fresh, 1)
    return fresh


# --- Up and down --------------------------------------------------------------------------


def test_a_ledger_of_version_1_comes_up_with_every_row_and_its_state(governance: Place) -> None:
    before = dump(governance)
    assert len(before["vote"]) == 2
    assert not (NEW_IN_2 | NEW_IN_3) & set(before)
    to(governance, SCHEMA_VERSION)
    after = dump(governance)
    assert without(after, *NEW_IN_2, *NEW_IN_3) == without(before)
    assert [after[name] for name in sorted(NEW_IN_2)] == [[]] * 4
    with Store(governance.url, demo().identity) as store:
        state = store.load_state()
        assert state.head.value == (5, b"\5" * 32, 70_005)
        assert store.load_state(BlockNumber(5)).root() == state.root()


def test_each_version_can_be_left_and_come_back_to(governance: Place) -> None:
    before = dump(governance)
    for target in (2, 3, 2, 1, 3, 1):
        to(governance, target)
        assert version(governance) == target
    assert dump(governance) == before


def test_the_recording_goes_down_and_comes_up_and_loses_its_history_only(ledger: Place) -> None:
    before, last = dump(ledger), ledger.rows("block_state")[-1]
    to(ledger, 2)
    assert without(dump(ledger)) == without(before, *NEW_IN_3)
    to(ledger, 3)
    assert without(dump(ledger), *NEW_IN_3) == without(before, *NEW_IN_3)
    assert ledger.rows("block_state") == [last]
    with Store(ledger.url) as store:
        assert store.load_state().root() == roots()[-1]
        with pytest.raises(ConfigError, match="does not know the state at block 1"):
            store.load_state(BlockNumber(1))


def test_history_goes_on_from_where_a_ledger_was_migrated(fresh: Place) -> None:
    half = 30
    with Store(fresh.url, demo().identity) as store:
        last = demo().blocks[half - 1].header.number
        replay_into(store, demo().source, demo().runtime_of, last=last)
    to(fresh, 2)
    to(fresh, 3)
    with Store(fresh.url, demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of)
        for done in range(half, len(demo().blocks) + 1):
            at = demo().blocks[done - 1].header.number
            assert store.load_state(at).root() == roots()[done]
        with pytest.raises(ConfigError, match="does not know the state"):
            store.load_state(demo().blocks[half - 2].header.number)


def test_an_empty_ledger_is_migrated_too(fresh: Place) -> None:
    Store(fresh.url, demo().identity).close()
    before = dump(fresh)
    to(fresh, 1)
    to(fresh, 3)
    assert dump(fresh) == before


def schema(place: Place) -> object:
    """What the database knows of the tables, the order of constraints aside."""
    if isinstance(place, File):
        with closing(sqlite3.connect(place.path)) as connection:
            made = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        return {
            (kind, name): sorted(
                line.strip().removesuffix(",").replace('"', "")
                for line in (sql or "").splitlines()
                if line.strip()
            )
            for kind, name, sql in made
        }
    with open_database(place.url, write=False) as database, database.engine.connect() as connection:
        columns = connection.exec_driver_sql(
            "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, "
            "numeric_precision FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
        constraints = connection.exec_driver_sql(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace"
        ).fetchall()
        indexes = connection.exec_driver_sql(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        ).fetchall()
    return sorted(map(tuple, columns)), sorted(map(tuple, constraints)), sorted(map(tuple, indexes))


def test_a_migrated_ledger_has_the_very_tables_of_a_new_one(ledgers: Ledgers, fresh: Place) -> None:
    """And so a change of a table, or of an enum that one lists, cannot go without a migration."""
    new = ledgers.new()
    Store(new.url, demo().identity).close()
    with open_database(fresh.url, write=True) as database, database.transaction() as connection:
        create(connection, SCHEMA_VERSION)
    assert schema(fresh) == schema(new)
    to(new, 1)
    to(new, SCHEMA_VERSION)
    assert schema(new) == schema(fresh)
    ledgers.drop(new)


# --- Refused ------------------------------------------------------------------------------


def test_a_programme_is_not_carried_between_the_rules_of_versions_1_and_2(ledger: Place) -> None:
    before = dump(ledger)
    with pytest.raises(
        ConfigError, match=r"stays as it is: .* replay the blocks into a new database"
    ):
        to(ledger, 1)
    assert dump(ledger) == before
    tamper(ledger, "UPDATE ledger_meta SET schema_version = 1")  # had it had one, going up
    before = dump(ledger)
    with pytest.raises(
        ConfigError, match=r"stays as it is: .* replay the blocks into a new database"
    ):
        to(ledger, 2)
    assert dump(ledger) == before


def with_an_unknown_item(place: Place) -> None:
    """As another version of the program would have left it: an entry more, and the checksum."""
    entry = b"\7" * 32, b"\1"
    leaf = int.from_bytes(blake2_256(entry_leaf(*entry)), "big")
    ((*_, checksum),) = place.rows("ledger_meta")
    total = (int.from_bytes(checksum, "big") + leaf) % 2**256
    tamper(place, "INSERT INTO state_entry VALUES (?, ?, 1)", *entry)
    tamper(place, "UPDATE ledger_meta SET state_checksum = ?", total.to_bytes(32, "big"))


def test_a_state_that_this_program_cannot_read_is_refused_and_not_migrated(ledger: Place) -> None:
    with_an_unknown_item(ledger)
    with Store(ledger.url) as store, pytest.raises(ConfigError, match="written by another version"):
        store.load_state()
    to(ledger, 2)  # what the older program makes of it is its own business
    before = dump(ledger)
    with pytest.raises(ConfigError, match=r"stays as it is: .* belongs to no item"):
        to(ledger, 3)
    assert dump(ledger) == before


def test_a_damaged_ledger_is_not_migrated(governance: Place) -> None:
    tamper(governance, "UPDATE state_entry SET value = ?", b"\0")
    before = dump(governance)
    with pytest.raises(DatabaseCorrupt, match="not those that were written"):
        to(governance, 3)
    assert dump(governance) == before


def test_rows_that_the_new_tables_refuse_end_the_migration_with_nothing_changed(
    ledger: Place,
) -> None:
    to(ledger, 2)
    assert tamper(ledger, "UPDATE remark SET day = 'today' WHERE day IS NOT NULL")
    before = dump(ledger)
    with pytest.raises(DatabaseError, match=r"(?i)check constraint"):
        to(ledger, 3)
    assert dump(ledger) == before


def test_a_newer_ledger_and_unknown_versions_are_refused(ledger: Place) -> None:
    with pytest.raises(ConfigError, match="there is no schema version 9"):
        plan(ledger.url, 9)
    with pytest.raises(ConfigError, match="there is no schema version 0"):
        plan(ledger.url, 0)
    tamper(ledger, "UPDATE ledger_meta SET schema_version = 99")
    before = dump(ledger)
    with pytest.raises(ConfigError, match="upgrade the program"):
        plan(ledger.url)
    assert dump(ledger) == before


def test_a_plan_that_is_out_of_date_is_not_carried_out(governance: Place) -> None:
    old = plan(governance.url)
    to(governance, 2)
    with pytest.raises(ConfigError, match="has changed in the meantime"):
        migrate(old, governance.url)
    assert version(governance) == 2


def test_nothing_is_migrated_under_a_writer(ledger: Place) -> None:
    planned = plan(ledger.url, 2)
    with (
        Store(ledger.url, demo().identity),
        pytest.raises(DatabaseError, match="is writing this ledger already"),
    ):
        migrate(planned, ledger.url)
    assert version(ledger) == SCHEMA_VERSION


def test_what_is_no_ledger_is_not_migrated(fresh: Place) -> None:
    with fresh.asking() as execute:
        execute("CREATE TABLE wallet (secret TEXT, other TEXT)")
    with pytest.raises(ConfigError, match="is no ledger"):
        plan(fresh.url)
    assert fresh.tables() == ["wallet"]


# --- The command --------------------------------------------------------------------------


@pytest.fixture
def ibp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str, answer: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["ibp", "ledger", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{answer}\n"))
        with pytest.raises(SystemExit) as ended:
            app.main()
        said = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), re.sub(r"\s+", " ", said.out + said.err)

    return run


def test_an_older_ledger_says_what_to_run_and_that_asks_first(governance: Place, ibp: Any) -> None:
    before = dump(governance)
    code, said = ibp("state-root", "--db", governance.url)
    assert code == 2
    assert "schema version 1, this program writes 3: bring it up with `ibp ledger migrate" in said
    code, said = ibp("migrate", "--db", governance.url, answer="n")
    assert code == 2
    assert "version 2: what each day was closed with" in said
    assert "version 3: the state behind every block" in said
    assert "nothing was changed" in said
    assert dump(governance) == before
    code, said = ibp("migrate", "--db", governance.url, answer="y")
    assert code == 0, said
    assert version(governance) == 3
    code, said = ibp("migrate", "--db", governance.url)
    assert (code, "has schema version 3 already" in said) == (0, True)


def test_agreeing_in_advance_and_going_down(ledger: Place, ibp: Any) -> None:
    code, said = ibp("migrate", "--db", ledger.url, "--to", "2", "--yes")
    assert code == 0, said
    assert "down" in said
    assert version(ledger) == 2


def test_a_newer_ledger_says_that_the_program_is_to_be_upgraded(ledger: Place, ibp: Any) -> None:
    tamper(ledger, "UPDATE ledger_meta SET schema_version = 99")
    for command in ("state-root", "migrate"):
        code, said = ibp(command, "--db", ledger.url)
        assert code == 2
        assert "upgrade the program" in said
