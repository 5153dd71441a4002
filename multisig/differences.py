"""Where two documents differ, in words: one's own, made again, and another's."""

from collections.abc import Iterator
from typing import Any

from multisig.errors import BundleRefused
from multisig.statement import Statement


def compare_statements(mine: Statement, theirs: Statement) -> None:
    """Hold a bundle's statement against one's own. Raises `BundleRefused` naming what differs."""
    if mine.encoded != theirs.encoded:
        own, other = mine.model_dump(mode="json"), theirs.model_dump(mode="json")
        raise BundleRefused([*differences("statement", own, other)])


def differences(where: str, own: Any, other: Any) -> Iterator[str]:
    """Where two JSON values differ, a sentence each: in my order, then what is in theirs alone."""
    if isinstance(own, list) and isinstance(other, list):
        own, other = _by_name(own), _by_name(other)
        if own.keys() == other.keys() and [*own] != [*other]:
            yield f"{where} is in another order"
    if isinstance(own, dict) and isinstance(other, dict):
        for key in own:
            if key in other:
                yield from differences(f"{where}.{key}", own[key], other[key])
            else:
                yield f"{where}.{key} is missing"
        yield from (f"{where}.{key} is not in mine" for key in other if key not in own)
    elif own != other:
        yield f"{where} is {other!r}, mine is {own!r}"


def _by_name(items: list[Any]) -> dict[str, Any]:
    """A list's items under what they are about, so that one more does not shift the others."""
    named: dict[str, Any] = {}
    for item in items:
        match item:
            case {"member": member, "item": of}:
                name = f"{member}/{of}"
            case {"item": one} | {"day": one} | {"account": one}:
                name = str(one)
            case _:
                name = str(item)
        while name in named:
            name += " again"
        named[name] = item
    return named
