"""Who really did what in a block: every call that took effect, with its effective origin.

`attribute` walks the call trees together with the events (`dispatch_tree`, `dispatch_wrappers`) and
yields what happened in block order: inner calls before their wrapper. A call whose effects the
events do not tell apart is reported as `Unattributed`, never guessed; its events follow as they
are, so that a mirror can still see them.

Rule: spec/pallets.md 0.2, F.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ibp_chain.blocks import EventRecord, Extrinsic, Phase
from ibp_chain.scale.values import Call
from ledger.dispatch_tree import (
    CLOSING_EVENTS,
    OWN_EVENTS_ONLY,
    Fell,
    Node,
    Opaque,
    Outcome,
    Reader,
    Runtime,
    Succeeded,
    Unreadable,
)
from ledger.dispatch_values import dispatch_error, field, field_values, signed
from ledger.dispatch_wrappers import XCM_PALLETS, is_plain, rule_of
from ledger.origins import Dispatched, Failed, Origin, OriginKind, Unattributed
from ledger.pallets import bounties, treasury

WATCHED_PALLETS = frozenset(
    {
        "System",
        "Utility",
        "Proxy",
        "Multisig",
        "Sudo",
        "Scheduler",
        "Whitelist",
        "ConvictionVoting",
        "Democracy",
        "Referenda",
        "Preimage",
        "Treasury",
        "Bounties",
        "ChildBounties",
        "RcMigrator",
        "AhMigrator",
    }
)
"""The pallets whose events `attribute` and the mirrors need; further ones may be decoded too."""

UNREAD_EVENTS = frozenset(
    {"System.ExtrinsicSuccess", *(f"Treasury.{name}" for name in treasury.PASSED_OVER)}
)
"""Events of which the name says it all; most events of a quiet block are such."""

READ_PALLETS = WATCHED_PALLETS | XCM_PALLETS | {"Balances", "Timestamp", "Revive"}
"""The pallets whose calls' arguments `attribute` and `replay` look at; whatever may hold a call is
read anyway."""

Item: TypeAlias = Dispatched | Failed | Unattributed | EventRecord


Tasks: TypeAlias = Callable[[EventRecord], tuple[Origin, Call] | None]
"""As whom and what the task of a `Scheduler.Dispatched` event called; None where unknown."""


def attribute(
    runtime: Runtime,
    extrinsics: Sequence[Extrinsic],
    events: Sequence[EventRecord],
    tasks: Tasks = lambda _: None,
) -> Iterator[Item]:
    """What happened, in block order: hooks, extrinsics, hooks.

    `tasks` is asked when everything before has been delivered, and may have learnt from it.
    `events` are the block's, in order; at least those of `WATCHED_PALLETS`. Where fee events are
    among them, they are left out, except that a plain call keeps deposits which cannot be told from
    its own.
    """
    before, own, after = by_phase(len(extrinsics), events)
    yield from of_hooks(runtime, before, tasks)
    for index, extrinsic in enumerate(extrinsics):
        yield from of_extrinsic(runtime, index, extrinsic, own[index])
    yield from of_hooks(runtime, after, tasks)


def by_phase(
    extrinsics: int, events: Sequence[EventRecord]
) -> tuple[list[EventRecord], list[list[EventRecord]], list[EventRecord]]:
    """A block's events: those before its extrinsics, those of each, and those behind."""
    before, after = [], []
    own: list[list[EventRecord]] = [[] for _ in range(extrinsics)]
    for event in events:
        if event.extrinsic_index is not None:
            own[event.extrinsic_index].append(event)
        elif event.phase is Phase.INITIALIZATION:
            before.append(event)
        else:
            after.append(event)
    return before, own, after


# --- Hooks ----------------------------------------------------------------------


def of_hooks(runtime: Runtime, events: Sequence[EventRecord], tasks: Tasks) -> Iterator[Item]:
    """The part of `attribute` that hooks are.

    The calls of tasks that are known, with their events; all other events as they are.

    Where an unknown task or a message touched a mirrored pallet, that is reported behind its last
    event, with the first touching event in the call's place.
    """
    waiting: list[EventRecord] = []
    for event in events:
        if (event.pallet, event.name) != ("Scheduler", "Dispatched"):
            if (event.pallet, event.name) in _OF_HOOKS or event.pallet in _BETWEEN_TASKS:
                yield event
            else:
                waiting.append(event)
            continue
        known = tasks(event)
        if known is None:
            yield from waiting
            yield event
            reason = f"scheduled task {field(event, 'task', 0)} ran a call that the block lacks"
            yield from _touched(waiting, reason)
        else:
            yield from _task(runtime, known, waiting, event)
            yield event
        waiting = []
    yield from waiting
    yield from _touched(waiting, "a hook or message ran a call that the block lacks")


