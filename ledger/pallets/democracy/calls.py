"""From decoded calls and events to the pallet's functions."""

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import DecodeError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck, PollIndex
from ledger.pallets.conviction_voting.types import conviction_named
from ledger.pallets.democracy import pallet
from ledger.pallets.democracy.events import Event
from ledger.pallets.democracy.pallet import Config, Storage
from ledger.pallets.democracy.types import account_vote
from ledger.pallets.dispatch_origin import resolved

_ON_PROPOSALS = frozenset(
    {
        "propose", "second", "emergency_cancel", "external_propose", "external_propose_majority",
        "external_propose_default", "fast_track", "veto_external", "cancel_referendum",
        "cancel_queued", "clear_public_proposals", "note_preimage", "note_preimage_operational",
        "note_imminent_preimage", "note_imminent_preimage_operational", "reap_preimage",
        "enact_proposal", "blacklist", "cancel_proposal", "set_metadata",
    }
)  # fmt: skip
"""Calls that touch no vote and no lock; what they do to referenda, their events say."""


def touches_votes(call: Call) -> bool:
    """Whether only a signed origin can have made `call`. Raises `DecodeError` for unknown ones."""
    if call.name in _ON_PROPOSALS:
        return False
    if call.name in _ON_VOTES:
        return True
    raise DecodeError(f"Democracy has no call {call.name!r} that we know")


_ON_VOTES = frozenset(
    {"vote", "delegate", "undelegate", "unlock", "remove_vote", "remove_other_vote"}
)


def dispatch(storage: Storage, config: Config, who: AccountId, call: Call) -> list[Event]:
    """Apply a decoded call of the pallet that `touches_votes`, signed by `who`.

    Raises the pallet's `Error`, and `DecodeError` for a call or argument that we do not know.
    """
    args = call.args
    match call.name:
        case "vote":
            index, cast = PollIndex(args["ref_index"]), account_vote(args["vote"])
            return pallet.vote(storage, config, who, index, cast)
        case "delegate":
            to, conviction = resolved(args["to"]), conviction_named(args["conviction"])
            return pallet.delegate(storage, config, who, to, conviction, Planck(args["balance"]))
        case "undelegate":
            return pallet.undelegate(storage, config, who)
        case "unlock":
            return pallet.unlock(storage, config, resolved(args["target"]))
        case "remove_vote":
            return pallet.remove_vote(storage, config, who, PollIndex(args["index"]))
        case "remove_other_vote":
            target, index = resolved(args["target"]), PollIndex(args["index"])
            return pallet.remove_other_vote(storage, config, who, target, index)
    raise DecodeError(f"Democracy.{call.name} is no call on votes that we know")


def replay(storage: Storage, config: Config, event: EventRecord) -> list[Event] | None:
    """Apply what an event tells of a call that the block does not show.

    None where it tells too little: a delegation's amount.
    """
    match event.name, event.args:
        case "Voted", {"voter": who, "ref_index": index, "vote": vote}:
            return pallet.vote(storage, config, who, index, account_vote(vote))
        case "Undelegated", {"account": who} | (bytes() as who):
            return pallet.undelegate(storage, config, AccountId(who))
    return None
