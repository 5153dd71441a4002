"""From decoded calls and events to the pallet's functions."""

from collections.abc import Sequence
from typing import Any

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import DecodeError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.pallets.deposited import named
from ledger.pallets.dispatch_origin import resolved
from ledger.pallets.treasury import pallet
from ledger.pallets.treasury.events import EVENTS, Event
from ledger.pallets.treasury.pallet import Config, Payment
from ledger.pallets.treasury.types import ProposalIndex, SpendIndex, Storage


def dispatch(
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    call: Call,
    observed: Sequence[EventRecord],
) -> list[Event]:
    """Apply a decoded call of the pallet; `origin` is None for one that is no account.

    What `observed`, its events in the block, tell of payments is taken from them. Raises the
    pallet's `Error`, `BadOrigin`, and `DecodeError` for a call or argument that we do not know.
    """
    args = call.args
    match call.name:
        case "propose_spend":
            value, beneficiary = Planck(args["value"]), resolved(args["beneficiary"])
            return pallet.propose_spend(storage, config, origin, value, beneficiary)
        case "reject_proposal":
            return pallet.reject_proposal(storage, origin, ProposalIndex(args["proposal_id"]))
        case "approve_proposal":
            index = ProposalIndex(args["proposal_id"])
            return pallet.approve_proposal(storage, config, origin, index)
        case "remove_approval":
            return pallet.remove_approval(storage, origin, ProposalIndex(args["proposal_id"]))
        case "spend" if "asset_kind" in args:
            return _spend(storage, config, origin, args)
        case "spend_local" | "spend":  # named `spend` before release 1.1
            amount, beneficiary = Planck(args["amount"]), resolved(args["beneficiary"])
            return pallet.spend_local(storage, config, origin, amount, beneficiary)
        case "payout":
            payment = _payment(observed)
            return pallet.payout(storage, config, origin, SpendIndex(args["index"]), payment)
        case "check_status":
            payment = _payment(observed)
            return pallet.check_status(storage, config, origin, SpendIndex(args["index"]), payment)
        case "void_spend":
            return pallet.void_spend(storage, origin, SpendIndex(args["index"]))
    raise DecodeError(f"Treasury has no call {call.name!r} that we know")


def _spend(
    storage: Storage, config: Config, origin: AccountId | None, args: dict[str, Any]
) -> list[Event]:
    """With the arguments of the call, or of the event that repeats them."""
    kind, amount, beneficiary = args["asset_kind"], args["amount"], args["beneficiary"]
    start = None if args["valid_from"] is None else RelayBlockNumber(args["valid_from"])
    return pallet.spend(storage, config, origin, kind, amount, beneficiary, start)


def _payment(observed: Sequence[EventRecord]) -> Payment:
    for event in observed:
        if event.name in {"Paid", "PaymentFailed"}:
            return Payment(event.args["payment_id"], event.name == "PaymentFailed")
    return Payment()


def replay(storage: Storage, config: Config, event: EventRecord) -> list[Event] | None:
    """Apply what an event tells of a call that the block does not show.

    None where it tells too little: who proposed what. `remove_approval` and `approve_proposal`
    leave no event.
    """
    args = named(event, EVENTS)
    match event.name:
        case "Rejected":
            return pallet.reject_proposal(storage, None, ProposalIndex(args["proposal_index"]))
        case "SpendApproved":
            amount, beneficiary = Planck(args["amount"]), args["beneficiary"]
            return pallet.spend_local(storage, config, None, amount, beneficiary)
        case "AssetSpendApproved":
            return _spend(storage, config, None, args)
        case "AssetSpendVoided":
            return pallet.void_spend(storage, None, SpendIndex(args["index"]))
        case "Paid":
            index, payment = SpendIndex(args["index"]), _payment([event])
            return pallet.payout(storage, config, _ANYONE, index, payment)
        case "PaymentFailed" | "SpendProcessed":
            index, payment = SpendIndex(args["index"]), _payment([event])
            return pallet.check_status(storage, config, _ANYONE, index, payment)
    return None


_ANYONE = AccountId(bytes(32))
"""Signed a call that anybody may make."""
