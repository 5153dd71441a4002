"""Conviction Voting: votes, delegations, and the locks they leave behind.

Mirrors: `substrate/frame/conviction-voting/src/lib.rs`, top to bottom: config, storage, errors,
calls by `call_index`, internals. Rule: spec/pallets.md A.
Units: balances are planck; locks count blocks of the governance clock (`ledger.clock`).
Contract: a call returns the events that the pallet deposits, or raises one of its errors with
storage untouched. A successful call writes every key that the pallet writes, empty values too.
Out of scope: tallies, which no lock depends on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, TypeAlias

from ibp_chain.errors import PalletError
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber, TrackId
from ledger.pallets import balances
from ledger.pallets.conviction_voting.events import (
    Delegated,
    Event,
    Undelegated,
    Voted,
    VoteRemoved,
    VoteUnlocked,
)
from ledger.pallets.conviction_voting.types import (
    VOTING,
    AccountVote,
    Casting,
    Completed,
    Conviction,
    Delegating,
    Delegations,
    Ongoing,
    PollStatus,
    PriorLock,
    Standard,
    Voting,
    locked_if,
)
from ledger.storage import Hasher, KeyPart, StorageMap

CONVICTION_VOTING_ID = b"pyconvot"
_U32_MAX = 2**32 - 1

ClassLocks: TypeAlias = tuple[tuple[TrackId, Planck], ...]
"""In the chain's order, which `unlock` changes."""


# --- Config -----------------------------------------------------------------------


class Polling(Protocol):
    def status(self, index: PollIndex) -> PollStatus | None: ...


@dataclass(frozen=True, slots=True)
class Config:
    """What a call may look at and change besides its own storage."""

    now: RelayBlockNumber
    """`BlockNumberProvider::current_block_number`."""
    vote_locking_period: int
    max_votes: int
    tracks: frozenset[TrackId]
    polls: Polling
    currency: balances.Storage
    lock_reasons: balances.Reasons = balances.Reasons.ALL
    total_balance: Callable[[AccountId], Planck] | None = None
    """None where balances are unknown: InsufficientFunds is then never raised."""

    def unlock_at(self, start: RelayBlockNumber, periods: int) -> RelayBlockNumber:
        return RelayBlockNumber(min(start + self.vote_locking_period * periods, _U32_MAX))


# --- Storage ----------------------------------------------------------------------


class Storage:
    """`VotingFor` and `ClassLocksFor` as on chain, and one item of our own.

    Differs: a prior lock forgets the conviction that it came from. `maximum_priors` remembers the
    unexpired ones of Locked6x, because members promise exactly that.
    """

    def __init__(self) -> None:
        account = KeyPart(Hasher.TWOX_64_CONCAT, schema.account)
        class_ = KeyPart(Hasher.TWOX_64_CONCAT, schema.u16)
        self.voting_for: StorageMap[tuple[AccountId, TrackId], Voting] = StorageMap(
            "ConvictionVoting", "VotingFor", (account, class_), VOTING, default=Casting
        )
        self.class_locks_for: StorageMap[AccountId, ClassLocks] = StorageMap(
            "ConvictionVoting",
            "ClassLocksFor",
            (account,),
            schema.vec(schema.sequence(schema.u16, schema.u128)),
            default=tuple,
        )
        self.maximum_priors: StorageMap[tuple[AccountId, TrackId], tuple[PriorLock, ...]] = (
            StorageMap(
                "Promises",
                "MaximumPriors",
                (account, class_),
                schema.vec(schema.struct(PriorLock, until=schema.u32, amount=schema.u128)),
                default=tuple,
            )
        )


# --- Errors -----------------------------------------------------------------------


class Error(PalletError):
    """Base of this pallet's errors, numbered in pallet order."""

    pallet: ClassVar[str] = "ConvictionVoting"


class NotOngoing(Error):
    index = 0


class NotVoter(Error):
    index = 1


class NoPermission(Error):
    index = 2


class NoPermissionYet(Error):
    index = 3


class AlreadyDelegating(Error):
    index = 4


class AlreadyVoting(Error):
    index = 5


class InsufficientFunds(Error):
    index = 6


class NotDelegating(Error):
    index = 7


class Nonsense(Error):
    index = 8


class MaxVotesReached(Error):
    index = 9


class ClassNeeded(Error):
    index = 10


class BadClass(Error):
    index = 11


