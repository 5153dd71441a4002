"""Batches of `pallet_utility`: their items one after the other, each closed by an event.

Rule: spec/pallets.md F.1, F.2.
"""

from collections.abc import Callable
from typing import NamedTuple

from ledger.dispatch_tree import (
    NOT_REACHED,
    Chain,
    Fell,
    Node,
    Reader,
    Reading,
    Rule,
    Succeeded,
    in_order,
)
from ledger.dispatch_values import field, is_event


class Batch(NamedTuple):
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
    if len(ways) <= 2:
        return ways
    count: dict[tuple[int, bool], int] = {}
    kept = []
    for way in ways:
        state = way.cursor, way.failed
        count[state] = count.get(state, 0) + 1
        if count[state] <= 2:
            kept.append(way)
    return kept


def batch(flavour: Batch) -> Callable[[Reader, Node, int], Rule]:
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
                    if is_event(reader.close_at(inner.end), "Utility", "ItemCompleted")
                ]
            ways = _two_per_state(following)
        for cursor, done, failed in ways:
            close = reader.close_at(cursor)
            name = "BatchCompletedWithErrors" if failed else "BatchCompleted"
            if close is not None and is_event(close, "Utility", name):
                finished.append(Reading(cursor + 1, Succeeded(node, (close,), in_order(done))))
        return finished

    return rule


def _item_error(reader: Reader, cursor: int, flavour: Batch, index: int) -> str | None:
    """The error of a batch's item `index` that the event at `cursor` reports, if it does."""
    close = reader.close_at(cursor)
    if close is None or flavour.item_fails is None:
        return None
    if not is_event(close, "Utility", flavour.item_fails):
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
