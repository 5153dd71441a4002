"""What only a server can do to a ledger: not answer, let nobody in, go away, hold several."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from ibp_chain.cli import app
from ibp_chain.errors import ConfigError
from ibp_chain.types import BlockNumber
from ledger.indexer import replay_into
from ledger.pallets.membership import MemberRecord, MemberStatus
from ledger.store import DatabaseError, Store
from tests.support.ledgers import Databases, InServer, dump
from tests.support.patience import until
from tests.support.postgres import GUARDED, Postgres
from tests.unit.store.demo import Listed, demo, roots

HERE = Path(__file__).parents[3]


@pytest.fixture
def place(postgres_server: Postgres) -> Iterator[InServer]:
    databases = Databases(postgres_server)
    place = databases.new()
    yield place
    databases.drop(place)


def reads(url: str) -> None:
    Store(url).close()


def writes(url: str) -> None:
    Store(url, demo().identity).close()


# --- Doors that stay shut -----------------------------------------------------------------


@pytest.mark.parametrize("opens", [reads, writes])
def test_a_server_that_is_not_there_is_said_so(tmp_path: Path, opens: type) -> None:
    for host in (quote(str(tmp_path)), "127.0.0.1&port=1"):
        with pytest.raises(DatabaseError, match=r"postgresql://me@/ledger: .*connection"):
            opens(f"postgresql://me@/ledger?host={host}")


@pytest.mark.parametrize("opens", [reads, writes])
def test_a_wrong_password_is_said_so_and_never_shown(place: InServer, opens: type) -> None:
    with place.server.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS guarded")
        connection.execute("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'right'")
    here = f"@/{place.database}?host={quote(str(place.server.folder))}"
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        opens(f"postgresql://{GUARDED}:wrong-one{here}")
    assert "wrong-one" not in str(caught.value)
    writes(f"postgresql://{GUARDED}:right{here}")
    with Store(f"postgresql://{GUARDED}:right{here}") as store:
        assert "right" not in store.name


@pytest.mark.parametrize("opens", [reads, writes])
def test_a_database_that_is_not_there_is_said_so(place: InServer, opens: type) -> None:
    with pytest.raises(DatabaseError, match='database "nowhere" does not exist'):
        opens(place.server.url("nowhere"))


@pytest.mark.parametrize("opens", [reads, writes])
def test_somebody_elses_database_is_refused_and_left_alone(place: InServer, opens: type) -> None:
    place.server.execute(place.database, "CREATE TABLE wallet (secret TEXT, other TEXT)")
    with pytest.raises(ConfigError, match="is no ledger"):
        opens(place.url)
    assert place.tables() == ["wallet"]


def test_who_may_not_read_or_write_is_told_so(place: InServer) -> None:
    writes(place.url)
    with place.server.connect(place.database) as connection:
        connection.execute("DROP ROLE IF EXISTS stranger")
        connection.execute("CREATE ROLE stranger LOGIN")
    stranger = place.server.url(place.database, "stranger")
    for opens in (reads, writes):
        with pytest.raises(DatabaseError, match="permission denied for table ledger_meta"):
            opens(stranger)
    with pytest.raises(DatabaseError, match="permission denied for database"):
        writes(f"{stranger}&schema=mine")
    with place.server.connect(place.database) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger")
    with Store(stranger) as store:
        assert store.load_state().head.value is None
    with Store(stranger, demo().identity) as store:
        state = store.load_state()
        with pytest.raises(DatabaseError, match="permission denied"):
            store.apply(state, demo().apply(state, demo().blocks[0]))
    with place.server.connect(place.database) as connection:
        connection.execute("DROP OWNED BY stranger")
        connection.execute("DROP ROLE stranger")


def test_reading_makes_no_ledger(place: InServer) -> None:
    for url in (place.url, f"{place.url}&schema=paseo"):
        with pytest.raises(ConfigError, match="is no ledger"):
            reads(url)
    assert place.tables() == []


def test_the_command_line_says_it_in_one_line_and_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"postgresql://me:secret@/ledger?host={quote(str(tmp_path))}"
    monkeypatch.setattr(sys, "argv", ["ibp", "ledger", "state-root", "--db", database])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Is the server running" in line
    assert "secret" not in line


# --- One writer ---------------------------------------------------------------------------

HOLDS = """
import sys, time
from ledger.store import Store
from tests.unit.store.demo import demo
store = Store(sys.argv[1], demo().identity)
print("holds", flush=True)
time.sleep(600)
"""


HELD = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""Writers of one database; killed ones of others may not be gone yet."""


