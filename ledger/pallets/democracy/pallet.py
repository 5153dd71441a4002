"""Democracy, the first governance: votes, delegations, and the one lock they leave behind.

Mirrors: `substrate/frame/democracy/src/lib.rs`, as far as locks need it: config, storage, errors,
calls by `call_index` since 9310, internals. Rule: spec/pallets.md B.
Units: balances are planck; locks count blocks of the relay chain.
Contract: a call returns the events that the pallet deposits, or raises one of its errors with
storage untouched. A successful call writes every key that the pallet writes, empty values too.
Out of scope: proposals, deposits, tallies.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import DecodeError, PalletError
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber, SpecVersion
from ledger.dispatch_values import field
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv
from ledger.pallets.conviction_voting import Conviction, Delegating, Delegations, PriorLock
from ledger.pallets.democracy.events import Delegated, Event, Undelegated, Voted
from ledger.pallets.democracy.types import (
    REFERENDUM_INFO,
    VOTING,
    AccountVote,
    Direct,
    Finished,
    Ongoing,
    ReferendumInfo,
    Voting,
)
from ledger.storage import Hasher, KeyPart, StorageMap

DEMOCRACY_ID = b"democrac"

BOUNDED_SINCE = SpecVersion(9310)
"""First runtime whose votes are a `BoundedVec` (substrate #11649); before, a comparison was off by
one, and an account could have one vote more than `MaxVotes`.
"""

END_OF_LIFE = SpecVersion(1_000_000)
"""First runtimes of the fellowship, whose upgrade removed what was left of the pallet."""

_U32_MAX = 2**32 - 1


# --- Config -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Config:
    """What a call may look at and change besides its own storage."""

    now: RelayBlockNumber
    vote_locking_period: int
    """`VoteLockingPeriod`; `EnactmentPeriod` in runtimes that do not have it."""
    max_votes: int
    """How many votes one account may have: `max_votes_in`."""
    currency: balances.Storage
    lock_reasons: balances.Reasons = balances.Reasons.ALL
    winds_down: bool = True
    """Whether a re-delegation leaves a prior lock of the old one: `winds_down_in`."""
    free_balance: Callable[[AccountId], Planck] | None = None
    """None where balances are unknown: InsufficientFunds is then never raised."""

    def unlock_at(self, start: RelayBlockNumber, periods: int) -> RelayBlockNumber:
        return RelayBlockNumber(min(start + self.vote_locking_period * periods, _U32_MAX))


def max_votes_in(spec_version: SpecVersion, constant: int) -> int:
    """How many votes an account may really have where the runtime's `MaxVotes` is `constant`."""
    return constant if spec_version >= BOUNDED_SINCE else constant + 1


def winds_down_in(declared: frozenset[str]) -> bool:
    """Whether re-delegating in a runtime with the `declared` events leaves the old one's lock.

    Sources without `Voted` forget the old conviction, all that we read with it keep it; the
    first runtime that did is told by nothing else.
    """
    return "Voted" in declared


# --- Storage ----------------------------------------------------------------------


class Storage:
    """`VotingOf` as on chain, and of `ReferendumInfoOf` what locks need, as an item of our own."""

    def __init__(self) -> None:
        self.voting_of: StorageMap[AccountId, Voting] = StorageMap(
            "Democracy",
            "VotingOf",
            (KeyPart(Hasher.TWOX_64_CONCAT, schema.account),),
            VOTING,
            default=Direct,
        )
        self.referenda: StorageMap[PollIndex, ReferendumInfo] = StorageMap(
            "Polls",
            "Democracy",
            (KeyPart(Hasher.TWOX_64_CONCAT, schema.u32),),
            REFERENDUM_INFO,
        )

    @property
    def is_empty(self) -> bool:
        return not len(self.voting_of) and not len(self.referenda)


# --- The chain's own referenda --------------------------------------------------------


def info_keys() -> StorageMap[PollIndex, bytes]:
    """The chain's `ReferendumInfoOf`, for its keys; the values are for `info_of`."""
    keys = (KeyPart(Hasher.TWOX_64_CONCAT, schema.u32),)
    return StorageMap("Democracy", "ReferendumInfoOf", keys, schema.octets)


def info_of(value: Any) -> ReferendumInfo:
    """Of a decoded `ReferendumInfoOf` value what locks need. Raises `DecodeError`."""
    match value:
        case ("Ongoing", _):
            return Ongoing()
        case ("Finished", {"approved": bool() as approved, "end": int() as end}):
            return Finished(approved, RelayBlockNumber(end))
    raise DecodeError(f"{value!r} is no ReferendumInfo")


# --- Events on referenda ------------------------------------------------------------


def deposit_event(storage: Storage, now: RelayBlockNumber, event: EventRecord) -> None:
    """Take over what an event of the pallet says happened to a referendum at `now`.

    Raises `DecodeError` for one that names no referendum.
    """
    match event.name:
        case "Started":
            storage.referenda.insert(_ref_index(event), Ongoing())
        case "Passed" | "NotPassed":
            outcome = Finished(event.name == "Passed", now)
            storage.referenda.insert(_ref_index(event), outcome)
        case "Cancelled":
            storage.referenda.remove(_ref_index(event))


def _ref_index(event: EventRecord) -> PollIndex:
    index: Any = field(event, "ref_index", 0)
    if not isinstance(index, int):
        raise DecodeError(f"Democracy.{event.name} names no referendum: {event.args!r}")
    return PollIndex(index)


# --- Errors -----------------------------------------------------------------------


class Error(PalletError):
    """Base of this pallet's errors, numbered as since 9310; preimage errors came between before."""

    pallet: ClassVar[str] = "Democracy"


class ReferendumInvalid(Error):
    index = 9


class NotVoter(Error):
    index = 11


class NoPermission(Error):
    index = 12


class AlreadyDelegating(Error):
    index = 13


class InsufficientFunds(Error):
    index = 14


class NotDelegating(Error):
    index = 15


class VotesExist(Error):
    index = 16


class Nonsense(Error):
    index = 18


class MaxVotesReached(Error):
    index = 20


# --- Calls, by call_index -----------------------------------------------------------


def vote(  # call_index 2
    storage: Storage, config: Config, who: AccountId, ref_index: PollIndex, vote: AccountVote
) -> list[Event]:
    """Cast or replace a vote in an ongoing referendum, and extend the lock to it."""
    if not isinstance(storage.referenda.find(ref_index), Ongoing):
        raise ReferendumInvalid
    _ensure_funds(config, who, vote.balance)
    voting = storage.voting_of.get(who)
    if isinstance(voting, Delegating):
        raise AlreadyDelegating
    if len(voting.votes) >= config.max_votes and voting.vote_on(ref_index) is None:
        raise MaxVotesReached

    storage.voting_of.insert(who, voting.with_vote(ref_index, vote))
    _extend_lock(config, who, vote.balance)
    return [Voted(who, ref_index, vote)]


def delegate(  # call_index 10
    storage: Storage,
    config: Config,
    who: AccountId,
    to: AccountId,
    conviction: Conviction,
    balance: Planck,
) -> list[Event]:
    """Lend `balance` times `conviction` to `to`; a delegation that there is ends with this one."""
    if who == to:
        raise Nonsense
    _ensure_funds(config, who, balance)
    old = storage.voting_of.get(who)
    if isinstance(old, Delegating):
        _reduce_upstream_delegation(storage, old.target, old.conviction.votes(old.balance))
        prior = _wound_down(config, old) if config.winds_down else old.prior
    elif old.votes:
        raise VotesExist
    else:
        prior = old.prior

    new = Delegating(balance, to, conviction, old.delegations, prior)
    storage.voting_of.insert(who, new)
    _increase_upstream_delegation(storage, to, conviction.votes(balance))
    _extend_lock(config, who, balance)
    return [Delegated(who, to)]


def undelegate(storage: Storage, config: Config, who: AccountId) -> list[Event]:  # call_index 11
    """End a delegation; its conviction starts counting from now. The lock stays as it is."""
    voting = storage.voting_of.get(who)
    if not isinstance(voting, Delegating):
        raise NotDelegating

    _reduce_upstream_delegation(storage, voting.target, voting.conviction.votes(voting.balance))
    storage.voting_of.insert(who, Direct((), voting.delegations, _wound_down(config, voting)))
    return [Undelegated(who)]


def unlock(storage: Storage, config: Config, target: AccountId) -> list[Event]:  # call_index 13
    """Release what has expired. Anyone may call it for anyone; it never fails."""
    voting = storage.voting_of.get(target)
    voting = replace(voting, prior=voting.prior.rejig(config.now))
    storage.voting_of.insert(target, voting)

    needed = voting.locked_balance
    if needed:
        balances.set_lock(config.currency, DEMOCRACY_ID, target, needed, config.lock_reasons)
    else:
        balances.remove_lock(config.currency, DEMOCRACY_ID, target)
    return []


def remove_vote(  # call_index 14
    storage: Storage, config: Config, who: AccountId, index: PollIndex
) -> list[Event]:
    """Take back one's own vote."""
    return _try_remove_vote(storage, config, who, index, only_expired=False)


def remove_other_vote(  # call_index 15
    storage: Storage, config: Config, who: AccountId, target: AccountId, index: PollIndex
) -> list[Event]:
    """Clear another account's vote once nothing holds it any more."""
    return _try_remove_vote(storage, config, target, index, only_expired=target != who)


# --- Internals, in pallet order -------------------------------------------------------


def _ensure_funds(config: Config, who: AccountId, balance: Planck) -> None:
    if config.free_balance is not None and balance > config.free_balance(who):
        raise InsufficientFunds


def _extend_lock(config: Config, who: AccountId, amount: Planck) -> None:
    balances.extend_lock(config.currency, DEMOCRACY_ID, who, amount, config.lock_reasons)


def _try_remove_vote(
    storage: Storage, config: Config, who: AccountId, ref_index: PollIndex, *, only_expired: bool
) -> list[Event]:
    """Remove a vote; turn a winning conviction into a prior lock. Leaves no event, ever."""
    info = storage.referenda.find(ref_index)
    voting = storage.voting_of.get(who)
    if isinstance(voting, Delegating):
        storage.voting_of.insert(who, voting)  # the pallet answers Ok(()) here
        return []
    removed = voting.vote_on(ref_index)
    if removed is None:
        raise NotVoter
    held = held_after(config, info, removed)
    if only_expired and (isinstance(info, Ongoing) or held is not None):
        raise NoPermission

    remaining = voting.without_vote(ref_index)
    if held is not None:
        remaining = replace(remaining, prior=voting.prior.accumulate(held.until, held.amount))
    storage.voting_of.insert(who, remaining)
    return []


def held_after(
    config: Config, info: ReferendumInfo | None, vote: cv.AccountVote
) -> PriorLock | None:
    """What removing `vote` now would leave behind; None where it is free."""
    if not isinstance(info, Finished):
        return None
    # without conviction the pallet counts no periods from the end, which is over by now
    owed = cv.locked_if(vote, approved=info.approved)
    if owed is None:
        return None
    periods, balance = owed
    until = config.unlock_at(info.end, periods)
    return PriorLock(until, balance) if config.now < until else None


def _increase_upstream_delegation(storage: Storage, who: AccountId, amount: Delegations) -> None:
    voting = storage.voting_of.get(who)
    increased = replace(voting, delegations=voting.delegations.saturating_add(amount))
    storage.voting_of.insert(who, increased)


def _reduce_upstream_delegation(storage: Storage, who: AccountId, amount: Delegations) -> None:
    voting = storage.voting_of.get(who)
    reduced = replace(voting, delegations=voting.delegations.saturating_sub(amount))
    storage.voting_of.insert(who, reduced)


def _wound_down(config: Config, ended: Delegating) -> PriorLock:
    """The prior lock of an account whose delegation ends now."""
    until = config.unlock_at(config.now, ended.conviction.lock_periods)
    return ended.prior.accumulate(until, ended.balance)


# --- End of life ----------------------------------------------------------------------


def end_of_life(storage: Storage, currency: balances.Storage) -> None:
    """What the upgrade to `END_OF_LIFE` did: every voter's lock goes, and all of the pallet's
    storage after it. Other pallets' locks stay.

    Mirrors: `migrations/unlock_and_unreserve_all_funds.rs`, and `RemovePallet` behind it.
    """
    for who, _ in tuple(storage.voting_of.items()):
        balances.remove_lock(currency, DEMOCRACY_ID, who)
        storage.voting_of.remove(who)
    for index, _ in tuple(storage.referenda.items()):
        storage.referenda.remove(index)
