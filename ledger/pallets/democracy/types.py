"""Votes and referenda of the first governance, with their layout in storage.

Mirrors: `substrate/frame/democracy/src/{conviction,vote,types}.rs`. Conviction voting was made from
this pallet: a vote, a prior lock and an account's voting are laid out the same there, so its types
serve here. Only abstaining came later.
Units: balances are planck; locks count blocks of the relay chain.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from ibp_chain.errors import DecodeError
from ibp_chain.scale import schema
from ibp_chain.scale.schema import Schema, Variant
from ibp_chain.types import RelayBlockNumber
from ledger.pallets import conviction_voting as cv

Direct: TypeAlias = cv.Casting
"""The account votes directly; one of them for all referenda, there are no classes."""

Voting: TypeAlias = Direct | cv.Delegating

AccountVote: TypeAlias = cv.Standard | cv.Split


# --- types.rs -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ongoing:
    """A referendum still open."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A referendum that was decided in block `end`."""

    approved: bool
    end: RelayBlockNumber


ReferendumInfo: TypeAlias = Ongoing | Finished
"""A cancelled or unknown referendum has none."""


# --- Layout ---------------------------------------------------------------------------


def _decode_voting(data: bytes, offset: int) -> tuple[Voting, int]:
    voting, end = cv.VOTING.decode_at(data, offset)
    if isinstance(voting, Direct):
        for index, vote in voting.votes:
            if isinstance(vote, cv.SplitAbstain):
                raise DecodeError(f"vote on referendum {index} abstains, as none could", offset)
    return voting, end


VOTING: Schema[Voting] = Schema(cv.VOTING.encode, _decode_voting)

REFERENDUM_INFO: Schema[ReferendumInfo] = schema.union(
    Variant(0, Ongoing, schema.struct(Ongoing)),
    Variant(1, Finished, schema.struct(Finished, approved=schema.boolean, end=schema.u32)),
)


# --- Decoded values (ibp_chain.scale.values) ------------------------------------------


def account_vote(value: Any) -> AccountVote:
    """An `AccountVote` as calls and events carry it. Raises `DecodeError`."""
    vote = cv.account_vote(value)
    if isinstance(vote, cv.SplitAbstain):
        raise DecodeError(f"{value!r} abstains, as no vote in Democracy could")
    return vote
