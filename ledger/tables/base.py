"""What every table has: its registry, and the columns that rows are made of."""

from typing import Any

from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from ledger.store_types import (
    BytesColumn,
    CountColumn,
    DayColumn,
    PlanckColumn,
    TextColumn,
)

SCHEMA_VERSION = 3
"""Raised with every change of a table, with a migration (`ledger.migrations`) up and down."""


class LedgerTable(SQLModel, registry=registry()):
    """Keeps our tables apart from other SQLModel users' in the same process."""


def table_of(model: type[SQLModel]) -> Table:
    """The SQLAlchemy table behind a model."""
    table = model.__table__  # type: ignore[attr-defined]  # SQLModel's metaclass sets it
    assert isinstance(table, Table)
    return table


def column_of(kind: TypeEngine[Any], *parts: Any, null: bool = False) -> Any:
    return Field(sa_column=Column(kind, *parts, nullable=null))


def key_of(kind: TypeEngine[Any], *parts: Any) -> Any:
    return Field(sa_column=Column(kind, *parts, primary_key=True, autoincrement=False))


def points_to(target: str) -> ForeignKey:
    """Checked at the commit: a changed entry's rows are removed first and written again."""
    return ForeignKey(target, deferrable=True, initially="DEFERRED")


ACCOUNT, HASH = BytesColumn(32), BytesColumn(32)
COUNT, PLANCK, TEXT, DAY = CountColumn(), PlanckColumn(), TextColumn(), DayColumn()
