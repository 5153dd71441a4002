"""The tables of a ledger: the truth, the blocks it came from, and what people want to read.

`state_entry` is the truth to resume from; `block` and `ledger_meta` say as of when. Every other
table is a projection of the entries (`ledger.store_rows`), except `rejection` and
`unattributed`: the words for what a block brought and the state keeps no text of.

Amounts are planck, accounts and hashes raw bytes; `docs/store.md` is for the SQL user.
"""

from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column, ForeignKey, ForeignKeyConstraint, Index, Table, Text
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from ledger.pallets.balances import Reasons
from ledger.pallets.conviction_voting.types import Conviction
from ledger.pallets.membership import MemberStatus
from ledger.pallets.multisig import Status as OperationStatus
from ledger.pallets.payouts import BatchStatus, ViolationCode
from ledger.pallets.referenda import Status as PollStatus
from ledger.pallets.rejections import RejectionCode
from ledger.pallets.scores import DigestKind
from ledger.store_types import (
    BytesColumn,
    CountColumn,
    NameColumn,
    PlanckColumn,
    type_checks,
)

SCHEMA_VERSION = 1
"""Raised with every change of a table; a ledger of another version is refused."""


class LedgerTable(SQLModel, registry=registry()):
    """Keeps our tables apart from other SQLModel users' in the same process."""


def table_of(model: type[SQLModel]) -> Table:
    """The SQLAlchemy table behind a model."""
    table = model.__table__  # type: ignore[attr-defined]  # SQLModel's metaclass sets it
    assert isinstance(table, Table)
    return table


def _column(kind: TypeEngine[Any], *parts: Any, null: bool = False) -> Any:
    return Field(sa_column=Column(kind, *parts, nullable=null))


def _key(kind: TypeEngine[Any], *parts: Any) -> Any:
    return Field(sa_column=Column(kind, *parts, primary_key=True, autoincrement=False))


def _to(target: str) -> ForeignKey:
    """Checked at the commit: a changed entry's rows are removed first and written again."""
    return ForeignKey(target, deferrable=True, initially="DEFERRED")


_ACCOUNT, _HASH = BytesColumn(32), BytesColumn(32)
_COUNT, _PLANCK, _TEXT = CountColumn(), PlanckColumn(), Text()


# --- The truth and where it came from ---------------------------------------------


class LedgerMeta(LedgerTable, table=True):
    """One row: which chain's and programme's ledger this is."""

    __tablename__ = "ledger_meta"
    __table_args__ = (CheckConstraint("id = 1"),)

    id: int = _key(_COUNT)
    schema_version: int = _column(_COUNT)
    network: str = _column(_TEXT)
    genesis_hash: bytes = _column(_HASH)
    expected_origin: bytes | None = _column(_ACCOUNT, null=True)
    head: int | None = _column(_COUNT, _to("block.number"), null=True)
    state_checksum: bytes = _column(BytesColumn(32))


class BlockRow(LedgerTable, table=True):
    """Every block that was applied, gaps of a test chain's time jumps aside."""

    __tablename__ = "block"

    number: int = _key(_COUNT)
    hash: bytes = _column(_HASH)
    parent_hash: bytes = _column(_HASH)
    spec_version: int = _column(_COUNT)
    timestamp_ms: int = _column(_COUNT)
    extrinsics: int = _column(_COUNT)


class RuntimeRow(LedgerTable, table=True):
    """The metadata of a runtime that executed one of the blocks, as its source had it."""

    __tablename__ = "runtime"

    spec_version: int = _key(_COUNT)
    metadata_version: int = _key(_COUNT)
    zstd: bytes = _column(BytesColumn())


class StateEntry(LedgerTable, table=True):
    """The ledger's state, byte for byte."""

    __tablename__ = "state_entry"
    __table_args__: ClassVar[Any] = {"sqlite_with_rowid": False}

    key: bytes = _key(BytesColumn())
    value: bytes = _column(BytesColumn())
    changed_at: int = _column(_COUNT)


# --- Governance -----------------------------------------------------------------------


class PollRow(LedgerTable, table=True):
    """A referendum: its track, its status, and the governance block that ended it."""

    __tablename__ = "poll"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (status = 'ongoing')"),
        CheckConstraint("track IS NOT NULL OR status <> 'ongoing'"),
    )

    poll: int = _key(_COUNT)
    track: int | None = _column(_COUNT, null=True)
    status: PollStatus = _column(NameColumn(PollStatus))
    ended_at: int | None = _column(_COUNT, null=True)


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

    account: bytes = _key(_ACCOUNT)
    track: int = _key(_COUNT)
    poll: int = _key(_COUNT)
    kind: VoteKind = _column(NameColumn(VoteKind))
    conviction: Conviction | None = _column(NameColumn(Conviction), null=True)
    aye: int | None = _column(_PLANCK, null=True)
    nay: int | None = _column(_PLANCK, null=True)
    abstain: int | None = _column(_PLANCK, null=True)


