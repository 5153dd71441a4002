"""What an account has locked in votes, what it could free, and whether it keeps a promise.

Three notions of "locked", never to be confused (spec/pallets.md A.3):

* `actual`        what the chain holds under `pyconvot` now
* `required_now`  what would remain after unlocking, removing every vote, and unlocking again
* schedule        until when: each class's prior lock, and each ended vote's own end

`after_unlock` is what unlocking every class alone would leave, votes and delegations staying.
Pure: the mirrors' storage in, values out. Amounts are planck, blocks those of the governance clock.
"""

from dataclasses import dataclass
from enum import StrEnum

from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber, TrackId
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv

_NOTHING = Planck(0)


@dataclass(frozen=True, slots=True)
class VoteLock:
    """One listed vote, and what holds it."""

    poll: PollIndex
    vote: cv.AccountVote
    status: cv.PollStatus | None
    until: RelayBlockNumber | None
    """When a vote on the winning side of an ended poll comes free, past or future; None for any
    other: its owner can remove it at once."""


@dataclass(frozen=True, slots=True)
class ClassLock:
    """One class: what `ClassLocksFor` says, and why."""

    class_: TrackId
    amount: Planck
    prior: cv.PriorLock
    votes: tuple[VoteLock, ...]
    delegation: cv.Delegating | None
    after_unlock: Planck
    required_now: Planck
    free_at: RelayBlockNumber | None
    """The first block at which nothing but listed votes holds anything, if the owner does nothing
    before; past or future, 0 where nothing ever held. None under a delegation: it has no end."""


@dataclass(frozen=True, slots=True)
class AccountLocks:
    """Everything that one account has locked in votes, as of `now`."""

    account: AccountId
    now: RelayBlockNumber
    actual: Planck
    after_unlock: Planck
    required_now: Planck
    classes: tuple[ClassLock, ...]
    """Those with a lock, vote, delegation or prior lock, by class."""

    @property
    def releasable(self) -> Planck:
        """What the owner could free now, by removing every vote and unlocking every class."""
        return Planck(self.actual - self.required_now)


def account_locks(storage: cv.Storage, config: cv.Config, account: AccountId) -> AccountLocks:
    """The locks of `account` at `config.now`, in the block whose state `storage` is."""
    amounts = dict(storage.class_locks_for.get(account))
    candidates = classes_of(storage, config, account)
    classes = tuple(
        lock
        for class_ in candidates
        if (lock := _class_lock(storage, config, account, class_, amounts.get(class_)))
    )
    held = balances.find_lock(config.currency, cv.CONVICTION_VOTING_ID, account)
    return AccountLocks(
        account=account,
        now=config.now,
        actual=_NOTHING if held is None else held.amount,
        after_unlock=max((lock.after_unlock for lock in classes), default=_NOTHING),
        required_now=max((lock.required_now for lock in classes), default=_NOTHING),
        classes=classes,
    )


def classes_of(storage: cv.Storage, config: cv.Config, account: AccountId) -> list[TrackId]:
    """Where the account may have something: the tracks, and former ones in which it has a lock."""
    return sorted(config.tracks | dict(storage.class_locks_for.get(account)).keys())


def _class_lock(
    storage: cv.Storage,
    config: cv.Config,
    account: AccountId,
    class_: TrackId,
    amount: Planck | None,
) -> ClassLock | None:
    voting = storage.voting_for.find((account, class_))
    if voting is None:
        voting = cv.Casting()
    rejigged = voting.prior.rejig(config.now)
    if isinstance(voting, cv.Delegating):
        votes: tuple[VoteLock, ...] = ()
        after_unlock = required = max(voting.balance, rejigged.amount)
    else:
        votes = tuple(_vote_lock(config, poll, vote) for poll, vote in voting.votes)
        after_unlock = max([rejigged.amount, *(lock.vote.balance for lock in votes)])
        held = (v.vote.balance for v in votes if v.until is not None and config.now < v.until)
        required = max([rejigged.amount, *held])
    if amount is None and not votes and voting == cv.Casting(delegations=voting.delegations):
        return None
    return ClassLock(
        class_=class_,
        amount=_NOTHING if amount is None else amount,
        prior=voting.prior,
        votes=votes,
        delegation=voting if isinstance(voting, cv.Delegating) else None,
        after_unlock=after_unlock,
        required_now=required,
        free_at=_free_at(voting.prior, votes) if isinstance(voting, cv.Casting) else None,
    )


