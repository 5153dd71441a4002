"""Calls, events and errors of a real runtime, made by hand and read through its metadata."""

from typing import Any, TypeAlias

from ibp_chain.blocks import EventRecord, Extrinsic
from ibp_chain.errors import PalletError
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from ledger.dispatch import Item, attribute
from ledger.origins import Dispatched, Failed, Unattributed
from tests.support import recording

Said: TypeAlias = tuple[str, tuple[str, Any]]
"""An event as metadata has it: pallet, then name and fields."""

ALICE, BOB, CAROL, DAVE = (AccountId(letter * 32) for letter in (b"a", b"b", b"c", b"d"))
WEIGHT = {"ref_time": 1, "proof_size": 1}
OK = ("Ok", ())
_INFO = {"weight": WEIGHT, "class": "Normal", "pays_fee": "Yes"}
SUCCESS: Said = ("System", ("ExtrinsicSuccess", {"dispatch_info": _INFO}))
ITEM: Said = ("Utility", ("ItemCompleted", ()))
DONE: Said = ("Utility", ("BatchCompleted", ()))


def runtime() -> Runtime:
    return recording.runtime()


def call(pallet: str, name: str, **args: Any) -> Call:
    return runtime().call(pallet, name, args)


def module_error(error: type[PalletError], pallet: str) -> tuple[str, Any]:
    """The `DispatchError` that the runtime reports for an error of a mirrored pallet."""
    index = runtime().metadata.pallets[pallet].index
    return ("Module", {"index": index, "error": bytes((error.index, 0, 0, 0))})


def failed(error: Any) -> Said:
    """The end of an extrinsic that failed."""
    return ("System", ("ExtrinsicFailed", {"dispatch_error": error, "dispatch_info": _INFO}))


def events(*said: Said) -> tuple[EventRecord, ...]:
    """The events of a block's first extrinsic, through the bytes of `System.Events`."""
    records = [{"phase": ("ApplyExtrinsic", 0), "event": event, "topics": []} for event in said]
    return runtime().decode_events(runtime().encode_storage("System", "Events", records))


def attributed(root: Call, *said: Said, outcome: Said = SUCCESS) -> list[Item]:
    """What `attribute` makes of a block with one extrinsic, signed by Alice."""
    extrinsic = Extrinsic(b"", ALICE, {"CheckNonce": 0}, root)
    return list(attribute(runtime(), [extrinsic], events(*said, outcome)))


def told(items: list[Item]) -> list[str]:
    """A line for each: its place in the call tree, what it was, and how it went."""
    lines = []
    for item in items:
        if isinstance(item, EventRecord):
            lines.append(f"event {item.pallet}.{item.name}")
            continue
        place = "".join(f"{step}." for step in item.path) or "root"
        match item:
            case Dispatched(origin=origin):
                who = origin.account.hex()[:4] if origin.account else origin.kind
                lines.append(f"{place} {item.call.name} by {who}")
            case Failed(error=error):
                lines.append(f"{place} {item.call.name} failed: {error}")
            case Unattributed(reason=reason):
                lines.append(f"{place} {item.call.name} unattributed: {reason}")
    return lines