# --- Calls, by call_index -----------------------------------------------------------


def vote(  # call_index 0
    storage: Storage, config: Config, who: AccountId, poll_index: PollIndex, vote: AccountVote
) -> list[Event]:
    """Cast or replace a vote in an ongoing poll, and extend the lock to it."""
    _ensure_funds(config, who, vote.balance)
    poll = config.polls.status(poll_index)
    if not isinstance(poll, Ongoing):
        raise NotOngoing
    voting = storage.voting_for.get((who, poll.track))
    if isinstance(voting, Delegating):
        raise AlreadyDelegating
    if len(voting.votes) >= config.max_votes and voting.vote_on(poll_index) is None:
        raise MaxVotesReached

    storage.voting_for.insert((who, poll.track), voting.with_vote(poll_index, vote))
    extend_lock(storage, config, who, poll.track, vote.balance)
    return [Voted(who, vote, poll_index)]


def delegate(  # call_index 1
    storage: Storage,
    config: Config,
    who: AccountId,
    class_: TrackId,
    to: AccountId,
    conviction: Conviction,
    balance: Planck,
) -> list[Event]:
    """Lend `balance` times `conviction` to `to` in one class."""
    if who == to:
        raise Nonsense
    if class_ not in config.tracks:
        raise BadClass
    _ensure_funds(config, who, balance)
    voting = storage.voting_for.get((who, class_))
    if isinstance(voting, Delegating):
        raise AlreadyDelegating
    if voting.votes:
        raise AlreadyVoting

    storage.voting_for.insert(
        (who, class_), Delegating(balance, to, conviction, voting.delegations, voting.prior)
    )
    increase_upstream_delegation(storage, to, class_, conviction.votes(balance))
    extend_lock(storage, config, who, class_, balance)
    return [Delegated(who, to, class_)]


def undelegate(  # call_index 2
    storage: Storage, config: Config, who: AccountId, class_: TrackId
) -> list[Event]:
    """End a delegation; its conviction starts counting from now. Locks stay as they are."""
    voting = storage.voting_for.get((who, class_))
    if not isinstance(voting, Delegating):
        raise NotDelegating

    reduce_upstream_delegation(
        storage, voting.target, class_, voting.conviction.votes(voting.balance)
    )
    until = config.unlock_at(config.now, voting.conviction.lock_periods)
    prior = voting.prior.accumulate(until, voting.balance)
    storage.voting_for.insert((who, class_), Casting((), voting.delegations, prior))
    remember_maximum(storage, who, class_, voting.conviction, PriorLock(until, voting.balance))
    return [Undelegated(who, class_)]


def unlock(  # call_index 3
    storage: Storage, config: Config, class_: TrackId, target: AccountId
) -> list[Event]:
    """Release what has expired in one class. Anyone may call it for anyone; it never fails."""
    update_lock(storage, config, class_, target)
    return [VoteUnlocked(target, class_)]


def remove_vote(  # call_index 4
    storage: Storage, config: Config, who: AccountId, class_: TrackId | None, index: PollIndex
) -> list[Event]:
    """Take back one's own vote."""
    return try_remove_vote(storage, config, who, index, class_, only_expired=False)


def remove_other_vote(  # call_index 5
    storage: Storage,
    config: Config,
    who: AccountId,
    target: AccountId,
    class_: TrackId,
    index: PollIndex,
) -> list[Event]:
    """Clear another account's vote once nothing holds it any more."""
    return try_remove_vote(storage, config, target, index, class_, only_expired=target != who)


# --- Internals, in pallet order -------------------------------------------------------


def _ensure_funds(config: Config, who: AccountId, balance: Planck) -> None:
    if config.total_balance is not None and balance > config.total_balance(who):
        raise InsufficientFunds


