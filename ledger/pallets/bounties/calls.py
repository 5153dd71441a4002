"""From decoded calls and events to the pallet's functions."""

from collections.abc import Sequence

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import DecodeError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck
from ledger.dispatch_values import field
from ledger.pallets.bounties import pallet
from ledger.pallets.bounties.config import Config
from ledger.pallets.bounties.events import EVENTS, Event
from ledger.pallets.bounties.types import Active, BountyIndex, Storage
from ledger.pallets.deposited import named
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
    pallet's `Error`, `BadOrigin`, and `DecodeError` for a call or argument that we do not know.
    """
    args = call.args
    if call.name == "propose_bounty":
        value, description = Planck(args["value"]), args["description"]
        return pallet.propose_bounty(storage, config, origin, value, description)
    index = BountyIndex(args["bounty_id"])
    match call.name:
        case "approve_bounty":
            return pallet.approve_bounty(storage, config, origin, index)
        case "propose_curator":
            curator, fee = resolved(args["curator"]), Planck(args["fee"])
            return pallet.propose_curator(storage, origin, index, curator, fee)
        case "unassign_curator":
            return pallet.unassign_curator(storage, config, origin, index)
        case "accept_curator":
            return pallet.accept_curator(storage, config, origin, index)
        case "award_bounty":
            beneficiary = resolved(args["beneficiary"])
            return pallet.award_bounty(storage, config, origin, index, beneficiary)
        case "claim_bounty":
            return pallet.claim_bounty(storage, config, origin, index, _payout(observed))
        case "close_bounty":
            return pallet.close_bounty(storage, config, origin, index)
        case "extend_bounty_expiry":
            return pallet.extend_bounty_expiry(storage, config, origin, index)
        case "approve_bounty_with_curator":
            curator, fee = resolved(args["curator"]), Planck(args["fee"])
            return pallet.approve_bounty_with_curator(storage, config, origin, index, curator, fee)
        case "poke_deposit":
            return pallet.poke_deposit(storage, config, origin, index)
    raise DecodeError(f"Bounties has no call {call.name!r} that we know")


def _payout(observed: Sequence[EventRecord]) -> Planck:
    """What the block's BountyClaimed names; nothing for a claim that failed."""
    return next(
        (Planck(field(event, "payout", 1)) for event in observed if event.name == "BountyClaimed"),
        Planck(0),
    )


def replay(storage: Storage, config: Config, event: EventRecord) -> list[Event] | None:
    """Apply what an event tells of a call that the block does not show.

    None where it tells too little: who proposed a bounty of what value, and a curator's fee.
    Whoever unassigned a curator, what is stored afterwards is the same.
    """
    if event.name not in {known.__name__ for known in EVENTS}:
        return None
    args = named(event, EVENTS)
    index = BountyIndex(args["index"] if "index" in args else args["bounty_id"])
    match event.name:
        case "BountyApproved":
            return pallet.approve_bounty(storage, config, None, index)
        case "BountyRejected" | "BountyCanceled":
            return pallet.close_bounty(storage, config, None, index)
        case "CuratorUnassigned":
            return pallet.unassign_curator(storage, config, None, index)
        case "CuratorAccepted":
            return pallet.accept_curator(storage, config, args["curator"], index)
        case "BountyAwarded":
            curator = _curator(storage, index)
            return pallet.award_bounty(storage, config, curator, index, args["beneficiary"])
        case "BountyClaimed":
            anyone, payout = args["beneficiary"], Planck(args["payout"])
            return pallet.claim_bounty(storage, config, anyone, index, payout)
        case "BountyExtended":
            return pallet.extend_bounty_expiry(storage, config, _curator(storage, index), index)
        case "DepositPoked":
            return pallet.poke_deposit(storage, config, args["proposer"], index)
    return None


def _curator(storage: Storage, index: BountyIndex) -> AccountId:
    """Of an active bounty, who alone can have made the call."""
    bounty = storage.bounties.find(index)
    if bounty is None or not isinstance(bounty.status, Active):
        raise DecodeError(f"bounty {index} is not active")
    return bounty.status.curator
