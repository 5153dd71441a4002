"""Projections of payouts: batches, what they paid, and how otherwise than they said."""

from sqlalchemy import CheckConstraint

from ledger.pallets.payouts import BatchStatus, ViolationCode
from ledger.store_types import (
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


class PayoutBatchRow(LedgerTable, table=True):
    """A payout batch that the curators' multisig dispatched."""

    __tablename__ = "payout_batch"
    __table_args__ = (CheckConstraint("(status = 'failed') = (error IS NOT NULL)"),)

    block: int = key_of(COUNT)
    nth: int = key_of(COUNT)
    status: BatchStatus = column_of(NameColumn(BatchStatus))
    period: str = column_of(TEXT)
    statement: bytes = column_of(HASH)
    call_hash: bytes = column_of(HASH)
    extrinsic: int | None = column_of(COUNT, null=True)
    lines: int = column_of(COUNT)
    total: int = column_of(PLANCK)
    error: str | None = column_of(TEXT, null=True)


class PaidRow(LedgerTable, table=True):
    """What a member was paid for an item of a period: once."""

    __tablename__ = "paid"

    period: str = key_of(TEXT)
    member: str = key_of(TEXT)
    item: str = key_of(TEXT)
    payee: bytes = column_of(ACCOUNT)
    amount: int = column_of(PLANCK)
    block: int = column_of(COUNT)
    nth: int = column_of(COUNT)
    line: int = column_of(COUNT)


class ViolationRow(LedgerTable, table=True):
    """A line that was paid in another way than its remark says."""

    __tablename__ = "violation"

    block: int = key_of(COUNT)
    nth: int = key_of(COUNT)
    line: int = key_of(COUNT)
    code: ViolationCode = column_of(NameColumn(ViolationCode))
    payee: bytes | None = column_of(ACCOUNT, null=True)
    amount: int = column_of(PLANCK)
