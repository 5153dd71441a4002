"""Votes, convictions, delegations and prior locks, with their layout in storage.

Mirrors: `substrate/frame/conviction-voting/src/{conviction,vote,types}.rs`, and `PollStatus` of
`frame_support::traits`.
Units: balances are planck; locks count blocks of the governance clock (`ledger.clock`).
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, TypeAlias

from ibp_chain.errors import DecodeError
from ibp_chain.scale import schema
from ibp_chain.scale.primitives import decode_compact, encode_compact
from ibp_chain.scale.schema import Schema, Variant
from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber, TrackId, Votes

U128_MAX = 2**128 - 1

_NO_PLANCK, _NO_VOTES, _GENESIS = Planck(0), Votes(0), RelayBlockNumber(0)


def _saturating_add(*amounts: int) -> int:
    return min(sum(amounts), U128_MAX)


# --- conviction.rs --------------------------------------------------------------


class Conviction(IntEnum):
    """How long a voter is willing to be locked for a larger vote."""

    NONE = 0
    LOCKED_1X = 1
    LOCKED_2X = 2
    LOCKED_3X = 3
    LOCKED_4X = 4
    LOCKED_5X = 5
    LOCKED_6X = 6

    @property
    def lock_periods(self) -> int:
        """Lock periods that a winner owes: 0, 1, 2, 4, 8, 16, 32."""
        return 0 if self is Conviction.NONE else 1 << (self - 1)

    def votes(self, capital: Planck) -> "Delegations":
        """Weigh `capital`: a tenth without conviction, else 1x to 6x."""
        if self is Conviction.NONE:
            return Delegations(Votes(capital // 10), capital)
        return Delegations(Votes(min(capital * self, U128_MAX)), capital)


_CONVICTION_NAMES: Mapping[str, Conviction] = {
    "None": Conviction.NONE,
    **{f"Locked{int(c)}x": c for c in Conviction if c},
}


@dataclass(frozen=True, slots=True)
class Delegations:
    """Votes received from delegators, and the raw capital behind them."""

    votes: Votes = _NO_VOTES
    capital: Planck = _NO_PLANCK

    def saturating_add(self, other: "Delegations") -> "Delegations":
        return Delegations(
            Votes(_saturating_add(self.votes, other.votes)),
            Planck(_saturating_add(self.capital, other.capital)),
        )

    def saturating_sub(self, other: "Delegations") -> "Delegations":
        return Delegations(
            Votes(max(self.votes - other.votes, 0)), Planck(max(self.capital - other.capital, 0))
        )


# --- vote.rs ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standard:
    """One-way vote with conviction."""

    aye: bool
    conviction: Conviction
    balance: Planck


@dataclass(frozen=True, slots=True)
class Split:
    """Both ways, without conviction."""

    aye: Planck
    nay: Planck

    @property
    def balance(self) -> Planck:
        return Planck(_saturating_add(self.aye, self.nay))


@dataclass(frozen=True, slots=True)
class SplitAbstain:
    """Both ways and abstaining, without conviction."""

    aye: Planck
    nay: Planck
    abstain: Planck

    @property
    def balance(self) -> Planck:
        return Planck(_saturating_add(self.aye, self.nay, self.abstain))


AccountVote: TypeAlias = Standard | Split | SplitAbstain


def locked_if(vote: AccountVote, *, approved: bool) -> tuple[int, Planck] | None:
    """Lock periods and balance that `vote` owes if the poll ended so; None if it is free."""
    if isinstance(vote, Standard) and vote.conviction and vote.aye == approved:
        return vote.conviction.lock_periods, vote.balance
    return None


@dataclass(frozen=True, slots=True)
class PriorLock:
    """A lock whose reason has been forgotten; only size and end remain."""

    until: RelayBlockNumber = _GENESIS
    amount: Planck = _NO_PLANCK

    def accumulate(self, until: RelayBlockNumber, amount: Planck) -> "PriorLock":
        """Overlock: the later end and the larger amount, whichever gave them."""
        return PriorLock(max(self.until, until), max(self.amount, amount))

    def rejig(self, now: RelayBlockNumber) -> "PriorLock":
        """Drop the lock once `now` reaches its end."""
        return PriorLock() if now >= self.until else self


VoteList: TypeAlias = tuple[tuple[PollIndex, AccountVote], ...]


@dataclass(frozen=True, slots=True)
class Casting:
    """The account votes directly."""

    votes: VoteList = ()
    """Sorted by poll. A tuple: replacing one of 512 copies pointers, and old states stay whole."""
    delegations: Delegations = Delegations()
    prior: PriorLock = PriorLock()

    @property
    def locked_balance(self) -> Planck:
        return max([self.prior.amount, *(vote.balance for _, vote in self.votes)])

    def vote_on(self, poll: PollIndex) -> AccountVote | None:
        at = self._position(poll)
        return self.votes[at][1] if at < len(self.votes) and self.votes[at][0] == poll else None

    def with_vote(self, poll: PollIndex, vote: AccountVote) -> "Casting":
        at = self._position(poll)
        behind = at + (at < len(self.votes) and self.votes[at][0] == poll)
        return replace(self, votes=(*self.votes[:at], (poll, vote), *self.votes[behind:]))

    def without_vote(self, poll: PollIndex) -> "Casting":
        at = self._position(poll)
        return replace(self, votes=self.votes[:at] + self.votes[at + 1 :])

    def _position(self, poll: PollIndex) -> int:
        return bisect_left(self.votes, poll, key=_poll_of)


def _poll_of(entry: tuple[PollIndex, AccountVote]) -> PollIndex:
    return entry[0]


@dataclass(frozen=True, slots=True)
class Delegating:
    """The account follows `target`."""

    balance: Planck
    target: AccountId
    conviction: Conviction
    delegations: Delegations = Delegations()
    prior: PriorLock = PriorLock()

    @property
    def locked_balance(self) -> Planck:
        return max(self.balance, self.prior.amount)


Voting: TypeAlias = Casting | Delegating


# --- frame_support::traits::PollStatus ----------------------------------------------


@dataclass(frozen=True, slots=True)
class Ongoing:
    """A poll still open on `track`."""

    track: TrackId


@dataclass(frozen=True, slots=True)
class Completed:
    """A poll that ended at `end` on the governance clock."""

    end: RelayBlockNumber
    approved: bool


PollStatus: TypeAlias = Ongoing | Completed
"""A cancelled, killed, timed-out or unknown poll has none."""


# --- Layout -------------------------------------------------------------------------


def _decode_vote_byte(data: bytes, offset: int) -> tuple[tuple[bool, Conviction], int]:
    """`Vote`: bit 7 is aye, the others the conviction."""
    raw, end = schema.u8.decode_at(data, offset)
    return vote_of_byte(raw, offset), end


def vote_of_byte(raw: int, offset: int | None = None) -> tuple[bool, Conviction]:
    """Aye or nay, and the conviction. Raises `DecodeError` for a seventh conviction."""
    if raw & 0x7F > Conviction.LOCKED_6X:
        raise DecodeError(f"vote {raw:#04x} has no conviction {raw & 0x7F}", offset)
    return bool(raw & 0x80), Conviction(raw & 0x7F)


def _encode_standard(vote: Standard) -> bytes:
    return bytes((vote.aye << 7 | vote.conviction,)) + schema.u128.encode(vote.balance)


def _decode_standard(data: bytes, offset: int) -> tuple[Standard, int]:
    (aye, conviction), offset = _decode_vote_byte(data, offset)
    balance, offset = schema.u128.decode_at(data, offset)
    return Standard(aye, conviction, Planck(balance)), offset


ACCOUNT_VOTE: Schema[AccountVote] = schema.union(
    Variant(0, Standard, Schema(_encode_standard, _decode_standard)),
    Variant(1, Split, schema.struct(Split, aye=schema.u128, nay=schema.u128)),
    Variant(
        2,
        SplitAbstain,
        schema.struct(SplitAbstain, aye=schema.u128, nay=schema.u128, abstain=schema.u128),
    ),
)
_DELEGATIONS = schema.struct(Delegations, votes=schema.u128, capital=schema.u128)
_PRIOR = schema.struct(PriorLock, until=schema.u32, amount=schema.u128)


def _encode_votes(votes: VoteList) -> bytes:
    encode = ACCOUNT_VOTE.encode
    parts = [encode_compact(len(votes))]
    for poll, vote in votes:
        parts += poll.to_bytes(4, "little"), encode(vote)
    return b"".join(parts)


def _decode_votes(data: bytes, offset: int) -> tuple[VoteList, int]:
    count, offset = decode_compact(data, offset)
    votes: list[tuple[PollIndex, AccountVote]] = []
    for _ in range(count):
        poll, offset = schema.u32.decode_at(data, offset)
        if votes and votes[-1][0] >= poll:
            raise DecodeError(f"vote on poll {poll} behind that on {votes[-1][0]}", offset - 4)
        vote, offset = ACCOUNT_VOTE.decode_at(data, offset)
        votes.append((PollIndex(poll), vote))
    return tuple(votes), offset


VOTING: Schema[Voting] = schema.union(
    Variant(
        0,
        Casting,
        schema.struct(
            Casting,
            votes=Schema(_encode_votes, _decode_votes),
            delegations=_DELEGATIONS,
            prior=_PRIOR,
        ),
    ),
    Variant(
        1,
        Delegating,
        schema.struct(
            Delegating,
            balance=schema.u128,
            target=schema.account,
            conviction=schema.enum(Conviction),
            delegations=_DELEGATIONS,
            prior=_PRIOR,
        ),
    ),
)


# --- Decoded values (ibp_chain.scale.values) ------------------------------------------


def account_vote(value: Any) -> AccountVote:
    """An `AccountVote` as calls and events carry it. Raises `DecodeError`."""
    match value:
        case ("Standard", {"vote": int() as raw, "balance": int() as balance}):
            aye, conviction = vote_of_byte(raw)
            return Standard(aye, conviction, Planck(balance))
        case ("Split", {"aye": int() as aye, "nay": int() as nay}):
            return Split(Planck(aye), Planck(nay))
        case ("SplitAbstain", {"aye": int() as a, "nay": int() as n, "abstain": int() as s}):
            return SplitAbstain(Planck(a), Planck(n), Planck(s))
    raise DecodeError(f"{value!r} is no AccountVote")


def conviction_named(name: str) -> Conviction:
    """A `Conviction` by its variant's name. Raises `DecodeError`."""
    if name not in _CONVICTION_NAMES:
        raise DecodeError(f"there is no conviction {name!r}")
    return _CONVICTION_NAMES[name]