class DelegationRow(LedgerTable, table=True):
    """An account that lets another one vote for it on a track."""

    __tablename__ = "delegation"
    __table_args__ = (CheckConstraint("account <> target"), Index("delegation_target", "target"))

    account: bytes = _key(_ACCOUNT)
    track: int = _key(_COUNT)
    target: bytes = _column(_ACCOUNT)
    conviction: Conviction = _column(NameColumn(Conviction))
    balance: int = _column(_PLANCK)


class PriorLockRow(LedgerTable, table=True):
    """What removed votes and ended delegations still lock on a track."""

    __tablename__ = "prior_lock"

    account: bytes = _key(_ACCOUNT)
    track: int = _key(_COUNT)
    until: int = _column(_COUNT)
    amount: int = _column(_PLANCK)


class ClassLockRow(LedgerTable, table=True):
    """What votes of a track lock until somebody unlocks it."""

    __tablename__ = "class_lock"

    account: bytes = _key(_ACCOUNT)
    track: int = _key(_COUNT)
    amount: int = _column(_PLANCK)


class AccountLockRow(LedgerTable, table=True):
    """A lock on an account's balance; locks overlap, they do not add up."""

    __tablename__ = "account_lock"

    account: bytes = _key(_ACCOUNT)
    lock: bytes = _key(BytesColumn(8))
    amount: int = _column(_PLANCK)
    reasons: Reasons = _column(NameColumn(Reasons))


# --- Multisig -------------------------------------------------------------------------

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

    multisig: bytes = _key(_ACCOUNT)
    call_hash: bytes = _key(_HASH)
    height: int = _key(_COUNT)
    extrinsic: int = _key(_COUNT)
    nth: int = _key(_COUNT)
    status: OperationStatus = _column(NameColumn(OperationStatus))
    threshold: int = _column(_COUNT)
    signatories: bytes = _column(BytesColumn())
    depositor: bytes = _column(_ACCOUNT)
    deposit: int = _column(_PLANCK)
    call: bytes | None = _column(BytesColumn(), null=True)
    closed_by: bytes | None = _column(_ACCOUNT, null=True)
    closed_block: int | None = _column(_COUNT, null=True)
    closed_extrinsic: int | None = _column(_COUNT, null=True)
    error: str | None = _column(_TEXT, null=True)


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

    multisig: bytes = _key(_ACCOUNT)
    call_hash: bytes = _key(_HASH)
    height: int = _key(_COUNT)
    extrinsic: int = _key(_COUNT)
    nth: int = _key(_COUNT)
    account: bytes = _key(_ACCOUNT)
    position: int = _column(_COUNT)
    approved_block: int | None = _column(_COUNT, null=True)
    approved_extrinsic: int | None = _column(_COUNT, null=True)


# --- The programme --------------------------------------------------------------------


class ProgrammeRow(LedgerTable, table=True):
    """One row: the programme as the curators in office last described it."""

    __tablename__ = "programme"
    __table_args__ = (CheckConstraint("id = 1"),)

    id: int = _key(_COUNT)
    name: str = _column(_TEXT)
    rules: bytes = _column(_HASH)
    multisig: bytes = _column(_ACCOUNT)
    threshold: int = _column(_COUNT)
    quorum: int = _column(_COUNT)


class OfficerRole(StrEnum):
    CURATOR = "curator"
    ORACLE = "oracle"


class OfficerRow(LedgerTable, table=True):
    """A curator or an oracle of the programme."""

    __tablename__ = "officer"

    role: OfficerRole = _key(NameColumn(OfficerRole))
    position: int = _key(_COUNT)
    account: bytes = _column(_ACCOUNT)


class MemberRow(LedgerTable, table=True):
    __tablename__ = "member"

    member: str = _key(_TEXT)
    name: str = _column(_TEXT)
    region: str = _column(_TEXT)
    status: MemberStatus = _column(NameColumn(MemberStatus))
    reason: str | None = _column(_TEXT, null=True)
    registered_at: int = _column(_COUNT)
    status_since: int = _column(_COUNT)


class MemberAccountRow(LedgerTable, table=True):
    """Where a member votes from and is paid to; `payee` is NULL where it is not paid there."""

    __tablename__ = "member_account"
    __table_args__ = (CheckConstraint("account IS NOT NULL OR payee IS NOT NULL"),)

    member: str = _key(_TEXT)
    network: str = _key(_TEXT)
    account: bytes | None = _column(_ACCOUNT, null=True)
    payee: bytes | None = _column(_ACCOUNT, null=True)


class MilestoneRow(LedgerTable, table=True):
    __tablename__ = "milestone"

    member: str = _key(_TEXT)
    milestone: int = _key(_COUNT)
    evidence: bytes = _column(_HASH)
    granted_at: int = _column(_COUNT)


