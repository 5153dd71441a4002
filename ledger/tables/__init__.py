"""The tables of a ledger: the truth, the blocks it came from, and what people want to read.

`state_entry` is the truth to resume from, `state_history` what it was before; `block`,
`block_state` and `ledger_meta` say as of when. Every other table is a projection of the entries
(`ledger.store_rows`), except `remark`, `rejection` and `unattributed`: what a block brought and the
state does not keep, because no rule depends on it.

Amounts are planck, accounts and hashes raw bytes; `docs/store.md` is for the SQL user.
"""

from ledger.store_types import type_checks
from ledger.tables.base import (
    SCHEMA_VERSION,
    LedgerTable,
    table_of,
)
from ledger.tables.beside import (
    RejectionRow,
    RemarkRow,
    UnattributedRow,
)
from ledger.tables.chain import (
    BlockRow,
    BlockState,
    LedgerMeta,
    RuntimeRow,
    StateEntry,
    StateHistory,
)
from ledger.tables.governance import (
    AccountLockRow,
    ClassLockRow,
    DelegationRow,
    PollRow,
    PriorLockRow,
    VoteKind,
    VoteRow,
)
from ledger.tables.multisig import (
    ApprovalRow,
    OperationRow,
)
from ledger.tables.payouts import (
    PaidRow,
    PayoutBatchRow,
    ViolationRow,
)
from ledger.tables.programme import (
    DecisionRow,
    LinkRow,
    MemberAccountRow,
    MemberRow,
    MilestoneRow,
    OfficerRole,
    OfficerRow,
    ProgrammeRow,
)
from ledger.tables.scores import (
    ClosingCommitmentRow,
    ClosingMemberRow,
    ClosingRow,
    DigestRow,
    EquivocationRow,
    StandingRow,
)

__all__ = [
    "SCHEMA_VERSION",
    "AccountLockRow",
    "ApprovalRow",
    "BlockRow",
    "BlockState",
    "ClassLockRow",
    "ClosingCommitmentRow",
    "ClosingMemberRow",
    "ClosingRow",
    "DecisionRow",
    "DelegationRow",
    "DigestRow",
    "EquivocationRow",
    "LedgerMeta",
    "LedgerTable",
    "LinkRow",
    "MemberAccountRow",
    "MemberRow",
    "MilestoneRow",
    "OfficerRole",
    "OfficerRow",
    "OperationRow",
    "PaidRow",
    "PayoutBatchRow",
    "PollRow",
    "PriorLockRow",
    "ProgrammeRow",
    "RejectionRow",
    "RemarkRow",
    "RuntimeRow",
    "StandingRow",
    "StateEntry",
    "StateHistory",
    "UnattributedRow",
    "ViolationRow",
    "VoteKind",
    "VoteRow",
    "table_of",
]

for _table in LedgerTable.metadata.tables.values():
    for _check in type_checks(_table):
        _table.append_constraint(_check)
