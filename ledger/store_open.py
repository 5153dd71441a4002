"""Which database a URL is of."""

from ledger.store_database import Database, parse_url
from ledger.store_postgres import PostgresDatabase
from ledger.store_sqlite import SqliteDatabase


def open_database(url: str, *, write: bool) -> Database:
    """Raises `ConfigError` for a URL that is unusable, `DatabaseError` for a database that cannot
    be opened and for a second writer.
    """
    parsed = parse_url(url)
    kind = SqliteDatabase if parsed.drivername == "sqlite" else PostgresDatabase
    return kind(parsed, write=write)
