"""Wrappers of one call: with which origin they dispatch it, and which event closes them.

Rule: spec/pallets.md F.1.
"""

from collections.abc import Callable
from typing import NamedTuple

from ibp_chain.accounts import derivative_account
from ibp_chain.blocks import EventRecord
from ledger.dispatch_tree import NOT_REACHED, Fell, Node, Outcome, Reader, Reading, Rule, Succeeded
from ledger.dispatch_values import (
    ROOT,
    dispatch_error,
    field,
    is_event,
    lookup,
    origin_of_caller,
    signed,
)
from ledger.origins import Origin


class Single(NamedTuple):
    """A wrapper of one call."""

    origin: Callable[[Node], Origin | None]
    """The inner call's; None where the wrapper itself would have failed."""
    closes: tuple[str, str] | None
    propagates: bool
    """Whether the wrapper fails when its inner call does."""


def single(kind: Single) -> Callable[[Reader, Node, int], Rule]:
    def rule(reader: Reader, node: Node, at: int) -> Rule:
        origin = kind.origin(node)
        if origin is None:
            return []
        inner = node.child(0, node.call.args["call"], origin)
        if kind.closes is None:
            return [Reading(r.end, Succeeded(node, (), (r.outcome,))) for r in (yield inner, at)]
        closes, propagates = kind.closes, kind.propagates
        return (
            yield from closed(
                reader, node, inner, at, lambda e: is_event(e, *closes), propagates=propagates
            )
        )

    return rule


def closed(
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


def root(_: Node) -> Origin:
    return ROOT


def derivative(node: Node) -> Origin | None:
    if node.origin.account is None:
        return None
    return signed(derivative_account(node.origin.account, node.call.args["index"]))


def given_origin(node: Node) -> Origin:
    return origin_of_caller(node.call.args["as_origin"])


def account_in(argument: str) -> Callable[[Node], Origin | None]:
    def origin(node: Node) -> Origin | None:
        account = lookup(node.call.args[argument])
        return None if account is None else signed(account)

    return origin


def if_else(reader: Reader, node: Node, at: int) -> Rule:
    main = node.child(0, node.call.args["main"], node.origin)
    fallback = node.child(1, node.call.args["fallback"], node.origin)
    readings = []
    for reading in (yield main, at):
        close = reader.close_at(reading.end)
        if close is not None and is_event(close, "Utility", "IfElseMainSuccess"):
            outcomes: tuple[Outcome, ...] = (reading.outcome, Fell(fallback, NOT_REACHED))
            readings.append(Reading(reading.end + 1, Succeeded(node, (close,), outcomes)))
    for reading in (yield fallback, at):
        close = reader.close_at(reading.end)
        if close is not None and is_event(close, "Utility", "IfElseFallbackCalled"):
            error = reader.runtime.error_name(field(close, "main_error", 0))
            outcomes = (Fell(main, error), reading.outcome)
            readings.append(Reading(reading.end + 1, Succeeded(node, (close,), outcomes)))
    return readings
