"""Which tables follow which storage items, item by item."""

from collections.abc import Iterator

from ibp_chain.types import AccountId, PollIndex, TrackId
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
from ledger.pallets.multisig import Operation, OperationKey, Position
from ledger.pallets.referenda import Poll
from ledger.store_projection import Projection, Projections, Row
from ledger.tables import (
    AccountLockRow,
    ApprovalRow,
    ClassLockRow,
    DelegationRow,
    OperationRow,
    PollRow,
    PriorLockRow,
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
}
