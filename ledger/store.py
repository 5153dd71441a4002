"""A ledger in a database: created, resumed, written one batch of blocks at a time.

Contract: a batch's blocks, state entries and projections are committed in one transaction, so a
process that dies leaves the ledger at a block, and the next one goes on behind it. One writer per
ledger, any number of readers, each seeing the last committed block.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Self

import zstandard
from sqlalchemy import Connection, insert, inspect, update
from sqlmodel import Session, col, select

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import ConfigError, InputError
from ibp_chain.networks import network
from ibp_chain.types import AccountId, BlockNumber, Hash, RelayBlockNumber, SpecVersion
from ledger.replay import BlockReport
from ledger.state import Head, State
from ledger.storage import StorageMap
from ledger.store_bulk import insert_rows
from ledger.store_database import DatabaseCorrupt, DatabaseError
from ledger.store_entries import (
    EMPTY_CHECKSUM,
    Version,
    read_entries,
    read_past_entries,
    write_entries,
)
from ledger.store_open import open_database
from ledger.store_projection import project
from ledger.store_rows import PROJECTIONS, rejection_rows, remark_rows, unattributed_rows
from ledger.tables import (
    SCHEMA_VERSION,
    BlockRow,
    BlockState,
    LedgerMeta,
    LedgerTable,
    RejectionRow,
    RemarkRow,
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
        self._database = open_database(url, write=identity is not None)
        try:
            with self._database.errors():
                self.identity = self._found(identity)
            self._last = self.head() if identity else None
        except BaseException:
            self._database.close()
            raise
        self._blocks: list[BlockReport] = []
        self._changes: dict[StorageMap[Any, Any], dict[Any, Any]] = {}
        """The last value of each changed entry; None for one that is gone."""
        self._versions: dict[StorageMap[Any, Any], dict[Any, list[Version]]] = {}
        """The same and what was written before, as bytes: values may be gone by the commit."""
        self._heads: list[Head] = []
        """`Ledger.Head` behind each block: it alone changes with every one."""
        self._stored_head: BlockNumber | None = None if self._last is None else self._last.number
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

    def session(self) -> AbstractContextManager[Session]:
        """One snapshot for reading."""
        return self._database.session()

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

    def load_state(self, at: BlockNumber | None = None) -> State:
        """The state at the head, or as it was behind block `at`.

        At the head what was collected and not committed is forgotten. A height at which the chain
        has no block means the last block before it. Raises `ConfigError` where the state of `at`
        is not known, `DatabaseCorrupt` where the entries are not those that were written.
        """
        if at is not None:
            return self._past_state(at)
        self._forget()
        state = self._empty_state()
        with self.session() as session:
            row = _head(session)
            self._last = None if row is None else _ref(row)
            self._stored_head = None if row is None else BlockNumber(row.number)
            checksum = session.exec(select(LedgerMeta.state_checksum)).one()
            self._fill(state, read_entries(session, checksum))
            head = state.head.value
            if (None if head is None else head.ref) != self._last:
                raise DatabaseCorrupt("its state is of another block than its blocks end with")
        return state

    def _past_state(self, at: BlockNumber) -> State:
        state = self._empty_state()
        with self.session() as session:
            head = _head(session)
            if head is None or head.number < at:
                ends = "has no blocks yet" if head is None else f"ends with block {head.number}"
                raise ConfigError(f"{self.name} {ends}: it cannot tell the state at block {at}")
            found = session.exec(
                select(BlockRow, BlockState)
                .join(BlockState, col(BlockState.number) == BlockRow.number, isouter=True)
                .where(col(BlockRow.number) <= at)
                .order_by(col(BlockRow.number).desc())
                .limit(1)
            ).first()
            if found is None:
                raise ConfigError(f"{self.name} has no block {at} and none before it")
            row, known = found
            if known is None:
                raise ConfigError(
                    f"{self.name} does not know the state at block {at}: it was kept without "
                    "history then; replay the blocks into a new database, or use --archive"
                )
            ref = _ref(row)
            past_head = Head(ref.number, ref.hash, RelayBlockNumber(known.clock))
            self._fill(state, read_past_entries(session, past_head, known.checksum))
        return state

    def _empty_state(self) -> State:
        return State(network(self.identity.network), self.identity.expected_origin)

    def _fill(self, state: State, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises `ConfigError` for entries that are whole and that this program does not know."""
        try:
            state.load(entries)
        except InputError as error:
            raise ConfigError(
                f"{self.name} was written by another version of this program, with other items in "
                f"its state: replay into a new one ({error})"
            ) from error

    def _forget(self) -> None:
        """What was collected and is not committed."""
        self._blocks.clear()
        self._changes.clear()
        self._versions.clear()
        self._heads.clear()
        self._runtimes.clear()

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
        number = report.ref.number
        for storage_map in state.maps():
            if not storage_map.changed:
                continue
            changes = storage_map.take_changes()
            if storage_map is state.head:
                continue
            self._changes.setdefault(storage_map, {}).update(changes)
            versions = self._versions.setdefault(storage_map, {})
            for key, value in changes.items():
                raw = None if value is None else storage_map.encode_value(value)
                versions.setdefault(key, []).append((number, raw))
        head = state.head.value
        assert head is not None, "a block that was applied is the head"
        self._heads.append(head)
        self._blocks.append(report)
        self._last = report.ref

    def commit(self) -> None:
        """Write what was collected, in one transaction; if it fails, it can be tried again.

        Raises `DatabaseError` where somebody else has written in the meantime.
        """
        if not self._blocks:
            return
        with self._database.transaction() as connection:
            self._ensure_alone(connection)
            self._write_blocks(connection)
            self._write_runtimes(connection)
            write_entries(connection, self._raw_versions(), self._heads)
            project(connection, PROJECTIONS, self._changes.items())
        self._stored_head = self._blocks[-1].ref.number
        self._blocks.clear()
        self._changes.clear()
        self._versions.clear()
        self._heads.clear()
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
            self._database.prepare()
            with self._database.transaction() as connection:
                LedgerTable.metadata.create_all(connection)
                connection.execute(insert(table_of(LedgerMeta)), [_meta_row(identity)])
            return identity
        if table_of(LedgerMeta).name not in tables:
            raise ConfigError(f"{self.name} is no ledger: replay or follow a chain into a new one")
        with Session(self._database.engine) as session:
            # alone: another version's row may have other columns
            version = session.exec(select(LedgerMeta.schema_version)).one_or_none()
            ensure_present(self.name, version)
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

    def _ensure_alone(self, connection: Connection) -> None:
        """The head is where this writer left it: a second one, whatever let it in, ends here."""
        head = connection.execute(select(table_of(LedgerMeta).c.head).with_for_update()).scalar()
        if head != self._stored_head:
            raise DatabaseError(
                f"{self.name}: somebody else has written this ledger since it was read; there may "
                "be one writer only"
            )

    def _write_blocks(self, connection: Connection) -> None:
        rows = [
            {
                "number": report.ref.number,
                "hash": report.ref.hash,
                "parent_hash": report.parent_hash,
                "spec_version": report.spec_version,
                "timestamp_ms": report.timestamp_ms,
                "extrinsics": report.extrinsics,
            }
            for report in self._blocks
        ]
        insert_rows(connection, table_of(BlockRow), rows)
        # not before: SQLite would look for who waits for a block at each of them
        connection.execute(update(table_of(LedgerMeta)).values(head=rows[-1]["number"]))
        for model, rows_of in (
            (RemarkRow, remark_rows),
            (RejectionRow, rejection_rows),
            (UnattributedRow, unattributed_rows),
        ):
            told = [row for report in self._blocks for row in rows_of(report)]
            insert_rows(connection, table_of(model), told)

    def _raw_versions(self) -> dict[bytes, list[Version]]:
        return {
            storage_map.raw_key(key): versions
            for storage_map, entries in self._versions.items()
            for key, versions in entries.items()
        }

    def _write_runtimes(self, connection: Connection) -> None:
        compress = zstandard.ZstdCompressor(level=9, write_checksum=True).compress
        rows = [
            {"spec_version": version, "metadata_version": raw[4], "zstd": compress(raw)}
            for version, formats in self._runtimes.items()
            for raw in formats
        ]
        insert_rows(connection, table_of(RuntimeRow), rows)

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


def ensure_present(name: str, version: int | None) -> None:
    """Raises `ConfigError` unless `version` is the schema that this program writes."""
    if version == SCHEMA_VERSION:
        return
    is_of = f"{name} is a ledger of schema version {version}, this program writes {SCHEMA_VERSION}"
    if version is None or version < SCHEMA_VERSION:
        raise ConfigError(f"{is_of}: bring it up with `ibp ledger migrate --db URL`")
    raise ConfigError(f"{is_of}: upgrade the program")


def _difference(found: Identity, wanted: Identity) -> str:
    if found.network != wanted.network:
        return f"of {found.network}, not {wanted.network}"
    if found.genesis_hash != wanted.genesis_hash:
        return (
            f"its chain's genesis is 0x{found.genesis_hash.hex()}, "
            f"not 0x{wanted.genesis_hash.hex()}"
        )
    return "it was begun for other curators"
