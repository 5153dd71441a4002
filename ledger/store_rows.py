"""The rows of each table, by the storage item that they are a projection of."""

from collections.abc import Callable, Iterator

from ibp_chain.remark_bodies import Decision, Observe, Program, Report
from ibp_chain.types import AccountId, BlockNumber, PollIndex, TrackId
from ledger.pallets.balances import BalanceLock
from ledger.pallets.conviction_voting.pallet import ClassLocks
from ledger.pallets.conviction_voting.types import (
    AccountVote,
    Casting,
    Delegating,
    Split,
    SplitAbstain,
    Standard,
    Voting,
)
from ledger.pallets.membership import MemberId, MemberRecord, MilestoneRecord
from ledger.pallets.multisig import Operation, OperationKey, Position
from ledger.pallets.payouts import Batch, BatchKey, PaidKey, PaidLine, Violation
from ledger.pallets.programme import RemarkKey, curators_account
from ledger.pallets.referenda import Poll
from ledger.pallets.scores import (
    Closing,
    Day,
    DigestKey,
    DigestKind,
    Equivocation,
    Observation,
    ReportRecord,
    Standing,
    day_date,
)
from ledger.replay import BlockReport
from ledger.store_projection import Projection, Projections, Row
from ledger.tables import (
    AccountLockRow,
    ApprovalRow,
    ClassLockRow,
    ClosingCommitmentRow,
    ClosingMemberRow,
    ClosingRow,
    DecisionRow,
    DelegationRow,
    DigestRow,
    EquivocationRow,
    LinkRow,
    MemberAccountRow,
    MemberRow,
    MilestoneRow,
    OfficerRole,
    OfficerRow,
    OperationRow,
    PaidRow,
    PayoutBatchRow,
    PollRow,
    PriorLockRow,
    ProgrammeRow,
    StandingRow,
    ViolationRow,
    VoteKind,
    VoteRow,
    table_of,
)

# --- Governance -----------------------------------------------------------------------


def _account(account: AccountId) -> Row:
    return {"account": account}


def _account_track(key: tuple[AccountId, TrackId]) -> Row:
    account, track = key
    return {"account": account, "track": track}


def _poll(_index: PollIndex, poll: Poll) -> Iterator[Row]:
    yield {"track": poll.track, "status": poll.status, "ended_at": poll.end}


def _votes(_key: tuple[AccountId, TrackId], voting: Voting) -> Iterator[Row]:
    if isinstance(voting, Casting):
        for poll, vote in voting.votes:
            yield {"poll": poll, **_vote(vote)}


def _vote(vote: AccountVote) -> Row:
    sides: Row = {"conviction": None, "aye": None, "nay": None, "abstain": None}
    match vote:
        case Standard(aye=True, conviction=conviction, balance=balance):
            return {**sides, "kind": VoteKind.AYE, "conviction": conviction, "aye": balance}
        case Standard(conviction=conviction, balance=balance):
            return {**sides, "kind": VoteKind.NAY, "conviction": conviction, "nay": balance}
        case Split(aye, nay):
            return {**sides, "kind": VoteKind.SPLIT, "aye": aye, "nay": nay}
        case SplitAbstain(aye, nay, abstain):
            kind = VoteKind.SPLIT_ABSTAIN
            return {**sides, "kind": kind, "aye": aye, "nay": nay, "abstain": abstain}


def _delegation(_key: tuple[AccountId, TrackId], voting: Voting) -> Iterator[Row]:
    if isinstance(voting, Delegating):
        yield {
            "target": voting.target,
            "conviction": voting.conviction,
            "balance": voting.balance,
        }


def _prior_lock(_key: tuple[AccountId, TrackId], voting: Voting) -> Iterator[Row]:
    if voting.prior.amount:
        yield {"until": voting.prior.until, "amount": voting.prior.amount}


def _class_locks(_account: AccountId, locks: ClassLocks) -> Iterator[Row]:
    for track, amount in locks:
        yield {"track": track, "amount": amount}


def _account_locks(_account: AccountId, locks: tuple[BalanceLock, ...]) -> Iterator[Row]:
    for lock in locks:
        yield {"lock": lock.id, "amount": lock.amount, "reasons": lock.reasons}


# --- Multisig -------------------------------------------------------------------------


def _operation_key(key: OperationKey) -> Row:
    multisig, call_hash, height, extrinsic, nth = key
    return {
        "multisig": multisig,
        "call_hash": call_hash,
        "height": height,
        "extrinsic": extrinsic,
        "nth": nth,
    }


