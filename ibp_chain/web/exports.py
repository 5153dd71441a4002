"""The ledger's public tables as CSV and Parquet, row by row out of the database.

Accounts are SS58, other bytes 0x hex, amounts decimal planck in text: in Parquet too, whose
decimals end below a u128. In CSV, text that a spreadsheet would run as a formula gets an apostrophe
before it: names and reasons are strangers' words.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Column, Table, select

from ibp_chain.accounts import ss58_encode
from ibp_chain.networks import NETWORKS, Network
from ibp_chain.types import AccountId
from ibp_chain.web.errors import NotFound
from ledger.store import Store
from ledger.store_types import CountColumn, PlanckColumn
from ledger.tables import LedgerTable

_ROWS_AT_ONCE = 2_000
_INTERNAL = frozenset({"ledger_meta", "state_entry", "state_history", "block_state", "runtime"})
"""The state itself, which `ibp ledger backup` and the state root are for."""
_ACCOUNTS = frozenset(
    {"account", "target", "multisig", "depositor", "closed_by", "oracle", "payee", "origin"}
)
_FORMULA = re.compile(r"[\s\x00]*[=+\-@|%]")


@dataclass(frozen=True, slots=True)
class Export:
    """One public table."""

    name: str
    title: str
    columns: tuple[str, ...]


def exports() -> tuple[Export, ...]:
    """Every public table, by name."""
    return tuple(
        Export(table.name, _title(table), tuple(column.name for column in table.columns))
        for table in _tables()
    )


def write_csv(store: Store, name: str, path: Path) -> None:
    """Writes the table to `path`, a header first. Raises `NotFound`, and as the store does."""
    table = _table(name)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\r\n")
        lines.writerow(column.name for column in table.columns)
        for rows in _rows(store, table):
            lines.writerows([_cell(value) for value in row] for row in rows)


def write_parquet(store: Store, name: str, path: Path) -> None:
    """As `write_csv`, as Parquet."""
    table = _table(name)
    schema = pa.schema([(column.name, _arrow(column)) for column in table.columns])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _rows(store, table):
            columns = [list(values) for values in zip(*rows, strict=True)]
            writer.write_table(pa.table(columns, schema=schema))


def defused(text: str) -> str:
    """`text` that no spreadsheet takes for a formula."""
    return "'" + text if _FORMULA.match(text) else text


# --- Parts ----------------------------------------------------------------------------


def _tables() -> list[Table]:
    tables = LedgerTable.metadata.tables.values()
    return sorted((each for each in tables if each.name not in _INTERNAL), key=lambda t: t.name)


def _table(name: str) -> Table:
    found = next((table for table in _tables() if table.name == name), None)
    if found is None:
        raise NotFound(f"there is no public table {name!r}")
    return found


def _title(table: Table) -> str:
    return table.name.replace("_", " ").capitalize()


def _rows(store: Store, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """In the order of the primary key."""
    network = NETWORKS[store.identity.network]
    columns = list(table.columns)
    named = [column.name for column in columns]
    with store.session() as session:
        query = select(table).order_by(*table.primary_key.columns)
        result = session.connection().execution_options(yield_per=_ROWS_AT_ONCE).execute(query)
        for part in result.partitions():
            rows = []
            for row in part:
                own = _network_of(dict(zip(named, row, strict=True)), network)
                pairs = zip(columns, row, strict=True)
                rows.append(tuple(_plain(column, value, own) for column, value in pairs))
            yield rows


def _network_of(row: dict[str, Any], network: Network) -> Network | None:
    """Whose prefix the row's accounts have; None for a network that we know no prefix of."""
    return NETWORKS.get(row["network"]) if "network" in row else network


def _plain(column: Column[Any], value: Any, network: Network | None) -> Any:
    match value:
        case None:
            return None
        case Enum():
            return value.name.lower()
        case bytes() if column.name in _ACCOUNTS and network is not None and len(value) == 32:
            return ss58_encode(AccountId(value), network.ss58_prefix)
        case bytes():
            return "0x" + value.hex()
        case _ if isinstance(column.type, PlanckColumn):
            return str(value)
    return value


def _arrow(column: Column[Any]) -> Any:
    return pa.int64() if isinstance(column.type, CountColumn) else pa.string()


def _cell(value: Any) -> Any:
    return defused(value) if isinstance(value, str) else "" if value is None else value
