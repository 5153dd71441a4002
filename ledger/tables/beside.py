"""What a block brought and the state does not keep, because no rule depends on it."""

from ibp_chain.remarks import Kind
from ledger.pallets.rejections import RejectionCode
from ledger.store_types import (
    NameColumn,
)
from ledger.tables.base import (
    ACCOUNT,
    COUNT,
    DAY,
    TEXT,
    LedgerTable,
    column_of,
    key_of,
    points_to,
)


class RemarkRow(LedgerTable, table=True):
    """A remark that was taken as a fact, and which extrinsic said it."""

    __tablename__ = "remark"

    block: int = key_of(COUNT, points_to("block.number"))
    remark: int = key_of(COUNT)
    kind: Kind = column_of(NameColumn(Kind))
    origin: bytes = column_of(ACCOUNT)
    extrinsic: int | None = column_of(COUNT, null=True)
    day: str | None = column_of(DAY, null=True)


class RejectionRow(LedgerTable, table=True):
    """A remark that was not taken as a fact; the code is in the state, the words only here."""

    __tablename__ = "rejection"

    block: int = key_of(COUNT, points_to("block.number"))
    remark: int = key_of(COUNT)
    code: RejectionCode = column_of(NameColumn(RejectionCode))
    reason: str = column_of(TEXT)
    origin: bytes | None = column_of(ACCOUNT, null=True)
    extrinsic: int | None = column_of(COUNT, null=True)


class UnattributedRow(LedgerTable, table=True):
    """A call whose effects the events do not tell apart."""

    __tablename__ = "unattributed"

    block: int = key_of(COUNT, points_to("block.number"))
    nth: int = key_of(COUNT)
    extrinsic: int | None = column_of(COUNT, null=True)
    call: str = column_of(TEXT)
    reason: str = column_of(TEXT)
