"""A ledger in a file: SQLite, its pragmas, and the lock of the one writer."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool
from sqlmodel import create_engine

from ibp_chain.errors import ConfigError
from ledger.store_database import Database, DatabaseCorrupt, DatabaseError

BUSY_TIMEOUT_MS = 10_000
_WRITE_PRAGMAS = (
    # a power cut may take the last transactions, never half of one: the chain still has the blocks
    "synchronous = NORMAL",
    "foreign_keys = ON",
    "cache_size = -65536",  # KiB
    "temp_store = MEMORY",
)
_READ_PRAGMAS = ("query_only = ON", "cache_size = -65536")


class SqliteDatabase(Database):
    """A file, or nothing but memory where the URL names none."""

    def __init__(self, url: URL, *, write: bool) -> None:
        """Raises `ConfigError` for a URL that is unusable, `DatabaseError` for a second writer."""
        url = _checked(url)
        self.name = url.database or "in-memory database"
        self._lock = _WriterLock(Path(self.name)) if write and url.database else None
        if not write and not (url.database and Path(self.name).is_file()):
            raise ConfigError(f"there is no ledger at {self.name}: replay or follow a chain first")
        if self._lock:
            if not _may_write(Path(self.name)):  # which SQLite would say at the first commit only
                raise ConfigError(f"{self.name} is read-only: replay into a file that is yours")
            self._lock.acquire()
        self.engine = _engine(url if write else _reading(url), write=write)

    def close(self) -> None:
        super().close()
        if self._lock:
            self._lock.release()

    def prepare(self) -> None:
        """Readers and the writer go on side by side; kept in the file, so once is enough."""
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA journal_mode = WAL")

    @contextmanager
    def rebuilding(self) -> Iterator[Connection]:
        """Foreign keys are looked at once, at the end: dropping a table would look at each."""
        with self.errors(), self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys = OFF")  # does nothing inside a transaction
            try:
                with connection.begin():
                    yield connection
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise DatabaseCorrupt("a row refers to one that is not there")
            finally:
                driver.execute("PRAGMA foreign_keys = ON")

    def keep_writing(self) -> None:
        """The system holds the lock for as long as this process lives."""


class _WriterLock:
    """A lock on a file beside the database; the system lets go of it when the process dies."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".writer")
        self._file: int | None = None

    def acquire(self) -> None:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ConfigError(f"cannot write beside the database: {error}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise DatabaseError(
                f"{self._path.name.removesuffix('.writer')}: process {holder} is writing this "
                "ledger already; there may be one writer only"
            ) from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _checked(url: URL) -> URL:
    if url.database in {None, "", ":memory:"}:
        return url.set(database=None)
    folder = Path(str(url.database)).absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no directory: a ledger cannot be there")
    return url


def _may_write(path: Path) -> bool:
    return not path.exists() or os.access(path, os.W_OK, effective_ids=True)


def _reading(url: URL) -> URL:
    """`url`, for a file that only others may write to.

    SQLite wants files beside the database even from a reader, unless it is told that the database
    is immutable: true where nobody has one open, so that there is no write-ahead log.
    """
    path = Path(str(url.database))
    if _may_write(path) and _may_write(path.parent):
        return url
    if path.with_name(path.name + "-wal").exists():
        return url
    query = {**url.query, "immutable": "1", "uri": "true"}
    return url.set(database=f"file:{quote(str(path.absolute()))}", query=query)


def _engine(url: URL, *, write: bool) -> Engine:
    in_memory = url.database is None
    engine = create_engine(
        url,
        # one connection is the whole in-memory database
        **({"poolclass": StaticPool} if in_memory else {}),
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1_000, "check_same_thread": not in_memory},
    )
    pragmas = _WRITE_PRAGMAS if write else _READ_PRAGMAS

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        # the driver would begin transactions by itself, too late and never for reading
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
