"""Fit the events of one extrinsic onto its tree of calls.

A wrapper (batch, proxy, multisig, sudo) deposits a closing event after everything that its inner
call deposited, and a call that failed deposits nothing at all. So the events spell out which inner
calls succeeded, like brackets. One event can be read as the close of two nested wrappers, so every
reading is followed to the end: exactly one may fit the whole list. None or several means that
nobody can tell, and the extrinsic stays unattributed.

Rule: spec/pallets.md F.1, F.2.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import IbpError
from ibp_chain.scale.values import Call
from ledger.origins import Origin

NOT_REACHED = "not reached"

CLOSING_EVENTS = frozenset(
    {
        ("Utility", "BatchInterrupted"),
        ("Utility", "BatchCompleted"),
        ("Utility", "BatchCompletedWithErrors"),
        ("Utility", "ItemCompleted"),
        ("Utility", "ItemFailed"),
        ("Utility", "DispatchedAs"),
        ("Utility", "IfElseMainSuccess"),
        ("Utility", "IfElseFallbackCalled"),
        ("Proxy", "ProxyExecuted"),
        ("Multisig", "NewMultisig"),
        ("Multisig", "MultisigApproval"),
        ("Multisig", "MultisigExecuted"),
        ("Sudo", "Sudid"),
        ("Sudo", "SudoAsDone"),
        ("Whitelist", "WhitelistedCallDispatched"),
    }
)
"""Deposited by wrappers only: the first of them behind a leaf ends the leaf's events."""

OWN_EVENTS_ONLY = frozenset({"ConvictionVoting", "Multisig"})
"""Pallets whose events no other pallet's call deposits, unless it dispatched one of theirs."""

FEE_PALLETS = frozenset(
    {
        "Balances",
        "TransactionPayment",
        "AssetTxPayment",
        "AssetConversionTxPayment",
        "AssetConversion",
        "Assets",
        "ForeignAssets",
        "PoolAssets",
        "Treasury",
    }
)
"""Whose events settling the fee may leave behind a wrapper's close."""


class Runtime(Protocol):
    """The little of `ibp_chain.runtime.Runtime` that attribution needs."""

    def error_name(self, dispatch_error: Any) -> str: ...

    def decode_call(self, raw: bytes) -> Call: ...


@dataclass(frozen=True, slots=True)
class Node:
    """A call of the tree, and whom it acts for."""

    call: Call
    origin: Origin
    path: tuple[int, ...] = ()
    parent: Call | None = None

    def child(self, index: int, call: Call, origin: Origin) -> "Node":
        return Node(call, origin, (*self.path, index), self.call)


class Succeeded(NamedTuple):
    node: Node
    events: tuple[EventRecord, ...]
    """Its own: none of an inner call's."""
    inner: tuple["Outcome", ...] = ()


class Fell(NamedTuple):
    """A call that failed or was not reached, and whatever is below it."""

    node: Node
    error: str


class Opaque(NamedTuple):
    """A call that succeeded and may have dispatched calls that nobody can name."""

    node: Node
    events: tuple[EventRecord, ...]
    reason: str


Outcome: TypeAlias = Succeeded | Fell | Opaque


class Reading(NamedTuple):
    """One way to read a successful call: what happened, and the position behind its events."""

    end: int
    outcome: Outcome


class Unreadable(IbpError):
    """The events do not fit the call, or fit in several ways; the message says which."""


Request: TypeAlias = tuple[Node, int]
Rule: TypeAlias = Generator[Request, list[Reading], list[Reading]]
"""Works out a call's readings; yields (inner call, position) and is sent that one's readings.

Generators instead of recursion: the runtime accepts calls nested 256 deep.
"""


class Chain(NamedTuple):
    """Outcomes so far, newest first: shared between readings instead of copied."""

    last: Outcome
    before: "Chain | None"


def in_order(chain: Chain | None) -> tuple[Outcome, ...]:
    outcomes = []
    while chain is not None:
        outcomes.append(chain.last)
        chain = chain.before
    return tuple(reversed(outcomes))


class Reader:
    """The events of one extrinsic, and how they can be read. `rule_of` starts a call's rule."""

    def __init__(
        self,
        runtime: Runtime,
        events: Sequence[EventRecord],
        rule_of: Callable[["Reader", Node, int], Rule],
    ) -> None:
        self.runtime = runtime
        self.events = events
        self._rule_of = rule_of
        self._close = self._positions_of_closes()

    def _positions_of_closes(self) -> list[int]:
        """For each position, where the next closing event stands."""
        following = len(self.events)
        positions = [following]
        for position in range(len(self.events) - 1, -1, -1):
            event = self.events[position]
            if (event.pallet, event.name) in CLOSING_EVENTS:
                following = position
            positions.append(following)
        return positions[::-1]

    def to_close(self, position: int) -> int:
        """Where the next closing event at or behind `position` stands, else the end."""
        return self._close[position]

    def close_at(self, position: int) -> EventRecord | None:
        """The closing event at exactly this position."""
        here = position < len(self.events) and self._close[position] == position
        return self.events[position] if here else None

    def whole(self, root: Node) -> Outcome:
        """The one reading of `root` that leaves nothing but the fee's events behind it.

        Raises `Unreadable`.
        """
        fitting = [r for r in self._readings(root) if self._only_fees_from(r.end)]
        if not fitting:
            raise Unreadable(f"the events do not fit {root.call}")
        if len(fitting) > 1:
            raise Unreadable(f"the events fit {root.call} in several ways")
        return fitting[0].outcome

    def _only_fees_from(self, position: int) -> bool:
        return all(
            e.pallet in FEE_PALLETS or (e.pallet, e.name) == ("System", "KilledAccount")
            for e in self.events[position:]
        )

    def _readings(self, root: Node) -> list[Reading]:
        """Every way in which `root`'s call succeeded, each (call, position) worked out once."""
        known: dict[tuple[tuple[int, ...], int], list[Reading]] = {}
        stack = [((root.path, 0), self._rule_of(self, root, 0))]
        answer: list[Reading] | None = None
        while True:
            key, rule = stack[-1]
            try:
                # a fresh generator takes None only
                node, at = rule.send(answer) if answer is not None else next(rule)
            except StopIteration as stop:
                answer = known[key] = _at_most_two_per_end(stop.value)
                stack.pop()
                if not stack:
                    return answer
                continue
            answer = known.get((node.path, at))
            if answer is None:
                stack.append(((node.path, at), self._rule_of(self, node, at)))


def _at_most_two_per_end(readings: list[Reading]) -> list[Reading]:
    """Two readings with one end are enough to know that the events do not decide."""
    if len(readings) <= 2:
        return readings
    count: dict[int, int] = {}
    kept = []
    for reading in readings:
        count[reading.end] = count.get(reading.end, 0) + 1
        if count[reading.end] <= 2:
            kept.append(reading)
    return kept