def try_remove_vote(
    storage: Storage,
    config: Config,
    who: AccountId,
    poll_index: PollIndex,
    class_hint: TrackId | None,
    *,
    only_expired: bool,
) -> list[Event]:
    """Remove a vote; turn a winning conviction into a prior lock."""
    poll = config.polls.status(poll_index)
    class_ = class_hint
    if class_ is None:
        if not isinstance(poll, Ongoing):
            raise ClassNeeded
        class_ = poll.track
    voting = storage.voting_for.get((who, class_))
    if isinstance(voting, Delegating):
        storage.voting_for.insert((who, class_), voting)  # the pallet answers Ok(()) here
        return []
    removed = voting.vote_on(poll_index)
    if removed is None:
        raise NotVoter
    held = held_after(config, poll, removed)
    if only_expired and isinstance(poll, Ongoing):
        raise NoPermission
    if only_expired and held is not None:
        raise NoPermissionYet

    remaining = voting.without_vote(poll_index)
    if held is not None:
        assert isinstance(removed, Standard)
        remaining = replace(remaining, prior=voting.prior.accumulate(held.until, held.amount))
        remember_maximum(storage, who, class_, removed.conviction, held)
    storage.voting_for.insert((who, class_), remaining)
    return [VoteRemoved(who, removed, poll_index)] if isinstance(poll, Ongoing) else []


def held_after(config: Config, poll: PollStatus | None, vote: AccountVote) -> PriorLock | None:
    """What removing `vote` now would leave behind; None where it is free."""
    if not isinstance(poll, Completed):
        return None
    owed = locked_if(vote, approved=poll.approved)
    if owed is None:
        return None
    periods, balance = owed
    until = config.unlock_at(poll.end, periods)
    return PriorLock(until, balance) if config.now < until else None


def increase_upstream_delegation(
    storage: Storage, target: AccountId, class_: TrackId, amount: Delegations
) -> None:
    voting = storage.voting_for.get((target, class_))
    increased = replace(voting, delegations=voting.delegations.saturating_add(amount))
    storage.voting_for.insert((target, class_), increased)


def reduce_upstream_delegation(
    storage: Storage, target: AccountId, class_: TrackId, amount: Delegations
) -> None:
    voting = storage.voting_for.get((target, class_))
    reduced = replace(voting, delegations=voting.delegations.saturating_sub(amount))
    storage.voting_for.insert((target, class_), reduced)


def extend_lock(
    storage: Storage, config: Config, who: AccountId, class_: TrackId, amount: Planck
) -> None:
    """Raise the class's lock to `amount`, in its place; `update_lock` alone lowers it."""
    locks = storage.class_locks_for.get(who)
    if any(locked == class_ for locked, _ in locks):
        raised = tuple((c, max(old, amount) if c == class_ else old) for c, old in locks)
    else:
        raised = (*locks, (class_, amount))
    storage.class_locks_for.insert(who, raised)
    balances.extend_lock(config.currency, CONVICTION_VOTING_ID, who, amount, config.lock_reasons)


def update_lock(storage: Storage, config: Config, class_: TrackId, who: AccountId) -> None:
    """Recompute the class's lock from what is still needed; it moves to the list's end."""
    voting = storage.voting_for.get((who, class_))
    voting = replace(voting, prior=voting.prior.rejig(config.now))
    storage.voting_for.insert((who, class_), voting)
    forget_expired(storage, config.now, who, class_)

    needed = voting.locked_balance
    locks = tuple(lock for lock in storage.class_locks_for.get(who) if lock[0] != class_)
    if needed:
        locks = (*locks, (class_, needed))
    storage.class_locks_for.insert(who, locks)

    top = max((amount for _, amount in locks), default=Planck(0))
    if top:
        balances.set_lock(config.currency, CONVICTION_VOTING_ID, who, top, config.lock_reasons)
    else:
        balances.remove_lock(config.currency, CONVICTION_VOTING_ID, who)


# --- Of our own -----------------------------------------------------------------------


def remember_maximum(
    storage: Storage, who: AccountId, class_: TrackId, conviction: Conviction, lock: PriorLock
) -> None:
    """Note that `lock` stems from Locked6x, unless a noted one lasts longer and holds more."""
    if conviction is not Conviction.LOCKED_6X:
        return
    noted = storage.maximum_priors.get((who, class_))
    if any(old.until >= lock.until and old.amount >= lock.amount for old in noted):
        return
    kept = (old for old in noted if old.until > lock.until or old.amount > lock.amount)
    storage.maximum_priors.insert((who, class_), (*kept, lock))


def forget_expired(
    storage: Storage, now: RelayBlockNumber, who: AccountId, class_: TrackId
) -> None:
    noted = storage.maximum_priors.get((who, class_))
    kept = tuple(lock for lock in noted if lock.until > now)
    if not kept:
        storage.maximum_priors.remove((who, class_))
    elif kept != noted:
        storage.maximum_priors.insert((who, class_), kept)
