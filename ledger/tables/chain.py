"""The truth to resume from, what it was before, and the blocks that it came from."""

from typing import Any, ClassVar

from sqlalchemy import CheckConstraint

from ledger.store_types import (
    BytesColumn,
)
from ledger.tables.base import (
    ACCOUNT,
    COUNT,
    HASH,
    TEXT,
    LedgerTable,
    column_of,
    key_of,
    points_to,
)


class LedgerMeta(LedgerTable, table=True):
    """One row: which chain's and programme's ledger this is."""

    __tablename__ = "ledger_meta"
    __table_args__ = (CheckConstraint("id = 1"),)

    id: int = key_of(COUNT)
    schema_version: int = column_of(COUNT)
    network: str = column_of(TEXT)
    genesis_hash: bytes = column_of(HASH)
    expected_origin: bytes | None = column_of(ACCOUNT, null=True)
    head: int | None = column_of(COUNT, points_to("block.number"), null=True)
    state_checksum: bytes = column_of(BytesColumn(32))


class BlockRow(LedgerTable, table=True):
    """Every block that was applied, gaps of a test chain's time jumps aside."""

    __tablename__ = "block"

    number: int = key_of(COUNT)
    hash: bytes = column_of(HASH)
    parent_hash: bytes = column_of(HASH)
    spec_version: int = column_of(COUNT)
    timestamp_ms: int = column_of(COUNT)
    extrinsics: int = column_of(COUNT)


class RuntimeRow(LedgerTable, table=True):
    """The metadata of a runtime that executed one of the blocks, as its source had it."""

    __tablename__ = "runtime"

    spec_version: int = key_of(COUNT)
    metadata_version: int = key_of(COUNT)
    zstd: bytes = column_of(BytesColumn())


class StateEntry(LedgerTable, table=True):
    """The ledger's state, byte for byte."""

    __tablename__ = "state_entry"
    __table_args__: ClassVar[Any] = {"sqlite_with_rowid": False}

    key: bytes = key_of(BytesColumn())
    value: bytes = column_of(BytesColumn())
    changed_at: int = column_of(COUNT)


class BlockState(LedgerTable, table=True):
    """What is known of the state behind a block; none for those before history was kept."""

    __tablename__ = "block_state"

    number: int = key_of(COUNT, points_to("block.number"))
    clock: int = column_of(COUNT)
    checksum: bytes = column_of(BytesColumn(32))


class StateHistory(LedgerTable, table=True):
    """A value that a key had, from block `since` up to before block `until`, and no longer has.

    `Ledger.Head` is in no row: every block changes it, and `block` and `block_state` say it.
    """

    __tablename__ = "state_history"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("since < until"),
        {"sqlite_with_rowid": False},
    )

    key: bytes = key_of(BytesColumn())
    since: int = key_of(COUNT)
    until: int = column_of(COUNT, points_to("block.number"))
    value: bytes = column_of(BytesColumn())