def _operation(_key: OperationKey, operation: Operation) -> Iterator[Row]:
    closing = operation.closing
    yield {
        "status": operation.status,
        "threshold": operation.threshold,
        "signatories": b"".join(operation.signatories),
        "depositor": operation.depositor,
        "deposit": operation.deposit,
        "call": operation.call,
        "closed_by": closing and closing.by,
        **_position("closed", closing and closing.at),
        "error": closing and closing.error,
    }


def _approvals(_key: OperationKey, operation: Operation) -> Iterator[Row]:
    for position, approval in enumerate(operation.approvals):
        yield {
            "account": approval.who,
            "position": position,
            **_position("approved", approval.at),
        }


def _position(what: str, at: Position | None) -> Row:
    return {f"{what}_block": at and at.block, f"{what}_extrinsic": at and at.extrinsic}


# --- The programme --------------------------------------------------------------------

_ONE: Row = {"id": 1}


def _programme(_key: tuple[()], program: Program) -> Iterator[Row]:
    yield {
        "name": program.name,
        "rules": program.rules,
        "multisig": curators_account(program),
        "threshold": program.threshold,
        "quorum": program.quorum,
    }


def _curators(_key: tuple[()], program: Program) -> Iterator[Row]:
    for position, account in enumerate(program.curators):
        yield {"position": position, "account": account}


def _oracles(_key: tuple[()], program: Program) -> Iterator[Row]:
    for position, account in enumerate(program.oracles):
        yield {"position": position, "account": account}


def _member(_member: MemberId, record: MemberRecord) -> Iterator[Row]:
    yield {
        "name": record.name,
        "region": record.region,
        "status": record.status,
        "reason": record.reason,
        "registered_at": record.registered_at,
        "status_since": record.status_since,
    }


def _member_accounts(_member: MemberId, record: MemberRecord) -> Iterator[Row]:
    accounts, payees = dict(record.accounts), dict(record.payees)
    for network in sorted(accounts.keys() | payees.keys()):
        yield {
            "network": network,
            "account": accounts.get(network),
            "payee": payees.get(network),
        }


def _milestone(_key: tuple[MemberId, int], record: MilestoneRecord) -> Iterator[Row]:
    yield {"evidence": record.evidence, "granted_at": record.granted_at}


def _link(_key: tuple[MemberId, str, AccountId], linked_at: BlockNumber) -> Iterator[Row]:
    yield {"linked_at": linked_at}


def _decision(_key: RemarkKey, decision: Decision) -> Iterator[Row]:
    yield {
        "member": decision.member,
        "outcome": decision.outcome.value,
        "subject": decision.subject,
        "reason": decision.reason,
    }


# --- Scores ---------------------------------------------------------------------------


def _digest_owner(kind: DigestKind) -> Callable[[DigestKey], Row]:
    return lambda key: {"oracle": key[0], "day": day_date(key[1]).isoformat(), "kind": kind}


def _digest(_key: DigestKey, record: Observation | ReportRecord) -> Iterator[Row]:
    yield {
        "root": record.root,
        "rows": record.rows,
        "digest": record.digest,
        "block": record.at,
    }


def _day(day: Day) -> Row:
    return {"day": day_date(day).isoformat()}


def _closing(_day: Day, closing: Closing) -> Iterator[Row]:
    before = closing.before
    yield {
        "before_root": before and before.root,
        "before_rows": before and before.rows,
        "block": closing.at,
    }


def _closing_commitments(_day: Day, closing: Closing) -> Iterator[Row]:
    for commitment in closing.commitments:
        yield commitment._asdict()


def _closing_members(_day: Day, closing: Closing) -> Iterator[Row]:
    for member in closing.members:
        yield {"member": member}


def _standing(_day: Day, standing: Standing) -> Iterator[Row]:
    yield {
        "root": standing.root,
        "rows": standing.rows,
        "reporters": len(standing.reporters),
        "since": standing.since,
    }


def _equivocation(_key: tuple[AccountId, int, DigestKind], evidence: Equivocation) -> Iterator[Row]:
    yield {
        "first_root": evidence.first_root,
        "second_root": evidence.second_root,
        "block": evidence.at,
    }


# --- Payouts --------------------------------------------------------------------------


def _batch_owner(key: BatchKey) -> Row:
    return {"block": key[0], "nth": key[1]}


def _batch(_key: BatchKey, batch: Batch) -> Iterator[Row]:
    yield batch._asdict()


def _paid(_key: PaidKey, line: PaidLine) -> Iterator[Row]:
    block, nth = line.batch
    yield {
        "payee": line.payee,
        "amount": line.amount,
        "block": block,
        "nth": nth,
        "line": line.line,
    }


