"""Projections of what oracles said of days, and of what stands."""

from sqlalchemy import CheckConstraint

from ledger.pallets.scores import DigestKind
from ledger.store_types import (
    NameColumn,
)
from ledger.tables.base import (
    ACCOUNT,
    COUNT,
    DAY,
    HASH,
    TEXT,
    LedgerTable,
    column_of,
    key_of,
    points_to,
)


class DigestRow(LedgerTable, table=True):
    """What an oracle committed to (`observe`) or reported (`report`) for a day, and that counts."""

    __tablename__ = "digest"

    oracle: bytes = key_of(ACCOUNT)
    day: str = key_of(DAY)
    kind: DigestKind = key_of(NameColumn(DigestKind))
    root: bytes = column_of(HASH)
    rows: int = column_of(COUNT)
    digest: bytes = column_of(HASH)
    block: int = column_of(COUNT)


class ClosingRow(LedgerTable, table=True):
    """A day that takes no more commitments, and the report of the day before that stood then."""

    __tablename__ = "closing"
    __table_args__ = (CheckConstraint("(before_root IS NULL) = (before_rows IS NULL)"),)

    day: str = key_of(DAY)
    before_root: bytes | None = column_of(HASH, null=True)
    before_rows: int | None = column_of(COUNT, null=True)
    block: int = column_of(COUNT)


class ClosingCommitmentRow(LedgerTable, table=True):
    """An observation that the day's reports are computed from, even if contradicted since."""

    __tablename__ = "closing_commitment"

    day: str = key_of(DAY, points_to("closing.day"))
    oracle: bytes = key_of(ACCOUNT)
    root: bytes = column_of(HASH)
    rows: int = column_of(COUNT)


class ClosingMemberRow(LedgerTable, table=True):
    """A member that the day's reports score."""

    __tablename__ = "closing_member"

    day: str = key_of(DAY, points_to("closing.day"))
    member: str = key_of(TEXT)


class StandingRow(LedgerTable, table=True):
    """The day's score: the root that at least a quorum of oracles reported."""

    __tablename__ = "standing_report"

    day: str = key_of(DAY)
    root: bytes = column_of(HASH)
    rows: int = column_of(COUNT)
    reporters: int = column_of(COUNT)
    since: int = column_of(COUNT)


class EquivocationRow(LedgerTable, table=True):
    """Two roots of one oracle for one day and kind; neither counts."""

    __tablename__ = "equivocation"
    __table_args__ = (CheckConstraint("first_root <> second_root"),)

    oracle: bytes = key_of(ACCOUNT)
    day: str = key_of(DAY)
    kind: DigestKind = key_of(NameColumn(DigestKind))
    first_root: bytes = column_of(HASH)
    second_root: bytes = column_of(HASH)
    block: int = column_of(COUNT)
