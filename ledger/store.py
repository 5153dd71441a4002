"""A ledger in a database: created, resumed, written one batch of blocks at a time.

Contract: a batch's blocks, state entries and projections are committed in one transaction, so a
process that dies leaves the ledger at a block, and the next one goes on behind it. One writer per
ledger, any number of readers, each seeing the last committed block.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import zstandard
from sqlalchemy import Connection, bindparam, delete, insert, inspect, update
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlmodel import Session, col, select

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import ConfigError
from ibp_chain.networks import network
from ibp_chain.types import AccountId, BlockNumber, Hash, SpecVersion
from ledger.replay import BlockReport
from ledger.state import State
from ledger.storage import StorageMap
from ledger.store_database import Database, DatabaseError
from ledger.store_projection import project
from ledger.store_rows import PROJECTIONS, rejection_rows, unattributed_rows
from ledger.tables import (
    SCHEMA_VERSION,
    BlockRow,
    LedgerMeta,
    LedgerTable,
    RejectionRow,
    RuntimeRow,
    StateEntry,
    UnattributedRow,
    table_of,
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
        self._runtimes: dict[SpecVersion, tuple[bytes, ...]] = {}
        """Those that are kept, with the metadata that waits for `commit`."""
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
        self._runtimes.clear()
        self._last = self.head()
        return self._empty_state().load(self._entries())

    def last_block(self) -> BlockRow:
        """What is known of the head. Raises `ConfigError` before the first block."""
        with self.session() as session:
            row = session.exec(
                select(BlockRow).join(LedgerMeta, col(LedgerMeta.head) == BlockRow.number)
            ).one_or_none()
        if row is None:
            raise ConfigError(f"{self.name} has no blocks yet: replay or follow a chain first")
        return row

    def spec_version(self) -> SpecVersion:
        """Of the runtime that executed the head. Raises `ConfigError` before the first block."""
        return SpecVersion(self.last_block().spec_version)

    def rejections(self) -> list[RejectionRow]:
        """Remarks that were not taken as facts, with the words for it, in order."""
        with self.session() as session:
            order = col(RejectionRow.block), col(RejectionRow.remark)
            return list(session.exec(select(RejectionRow).order_by(*order)).all())

    def metadata(self, spec_version: SpecVersion) -> bytes:
        """The newest metadata that was kept of a runtime. Raises `ConfigError`."""
        return self._metadata(spec_version)[-1]

    def metadata_v14(self, spec_version: SpecVersion) -> bytes:
        """Raises `ConfigError` where it was not kept."""
        oldest = self._metadata(spec_version)[0]
        if not oldest.startswith(b"meta\x0e"):
            raise ConfigError(f"{self.name} has no metadata V14 of spec version {spec_version}")
        return oldest

    # --- Write ------------------------------------------------------------------------

    def knows(self, spec_version: SpecVersion) -> bool:
        """Whether a runtime's metadata is kept, or is to be with the batch."""
        if spec_version not in self._runtimes:
            with self.session() as session:
                if session.exec(
                    select(RuntimeRow).where(RuntimeRow.spec_version == spec_version)
                ).first():
                    self._runtimes[spec_version] = ()
        return spec_version in self._runtimes

    def collect_runtime(self, spec_version: SpecVersion, metadata: Iterable[bytes]) -> None:
        """Take a runtime's metadata, in every format version that there is."""
        self._runtimes[spec_version] = tuple(sorted(set(metadata)))

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
            self._write_runtimes(connection)
            self._write_entries(connection)
            project(connection, PROJECTIONS, self._changed_values())
        self._blocks.clear()
        self._changes.clear()
        self._runtimes = dict.fromkeys(self._runtimes, ())

    def apply(self, state: State, report: BlockReport) -> None:
        """Collect one block and commit it."""
        self.collect(state, report)
        self.commit()

    @property
    def collected(self) -> int:
        """Blocks that wait for `commit`."""
        return len(self._blocks)

    # --- Parts ------------------------------------------------------------------------

    def _found(self, identity: Identity | None) -> Identity:
        """The identity of the ledger that is there, or of the one that is begun now."""
        if identity is not None and not inspect(self._database.engine).get_table_names():
            with self._database.engine.begin() as connection:
                LedgerTable.metadata.create_all(connection)
                connection.execute(insert(table_of(LedgerMeta)), [_meta_row(identity)])
            return identity
        try:
            with Session(self._database.engine) as session:
                meta = session.exec(select(LedgerMeta)).one()
        except (DBAPIError, NoResultFound) as error:
            raise ConfigError(
                f"{self.name} is no ledger: replay or follow a chain first"
            ) from error
        if meta.schema_version != SCHEMA_VERSION:
            raise ConfigError(
                f"{self.name} is a ledger of schema version {meta.schema_version}, this program "
                f"writes {SCHEMA_VERSION}: replay into a new file"
            )
        origin = meta.expected_origin
        found = Identity(
            meta.network, Hash(meta.genesis_hash), None if origin is None else AccountId(origin)
        )
        if identity is not None and identity != found:
            raise ConfigError(f"{self.name} is another ledger: {_difference(found, identity)}")
        return found

    def _empty_state(self) -> State:
        return State(network(self.identity.network), self.identity.expected_origin)

    def _entries(self) -> Iterator[tuple[bytes, bytes]]:
        with self.session() as session:
            for entry in session.exec(select(StateEntry)):
                yield entry.key, entry.value

    def _check_link(self, report: BlockReport) -> None:
        if self._last is not None and report.parent_hash != self._last.hash:
            raise ConfigError(
                f"{self.name} stands at block {self._last.number} (0x{self._last.hash.hex()}); "
                f"block {report.ref.number} does not follow it: is it of another chain or fork?"
            )

    def _write_blocks(self, connection: Connection) -> None:
        connection.execute(
            insert(table_of(BlockRow)),
            [
                {
                    "number": report.ref.number,
                    "hash": report.ref.hash,
                    "parent_hash": report.parent_hash,
                    "spec_version": report.spec_version,
                    "timestamp_ms": report.timestamp_ms,
                    "extrinsics": report.extrinsics,
                }
                for report in self._blocks
            ],
        )
        for model, rows_of in (
            (RejectionRow, rejection_rows),
            (UnattributedRow, unattributed_rows),
        ):
            rows = [row for report in self._blocks for row in rows_of(report)]
            if rows:
                connection.execute(insert(table_of(model)), rows)
        connection.execute(update(table_of(LedgerMeta)).values(head=self._blocks[-1].ref.number))

    def _changed_values(self) -> Iterator[tuple[StorageMap[Any, Any], Mapping[Any, Any]]]:
        for storage_map, entries in self._changes.items():
            yield storage_map, {key: value for key, (value, _) in entries.items()}

    def _write_runtimes(self, connection: Connection) -> None:
        compress = zstandard.ZstdCompressor(level=9).compress
        rows = [
            {"spec_version": version, "metadata_version": raw[4], "zstd": compress(raw)}
            for version, formats in self._runtimes.items()
            for raw in formats
        ]
        if rows:
            connection.execute(insert(table_of(RuntimeRow)), rows)

    def _metadata(self, spec_version: SpecVersion) -> list[bytes]:
        """By format version, at least one."""
        with self.session() as session:
            rows = session.exec(
                select(RuntimeRow)
                .where(RuntimeRow.spec_version == spec_version)
                .order_by(col(RuntimeRow.metadata_version))
            ).all()
        if not rows:
            raise ConfigError(f"{self.name} has no runtime of spec version {spec_version}")
        return [zstandard.ZstdDecompressor().decompress(row.zstd) for row in rows]

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


def _meta_row(identity: Identity) -> dict[str, Any]:
    return {
        "id": 1,
        "schema_version": SCHEMA_VERSION,
        "network": identity.network,
        "genesis_hash": identity.genesis_hash,
        "expected_origin": identity.expected_origin,
        "head": None,
    }


def _difference(found: Identity, wanted: Identity) -> str:
    if found.network != wanted.network:
        return f"of {found.network}, not {wanted.network}"
    if found.genesis_hash != wanted.genesis_hash:
        return (
            f"its chain's genesis is 0x{found.genesis_hash.hex()}, "
            f"not 0x{wanted.genesis_hash.hex()}"
        )
    return "it was begun for other curators"