class LinkRow(LedgerTable, table=True):
    """An account that signed that it speaks for a member."""

    __tablename__ = "link"

    member: str = _key(_TEXT)
    network: str = _key(_TEXT)
    account: bytes = _key(_ACCOUNT)
    linked_at: int = _column(_COUNT)


class DecisionRow(LedgerTable, table=True):
    __tablename__ = "decision"

    block: int = _key(_COUNT)
    remark: int = _key(_COUNT)
    member: str = _column(_TEXT)
    outcome: str = _column(_TEXT)
    subject: str = _column(_TEXT)
    reason: str = _column(_TEXT)


# --- Scores ---------------------------------------------------------------------------


class DigestRow(LedgerTable, table=True):
    """What an oracle committed to (`observe`) or reported (`report`) for a day, and that counts."""

    __tablename__ = "digest"

    oracle: bytes = _key(_ACCOUNT)
    day: str = _key(_TEXT)
    kind: DigestKind = _key(NameColumn(DigestKind))
    root: bytes = _column(_HASH)
    rows: int = _column(_COUNT)
    digest: bytes = _column(_HASH)
    block: int = _column(_COUNT)


class StandingRow(LedgerTable, table=True):
    """The day's score: the root that at least a quorum of oracles reported."""

    __tablename__ = "standing_report"

    day: str = _key(_TEXT)
    root: bytes = _column(_HASH)
    rows: int = _column(_COUNT)
    reporters: int = _column(_COUNT)
    since: int = _column(_COUNT)


class EquivocationRow(LedgerTable, table=True):
    """Two roots of one oracle for one day and kind; neither counts."""

    __tablename__ = "equivocation"
    __table_args__ = (CheckConstraint("first_root <> second_root"),)

    oracle: bytes = _key(_ACCOUNT)
    day: str = _key(_TEXT)
    kind: DigestKind = _key(NameColumn(DigestKind))
    first_root: bytes = _column(_HASH)
    second_root: bytes = _column(_HASH)
    block: int = _column(_COUNT)


# --- Payouts --------------------------------------------------------------------------


class PayoutBatchRow(LedgerTable, table=True):
    """A payout batch that the curators' multisig dispatched."""

    __tablename__ = "payout_batch"
    __table_args__ = (CheckConstraint("(status = 'failed') = (error IS NOT NULL)"),)

    block: int = _key(_COUNT)
    nth: int = _key(_COUNT)
    status: BatchStatus = _column(NameColumn(BatchStatus))
    period: str = _column(_TEXT)
    statement: bytes = _column(_HASH)
    call_hash: bytes = _column(_HASH)
    extrinsic: int | None = _column(_COUNT, null=True)
    lines: int = _column(_COUNT)
    total: int = _column(_PLANCK)
    error: str | None = _column(_TEXT, null=True)


class PaidRow(LedgerTable, table=True):
    """What a member was paid for an item of a period: once."""

    __tablename__ = "paid"

    period: str = _key(_TEXT)
    member: str = _key(_TEXT)
    item: str = _key(_TEXT)
    payee: bytes = _column(_ACCOUNT)
    amount: int = _column(_PLANCK)
    block: int = _column(_COUNT)
    nth: int = _column(_COUNT)
    line: int = _column(_COUNT)


class ViolationRow(LedgerTable, table=True):
    """A line that was paid in another way than its remark says."""

    __tablename__ = "violation"

    block: int = _key(_COUNT)
    nth: int = _key(_COUNT)
    line: int = _key(_COUNT)
    code: ViolationCode = _column(NameColumn(ViolationCode))
    payee: bytes | None = _column(_ACCOUNT, null=True)
    amount: int = _column(_PLANCK)


# --- Words beside the state -------------------------------------------------------------


class RejectionRow(LedgerTable, table=True):
    """A remark that was not taken as a fact; the code is in the state, the words only here."""

    __tablename__ = "rejection"

    block: int = _key(_COUNT)
    remark: int = _key(_COUNT)
    code: RejectionCode = _column(NameColumn(RejectionCode))
    reason: str = _column(_TEXT)
    origin: bytes | None = _column(_ACCOUNT, null=True)
    extrinsic: int | None = _column(_COUNT, null=True)


class UnattributedRow(LedgerTable, table=True):
    """A call whose effects the events do not tell apart."""

    __tablename__ = "unattributed"

    block: int = _key(_COUNT)
    nth: int = _key(_COUNT)
    extrinsic: int | None = _column(_COUNT, null=True)
    call: str = _column(_TEXT)
    reason: str = _column(_TEXT)


for _table in LedgerTable.metadata.tables.values():
    for _check in type_checks(_table):
        _table.append_constraint(_check)
