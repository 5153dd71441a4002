"""Whether the events of a block are those that a mirrored pallet was predicted to deposit.

A predicted event is a frozen dataclass with the chain's own name, field names and order. What a
runtime does not declare is not expected of it: older ones deposited fewer events.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from typing import Any

from ibp_chain.blocks import EventRecord
from ledger.dispatch_values import field_values


def confirmed(
    predicted: Sequence[Any], observed: Sequence[EventRecord], declared: Collection[str]
) -> bool:
    """Whether `observed` are the `predicted` events in a runtime that has `declared` ones."""
    expected = [event for event in predicted if type(event).__name__ in declared]
    return len(expected) == len(observed) and all(map(agrees, expected, observed))


def agrees(event: Any, record: EventRecord) -> bool:
    """Whether `record` is `event`: by name, and in every field."""
    expected = {field.name: getattr(event, field.name) for field in fields(event)}
    return type(event).__name__ == record.name and expected == named(record, [type(event)])


def named(record: EventRecord, events: Iterable[type[Any]]) -> dict[str, Any]:
    """The fields of `record` by name, those of one of `events` where its runtime names none."""
    if isinstance(record.args, dict):
        return record.args
    names = next(
        (
            [field.name for field in fields(event)]
            for event in events
            if event.__name__ == record.name
        ),
        [],
    )
    return dict(zip(names, field_values(record), strict=False))
