"""Projections of the programme: its officers and members, what was decided about them."""

from enum import StrEnum

from sqlalchemy import CheckConstraint

from ledger.pallets.membership import MemberStatus
from ledger.store_types import (
    NameColumn,
)
from ledger.tables.base import (
    ACCOUNT,
    COUNT,
    HASH,
    TEXT,
    LedgerTable,
    column_of,
    key_of,
)


class ProgrammeRow(LedgerTable, table=True):
    """One row: the programme as the curators in office last described it."""

    __tablename__ = "programme"
    __table_args__ = (CheckConstraint("id = 1"),)

    id: int = key_of(COUNT)
    name: str = column_of(TEXT)
    rules: bytes = column_of(HASH)
    multisig: bytes = column_of(ACCOUNT)
    threshold: int = column_of(COUNT)
    quorum: int = column_of(COUNT)


class OfficerRole(StrEnum):
    CURATOR = "curator"
    ORACLE = "oracle"


class OfficerRow(LedgerTable, table=True):
    """A curator or an oracle of the programme."""

    __tablename__ = "officer"

    role: OfficerRole = key_of(NameColumn(OfficerRole))
    position: int = key_of(COUNT)
    account: bytes = column_of(ACCOUNT)


class MemberRow(LedgerTable, table=True):
    __tablename__ = "member"

    member: str = key_of(TEXT)
    name: str = column_of(TEXT)
    region: str = column_of(TEXT)
    status: MemberStatus = column_of(NameColumn(MemberStatus))
    reason: str | None = column_of(TEXT, null=True)
    registered_at: int = column_of(COUNT)
    status_since: int = column_of(COUNT)


class MemberAccountRow(LedgerTable, table=True):
    """Where a member votes from and is paid to; `payee` is NULL where it is not paid there."""

    __tablename__ = "member_account"
    __table_args__ = (CheckConstraint("account IS NOT NULL OR payee IS NOT NULL"),)

    member: str = key_of(TEXT)
    network: str = key_of(TEXT)
    account: bytes | None = column_of(ACCOUNT, null=True)
    payee: bytes | None = column_of(ACCOUNT, null=True)


class MilestoneRow(LedgerTable, table=True):
    __tablename__ = "milestone"

    member: str = key_of(TEXT)
    milestone: int = key_of(COUNT)
    evidence: bytes = column_of(HASH)
    granted_at: int = column_of(COUNT)


class LinkRow(LedgerTable, table=True):
    """An account that signed that it speaks for a member."""

    __tablename__ = "link"

    member: str = key_of(TEXT)
    network: str = key_of(TEXT)
    account: bytes = key_of(ACCOUNT)
    linked_at: int = column_of(COUNT)


class DecisionRow(LedgerTable, table=True):
    __tablename__ = "decision"

    block: int = key_of(COUNT)
    remark: int = key_of(COUNT)
    member: str = column_of(TEXT)
    outcome: str = column_of(TEXT)
    subject: str = column_of(TEXT)
    reason: str = column_of(TEXT)
