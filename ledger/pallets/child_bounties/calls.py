"""From decoded calls and events to the pallet's functions."""

from collections.abc import Sequence
from typing import Any

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import DecodeError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.child_bounties import pallet
from ledger.pallets.child_bounties.events import EVENTS, Event
from ledger.pallets.child_bounties.pallet import Config
from ledger.pallets.child_bounties.types import Active, Storage
from ledger.pallets.dispatch_origin import resolved


def dispatch(
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    call: Call,
    observed: Sequence[EventRecord],
) -> list[Event]:
    """Apply a decoded call of the pallet; `origin` is None for one that is no account.

    What `observed`, its events in the block, tell of balances is taken from them. Raises the
    pallet's `Error`, those of `bounties`, `BadOrigin`, and `DecodeError` for a call or argument
    that we do not know.
    """
    args = call.args
    parent = BountyIndex(args["parent_bounty_id"])
    if call.name == "add_child_bounty":
        value, description = Planck(args["value"]), args["description"]
        return pallet.add_child_bounty(storage, config, origin, parent, value, description)
    child = BountyIndex(args["child_bounty_id"])
    match call.name:
        case "propose_curator":
            curator, fee = resolved(args["curator"]), Planck(args["fee"])
            return pallet.propose_curator(storage, config, origin, parent, child, curator, fee)
        case "accept_curator":
            return pallet.accept_curator(storage, config, origin, parent, child)
        case "unassign_curator":
            return pallet.unassign_curator(storage, config, origin, parent, child)
        case "award_child_bounty":
            beneficiary = resolved(args["beneficiary"])
            return pallet.award_child_bounty(storage, config, origin, parent, child, beneficiary)
        case "claim_child_bounty":
            payout = _payout(observed)
            return pallet.claim_child_bounty(storage, config, origin, parent, child, payout)
        case "close_child_bounty":
            return pallet.close_child_bounty(storage, config, origin, parent, child)
    raise DecodeError(f"ChildBounties has no call {call.name!r} that we know")


def _payout(observed: Sequence[EventRecord]) -> Planck:
    """What the block's Claimed names; nothing for a claim that failed."""
    return next(
        (Planck(event.args["payout"]) for event in observed if event.name == "Claimed"), Planck(0)
    )


def replay(storage: Storage, config: Config, event: EventRecord) -> list[Event] | None:
    """Apply what an event tells of a call that the block does not show.

    None where it tells too little: a child's value and description, and which of two curators
    awarded it. Calls about curators leave no event.
    """
    if event.name not in {known.__name__ for known in EVENTS}:
        return None
    args: dict[str, Any] = event.args
    parent, child = BountyIndex(args["index"]), BountyIndex(args["child_index"])
    match event.name:
        case "Awarded":
            curator = _only_curator(storage, config, parent, child)
            if curator is None:
                return None
            to = args["beneficiary"]
            return pallet.award_child_bounty(storage, config, curator, parent, child, to)
        case "Claimed":
            anyone, payout = args["beneficiary"], Planck(args["payout"])
            return pallet.claim_child_bounty(storage, config, anyone, parent, child, payout)
        case "Canceled":
            return pallet.close_child_bounty(storage, config, None, parent, child)
    return None


def _only_curator(
    storage: Storage, config: Config, parent: BountyIndex, child: BountyIndex
) -> AccountId | None:
    """Where the child's curator is the parent's too."""
    found = storage.child_bounties.find((parent, child))
    curator = config.ensure_bounty_active(parent).curator
    if found is not None and found.status == Active(curator):
        return curator
    return None
