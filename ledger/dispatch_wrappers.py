"""How each dispatching call treats its inner call: with which origin, and closed by which event.

Mirrors: `pallet_utility`, `pallet_proxy`, `pallet_multisig`, `pallet_sudo`, `pallet_whitelist`,
`pallet_remote_proxy`, `pallet_recovery`.
Rule: spec/pallets.md F.1. A call that carries another one and stands in no table here may have
dispatched it or not: it is opaque.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ibp_chain.accounts import derivative_account, multisig_account
from ibp_chain.blocks import EventRecord
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from ledger.dispatch_tree import (
    NOT_REACHED,
    OWN_EVENTS_ONLY,
    Chain,
    Fell,
    Node,
    Opaque,
    Outcome,
    Reader,
    Reading,
    Rule,
    Succeeded,
    in_order,
)
from ledger.origins import Origin, OriginKind

ROOT = Origin(OriginKind.ROOT)

STORED_CALLS = frozenset(
    ("Scheduler", name)
    for name in ("schedule", "schedule_named", "schedule_after", "schedule_named_after")
)
"""Calls that carry another one for later and dispatch nothing now."""

XCM_EXECUTE = frozenset(
    (pallet, name)
    for pallet in ("XcmPallet", "PolkadotXcm")
    for name in ("execute", "execute_blob")
)
REVIVE = frozenset(
    ("Revive", name)
    for name in ("eth_transact", "eth_substrate_call", "dispatch_as_fallback_account")
)


def signed(account: AccountId) -> Origin:
    return Origin(OriginKind.SIGNED, account)


def rule_of(reader: Reader, node: Node, at: int) -> Rule:
    """The rule for `node`'s call."""
    name = node.call.pallet, node.call.name
    if name in _WRAPPERS:
        return _WRAPPERS[name](reader, node, at)
    reason = opaque_reason(node.call)
    return _opaque(reader, node, at, reason) if reason else _leaf(reader, node, at)


def opaque_reason(call: Call) -> str | None:
    """Why nobody can name the calls that `call` may have dispatched; None for a plain call."""
    name = call.pallet, call.name
    if name in XCM_EXECUTE and _transacts(call.args):
        return "an XCM program with Transact"
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


# --- Reading values -----------------------------------------------------------


def field(event: EventRecord, name: str, position: int) -> Any:
    """An event's field, in runtimes that name it and in older ones that do not."""
    if isinstance(event.args, dict):
        return event.args.get(name)
    return event.args[position] if len(event.args) > position else None


def dispatch_error(event: EventRecord) -> Any | None:
    """The `Err` of the one `DispatchResult` among an event's fields; None for `Ok`."""
    fields = event.args.values() if isinstance(event.args, dict) else event.args
    for value in fields:
        match value:
            case ("Ok", _):
                return None
            case ("Err", {"error": error, "post_info": _}):  # DispatchErrorWithPostInfo
                return error
            case ("Err", error):
                return error
    raise ValueError(f"{event.pallet}.{event.name} has no result among its fields")


def lookup(address: Any) -> AccountId | None:
    """`AccountIdLookup`: of a `MultiAddress` only `Id` resolves; old runtimes had plain ids."""
    match address:
        case bytes() if len(address) == 32:
            return AccountId(address)
        case ("Id", bytes() as raw) if len(raw) == 32:
            return AccountId(raw)
    return None


def origin_of_caller(caller: Any) -> Origin:
    """An `OriginCaller` as call arguments carry it."""
    match caller:
        case ("system", ("Root", _)) | ("system", "Root"):
            return ROOT
        case ("system", ("Signed", bytes() as account)):
            return signed(AccountId(account))
        case ("system", ("None", _)) | ("system", "None"):
            return Origin(OriginKind.NONE)
    return Origin(OriginKind.OTHER)


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


# --- Batches ------------------------------------------------------------------


class _Batch(NamedTuple):
    item_fails: str | None
    """The event that closes a failed item; None where its failure fails the whole batch."""
    goes_on: bool


class _Way(NamedTuple):
    """One way to read a batch's items so far."""

    cursor: int
    done: Chain | None
    failed: bool
    """Whether an item failed."""


def _two_per_state(ways: list[_Way]) -> list[_Way]:
    """What can follow depends on cursor and `failed` only; two ways there are enough to know that
    the events do not decide.
    """
    count: dict[tuple[int, bool], int] = {}
    kept = []
    for way in ways:
        state = way.cursor, way.failed
        count[state] = count.get(state, 0) + 1
        if count[state] <= 2:
            kept.append(way)
    return kept


