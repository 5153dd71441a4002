"""How SQL tables follow storage items: each entry owns rows, and a changed entry replaces its own.

The rows of an entry depend on nothing but its key and value, so a table can be rebuilt from the
raw entries at any time and must come out the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Connection, Table

from ledger.storage import StorageMap
from ledger.store_bulk import Row, delete_rows, insert_rows

__all__ = ["ItemName", "Projection", "Projections", "Row", "project", "rows_of"]

K = TypeVar("K")
V = TypeVar("V")
ItemName: TypeAlias = tuple[str, str]
"""(pallet, item)."""


class Projection(NamedTuple, Generic[K, V]):
    """One table's rows of one storage item."""

    table: Table
    owner: Callable[[K], Row]
    """The columns that tell an entry's rows from every other entry's, by its key."""
    rows: Callable[[K, V], Iterable[Row]]
    """The remaining columns of each row."""


Projections: TypeAlias = Mapping[ItemName, Sequence[Projection[Any, Any]]]


def project(
    connection: Connection,
    projections: Projections,
    changes: Iterable[tuple[StorageMap[Any, Any], Mapping[Any, Any]]],
) -> None:
    """Replace the rows of every changed entry; `None` as an entry's value removes its rows."""
    old: dict[Table, list[Row]] = {}
    new: dict[Table, list[Row]] = {}
    for storage_map, entries in changes:
        for projection in projections.get((storage_map.pallet, storage_map.item), ()):
            for key, value in entries.items():
                owner = projection.owner(key)
                old.setdefault(projection.table, []).append(owner)
                if value is not None:
                    rows = new.setdefault(projection.table, [])
                    rows += ({**owner, **row} for row in projection.rows(key, value))
    for table, owners in old.items():
        delete_rows(connection, table, owners)
    for table, rows in new.items():
        insert_rows(connection, table, rows)


def rows_of(
    projections: Projections, storage_maps: Iterable[StorageMap[Any, Any]]
) -> dict[Table, list[Row]]:
    """Every row of every projection's table, as the entries say it."""
    found: dict[Table, list[Row]] = {
        projection.table: [] for each in projections.values() for projection in each
    }
    for storage_map in storage_maps:
        for projection in projections.get((storage_map.pallet, storage_map.item), ()):
            for key, value in storage_map.items():
                owner = projection.owner(key)
                found[projection.table] += ({**owner, **row} for row in projection.rows(key, value))
    return found
