"""How each dispatching call treats its inner call: with which origin, and closed by which event.

Mirrors: `pallet_utility`, `pallet_proxy`, `pallet_multisig`, `pallet_sudo`, `pallet_whitelist`,
`pallet_remote_proxy`, `pallet_recovery`.
Rule: spec/pallets.md F.1. A call that carries another one and stands in no table here may have
dispatched it or not: it is opaque.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ibp_chain.scale.values import Call
from ledger.dispatch_batches import Batch, batch
from ledger.dispatch_multisig import approve_as_multi, as_multi, as_multi_threshold_1
from ledger.dispatch_singles import (
    Single,
    account_in,
    derivative,
    given_origin,
    if_else,
    root,
    single,
)
from ledger.dispatch_tree import OWN_EVENTS_ONLY, Node, Opaque, Reader, Reading, Rule, Succeeded

STORED_CALLS = frozenset(
    ("Scheduler", name)
    for name in ("schedule", "schedule_named", "schedule_after", "schedule_named_after")
)
"""Calls that carry another one for later and dispatch nothing now."""

XCM_PALLETS = frozenset({"XcmPallet", "PolkadotXcm"})
REVIVE = frozenset(
    ("Revive", name)
    for name in ("eth_transact", "eth_substrate_call", "dispatch_as_fallback_account")
)


def rule_of(reader: Reader, node: Node, at: int) -> Rule:
    """The rule for `node`'s call."""
    name = node.call.pallet, node.call.name
    if name in _WRAPPERS:
        return _WRAPPERS[name](reader, node, at)
    reason = opaque_reason(node.call)
    return _opaque(reader, node, at, reason) if reason else _leaf(reader, node, at)


def is_plain(call: Call) -> bool:
    """Whether `call` dispatches no other, for certain."""
    return (call.pallet, call.name) not in _WRAPPERS and opaque_reason(call) is None


def opaque_reason(call: Call) -> str | None:
    """Why nobody can name the calls that `call` may have dispatched; None for a plain call."""
    name = call.pallet, call.name
    if call.pallet in XCM_PALLETS and call.name == "execute" and _transacts(call.args):
        return "an XCM program with Transact"
    if call.pallet in XCM_PALLETS and call.name == "execute_blob":
        return "an encoded XCM program"
    if name in REVIVE:
        return "a call from an Ethereum account"
    if name == ("Whitelist", "dispatch_whitelisted_call"):
        return "a whitelisted call known by its hash only"
    if name not in STORED_CALLS and any(map(_carries_call, call.args.values())):
        return "a call that carries another one in a way we do not know"
    return None


def _carries_call(value: Any) -> bool:
    match value:
        case Call():
            return True
        case [first, *_]:
            return isinstance(first, Call)
        case dict():
            return any(isinstance(inner, Call) for inner in value.values())
    return False


def _transacts(value: Any) -> bool:
    match value:
        case ("Transact", _):
            return True
        case dict():
            return any(map(_transacts, value.values()))
        case list() | tuple():
            return any(map(_transacts, value))
    return False


# --- Leaves -------------------------------------------------------------------


def _leaf(reader: Reader, node: Node, at: int) -> Rule:
    """Dispatches nothing: all events up to the next closing one are its own."""
    yield from ()
    end = reader.to_close(at)
    events = tuple(reader.events[at:end])
    if any(e.pallet in OWN_EVENTS_ONLY and e.pallet != node.call.pallet for e in events):
        return []
    return [Reading(end, Succeeded(node, events))]


def _opaque(reader: Reader, node: Node, at: int, reason: str) -> Rule:
    """May have dispatched anything: inner closes are not told from outer ones, so take none."""
    yield from ()
    end = len(reader.events) if not node.path else reader.to_close(at)
    return [Reading(end, Opaque(node, tuple(reader.events[at:end]), reason))]


# --- The table ------------------------------------------------------------------


_WRAPPERS: Mapping[tuple[str, str], Callable[[Reader, Node, int], Rule]] = {
    ("Utility", "batch"): batch(Batch("BatchInterrupted", goes_on=False)),
    ("Utility", "batch_all"): batch(Batch(None, goes_on=False)),
    ("Utility", "force_batch"): batch(Batch("ItemFailed", goes_on=True)),
    ("Utility", "as_derivative"): single(Single(derivative, None, propagates=True)),
    ("Utility", "dispatch_as"): single(
        Single(given_origin, ("Utility", "DispatchedAs"), propagates=False)
    ),
    ("Utility", "dispatch_as_fallible"): single(
        Single(given_origin, ("Utility", "DispatchedAs"), propagates=True)
    ),
    ("Utility", "with_weight"): single(Single(root, None, propagates=True)),
    ("Utility", "if_else"): if_else,
    ("Proxy", "proxy"): single(
        Single(account_in("real"), ("Proxy", "ProxyExecuted"), propagates=False)
    ),
    ("Proxy", "proxy_announced"): single(
        Single(account_in("real"), ("Proxy", "ProxyExecuted"), propagates=False)
    ),
    ("Multisig", "as_multi"): as_multi,
    ("Multisig", "as_multi_threshold_1"): as_multi_threshold_1,
    ("Multisig", "approve_as_multi"): approve_as_multi,
    ("RemoteProxyRelayChain", "remote_proxy"): single(
        Single(account_in("real"), ("Proxy", "ProxyExecuted"), propagates=False)
    ),
    ("RemoteProxyRelayChain", "remote_proxy_with_registered_proof"): single(
        Single(account_in("real"), ("Proxy", "ProxyExecuted"), propagates=False)
    ),
    ("Recovery", "as_recovered"): single(Single(account_in("account"), None, propagates=True)),
    ("Sudo", "sudo"): single(Single(root, ("Sudo", "Sudid"), propagates=False)),
    ("Sudo", "sudo_unchecked_weight"): single(Single(root, ("Sudo", "Sudid"), propagates=False)),
    ("Sudo", "sudo_as"): single(
        Single(account_in("who"), ("Sudo", "SudoAsDone"), propagates=False)
    ),
    ("Whitelist", "dispatch_whitelisted_call_with_preimage"): single(
        Single(root, ("Whitelist", "WhitelistedCallDispatched"), propagates=False)
    ),
}
