"""Databases that hold a ledger: what `ledger.store` needs of one, whichever it is.

`ledger.store_sqlite` and `ledger.store_postgres` are the two that there are. What differs between
them is there, in `ledger.store_types` (how a value is stored) and in `ledger.store_bulk` (how many
rows are written); everything else goes through SQLModel.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import psycopg
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlmodel import Session

from ibp_chain.errors import CheckFailed, ConfigError, InputError
from ibp_chain.urls import public_url

_NO_ROOM = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"})
"""The second where the system's limit is not the disk's end: a quota, a limit of files' size."""


class DatabaseError(InputError):
    """The database refused: locked, full, unreadable. What was committed before is intact."""


class DatabaseCorrupt(CheckFailed):
    """The database holds something else than was written: replay into a new one."""


class Database(ABC):
    """An engine on one database, for one writer or for reading."""

    name: str
    """As people are told of it, without a password."""
    engine: Engine

    @abstractmethod
    def prepare(self) -> None:
        """What comes before the first table."""

    @abstractmethod
    def keep_writing(self) -> None:
        """Raises `DatabaseError` where somebody else has become the writer."""

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One snapshot for reading."""
        with self.errors(), Session(self.engine) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Committed at the end, rolled back where anything is raised."""
        with self.errors():
            self.keep_writing()
            with self.engine.begin() as connection:
                yield connection

    @contextmanager
    def rebuilding(self) -> Iterator[Connection]:
        """A transaction that may make tables anew, while others refer to them."""
        with self.transaction() as connection:
            yield connection

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What the database refuses inside is a `DatabaseError` that names it."""
        try:
            yield
        except DBAPIError as error:
            raise DatabaseError(f"{self.name}: {_told(error.orig)}") from error
        except psycopg.Error as error:  # COPY is the driver's own
            raise DatabaseError(f"{self.name}: {_told(error)}") from error
        except (
            UnicodeDecodeError
        ) as error:  # the driver's, over SQLite's words for a damaged schema
            raise DatabaseError(f"{self.name}: database schema is malformed") from error
        except DatabaseCorrupt as error:
            raise DatabaseCorrupt(
                f"{self.name} is damaged: {error}: replay into a new one, or restore a backup"
            ) from error


def is_damage(error: BaseException | None) -> bool:
    """Whether the database itself found that its files are not as it wrote them."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(orig, "sqlite_errorcode", 0) & 0xFF
    broken = psycopg.errors.DataCorrupted | psycopg.errors.IndexCorrupted | UnicodeDecodeError
    return code == sqlite3.SQLITE_CORRUPT or isinstance(orig, broken)


def _told(error: BaseException | None) -> str:
    """What the database says, and what to do where it only has no room."""
    name = getattr(error, "sqlite_errorname", "")
    if name in _NO_ROOM or isinstance(error, psycopg.errors.DiskFull):
        return (
            f"{in_one_line(error)}: it cannot be written any further; make room on its disk and "
            "run this again, what was committed is whole"
        )
    return in_one_line(error)


def in_one_line(error: BaseException | None) -> str:
    return " ".join(str(error).split())


def parse_url(url: str) -> URL:
    """Raises `ConfigError`."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(
            f"{public_url(url)} is no database URL, such as sqlite:///ledger.db or "
            "postgresql://user@host/database"
        ) from None  # the library's error quotes it, with its password
