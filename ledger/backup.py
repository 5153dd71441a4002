"""A ledger written into one file, and brought back from it into either kind of database.

What is written are the tables that nothing else tells: blocks, runtimes, state, history, and the
words beside the state, as of one block, whoever goes on writing meanwhile. Projections are made
anew from the state. A restored ledger is examined as by `ledger.check` before it is committed,
and its state root is compared with the one in the file.

That finds accidents. Whoever can write the file can write its root: against an attacker compare it
with a root noted elsewhere (`Wanted.state_root`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, inspect, select
from sqlmodel import Session
from sqlmodel import select as select_model

from ibp_chain.errors import ConfigError, InputError
from ibp_chain.files import writing_whole
from ibp_chain.node import to_hex
from ibp_chain.types import AccountId, Hash
from ledger.backup_format import (
    Backup,
    BackupDamaged,
    BackupError,
    Contents,
    HeadPart,
    Writer,
    opened,
)
from ledger.check import Tick, examine, stored, whole_state
from ledger.state import State
from ledger.store import Identity, Store
from ledger.store_bulk import insert_rows, insert_stored
from ledger.store_database import Database, DatabaseCorrupt
from ledger.store_open import open_database
from ledger.store_projection import rows_of
from ledger.store_rows import PROJECTIONS
from ledger.tables import SCHEMA_VERSION, BlockRow, LedgerMeta, LedgerTable, table_of

DISTRIBUTION = "ibp-chain"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a backup must be of; None takes any."""

    network: str | None = None
    genesis_hash: Hash | None = None
    state_root: Hash | None = None


def kept_tables() -> tuple[Table, ...]:
    """The tables of a backup, what others refer to first."""
    projected = rows_of(PROJECTIONS, ()).keys()
    return tuple(table for table in LedgerTable.metadata.sorted_tables if table not in projected)


# --- Back up ------------------------------------------------------------------------------


def back_up(url: str, path: Path, tick: Tick = lambda *_: None) -> Contents:
    """Write the ledger at `url` into a new file `path`, whole or not at all; what it is of.

    Raises `BackupError` where `path` is there already or
    cannot be written, `InputError` for a ledger without blocks, `DatabaseCorrupt` for one whose
    state is not the one that was written: a damaged ledger takes no good backup's place.
    """
    if path.exists():
        raise BackupError(f"{path} is there already: name another file, or remove it first")
    with Store(url) as store, store.session() as session:
        connection = session.connection()
        contents = _contents(connection, store.identity)
        try:
            with writing_whole(path, new=True) as file:
                writer, done = Writer(file, contents), 0
                for rows in _written(writer, connection):
                    done += rows
                    tick("writing rows", done, contents.rows)
                writer.seal()
        except FileExistsError as error:
            raise BackupError(
                f"{path} is there already, since this began: name another file, or remove it first"
            ) from error
        except OSError as error:
            raise BackupError(
                f"{path} cannot be written: {error.strerror}: nothing was kept of it"
            ) from error
    return contents


def _written(writer: Writer, connection: Connection) -> Iterator[int]:
    """How many rows, a piece at a time."""
    try:
        for table in kept_tables():
            yield from writer.table(table, (tuple(row) for row in stored(connection, table)))
    except ValueError as error:
        raise DatabaseCorrupt(f"a value is of another type: {error}") from error


def _contents(connection: Connection, identity: Identity) -> Contents:
    state = whole_state(connection, identity)
    head = state.head.value
    if head is None:
        raise InputError("the ledger has no blocks yet: there is nothing to back up")
    block = table_of(BlockRow)
    timestamp_ms = connection.execute(
        select(block.c.timestamp_ms).where(block.c.number == head.number)
    ).scalar_one()
    return Contents(
        format="ibp-ledger-backup",
        version=1,
        program=f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        schema_version=SCHEMA_VERSION,
        network=identity.network,
        genesis_hash=to_hex(identity.genesis_hash),
        expected_origin=None
        if identity.expected_origin is None
        else to_hex(identity.expected_origin),
        head=HeadPart(number=head.number, hash=to_hex(head.hash), timestamp_ms=timestamp_ms),
        state_root=to_hex(state.root()),
        tables={table.name: _count(connection, table) for table in kept_tables()},
    )


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


# --- Restore ------------------------------------------------------------------------------


def restore(
    path: Path, url: str, wanted: Wanted | None = None, tick: Tick = lambda *_: None
) -> Contents:
    """Write the ledger in `path` into the empty database at `url`, in one transaction.

    Raises `BackupDamaged` for a file that is cut short,
    altered, or does not hold together; `BackupError` for one of another version or not as `wanted`;
    `ConfigError` for a database that is not empty; `DatabaseError`. Nothing was changed then.
    """
    with opened(path, lambda *read: tick("reading the backup", *read)) as backup:
        _ensure_wanted(backup, wanted or Wanted())
        with open_database(url, write=True) as database:
            with database.errors():
                _ensure_empty(database, backup)
                database.prepare()
            with database.transaction() as connection:
                _sort_on_disk(connection)
                LedgerTable.metadata.create_all(connection)
                _fill(connection, backup, tick)
        return backup.contents


