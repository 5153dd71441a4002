"""From decoded calls and events to the pallet's functions."""

from typing import Any

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import DecodeError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck, PollIndex, TrackId
from ledger.pallets.conviction_voting import pallet
from ledger.pallets.conviction_voting.events import Event
from ledger.pallets.conviction_voting.pallet import Config, Storage
from ledger.pallets.conviction_voting.types import account_vote, conviction_named


def dispatch(storage: Storage, config: Config, who: AccountId, call: Call) -> list[Event]:
    """Apply a decoded call of the pallet, signed by `who`.

    Raises the pallet's `Error`, and `DecodeError` for a call or argument that we do not know.
    """
    args = call.args
    match call.name:
        case "vote":
            poll, cast = PollIndex(args["poll_index"]), account_vote(args["vote"])
            return pallet.vote(storage, config, who, poll, cast)
        case "delegate":
            to, conviction = _account(args["to"]), conviction_named(args["conviction"])
            class_, balance = TrackId(args["class"]), Planck(args["balance"])
            return pallet.delegate(storage, config, who, class_, to, conviction, balance)
        case "undelegate":
            return pallet.undelegate(storage, config, who, TrackId(args["class"]))
        case "unlock":
            class_, target = TrackId(args["class"]), _account(args["target"])
            return pallet.unlock(storage, config, class_, target)
        case "remove_vote":
            hint = None if args["class"] is None else TrackId(args["class"])
            return pallet.remove_vote(storage, config, who, hint, PollIndex(args["index"]))
        case "remove_other_vote":
            target, class_ = _account(args["target"]), TrackId(args["class"])
            index = PollIndex(args["index"])
            return pallet.remove_other_vote(storage, config, who, target, class_, index)
    raise DecodeError(f"ConvictionVoting has no call {call.name!r} that we know")


def replay(storage: Storage, config: Config, event: EventRecord) -> list[Event] | None:
    """Apply what an event tells of a call that the block does not show.

    None where it tells too little: a delegation's amount, and the poll or class of older runtimes.
    """
    match event.name, event.args:
        case "Voted", {"who": who, "vote": vote, "poll_index": poll}:
            return pallet.vote(storage, config, who, poll, account_vote(vote))
        case "VoteRemoved", {"who": who, "poll_index": poll}:
            return pallet.remove_vote(storage, config, who, None, poll)
        case "VoteUnlocked", {"who": who, "class": class_}:
            return pallet.unlock(storage, config, class_, who)
        case "Undelegated", (who, class_):
            return pallet.undelegate(storage, config, who, class_)
    return None


def _account(address: Any) -> AccountId:
    """Of a `MultiAddress` the runtime resolves `Id` only."""
    match address:
        case ("Id", bytes() as raw) if len(raw) == 32:
            return AccountId(raw)
    raise DecodeError(f"{address!r} resolves to no account")