def _free_at(prior: cv.PriorLock, votes: tuple[VoteLock, ...]) -> RelayBlockNumber:
    held = (vote.until for vote in votes if vote.until is not None and vote.vote.balance)
    return max([prior.until, *held])


def _vote_lock(config: cv.Config, poll: PollIndex, vote: cv.AccountVote) -> VoteLock:
    status = config.polls.status(poll)
    owed = (
        cv.locked_if(vote, approved=status.approved) if isinstance(status, cv.Completed) else None
    )
    if owed is None:
        return VoteLock(poll, vote, status, None)
    assert isinstance(status, cv.Completed)
    return VoteLock(poll, vote, status, config.unlock_at(status.end, owed[0]))


# --- The members' promise -----------------------------------------------------------


class CoverKind(StrEnum):
    """What can keep a promise of Locked6x."""

    ONGOING_VOTE = "ongoing vote"
    WON_VOTE = "won vote"
    """On an ended poll, not removed yet, its lock unexpired: removing it leaves a prior lock."""
    PRIOR_LOCK = "prior lock"
    DELEGATION = "delegation"
    """Counted and flagged: the member lends its vote instead of casting it."""


@dataclass(frozen=True, slots=True)
class Cover:
    """One Locked6x commitment."""

    class_: TrackId
    kind: CoverKind
    amount: Planck
    poll: PollIndex | None
    until: RelayBlockNumber | None
    """The first block at which it holds no longer; None while that is open."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Whether an amount was committed at Locked6x at one block."""

    required: Planck
    covers: tuple[Cover, ...]
    """Largest first."""

    @property
    def covered(self) -> Planck:
        """The largest single commitment: locks overlap, they do not add up."""
        return max((cover.amount for cover in self.covers), default=_NOTHING)

    @property
    def kept(self) -> bool:
        return self.covered >= self.required

    @property
    def by_delegation_only(self) -> bool:
        """Kept, and only because a delegation counts."""
        return self.kept and all(
            cover.kind is CoverKind.DELEGATION
            for cover in self.covers
            if cover.amount >= self.required
        )


def promise(
    storage: cv.Storage, config: cv.Config, account: AccountId, required: Planck
) -> Promise:
    """Whether `account` has `required` committed at Locked6x at `config.now`.

    Rule F7 of spec/program-rules.md: a Locked6x vote on an ongoing poll or an unexpired 6x prior
    lock; delegations at Locked6x count, flagged. Prior locks from before the first block that the
    mirror saw do not say their conviction and are not counted.
    """
    classes = classes_of(storage, config, account)
    covers = [cover for class_ in classes for cover in _covers(storage, config, account, class_)]
    covers.sort(key=lambda cover: (-cover.amount, cover.class_))
    return Promise(required, tuple(covers))


def _covers(
    storage: cv.Storage, config: cv.Config, account: AccountId, class_: TrackId
) -> list[Cover]:
    covers = [
        Cover(class_, CoverKind.PRIOR_LOCK, lock.amount, None, lock.until)
        for lock in storage.maximum_priors.get((account, class_))
        if config.now < lock.until
    ]
    voting = storage.voting_for.get((account, class_))
    if isinstance(voting, cv.Delegating):
        if voting.conviction is cv.Conviction.LOCKED_6X:
            covers.append(Cover(class_, CoverKind.DELEGATION, voting.balance, None, None))
        return covers
    for poll, vote in voting.votes:
        if not isinstance(vote, cv.Standard) or vote.conviction is not cv.Conviction.LOCKED_6X:
            continue
        lock = _vote_lock(config, poll, vote)
        if isinstance(lock.status, cv.Ongoing):
            covers.append(Cover(class_, CoverKind.ONGOING_VOTE, vote.balance, poll, None))
        elif lock.until is not None and config.now < lock.until:
            covers.append(Cover(class_, CoverKind.WON_VOTE, vote.balance, poll, lock.until))
    return covers
