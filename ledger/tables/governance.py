"""Projections of what governance has: polls, votes, delegations, locks."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Index

from ledger.pallets.balances import Reasons
from ledger.pallets.conviction_voting.types import Conviction
from ledger.pallets.referenda import Status as PollStatus
from ledger.store_types import (
    BytesColumn,
    NameColumn,
)
from ledger.tables.base import (
    ACCOUNT,
    COUNT,
    PLANCK,
    LedgerTable,
    column_of,
    key_of,
)


class PollRow(LedgerTable, table=True):
    """A referendum: its track, its status, and the governance block that ended it."""

    __tablename__ = "poll"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (status = 'ongoing')"),
        CheckConstraint("track IS NOT NULL OR status <> 'ongoing'"),
    )

    poll: int = key_of(COUNT)
    track: int | None = column_of(COUNT, null=True)
    status: PollStatus = column_of(NameColumn(PollStatus))
    ended_at: int | None = column_of(COUNT, null=True)


class VoteKind(StrEnum):
    AYE = "aye"
    NAY = "nay"
    SPLIT = "split"
    SPLIT_ABSTAIN = "split_abstain"


class VoteRow(LedgerTable, table=True):
    """A vote that still stands, its poll ended or not; each side that it has, in planck."""

    __tablename__ = "vote"
    __table_args__ = (
        CheckConstraint("(conviction IS NOT NULL) = (kind IN ('aye', 'nay'))"),
        CheckConstraint("(aye IS NOT NULL) = (kind <> 'nay')"),
        CheckConstraint("(nay IS NOT NULL) = (kind <> 'aye')"),
        CheckConstraint("(abstain IS NOT NULL) = (kind = 'split_abstain')"),
        Index("vote_poll", "poll"),
    )

    account: bytes = key_of(ACCOUNT)
    track: int = key_of(COUNT)
    poll: int = key_of(COUNT)
    kind: VoteKind = column_of(NameColumn(VoteKind))
    conviction: Conviction | None = column_of(NameColumn(Conviction), null=True)
    aye: int | None = column_of(PLANCK, null=True)
    nay: int | None = column_of(PLANCK, null=True)
    abstain: int | None = column_of(PLANCK, null=True)


class DelegationRow(LedgerTable, table=True):
    """An account that lets another one vote for it on a track."""

    __tablename__ = "delegation"
    __table_args__ = (CheckConstraint("account <> target"), Index("delegation_target", "target"))

    account: bytes = key_of(ACCOUNT)
    track: int = key_of(COUNT)
    target: bytes = column_of(ACCOUNT)
    conviction: Conviction = column_of(NameColumn(Conviction))
    balance: int = column_of(PLANCK)


class PriorLockRow(LedgerTable, table=True):
    """What removed votes and ended delegations still lock on a track."""

    __tablename__ = "prior_lock"

    account: bytes = key_of(ACCOUNT)
    track: int = key_of(COUNT)
    until: int = column_of(COUNT)
    amount: int = column_of(PLANCK)


class ClassLockRow(LedgerTable, table=True):
    """What votes of a track lock until somebody unlocks it."""

    __tablename__ = "class_lock"

    account: bytes = key_of(ACCOUNT)
    track: int = key_of(COUNT)
    amount: int = column_of(PLANCK)


class AccountLockRow(LedgerTable, table=True):
    """A lock on an account's balance; locks overlap, they do not add up."""

    __tablename__ = "account_lock"

    account: bytes = key_of(ACCOUNT)
    lock: bytes = key_of(BytesColumn(8))
    amount: int = column_of(PLANCK)
    reasons: Reasons = column_of(NameColumn(Reasons))