def test_whoever_closes_a_ledger_has_let_go_of_it(place: InServer) -> None:
    """At once, and not when the server gets round to ending the session."""
    for _ in range(20):
        Store(place.url, demo().identity).close()
        with psycopg.connect(place.url) as other:
            assert other.execute(HELD).fetchone() == (0,)


def test_a_writer_in_another_process_is_named_and_its_death_makes_room(place: InServer) -> None:
    script = [sys.executable, "-c", HOLDS, place.url]
    with subprocess.Popen(script, cwd=HERE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holds\n"
        with pytest.raises(DatabaseError, match=rf"process {other.pid} on .* is writing"):
            writes(place.url)
        reads(place.url)
        os.kill(other.pid, signal.SIGKILL)
    place.wait_until_left()  # the server notices that the session is gone, not at once
    writes(place.url)


def test_a_writer_that_lost_its_lock_to_another_stops(place: InServer) -> None:
    with Store(place.url, demo().identity) as first:
        state = first.load_state()
        first.collect(state, demo().apply(state, demo().blocks[0]))
        with place.server.connect(place.database) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            until(  # it was told to end, no more
                lambda: connection.execute(HELD).fetchone() == (0,),
                lambda: "the session does not end",
            )
        with Store(place.url, demo().identity) as second:
            with pytest.raises(DatabaseError, match="is writing this ledger already"):
                first.commit()
            replay_into(second, Listed(demo().blocks[:3]), demo().runtime_of)
            assert second.load_state().root() == roots()[3]
        with pytest.raises(DatabaseError, match="somebody else has written this ledger"):
            first.commit()
    with Store(place.url) as store:
        assert store.load_state().root() == roots()[3]


def test_a_server_that_restarts_costs_a_writer_nothing(place: InServer) -> None:
    # the tests' server forgets what it said it had committed, unless it is told not to
    durable = f"{place.url}&options=-csynchronous_commit%3Don"
    with Store(durable, demo().identity) as store:
        state = store.load_state()
        for at, block in enumerate(demo().blocks[:20]):
            store.collect(state, demo().apply(state, block))
            if at % 6 == 5:
                store.commit()
                place.server.restart()
        store.commit()
        assert store.load_state().root() == roots()[20]


def test_a_transaction_that_the_server_lost_is_not_built_upon(place: InServer) -> None:
    with Store(place.url, demo().identity) as store:
        state = store.load_state()
        for block in demo().blocks[:4]:
            store.apply(state, demo().apply(state, block))
        place.server.execute(place.database, "UPDATE ledger_meta SET head = NULL")
        with pytest.raises(DatabaseError, match="written this ledger since it was read"):
            store.apply(state, demo().apply(state, demo().blocks[4]))


def test_a_reader_never_writes(place: InServer) -> None:
    writes(place.url)
    with Store(place.url) as store, store.session() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            driver.execute("DELETE FROM ledger_meta")


# --- Several ledgers ------------------------------------------------------------------------


def test_ledgers_live_side_by_side_in_schemas_of_one_database(place: InServer) -> None:
    urls = [f"{place.url}&schema={name}" for name in ("paseo", "paseo_again")] + [place.url]
    for count, url in enumerate(urls, 1):
        with Store(url, demo().identity) as store:
            replay_into(store, Listed(demo().blocks[: 5 * count]), demo().runtime_of)
    for count, url in enumerate(urls, 1):
        with Store(url) as store:
            assert store.load_state().root() == roots()[5 * count]
            assert store.name.endswith("?schema=paseo") == (count == 1)
    with Store(urls[0], demo().identity), Store(urls[1], demo().identity):
        pass  # each has a writer of its own


# --- Values that PostgreSQL has no place for ----------------------------------------------


def test_words_with_a_null_character_are_kept_in_the_state_and_shown_with_its_picture(
    place: InServer,
) -> None:
    with Store(place.url, demo().identity) as store:
        state = store.load_state()
        report = demo().apply(state, demo().blocks[0])
        for name in ("one", "two", "three", "four", "five", "six"):  # enough of them for a COPY
            record = MemberRecord(
                f"{name}\0\0",
                "\0",
                MemberStatus.ACTIVE,
                None,
                (),
                (),
                BlockNumber(1),
                BlockNumber(1),
            )
            state.membership.members.insert(name, record)
        store.apply(state, report)
        assert store.load_state().root() == state.root()
    found = dump(place)["member"]
    assert len(found) == 6
    assert all(row[1] == f"{row[0]}\u2400\u2400" and row[2] == "\u2400" for row in found)
