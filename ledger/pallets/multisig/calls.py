"""From decoded calls and events to the pallet's functions."""

from collections.abc import Sequence
from typing import Any

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import DecodeError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.pallets.multisig import pallet
from ledger.pallets.multisig.pallet import Config
from ledger.pallets.multisig.types import Event, Storage, Timepoint


def dispatch(
    storage: Storage, config: Config, who: AccountId, call: Call, result: str | None
) -> Event | None:
    """Apply a decoded call of the pallet, signed by `who`.

    `result` is the error of the call that it executed, as the block's events tell; None for Ok.
    Raises the pallet's `Error`, and `DecodeError` for a call that we do not know.
    """
    args = call.args
    others = args["other_signatories"]
    if call.name == "as_multi_threshold_1":
        return pallet.as_multi_threshold_1(config, who, others, call_bytes(args["call"]))
    threshold = args["threshold"]
    match call.name:
        case "as_multi":
            when, raw = timepoint(args["maybe_timepoint"]), call_bytes(args["call"])
            return pallet.as_multi(storage, config, who, threshold, others, when, raw, result)
        case "approve_as_multi":
            when, call_hash = timepoint(args["maybe_timepoint"]), Hash(args["call_hash"])
            return pallet.approve_as_multi(storage, config, who, threshold, others, when, call_hash)
        case "cancel_as_multi":
            when, call_hash = timepoint(args["timepoint"]), Hash(args["call_hash"])
            assert when is not None
            return pallet.cancel_as_multi(storage, config, who, threshold, others, when, call_hash)
        case "poke_deposit":
            call_hash = Hash(args["call_hash"])
            return pallet.poke_deposit(storage, config, who, threshold, others, call_hash)
    raise DecodeError(f"Multisig has no call {call.name!r} that we know")


def confirmed(call: Call, predicted: Event | None, observed: Sequence[EventRecord]) -> bool:
    """Whether `observed` is exactly the event that `call` was predicted to deposit."""
    if not observed:
        return predicted is None or call.name == "as_multi_threshold_1"
    if predicted is None or len(observed) != 1 or observed[0].name != type(predicted).__name__:
        return False
    said = dict(observed[0].args)
    said.pop("result", None)
    if "timepoint" in said:
        said["timepoint"] = timepoint(said["timepoint"])
    return said == predicted._asdict()


def timepoint(value: Any) -> Timepoint | None:
    """A decoded `Timepoint` or `Option<Timepoint>`."""
    if value is None:
        return None
    return Timepoint(BlockNumber(value["height"]), value["index"])


def call_bytes(call: Call | bytes) -> bytes:
    """Before substrate #11649 `as_multi` took its call as opaque bytes."""
    return call if isinstance(call, bytes) else call.data
