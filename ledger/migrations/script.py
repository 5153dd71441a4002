"""What the revisions have in common: frozen tables from files, constraints that come and go.

SQLite cannot add a constraint to a table or take one away: the table is made anew and its rows are
copied. Its own text of the table is where the constraints are found, one on each line.
"""

import re
from pathlib import Path
from typing import NamedTuple

from alembic import op
from sqlalchemy import Connection, text

_SCHEMAS = Path(__file__).parent / "schema"


class Constraint(NamedTuple):
    """A table's constraint as each database writes it."""

    table: str
    sqlite: str
    postgresql: str
    name: str
    """That PostgreSQL gives to it."""


def connection() -> Connection:
    return op.get_bind()


def create_tables(version: int) -> None:
    """Those that a version has and the one before it has not."""
    here = connection()
    for statement in (_SCHEMAS / f"{version}.{here.dialect.name}.sql").read_text().split(";\n"):
        if statement.strip():
            here.exec_driver_sql(statement)


def drop_tables(*names: str) -> None:
    for name in names:
        connection().exec_driver_sql(f"DROP TABLE {name}")


def change_constraints(
    table: str, *, drop: tuple[Constraint, ...] = (), add: tuple[Constraint, ...] = ()
) -> None:
    """Rows that `add` refuses end the migration."""
    here = connection()
    if here.dialect.name == "sqlite":
        _rebuild(here, table, [each.sqlite for each in drop], [each.sqlite for each in add])
        return
    for each in drop:
        here.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {each.name}")
    for each in add:
        here.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {each.name} {each.postgresql}")


def has_entries_of(pallets: tuple[bytes, ...]) -> bool:
    """Whether a state entry's key begins with one of these prefixes of 16 bytes."""
    found = connection().execute(text("SELECT DISTINCT substr(key, 1, 16) FROM state_entry"))
    return not {bytes(prefix) for (prefix,) in found}.isdisjoint(pallets)


def _rebuild(here: Connection, table: str, drop: list[str], add: list[str]) -> None:
    made = here.execute(
        text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"),
        {"name": table},
    ).scalar_one()
    indexes = here.execute(
        text("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name "),
        {"name": table},
    ).scalars()
    statements = [statement for statement in indexes if statement]
    lines = made.strip().splitlines()
    parts = [line.strip().removesuffix(",") for line in lines[1:-1]]
    for each in drop:
        parts.remove(each)
    # SQLite wants a table's columns before its constraints, in whatever order these are
    body = ",\n\t".join(parts + add)
    name = re.compile(rf'CREATE TABLE "?{table}"? \(')
    head = name.sub(f"CREATE TABLE {table}__new (", lines[0])
    here.exec_driver_sql(f"{head}\n\t{body}\n{lines[-1]}")
    here.exec_driver_sql(f"INSERT INTO {table}__new SELECT * FROM {table}")  # noqa: S608  (ours)
    here.exec_driver_sql(f"DROP TABLE {table}")
    here.exec_driver_sql(f"ALTER TABLE {table}__new RENAME TO {table}")
    for statement in statements:
        here.exec_driver_sql(statement)