def _batch(flavour: _Batch) -> Callable[[Reader, Node, int], Rule]:
    def rule(reader: Reader, node: Node, at: int) -> Rule:
        nodes = [node.child(k, c, node.origin) for k, c in enumerate(node.call.args["calls"])]
        finished: list[Reading] = []
        ways = [_Way(at, None, failed=False)]
        for index, item in enumerate(nodes):
            following: list[_Way] = []
            for cursor, done, failed in ways:
                error = _item_error(reader, cursor, flavour, index)
                if error is not None and flavour.goes_on:
                    following.append(_Way(cursor + 1, Chain(Fell(item, error), done), failed=True))
                elif error is not None:
                    finished.append(_interrupted(reader, node, cursor, nodes, done, error))
                following += [
                    _Way(inner.end + 1, Chain(inner.outcome, done), failed)
                    for inner in (yield item, cursor)
                    if _is(reader.close_at(inner.end), "Utility", "ItemCompleted")
                ]
            ways = _two_per_state(following)
        for cursor, done, failed in ways:
            close = reader.close_at(cursor)
            name = "BatchCompletedWithErrors" if failed else "BatchCompleted"
            if close is not None and _is(close, "Utility", name):
                finished.append(Reading(cursor + 1, Succeeded(node, (close,), in_order(done))))
        return finished

    return rule


def _is(event: EventRecord | None, pallet: str, name: str) -> bool:
    return event is not None and event.pallet == pallet and event.name == name


def _item_error(reader: Reader, cursor: int, flavour: _Batch, index: int) -> str | None:
    """The error of a batch's item `index` that the event at `cursor` reports, if it does."""
    close = reader.close_at(cursor)
    if close is None or flavour.item_fails is None:
        return None
    if not _is(close, "Utility", flavour.item_fails):
        return None
    if flavour.goes_on:
        return reader.runtime.error_name(field(close, "error", 0))
    if field(close, "index", 0) != index:
        return None
    return reader.runtime.error_name(field(close, "error", 1))


def _interrupted(
    reader: Reader, node: Node, cursor: int, items: list[Node], done: Chain | None, error: str
) -> Reading:
    before = in_order(done)
    failed = Fell(items[len(before)], error)
    rest = tuple(Fell(item, NOT_REACHED) for item in items[len(before) + 1 :])
    close = reader.events[cursor]
    return Reading(cursor + 1, Succeeded(node, (close,), (*before, failed, *rest)))


# --- Wrappers of one call -------------------------------------------------------


class _Single(NamedTuple):
    """A wrapper of one call."""

    origin: Callable[[Node], Origin | None]
    """The inner call's; None where the wrapper itself would have failed."""
    closes: tuple[str, str] | None
    propagates: bool
    """Whether the wrapper fails when its inner call does."""


def _single(kind: _Single) -> Callable[[Reader, Node, int], Rule]:
    def rule(reader: Reader, node: Node, at: int) -> Rule:
        origin = kind.origin(node)
        if origin is None:
            return []
        inner = node.child(0, node.call.args["call"], origin)
        if kind.closes is None:
            return [Reading(r.end, Succeeded(node, (), (r.outcome,))) for r in (yield inner, at)]
        closes, propagates = kind.closes, kind.propagates
        return (
            yield from _closed(
                reader, node, inner, at, lambda e: _is(e, *closes), propagates=propagates
            )
        )

    return rule


def _closed(
    reader: Reader,
    node: Node,
    inner: Node,
    at: int,
    is_close: Callable[[EventRecord], bool],
    *,
    propagates: bool = False,
    before: tuple[EventRecord, ...] = (),
) -> Rule:
    """A wrapper whose closing event carries the inner call's result.

    `before` are events of the wrapper's own that stand in front of `at`.
    """
    readings = []
    close = reader.close_at(at)
    if close is not None and is_close(close) and not propagates:
        error = dispatch_error(close)
        if error is not None:
            fell = Fell(inner, reader.runtime.error_name(error))
            readings.append(Reading(at + 1, Succeeded(node, (*before, close), (fell,))))
    for reading in (yield inner, at):
        close = reader.close_at(reading.end)
        if close is not None and is_close(close) and dispatch_error(close) is None:
            own = (*before, close)
            readings.append(Reading(reading.end + 1, Succeeded(node, own, (reading.outcome,))))
    return readings


def _root(_: Node) -> Origin:
    return ROOT


def _derivative(node: Node) -> Origin | None:
    if node.origin.account is None:
        return None
    return signed(derivative_account(node.origin.account, node.call.args["index"]))


def _given_origin(node: Node) -> Origin:
    return origin_of_caller(node.call.args["as_origin"])


def _of(argument: str) -> Callable[[Node], Origin | None]:
    def origin(node: Node) -> Origin | None:
        account = lookup(node.call.args[argument])
        return None if account is None else signed(account)

    return origin


