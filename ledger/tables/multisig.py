"""Projections of multisig operations, open and closed."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index

from ledger.pallets.multisig import Status as OperationStatus
from ledger.store_types import (
    BytesColumn,
    NameColumn,
)
from ledger.tables.base import (
    ACCOUNT,
    COUNT,
    HASH,
    PLANCK,
    TEXT,
    LedgerTable,
    column_of,
    key_of,
)

_OPERATION = ("multisig", "call_hash", "height", "extrinsic", "nth")
"""An operation is named by its timepoint; `nth` counts those opened again in one extrinsic."""


class OperationRow(LedgerTable, table=True):
    """A multisig operation, open or closed, with its call once anybody has submitted it."""

    __tablename__ = "multisig_operation"
    __table_args__ = (
        CheckConstraint("(status IN ('open', 'migrated')) = (closed_by IS NULL)"),
        CheckConstraint("(closed_by IS NULL) = (closed_block IS NULL)"),
        CheckConstraint("error IS NULL OR status = 'executed'"),
        CheckConstraint("closed_extrinsic IS NULL OR closed_block IS NOT NULL"),
        CheckConstraint("threshold >= 2"),
        CheckConstraint("length(signatories) % 32 = 0 AND length(signatories) >= 64"),
        Index("multisig_operation_call_hash", "call_hash"),
    )

    multisig: bytes = key_of(ACCOUNT)
    call_hash: bytes = key_of(HASH)
    height: int = key_of(COUNT)
    extrinsic: int = key_of(COUNT)
    nth: int = key_of(COUNT)
    status: OperationStatus = column_of(NameColumn(OperationStatus))
    threshold: int = column_of(COUNT)
    signatories: bytes = column_of(BytesColumn())
    depositor: bytes = column_of(ACCOUNT)
    deposit: int = column_of(PLANCK)
    call: bytes | None = column_of(BytesColumn(), null=True)
    closed_by: bytes | None = column_of(ACCOUNT, null=True)
    closed_block: int | None = column_of(COUNT, null=True)
    closed_extrinsic: int | None = column_of(COUNT, null=True)
    error: str | None = column_of(TEXT, null=True)


class ApprovalRow(LedgerTable, table=True):
    """Who approved an operation, in which order and where; NULL before our first block."""

    __tablename__ = "multisig_approval"
    __table_args__ = (
        ForeignKeyConstraint(
            _OPERATION,
            [f"multisig_operation.{name}" for name in _OPERATION],
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("approved_extrinsic IS NULL OR approved_block IS NOT NULL"),
    )

    multisig: bytes = key_of(ACCOUNT)
    call_hash: bytes = key_of(HASH)
    height: int = key_of(COUNT)
    extrinsic: int = key_of(COUNT)
    nth: int = key_of(COUNT)
    account: bytes = key_of(ACCOUNT)
    position: int = column_of(COUNT)
    approved_block: int | None = column_of(COUNT, null=True)
    approved_extrinsic: int | None = column_of(COUNT, null=True)