def _fill(connection: Connection, backup: Backup, tick: Tick) -> None:
    done = 0
    for table in kept_tables():
        for rows in backup.rows(table):
            insert_stored(connection, table, rows)
            done += len(rows)
            tick("writing rows", done, backup.contents.rows)
    with _as_named(backup):
        state = whole_state(connection, _identity(backup.contents))
        _project(connection, state)
        whole = examine(connection, _identity(backup.contents), tick)
    named = backup.contents
    found = to_hex(whole.root), whole.head.number, to_hex(whole.head.hash)
    if found != (named.state_root, named.head.number, named.head.hash):
        raise BackupDamaged(
            backup.path, "its rows", f"their state root is {found[0]} after block {found[1]}"
        )
    meta = connection.execute(select(table_of(LedgerMeta))).mappings().one()
    if (meta["schema_version"], _identity_of(meta)) != (SCHEMA_VERSION, _identity(named)):
        raise BackupDamaged(backup.path, "ledger_meta", "it is of another ledger than it says")


def _sort_on_disk(connection: Connection) -> None:
    """A writer on SQLite sorts in memory, which the history of years does not fit into."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA temp_store = FILE")


def _project(connection: Connection, state: State) -> None:
    for table, rows in rows_of(PROJECTIONS, state.maps()).items():
        insert_rows(connection, table, rows)


@contextmanager
def _as_named(backup: Backup) -> Iterator[None]:
    """What is wrong inside is the backup's fault."""
    try:
        yield
    except (DatabaseCorrupt, InputError) as error:
        raise BackupDamaged(backup.path, "its rows", str(error)) from error


def _ensure_wanted(backup: Backup, wanted: Wanted) -> None:
    found, path = backup.contents, backup.path
    if found.schema_version > SCHEMA_VERSION:
        raise BackupError(
            f"{path} is of schema version {found.schema_version}, this program writes "
            f"{SCHEMA_VERSION}: upgrade the program"
        )
    if found.schema_version < SCHEMA_VERSION:
        raise BackupError(
            f"{path} is of schema version {found.schema_version}, this program writes "
            f"{SCHEMA_VERSION}: restore it with {found.program}, which wrote it, then bring the "
            "database up with `ibp ledger migrate --db URL`"
        )
    if list(found.tables) != [table.name for table in kept_tables()]:
        raise BackupDamaged(path, "ledger.json", "its tables are not those of its schema version")
    for what, have, want in (
        ("network", found.network, wanted.network),
        ("genesis", found.genesis_hash, to_hex(wanted.genesis_hash or b"")),
        ("state root", found.state_root, to_hex(wanted.state_root or b"")),
    ):
        if want not in {None, "0x", have}:
            raise BackupError(f"{path} is of {what} {have}, not {want}: is it the right file?")


def _ensure_empty(database: Database, backup: Backup) -> None:
    """Raises `ConfigError` saying what is there and what to do."""
    tables = inspect(database.engine).get_table_names()
    if not tables:
        return
    name = database.name
    if table_of(LedgerMeta).name not in tables:
        raise ConfigError(f"{name} is not empty and holds no ledger: restore into a new database")
    with Session(database.engine) as session:
        schema_version = session.exec(select_model(LedgerMeta.schema_version)).one_or_none()
        if schema_version != SCHEMA_VERSION:
            raise ConfigError(
                f"{name} holds a ledger of schema version {schema_version} already: restore into a "
                "new database"
            )
        meta = session.exec(select_model(LedgerMeta)).one()
    wanted, stands = backup.contents, "no block" if meta.head is None else f"block {meta.head}"
    if _identity_of(meta.model_dump()) != _identity(wanted):
        raise ConfigError(
            f"{name} holds another ledger already, of {meta.network}: restore into a new database"
        )
    if (meta.head or 0) < wanted.head.number:
        raise ConfigError(
            f"{name} holds this ledger up to {stands} already, the backup ends with block "
            f"{wanted.head.number}: go on with `ibp ledger follow`, or restore into a new database "
            "and use that one"
        )
    raise ConfigError(
        f"{name} holds this ledger up to {stands} already, the backup ends with block "
        f"{wanted.head.number} and brings nothing: to go back restore into a new database"
    )


def _identity(contents: Contents) -> Identity:
    origin = contents.expected_origin
    return Identity(
        contents.network,
        Hash(bytes.fromhex(contents.genesis_hash[2:])),
        None if origin is None else AccountId(bytes.fromhex(origin[2:])),
    )


def _identity_of(meta: Any) -> Identity:
    """Of a row of `ledger_meta`."""
    origin = meta["expected_origin"]
    return Identity(
        meta["network"], Hash(meta["genesis_hash"]), None if origin is None else AccountId(origin)
    )