def _if_else(reader: Reader, node: Node, at: int) -> Rule:
    main = node.child(0, node.call.args["main"], node.origin)
    fallback = node.child(1, node.call.args["fallback"], node.origin)
    readings = []
    for reading in (yield main, at):
        close = reader.close_at(reading.end)
        if close is not None and _is(close, "Utility", "IfElseMainSuccess"):
            outcomes: tuple[Outcome, ...] = (reading.outcome, Fell(fallback, NOT_REACHED))
            readings.append(Reading(reading.end + 1, Succeeded(node, (close,), outcomes)))
    for reading in (yield fallback, at):
        close = reader.close_at(reading.end)
        if close is not None and _is(close, "Utility", "IfElseFallbackCalled"):
            error = reader.runtime.error_name(field(close, "main_error", 0))
            outcomes = (Fell(main, error), reading.outcome)
            readings.append(Reading(reading.end + 1, Succeeded(node, (close,), outcomes)))
    return readings


# --- Multisig -------------------------------------------------------------------


def _as_multi(reader: Reader, node: Node, at: int) -> Rule:
    """Records an approval, or executes: the event says which."""
    args, who = node.call.args, node.origin.account
    if who is None:
        return []
    call = args["call"]
    if isinstance(call, bytes):  # before substrate #11649 the call came as opaque bytes
        call = reader.runtime.decode_call(call)
    multisig = multisig_account([who, *args["other_signatories"]], args["threshold"])
    readings = list(_approval(reader, node, at, who, multisig, call.hash))
    start = at
    if at < len(reader.events) and _is(reader.events[at], "Balances", "Unreserved"):
        start = at + 1  # the deposit goes back before the call runs
    readings += yield from _closed(
        reader,
        node,
        node.child(0, call, signed(multisig)),
        start,
        _executed(who, multisig, call.hash),
        before=tuple(reader.events[at:start]),
    )
    return readings


def _approve_as_multi(reader: Reader, node: Node, at: int) -> Rule:
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
        return _is(event, "Multisig", "MultisigExecuted") and (
            field(event, "approving", 0),
            field(event, "multisig", 2),
            field(event, "call_hash", 3),
        ) == (who, multisig, call_hash)

    return is_close


def _as_multi_threshold_1(reader: Reader, node: Node, at: int) -> Rule:
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


_WRAPPERS: Mapping[tuple[str, str], Callable[[Reader, Node, int], Rule]] = {
    ("Utility", "batch"): _batch(_Batch("BatchInterrupted", goes_on=False)),
    ("Utility", "batch_all"): _batch(_Batch(None, goes_on=False)),
    ("Utility", "force_batch"): _batch(_Batch("ItemFailed", goes_on=True)),
    ("Utility", "as_derivative"): _single(_Single(_derivative, None, propagates=True)),
    ("Utility", "dispatch_as"): _single(
        _Single(_given_origin, ("Utility", "DispatchedAs"), propagates=False)
    ),
    ("Utility", "dispatch_as_fallible"): _single(
        _Single(_given_origin, ("Utility", "DispatchedAs"), propagates=True)
    ),
    ("Utility", "with_weight"): _single(_Single(_root, None, propagates=True)),
    ("Utility", "if_else"): _if_else,
    ("Proxy", "proxy"): _single(_Single(_of("real"), ("Proxy", "ProxyExecuted"), propagates=False)),
    ("Proxy", "proxy_announced"): _single(
        _Single(_of("real"), ("Proxy", "ProxyExecuted"), propagates=False)
    ),
    ("Multisig", "as_multi"): _as_multi,
    ("Multisig", "as_multi_threshold_1"): _as_multi_threshold_1,
    ("Multisig", "approve_as_multi"): _approve_as_multi,
    ("RemoteProxyRelayChain", "remote_proxy"): _single(
        _Single(_of("real"), ("Proxy", "ProxyExecuted"), propagates=False)
    ),
    ("RemoteProxyRelayChain", "remote_proxy_with_registered_proof"): _single(
        _Single(_of("real"), ("Proxy", "ProxyExecuted"), propagates=False)
    ),
    ("Recovery", "as_recovered"): _single(_Single(_of("account"), None, propagates=True)),
    ("Sudo", "sudo"): _single(_Single(_root, ("Sudo", "Sudid"), propagates=False)),
    ("Sudo", "sudo_unchecked_weight"): _single(_Single(_root, ("Sudo", "Sudid"), propagates=False)),
    ("Sudo", "sudo_as"): _single(_Single(_of("who"), ("Sudo", "SudoAsDone"), propagates=False)),
    ("Whitelist", "dispatch_whitelisted_call_with_preimage"): _single(
        _Single(_root, ("Whitelist", "WhitelistedCallDispatched"), propagates=False)
    ),
}
