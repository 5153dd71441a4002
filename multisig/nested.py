"""Calls inside calls."""

from collections.abc import Iterator
from typing import Any

from ibp_chain.scale.values import Call


def calls_in(value: Any) -> Iterator[Call]:
    """Every call in `value`, at any depth, itself included."""
    match value:
        case Call():
            yield value
            yield from calls_in(value.args)
        case dict():
            for item in value.values():
                yield from calls_in(item)
        case list() | tuple():
            for item in value:
                yield from calls_in(item)
