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
from sqlalchemy import Connection, insert, inspect, update
from sqlmodel import Session, col, select

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import ConfigError, InputError
from ibp_chain.networks import network
from ibp_chain.types import AccountId, BlockNumber, Hash, SpecVersion
from ledger.replay import BlockReport
from ledger.state import State
from ledger.storage import StorageMap
from ledger.store_database import Database, DatabaseCorrupt, DatabaseError
from ledger.store_entries import EMPTY_CHECKSUM, read_entries, write_entries
from ledger.store_projection import project
from ledger.store_rows import PROJECTIONS, rejection_rows, unattributed_rows
from ledger.tables import (
    SCHEMA_VERSION,
    BlockRow,
    LedgerMeta,
    LedgerTable,
    RejectionRow,
    RuntimeRow,
    UnattributedRow,
    table_of,
)

__all__ = ["DatabaseCorrupt", "DatabaseError", "Identity", "Store"]


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
            self._last = self.head() if identity else None
        except BaseException:
            self._database.close()
            raise
        self._blocks: list[BlockReport] = []
        self._changes: dict[StorageMap[Any, Any], dict[Any, tuple[Any, BlockNumber]]] = {}
        self._runtimes: dict[SpecVersion, tuple[bytes, ...]] = {}
        """Those that are kept, with the metadata that waits for `commit`."""

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
            row = _head(session)
            return None if row is None else _ref(row)

    def hash_at(self, number: BlockNumber) -> Hash | None:
        """Of the block that was applied at a height; None where there was none."""
        with self.session() as session:
            row = session.get(BlockRow, number)
            return None if row is None else Hash(row.hash)

    def load_state(self) -> State:
        """The state at the head. What was collected and not committed is forgotten.

        Raises `DatabaseCorrupt` where the entries are not those that were written.
        """
        self._blocks.clear()
        self._changes.clear()
        self._runtimes.clear()
        state = State(network(self.identity.network), self.identity.expected_origin)
        with self.session() as session:
            row = _head(session)
            self._last = None if row is None else _ref(row)
            checksum = session.exec(select(LedgerMeta.state_checksum)).one()
            state.load(read_entries(session, checksum))
            head = state.head.value
            if (None if head is None else head.ref) != self._last:
                raise DatabaseCorrupt("its state is of another block than its blocks end with")
        return state

    def block(self, number: BlockNumber) -> BlockRow:
        """What is known of an applied block. Raises `ConfigError` where there was none."""
        with self.session() as session:
            row = session.get(BlockRow, number)
        if row is None:
            raise ConfigError(f"{self.name} has no block {number}")
        return row

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

        Raises `InputError` for a block that does not follow the last one, and takes nothing then.
        """
        self._check_link(report)
        self._take(state, report)

    def begin(self, state: State, report: BlockReport) -> None:
        """`collect` for the block with whose storage a ledger begins (`ledger.start`).

        Raises `InputError` where there are blocks already.
        """
        if self._last is not None:
            raise InputError(f"{self.name} has blocks already: begin in a new database")
        self._take(state, report)

    def _take(self, state: State, report: BlockReport) -> None:
        for storage_map in state.maps():
            if storage_map.changed:
                changes = storage_map.take_changes()
                entries = self._changes.setdefault(storage_map, {})
                entries |= {key: (value, report.ref.number) for key, value in changes.items()}
        self._blocks.append(report)
        self._last = report.ref

    def commit(self) -> None:
        """Write what was collected, in one transaction; if it fails, it can be tried again."""
        if not self._blocks:
            return
        with self._database.errors(), self._database.engine.begin() as connection:
            self._write_blocks(connection)
            self._write_runtimes(connection)
            write_entries(connection, self._changed_entries())
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
        tables = inspect(self._database.engine).get_table_names()
        if identity is not None and not tables:
            self._database.let_readers_in()
            with self._database.engine.begin() as connection:
                LedgerTable.metadata.create_all(connection)
                connection.execute(insert(table_of(LedgerMeta)), [_meta_row(identity)])
            return identity
        if table_of(LedgerMeta).name not in tables:
            raise ConfigError(f"{self.name} is no ledger: replay or follow a chain into a new file")
        with Session(self._database.engine) as session:
            # alone: another version's row may have other columns
            version = session.exec(select(LedgerMeta.schema_version)).one_or_none()
            if version != SCHEMA_VERSION:
                raise ConfigError(
                    f"{self.name} is a ledger of schema version {version}, this program "
                    f"writes {SCHEMA_VERSION}: replay into a new file"
                )
            meta = session.exec(select(LedgerMeta)).one()
        origin = meta.expected_origin
        found = Identity(
            meta.network, Hash(meta.genesis_hash), None if origin is None else AccountId(origin)
        )
        if identity is not None and identity != found:
            raise ConfigError(f"{self.name} is another ledger: {_difference(found, identity)}")
        return found

    def _check_link(self, report: BlockReport) -> None:
        last = self._last or BlockRef(BlockNumber(0), self.identity.genesis_hash)
        if report.parent_hash != last.hash or report.ref.number <= last.number:
            raise InputError(
                f"{self.name} stands at block {last.number} (0x{last.hash.hex()}); "
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
        compress = zstandard.ZstdCompressor(level=9, write_checksum=True).compress
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
        decompress = zstandard.ZstdDecompressor().decompress
        with self._database.errors():
            try:
                return [decompress(row.zstd) for row in rows]
            except zstandard.ZstdError as error:
                raise DatabaseCorrupt(
                    f"metadata of spec version {spec_version}: {error}"
                ) from error

    def _changed_entries(self) -> dict[bytes, tuple[bytes, BlockNumber] | None]:
        return {
            storage_map.raw_key(key): (
                None if value is None else (storage_map.encode_value(value), number)
            )
            for storage_map, entries in self._changes.items()
            for key, (value, number) in entries.items()
        }


def _head(session: Session) -> BlockRow | None:
    head = select(BlockRow).join(LedgerMeta, col(LedgerMeta.head) == BlockRow.number)
    return session.exec(head).one_or_none()


def _ref(row: BlockRow) -> BlockRef:
    return BlockRef(BlockNumber(row.number), Hash(row.hash))


def _meta_row(identity: Identity) -> dict[str, Any]:
    return {
        "id": 1,
        "schema_version": SCHEMA_VERSION,
        "network": identity.network,
        "genesis_hash": identity.genesis_hash,
        "expected_origin": identity.expected_origin,
        "head": None,
        "state_checksum": EMPTY_CHECKSUM,
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
