"""From one version of a ledger's tables to another, up or down, in one transaction.

The steps are Alembic revisions, one a version, named after it. `ledger_meta.schema_version` says
which a ledger has reached; there is no table beside it that could say otherwise.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, inspect, text

from ibp_chain.errors import ConfigError, InputError
from ibp_chain.networks import network
from ledger.state import State
from ledger.store_database import Database, DatabaseCorrupt
from ledger.store_entries import whole_entries
from ledger.store_open import open_database
from ledger.tables import SCHEMA_VERSION

FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What a migration would do; nothing has been done yet."""

    name: str
    """Of the database."""
    found: int
    target: int
    steps: tuple[str, ...]
    """What each revision on the way says about itself, in order."""


def plan(url: str, target: int = SCHEMA_VERSION) -> Plan:
    """Read what there is and what is to be done.

    Raises `ConfigError` for what is no ledger, and for versions that this program does not know.
    """
    with open_database(url, write=False) as database, database.errors():
        found = _version(database)
        _ensure_known(database.name, found, target)
        steps = tuple(_title(script) for script in _scripts(found, target))
        return Plan(database.name, found, target, steps)


def migrate(agreed: Plan, url: str) -> None:
    """Do it, all of it or, where anything is refused, nothing.

    Raises `ConfigError` where the ledger is not what it was when the plan was made, or holds what a
    step cannot carry over; `DatabaseCorrupt` where its state is damaged; `DatabaseError` for a
    second writer.
    """
    with open_database(url, write=True) as database:
        with database.errors():
            if _version(database) != agreed.found:
                raise ConfigError(f"{database.name} has changed in the meantime: look again")
        with database.rebuilding() as connection:
            _ensure_whole(connection)
            _run_steps(connection, agreed)
            connection.execute(
                text("UPDATE ledger_meta SET schema_version = :version"), {"version": agreed.target}
            )
            entries = _ensure_whole(connection)
            if agreed.target == SCHEMA_VERSION:
                _ensure_readable(agreed.name, connection, entries)


def _run_steps(connection: Connection, agreed: Plan) -> None:
    with _operations(connection):
        for script in _scripts(agreed.found, agreed.target):
            step = script.module
            try:
                (step.upgrade if agreed.target > agreed.found else step.downgrade)()
            except ConfigError as refusal:
                raise ConfigError(f"{agreed.name} stays as it is: {refusal}") from refusal


def create(connection: Connection, version: int) -> None:
    """The tables of a version, without a row, as its own program made them."""
    with _operations(connection):
        for script in _scripts(FIRST_VERSION - 1, version):
            script.module.upgrade()


@contextmanager
def _operations(connection: Connection) -> Iterator[Operations]:
    with Operations.context(MigrationContext.configure(connection)) as operations:
        yield operations


def _scripts(found: int, target: int) -> list[Script]:
    """In the order in which they are to be run."""
    low, high = sorted((found, target))
    scripts = ScriptDirectory(str(Path(__file__).parent))
    steps = list(scripts.iterate_revisions(str(high), str(low) if low else "base"))
    return steps if found > target else steps[::-1]


def _title(script: Script) -> str:
    return f"version {script.revision}: {script.doc}"


def _version(database: Database) -> int:
    if "ledger_meta" not in inspect(database.engine).get_table_names():
        raise ConfigError(f"{database.name} is no ledger: there is nothing to migrate")
    with database.engine.connect() as connection:
        return int(connection.scalar(text("SELECT schema_version FROM ledger_meta")) or 0)


def _ensure_known(name: str, found: int, target: int) -> None:
    if found > SCHEMA_VERSION:
        raise ConfigError(
            f"{name} is a ledger of schema version {found}, this program knows versions "
            f"{FIRST_VERSION} to {SCHEMA_VERSION}: upgrade the program"
        )
    for version in (found, target):
        if not FIRST_VERSION <= version <= SCHEMA_VERSION:
            raise ConfigError(
                f"{name}: there is no schema version {version}, only "
                f"{FIRST_VERSION} to {SCHEMA_VERSION}"
            )


def _ensure_whole(connection: Connection) -> list[tuple[bytes, bytes]]:
    checksum = connection.scalar(text("SELECT state_checksum FROM ledger_meta"))
    if not isinstance(checksum, bytes):
        raise DatabaseCorrupt("it has no checksum of its state")
    return whole_entries(connection, checksum)


def _ensure_readable(
    name: str, connection: Connection, entries: Iterable[tuple[bytes, bytes]]
) -> None:
    """Tables can be those of this program and the state in them another one's."""
    chain = str(connection.scalar(text("SELECT network FROM ledger_meta")))
    try:
        State(network(chain)).load(entries)
    except InputError as error:
        raise ConfigError(
            f"{name} stays as it is: this program knows other items of the state: replay the "
            f"blocks into a new database ({error})"
        ) from error
