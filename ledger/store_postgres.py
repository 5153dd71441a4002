"""A ledger on a PostgreSQL server: one schema of one database, through psycopg 3.

`postgresql://user@host/database?schema=NAME`; without a name it is `public`. Everything else in
the query goes to libpq (`host`, `sslmode`, …), and what the URL leaves out libpq finds as `psql`
does: `PGPASSWORD`, `~/.pgpass`, a service file.
"""

import os
import re
import socket
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlmodel import create_engine

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ledger.store_database import Database, DatabaseError

_DRIVERS = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_CONNECT_SECONDS = "10"
_SETTINGS = (
    # a writer whose machine is gone shall not hold its lock for the two hours of TCP's default
    "tcp_keepalives_idle=30",
    "tcp_keepalives_interval=10",
    "tcp_keepalives_count=3",
)


class PostgresDatabase(Database):
    """A schema that may hold a ledger."""

    def __init__(self, url: URL, *, write: bool) -> None:
        """Raises `ConfigError` for a URL that is unusable, `DatabaseError` for a server that does
        not answer or lets nobody in, and for a second writer.
        """
        query = dict(url.query)
        self._schema = _schema_name(query.pop("schema", "public"))
        self.name = _public_name(url, self._schema)
        self.engine = _engine(url.set(query=query), self._schema, write=write)
        self._lock = _WriterLock(self.engine, self._schema, self.name) if write else None
        try:
            with self.errors():
                if self._lock:
                    self._lock.acquire()
                else:
                    self.engine.connect().close()
        except BaseException:
            self.engine.dispose()
            raise

    def close(self) -> None:
        if self._lock:
            self._lock.release()
        super().close()

    def prepare(self) -> None:
        with self.engine.begin() as connection:
            if connection.scalar(text("SELECT current_schema()")) is None:
                connection.execute(text(f"CREATE SCHEMA {self._schema}"))

    def keep_writing(self) -> None:
        if self._lock:
            self._lock.keep()


class _WriterLock:
    """An advisory lock, held by a session of its own; the server lets go of it with the session.

    Who loses the session loses the lock, and takes it again or stops before the next transaction.
    Whatever slips in between, behind a pool of connections for instance, is stopped by the store:
    a transaction moves the head from where its writer left it, or is rolled back.
    """

    def __init__(self, engine: Engine, schema: str, name: str) -> None:
        self._engine, self._name = engine, name
        digest = blake2_256(b"ibp ledger writer " + schema.encode())
        self._key = {
            name: int.from_bytes(digest[at : at + 4], "big", signed=True)
            for name, at in (("high", 0), ("low", 4))
        }
        self._connection: Connection | None = None

    def acquire(self) -> None:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:high, :low)"), self._key):
            holder = connection.scalar(
                text(
                    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
                    "WHERE locktype = 'advisory' AND granted AND objsubid = 2 "
                    "AND classid::bigint = :high AND objid::bigint = :low"
                ),
                {name: value % 2**32 for name, value in self._key.items()},
            )
            connection.close()
            raise DatabaseError(
                f"{self._name}: {holder or 'somebody'} is writing this ledger already; there may "
                "be one writer only"
            )
        self._connection = connection

    def keep(self) -> None:
        """The session is still there, or another one takes the lock. Raises `DatabaseError`."""
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except DBAPIError:
                self.release()
            else:
                return
        self.acquire()

    def release(self) -> None:
        if self._connection is None:
            return
        if not self._connection.invalidated:
            # the server ends a session a moment after it is closed: the next writer may be quicker
            with suppress(DBAPIError):  # the session is lost, and the lock with it
                unlocking = text("SELECT pg_advisory_unlock(:high, :low)")
                self._connection.execute(unlocking, self._key)
        self._connection.invalidate()
        self._connection.close()
        self._connection = None


def _schema_name(name: object) -> str:
    if not isinstance(name, str) or not _SCHEMA_NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name for a schema: lower case letters, digits and _ are")
    return name


def _public_name(url: URL, schema: str) -> str:
    """Without a password, and without whatever else the query may hold."""
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    suffix = "" if schema == "public" else f"?schema={schema}"
    return shown.render_as_string() + suffix


def _engine(url: URL, schema: str, *, write: bool) -> Engine:
    if url.drivername not in _DRIVERS:
        raise ConfigError(f"{url.drivername}:// is not supported: use postgresql://")
    options = [f"search_path={schema}", *_SETTINGS]
    if not write:
        options.append("default_transaction_read_only=on")
    query: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, **url.query}
    settings = " ".join(f"-c {option}" for option in options)
    query["options"] = f"{query.get('options', '')} {settings}".strip()
    query.setdefault("application_name", f"process {os.getpid()} on {socket.gethostname()}")
    return create_engine(
        url.set(drivername="postgresql+psycopg", query=query),
        # what one session reads is of one block; what two write at once is refused
        isolation_level="REPEATABLE READ",
        pool_pre_ping=True,
    )