def _violation(_key: tuple[BlockNumber, int, int], violation: Violation) -> Iterator[Row]:
    yield violation._asdict()


# --- Words beside the state -------------------------------------------------------------


def remark_rows(report: BlockReport) -> Iterator[Row]:
    for accepted in report.accepted:
        body = accepted.body
        yield {
            "block": accepted.key[0],
            "remark": accepted.key[1],
            "kind": accepted.kind,
            "origin": accepted.origin,
            "extrinsic": accepted.extrinsic_index,
            "day": body.day if isinstance(body, Observe | Report) else None,
        }


def rejection_rows(report: BlockReport) -> Iterator[Row]:
    for refused in report.refused:
        yield {
            "block": refused.key[0],
            "remark": refused.key[1],
            "code": refused.code,
            "reason": refused.reason,
            "origin": refused.origin,
            "extrinsic": refused.extrinsic_index,
        }


def unattributed_rows(report: BlockReport) -> Iterator[Row]:
    for nth, item in enumerate(report.unattributed):
        yield {
            "block": report.ref.number,
            "nth": nth,
            "extrinsic": item.extrinsic_index,
            "call": str(item.call),
            "reason": item.reason,
        }


# --- All of them ------------------------------------------------------------------------

PROJECTIONS: Projections = {
    ("Polls", "Polls"): [Projection(table_of(PollRow), lambda poll: {"poll": poll}, _poll)],
    ("ConvictionVoting", "VotingFor"): [
        Projection(table_of(VoteRow), _account_track, _votes),
        Projection(table_of(DelegationRow), _account_track, _delegation),
        Projection(table_of(PriorLockRow), _account_track, _prior_lock),
    ],
    ("ConvictionVoting", "ClassLocksFor"): [
        Projection(table_of(ClassLockRow), _account, _class_locks)
    ],
    ("Balances", "Locks"): [Projection(table_of(AccountLockRow), _account, _account_locks)],
    ("Operations", "Operations"): [
        Projection(table_of(OperationRow), _operation_key, _operation),
        Projection(table_of(ApprovalRow), _operation_key, _approvals),
    ],
    ("Programme", "Program"): [
        Projection(table_of(ProgrammeRow), lambda _: _ONE, _programme),
        Projection(table_of(OfficerRow), lambda _: {"role": OfficerRole.CURATOR}, _curators),
        Projection(table_of(OfficerRow), lambda _: {"role": OfficerRole.ORACLE}, _oracles),
    ],
    ("Programme", "Decisions"): [
        Projection(
            table_of(DecisionRow), lambda key: {"block": key[0], "remark": key[1]}, _decision
        )
    ],
    ("Membership", "Members"): [
        Projection(table_of(MemberRow), lambda member: {"member": member}, _member),
        Projection(table_of(MemberAccountRow), lambda member: {"member": member}, _member_accounts),
    ],
    ("Membership", "Milestones"): [
        Projection(
            table_of(MilestoneRow), lambda key: {"member": key[0], "milestone": key[1]}, _milestone
        )
    ],
    ("Membership", "Links"): [
        Projection(
            table_of(LinkRow),
            lambda key: {"member": key[0], "network": key[1], "account": key[2]},
            _link,
        )
    ],
    ("Scores", "Observations"): [
        Projection(table_of(DigestRow), _digest_owner(DigestKind.OBSERVE), _digest)
    ],
    ("Scores", "Reports"): [
        Projection(table_of(DigestRow), _digest_owner(DigestKind.REPORT), _digest)
    ],
    ("Scores", "Closings"): [
        Projection(table_of(ClosingRow), _day, _closing),
        Projection(table_of(ClosingCommitmentRow), _day, _closing_commitments),
        Projection(table_of(ClosingMemberRow), _day, _closing_members),
    ],
    ("Scores", "Standing"): [Projection(table_of(StandingRow), _day, _standing)],
    ("Scores", "Equivocations"): [
        Projection(
            table_of(EquivocationRow),
            lambda key: {
                "oracle": key[0],
                "day": day_date(key[1]).isoformat(),
                "kind": key[2],
            },
            _equivocation,
        )
    ],
    ("Payouts", "Batches"): [Projection(table_of(PayoutBatchRow), _batch_owner, _batch)],
    ("Payouts", "Paid"): [
        Projection(
            table_of(PaidRow),
            lambda key: {"period": key[0], "member": key[1], "item": key[2]},
            _paid,
        )
    ],
    ("Payouts", "Violations"): [
        Projection(
            table_of(ViolationRow),
            lambda key: {"block": key[0], "nth": key[1], "line": key[2]},
            _violation,
        )
    ],
}
