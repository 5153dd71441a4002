"""Places where a test's ledger can be, on either database, and what is in them past the store."""

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from psycopg import sql

from tests.support.postgres import Postgres

Row = tuple[Any, ...]
Execute = Callable[..., int]
"""Runs SQL with `?` for each value; returns how many rows it was about."""


class Place(Protocol):
    """One database."""

    @property
    def url(self) -> str: ...
    @property
    def name(self) -> str:
        """What errors call it."""

    def read(self, tables: Iterable[str]) -> dict[str, list[Row]]:
        """In the order of their first two columns, values as SQLite has them."""

    def rows(self, table: str) -> list[Row]:
        """Of one table."""

    def tables(self) -> list[str]: ...
    def begun(self) -> bool:
        """Whether anybody has written into it."""

    def wait_until_left(self) -> None:
        """Until whoever was killed over it holds nothing of it any more."""

    def editing(self) -> AbstractContextManager[Execute]:
        """Change rows behind the store's back, whatever constraints say."""

    def asking(self) -> AbstractContextManager[Execute]:
        """Run SQL that keeps to the constraints."""


class Ledgers(Protocol):
    """Makes places of one kind."""

    kind: str

    def new(self) -> Place: ...
    def copy(self, place: Place) -> Place:
        """Of one that nobody has open."""

    def drop(self, place: Place) -> None: ...


def dump(place: Place) -> dict[str, list[Row]]:
    """Every row of every table."""
    return {
        name: sorted(rows, key=repr) for name, rows in sorted(place.read(place.tables()).items())
    }


def tamper(place: Place, statement: str, *values: object) -> int:
    """Change rows behind the store's back; how many there were."""
    with place.editing() as execute:
        return execute(statement, *values)


# --- SQLite -------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def name(self) -> str:
        return str(self.path)

    def read(self, tables: Iterable[str]) -> dict[str, list[Row]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return {
                table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
                for table in tables
            }

    def rows(self, table: str) -> list[Row]:
        return self.read([table])[table]

    def tables(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return [name for (name,) in found]

    def begun(self) -> bool:
        return self.path.with_name(self.path.name + "-wal").exists()

    def wait_until_left(self) -> None:
        """A process that was waited for has no lock left."""

    @contextmanager
    def editing(self) -> Iterator[Execute]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute("PRAGMA synchronous = OFF")
            yield lambda statement, *values: connection.execute(statement, values).rowcount

    @contextmanager
    def asking(self) -> Iterator[Execute]:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            yield lambda statement, *values: connection.execute(statement, values).rowcount
            connection.commit()


class Files:
    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder, self._names = folder, count()

    def new(self) -> File:
        folder = self._folder / str(next(self._names))
        folder.mkdir()
        return File(folder / "ledger.db")

    def copy(self, place: Place) -> File:
        assert isinstance(place, File)
        new = self.new()
        shutil.copy(place.path, new.path)
        return new

    def drop(self, place: Place) -> None:
        assert isinstance(place, File)
        shutil.rmtree(place.path.parent)


# --- PostgreSQL ---------------------------------------------------------------------------


@dataclass(frozen=True)
class InServer:
    server: Postgres
    database: str

    @property
    def url(self) -> str:
        return self.server.url(self.database)

    @property
    def name(self) -> str:
        return f"/{self.database}"

    def read(self, tables: Iterable[str]) -> dict[str, list[Row]]:
        everything = sql.SQL("SELECT * FROM {} ORDER BY 1, 2")
        with self.server.connect(self.database) as connection:
            return {
                table: [
                    tuple(map(_as_sqlite, row))
                    for row in connection.execute(everything.format(sql.Identifier(table)))
                ]
                for table in tables
            }

    def rows(self, table: str) -> list[Row]:
        return self.read([table])[table]

    def tables(self) -> list[str]:
        with self.server.connect(self.database) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname='public'")
            return [name for (name,) in found]

    def begun(self) -> bool:
        return bool(self.tables())

    def wait_until_left(self) -> None:
        self.server.wait_until_left(self.database)

    @contextmanager
    def editing(self) -> Iterator[Execute]:
        with self.asking() as execute:
            execute("SET session_replication_role = replica")  # without foreign keys
            yield execute

    @contextmanager
    def asking(self) -> Iterator[Execute]:
        with self.server.connect(self.database) as connection:

            def execute(statement: str, *values: object) -> int:
                marked = statement.replace("%", "%%").replace("?", "%s")
                return connection.execute(marked, values).rowcount

            yield execute


class Databases:
    kind = "postgresql"

    def __init__(self, server: Postgres) -> None:
        self._server = server

    def new(self) -> InServer:
        return InServer(self._server, self._server.create())

    def copy(self, place: Place) -> InServer:
        assert isinstance(place, InServer)
        return InServer(self._server, self._server.create(place.database))

    def drop(self, place: Place) -> None:
        assert isinstance(place, InServer)
        self._server.drop(place.database)


def _as_sqlite(value: object) -> object:
    return str(value).zfill(39) if isinstance(value, Decimal) else value