_BETWEEN_TASKS = frozenset({"Scheduler", "Preimage", "RcMigrator", "AhMigrator"})
"""What these deposit may stand before a task or behind it, and is no part of its reading."""
_OF_HOOKS = frozenset(
    {("Treasury", name) for name in treasury.OF_HOOKS}
    | {("Bounties", name) for name in bounties.OF_HOOKS}
)
"""Deposited by the pallets' own hooks, which run before the scheduler's on some chains, and by no
call."""


def _task(
    runtime: Runtime,
    known: tuple[Origin, Call],
    events: Sequence[EventRecord],
    dispatched: EventRecord,
) -> Iterator[Item]:
    origin, call = known
    error = dispatch_error(dispatched)
    if error is None:
        yield from _successful(runtime, None, Node(call, origin), events)
    else:
        yield from events
        yield Failed(origin, call, runtime.error_name(error), None, ())


def _touched(events: Sequence[EventRecord], reason: str) -> Iterator[Item]:
    for event in events:
        if event.pallet in OWN_EVENTS_ONLY:
            yield _unnamed(event, reason)
            return


def _unnamed(event: EventRecord, reason: str) -> Unattributed:
    args = event.args if isinstance(event.args, dict) else dict(enumerate(field_values(event)))
    call = Call(event.pallet, event.name, {str(k): v for k, v in args.items()}, b"", 0, 0)
    return Unattributed(call, reason, None, ())


# --- Extrinsics -------------------------------------------------------------------


def of_extrinsic(
    runtime: Runtime, index: int, extrinsic: Extrinsic, events: Sequence[EventRecord]
) -> Iterator[Item]:
    """The part of `attribute` that one extrinsic is, with its own events; no task matters to it."""
    root = Node(extrinsic.call, _origin(extrinsic))
    outcome = events[-1] if events else None
    if outcome is None or outcome.pallet != "System":
        yield Unattributed(root.call, "its outcome event is missing", index, ())
        yield from events
    elif outcome.name == "ExtrinsicFailed":
        error = runtime.error_name(field(outcome, "dispatch_error", 0))
        yield Failed(root.origin, root.call, error, index, ())
    elif outcome.name != "ExtrinsicSuccess":
        yield Unattributed(root.call, f"System.{outcome.name} ends its events", index, ())
        yield from events
    else:
        yield from _successful(runtime, index, root, _call_events(extrinsic, events[:-1]))


def _origin(extrinsic: Extrinsic) -> Origin:
    if extrinsic.signer is not None:
        return signed(extrinsic.signer)
    return Origin(OriginKind.OTHER if extrinsic.extensions else OriginKind.NONE)


def _call_events(extrinsic: Extrinsic, events: Sequence[EventRecord]) -> Sequence[EventRecord]:
    """`events` without what paying the fee deposited in front and behind."""
    start, end = 0, len(events)
    if events and extrinsic.signer is not None:
        first = events[0]
        withdrawn = (first.pallet, first.name) == ("Balances", "Withdraw")
        start = int(withdrawn and field(first, "who", 0) == extrinsic.signer)
    if end > start and events[end - 1].name in {"TransactionFeePaid", "AssetTxFeePaid"}:
        end -= 1
        while end > start and (events[end - 1].pallet, events[end - 1].name) in _FEE_DEPOSITS:
            end -= 1
    return events[start:end]


_FEE_DEPOSITS = {("Balances", "Deposit"), ("Treasury", "Deposit")}


def _successful(
    runtime: Runtime, index: int | None, root: Node, events: Sequence[EventRecord]
) -> Iterator[Item]:
    if is_plain(root.call) and not any((e.pallet, e.name) in CLOSING_EVENTS for e in events):
        # the one reading of most extrinsics, without working out that there is no other
        foreign = OWN_EVENTS_ONLY - {root.call.pallet}
        if foreign.isdisjoint(event.pallet for event in events):
            yield Dispatched(root.origin, root.call, tuple(events), index, (), None)
            return
    reader = Reader(runtime, events, rule_of)
    try:
        outcome = reader.whole(root)
    except Unreadable as unreadable:
        yield Unattributed(root.call, str(unreadable), index, ())
        yield from events
    else:
        yield from _items(index, outcome)


def _items(index: int | None, root: Outcome) -> Iterator[Item]:
    """Inner calls before their wrapper; a stack, because calls nest deeper than Python likes."""
    stack: list[tuple[Outcome, bool]] = [(root, False)]
    while stack:
        outcome, inner_done = stack.pop()
        match outcome:
            case Succeeded(node, own, inner) if inner_done or not inner:
                yield Dispatched(node.origin, node.call, own, index, node.path, node.parent)
            case Succeeded(_, _, inner):
                stack.append((outcome, True))
                stack += [(child, False) for child in reversed(inner)]
            case Fell(node, error):
                yield Failed(node.origin, node.call, error, index, node.path)
            case Opaque(node, own, reason):
                yield Unattributed(node.call, reason, index, node.path)
                yield from own
