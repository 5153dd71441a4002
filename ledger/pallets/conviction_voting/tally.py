"""Tallies, worked out anew from the votes.

Mirrors: `Tally` of `substrate/frame/conviction-voting/src/types.rs`. The chain keeps a running
tally in `Referenda.ReferendumInfoFor`; no lock depends on it, so no call here does either, and an
audit can compare the two. Rule: spec/pallets.md A.1.
"""

from dataclasses import dataclass

from ibp_chain.types import Planck, PollIndex, TrackId, Votes
from ledger.pallets.conviction_voting.pallet import Storage
from ledger.pallets.conviction_voting.types import (
    AccountVote,
    Casting,
    Conviction,
    Delegations,
    Split,
    SplitAbstain,
    Standard,
)

_NO_VOTES, _NO_PLANCK = Votes(0), Planck(0)


@dataclass(frozen=True, slots=True)
class Tally:
    ayes: Votes = _NO_VOTES
    nays: Votes = _NO_VOTES
    support: Planck = _NO_PLANCK
    """Capital behind ayes and abstentions, whatever their conviction."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            Votes(self.ayes + other.ayes),
            Votes(self.nays + other.nays),
            Planck(self.support + other.support),
        )


def contribution(vote: AccountVote, delegated: Delegations) -> Tally:
    """What one account's vote adds: its own part, and for a `Standard` vote what is delegated to
    the account too.
    """
    none = Conviction.NONE
    match vote:
        case Standard(aye, conviction, balance):
            with_delegated = conviction.votes(balance).saturating_add(delegated)
            if aye:
                return Tally(ayes=with_delegated.votes, support=with_delegated.capital)
            return Tally(nays=with_delegated.votes)
        case Split(aye=ayes, nay=nays):
            return Tally(none.votes(ayes).votes, none.votes(nays).votes, ayes)
        case SplitAbstain(aye=ayes, nay=nays, abstain=abstained):
            return Tally(none.votes(ayes).votes, none.votes(nays).votes, Planck(ayes + abstained))


def tally(storage: Storage, class_: TrackId, poll: PollIndex) -> Tally:
    """The tally of a poll that is ongoing in `class_`."""
    total = Tally()
    for (_, voted_in), voting in storage.voting_for.items():
        if voted_in != class_ or not isinstance(voting, Casting):
            continue
        vote = voting.vote_on(poll)
        if vote is not None:
            total += contribution(vote, voting.delegations)
    return total
