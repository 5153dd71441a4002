"""Calls of `pallet_multisig`: they record an approval or execute, and their event says which.

Rule: spec/pallets.md E.4, F.1.
"""

from collections.abc import Callable, Iterator

from ibp_chain.accounts import multisig_account
from ibp_chain.blocks import EventRecord, blake2_256
from ibp_chain.errors import DecodeError
from ibp_chain.types import AccountId
from ledger.dispatch_singles import closed
from ledger.dispatch_tree import Node, Reader, Reading, Rule, Succeeded
from ledger.dispatch_values import field, is_event, signed


def as_multi(reader: Reader, node: Node, at: int) -> Rule:
    """Records an approval, or executes: the event says which."""
    args, who = node.call.args, node.origin.account
    if who is None:
        return []
    multisig = multisig_account([who, *args["other_signatories"]], args["threshold"])
    call = args["call"]
    if isinstance(call, bytes):  # before substrate #11649 the call came as opaque bytes
        try:
            call = reader.runtime.decode_call(call)
        except DecodeError:  # bytes that are no call can be approved, never executed
            return list(_approval(reader, node, at, who, multisig, blake2_256(call)))
    readings = list(_approval(reader, node, at, who, multisig, call.hash))
    start = at
    if at < len(reader.events) and is_event(reader.events[at], "Balances", "Unreserved"):
        start = at + 1  # the deposit goes back before the call runs
    readings += yield from closed(
        reader,
        node,
        node.child(0, call, signed(multisig)),
        start,
        _executed(who, multisig, call.hash),
        before=tuple(reader.events[at:start]),
    )
    return readings


def approve_as_multi(reader: Reader, node: Node, at: int) -> Rule:
    yield from ()
    args, who = node.call.args, node.origin.account
    if who is None:
        return []
    multisig = multisig_account([who, *args["other_signatories"]], args["threshold"])
    return list(_approval(reader, node, at, who, multisig, args["call_hash"]))


def _approval(
    reader: Reader, node: Node, at: int, who: AccountId, multisig: AccountId, call_hash: bytes
) -> Iterator[Reading]:
    """The call recorded an approval and dispatched nothing."""
    end = reader.to_close(at)
    close = reader.close_at(end)
    if close is None or close.name not in {"NewMultisig", "MultisigApproval"}:
        return
    first = 0 if close.name == "NewMultisig" else 1  # the timepoint stands in between
    said = (
        field(close, "approving", 0),
        field(close, "multisig", 1 + first),
        field(close, "call_hash", 2 + first),
    )
    if said == (who, multisig, call_hash):
        yield Reading(end + 1, Succeeded(node, tuple(reader.events[at : end + 1])))


def _executed(
    who: AccountId, multisig: AccountId, call_hash: bytes
) -> Callable[[EventRecord], bool]:
    def is_close(event: EventRecord) -> bool:
        return is_event(event, "Multisig", "MultisigExecuted") and (
            field(event, "approving", 0),
            field(event, "multisig", 2),
            field(event, "call_hash", 3),
        ) == (who, multisig, call_hash)

    return is_close


def as_multi_threshold_1(reader: Reader, node: Node, at: int) -> Rule:
    """Closed by `MultisigExecuted` from 1.7 on, by nothing before; fails with its call."""
    args, who = node.call.args, node.origin.account
    if who is None:
        return []
    multisig = multisig_account([who, *args["other_signatories"]], 1)
    inner = node.child(0, args["call"], signed(multisig))
    is_close = _executed(who, multisig, args["call"].hash)
    readings = []
    for reading in (yield inner, at):
        close = reader.close_at(reading.end)
        own = (close,) if close is not None and is_close(close) else ()
        end = reading.end + len(own)
        readings.append(Reading(end, Succeeded(node, own, (reading.outcome,))))
    return readings
