"""A ledger in a database: created, resumed, written one batch of blocks at a time.

Contract: a batch's blocks, state entries and projections are committed in one transaction, so a
process that dies leaves the ledger at a block, and the next one goes on behind it. One writer per
ledger, any number of readers, each seeing the last committed block.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, bindparam, delete, insert, inspect, update
from sqlmodel import Session, col, select

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import ConfigError
from ibp_chain.merkle import tree_root
from ibp_chain.networks import network
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.replay import BlockReport
from ledger.state import State, entry_leaf
from ledger.storage import StorageMap
from ledger.store_database import Database, DatabaseError
from ledger.store_projection import project
from ledger.store_projections import PROJECTIONS, rejection_rows, unattributed_rows
from ledger.tables import (
    SCHEMA_VERSION,
    BlockRow,
    LedgerMeta,
    LedgerTable,
    Rejection,
    StateEntry,
    UnattributedRow,
)

__all__ = ["DatabaseError", "Identity", "Store"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which chain's and programme's ledger it is; it never changes."""

    network: str
    """A name of `ibp_chain.networks`."""
    genesis_hash: Hash
    expected_origin: AccountId | None = None
    """Who must have said the `program` remark that founds the ledger; None takes the first."""


class Store:
    """One ledger. `Store(url)` reads; `Store(url, identity)` writes, and creates what is not there.

    Raises `ConfigError` for a database that is no ledger, of another schema version, chain or
    programme, and `DatabaseError` for a second writer; nothing is changed then.
    """

    identity: Identity

    def __init__(self, url: str, identity: Identity | None = None) -> None:
        self._database = Database(url, write=identity is not None)
        try:
            with self._database.errors():
                self.identity = self._found(identity)
        except BaseException:
            self._database.close()
            raise
        self._blocks: list[BlockReport] = []
        self._changes: dict[StorageMap[Any, Any], dict[Any, tuple[Any, BlockNumber]]] = {}
        self._last = self.head() if identity else None

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        return self._database.name

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One snapshot for reading."""
        with self._database.errors(), Session(self._database.engine) as session:
            yield session

    # --- Resume -----------------------------------------------------------------------

    def head(self) -> BlockRef | None:
        """The last committed block; None before the first."""
        with self.session() as session:
            row = session.exec(
                select(BlockRow).join(LedgerMeta, col(LedgerMeta.head) == BlockRow.number)
            ).one_or_none()
            return None if row is None else BlockRef(BlockNumber(row.number), Hash(row.hash))

    def load_state(self) -> State:
        """The state at the head. What was collected and not committed is forgotten."""
        self._blocks.clear()
        self._changes.clear()
        self._last = self.head()
        return self._empty_state().load(self._entries())

    # --- Write ------------------------------------------------------------------------

    def collect(self, state: State, report: BlockReport) -> None:
        """Take what `report`'s block changed in `state`, to be committed with the batch.

        Raises `ConfigError` for a block that does not follow the last one.
        """
        self._check_link(report)
        for storage_map in state.maps():
            entries = self._changes.setdefault(storage_map, {})
            for key, value in storage_map.take_changes().items():
                entries[key] = value, report.ref.number
        self._blocks.append(report)
        self._last = report.ref

    def commit(self) -> None:
        """Write what was collected, in one transaction; if it fails, it can be tried again."""
        if not self._blocks:
            return
        with self._database.errors(), self._database.engine.begin() as connection:
            self._write_blocks(connection)
            self._write_entries(connection)
            project(connection, PROJECTIONS, self._changed_values())
        self._blocks.clear()
        self._changes.clear()

    def apply(self, state: State, report: BlockReport) -> None:
        """Collect one block and commit it."""
        self.collect(state, report)
        self.commit()

    @property
    def collected(self) -> int:
        """Blocks that wait for `commit`."""
        return len(self._blocks)

    def _check_link(self, report: BlockReport) -> None:
        if self._last is not None and report.parent_hash != self._last.hash:
            raise ForkError(...)

    def _changed_values(self) -> Iterator[tuple[StorageMap[Any, Any], Mapping[Any, Any]]]:
        for storage_map, entries in self._changes.items():
            yield storage_map, {key: value for key, (value, _) in entries.items()}

    def _write_entries(self, connection: Connection) -> None:
        table = table_of(StateEntry)
        changed, new = [], []
        for storage_map, entries in self._changes.items():
            for key, (value, number) in entries.items():
                raw = storage_map.raw_key(key)
                changed.append({"old": raw})
                if value is not None:
                    encoded = storage_map.encode_value(value)
                    new.append({"key": raw, "value": encoded, "changed_at": number})
        if changed:
            connection.execute(delete(table).where(table.c.key == bindparam("old")), changed)
        if new:
            connection.execute(insert(table), new)
