"""Many rows at once: the driver's own `executemany` on SQLite, binary COPY on PostgreSQL.

SQLAlchemy's way from a dict to a driver's parameters costs as much as SQLite's work itself. For
PostgreSQL every statement is work of its own, even where a driver sends many together; COPY parses
nothing, and a DELETE takes the keys as arrays.
"""

from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from psycopg import sql
from sqlalchemy import Column, Connection, Table, and_, bindparam, delete, insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as lite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

Row: TypeAlias = dict[str, Any]
Stored: TypeAlias = tuple[Any, ...]
Form: TypeAlias = Callable[[Any, Dialect], Any]
"""A value as the driver takes it. Raises `ValueError` for one that its column does not take."""

_FEW = 4
"""Rows that are not worth a COPY."""
_SQLITE: Dialect = lite.dialect()
_POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Each row names all columns. Raises `ValueError` for a value that its column does not take."""
    if not rows:
        return
    if connection.dialect.name != "sqlite" and len(rows) <= _FEW:
        connection.execute(insert(table), rows)
    else:
        insert_stored(connection, table, stored_rows(connection, table, rows))


def insert_stored(connection: Connection, table: Table, rows: Sequence[Stored]) -> None:
    """`insert_rows` of what `stored_rows` returns; the table's own constraints look at it."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_sqlite_insert(table), list(rows))
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_copy(table)) as copy:
        copy.set_types(_columns(table, tuple(table.columns.keys())).types)
        for row in rows:
            copy.write_row(row)


def stored_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> list[Stored]:
    """All columns in the table's order, each value as the driver takes it and gives it back.

    Raises `ValueError` as `insert_rows`.
    """
    dialect = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    return _columns(table, tuple(table.columns.keys())).stored(rows, dialect)


def delete_rows(connection: Connection, table: Table, owners: Sequence[Row]) -> None:
    """Remove every row that agrees with one of `owners` in the columns that it names.

    All of them name the same columns. Raises `ValueError` as `insert_rows`.
    """
    if not owners:
        return
    names = tuple(owners[0])
    columns = _columns(table, names)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_sqlite_delete(table, names), columns.stored(owners, _SQLITE))
    else:
        arrays = [list(values) for values in zip(*columns.stored(owners, _POSTGRESQL), strict=True)]
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            cursor.execute(_delete_from_arrays(table, names), arrays)


class _Columns(NamedTuple):
    names: tuple[str, ...]
    types: tuple[str, ...]
    """In PostgreSQL: `bytea`, `bigint`, `numeric`, `text`."""
    forms: tuple[Form, ...]

    def stored(self, rows: Sequence[Row], dialect: Dialect) -> list[Stored]:
        # a column at a time: one call for each value, none for each row
        columns = (
            [form(value, dialect) for value in map(itemgetter(name), rows)]
            for name, form in zip(self.names, self.forms, strict=True)
        )
        return list(zip(*columns, strict=True))


@cache
def _columns(table: Table, names: tuple[str, ...]) -> _Columns:
    columns = [table.c[name] for name in names]
    types = (column.type.compile(_POSTGRESQL).partition("(")[0].lower() for column in columns)
    return _Columns(names, tuple(types), tuple(map(_form, columns)))


def _form(column: Column[Any]) -> Form:
    kind = column.type
    assert isinstance(kind, TypeDecorator), f"{column} has a type of `ledger.store_types`"
    form: Form = kind.process_bind_param
    return form


@cache
def _sqlite_insert(table: Table) -> str:
    return str(insert(table).compile(dialect=_SQLITE))


@cache
def _sqlite_delete(table: Table, names: tuple[str, ...]) -> str:
    ours = and_(*(table.c[name] == bindparam(f"owner_{name}") for name in names))
    return str(delete(table).where(ours).compile(dialect=_SQLITE))


@cache
def _copy(table: Table) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table.name),
        sql.SQL(", ").join(sql.Identifier(name) for name in table.columns.keys()),  # noqa: SIM118  (its own keys)
    )


@cache
def _delete_from_arrays(table: Table, names: tuple[str, ...]) -> sql.Composed:
    own, columns = sql.Identifier(table.name), [sql.Identifier(name) for name in names]
    arrays = (sql.SQL("%s::" + kind + "[]") for kind in _columns(table, names).types)
    return sql.SQL("DELETE FROM {} USING unnest({}) AS owner_ ({}) WHERE {}").format(
        own,
        sql.SQL(", ").join(arrays),
        sql.SQL(", ").join(columns),
        sql.SQL(" AND ").join(
            sql.SQL("{}.{} = owner_.{}").format(own, name, name) for name in columns
        ),
    )
