"""Whether a call's bytes still mean the same under another runtime. Pure.

A call hash is of bytes: approvals count for them across an upgrade. What the bytes do is decided by
the runtime that executes them, which names pallets and calls by index. So a call is read under both
runtimes and compared by names and arguments. What an upgrade changes behind a name, no metadata
tells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ibp_chain.errors import DecodeError, InputError
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Comparison:
    """One call under two runtimes."""

    before: str
    after: str
    """The runtimes' names and spec versions."""
    differences: tuple[str, ...]
    """Where and how the readings differ, in the call's order; none where it means the same."""

    @property
    def same(self) -> bool:
        return not self.differences


def compare_call(data: bytes, before: Runtime, after: Runtime) -> Comparison:
    """Read `data` under both runtimes. Raises `DecodeError` where it is no call of `before`."""
    old = before.decode_call(data)
    try:
        new = after.decode_call(data)
    except DecodeError as error:
        return Comparison(str(before), str(after), (f"it can be read no more: {error}",))
    found = [*_differences("", old, new)]
    if not found and (again := _encoded(new, after)) != data:
        # a rebuilt bundle would have another call hash, and its signatures would begin anew
        reason = again if isinstance(again, str) else "other bytes"
        found.append(f"the same call is encoded otherwise now: {reason}")
    return Comparison(str(before), str(after), tuple(found))


def _encoded(call: Call, runtime: Runtime) -> bytes | str:
    try:
        return runtime.encode_call(call.pallet, call.name, call.args)
    except InputError as error:
        return str(error)


def _differences(where: str, old: Any, new: Any) -> Iterator[str]:
    """Calls by name and arguments, never by the bytes that they were read from."""
    match old, new:
        case Call(), Call():
            at = f"{where}: " if where else ""
            if str(old) != str(new):
                yield f"{at}{old} is {new} now"
                return
            inside = f"{where} {old}" if where else str(old)
            yield from _in_fields(inside, old.args, new.args)
        case dict(), dict():
            yield from _in_fields(where, old, new)
        case (list(), list()) | (tuple(), tuple()):
            if len(old) != len(new):
                yield f"{where}: {len(old)} items are {len(new)} now"
            for index, (left, right) in enumerate(zip(old, new, strict=False), 1):
                yield from _differences(f"{where}[{index}]", left, right)
        case _:
            if type(old) is not type(new) or old != new:
                yield f"{where}: {_shown(old)} is {_shown(new)} now"


def _in_fields(where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name, value in old.items():
        if name in new:
            yield from _differences(f"{where}.{name}", value, new[name])
        else:
            yield f"{where}.{name} ({_shown(value)}) is gone"
    for name, value in new.items():
        if name not in old:
            yield f"{where}.{name} ({_shown(value)}) is new"
    if list(old) != list(new) and set(old) == set(new):
        yield f"{where}: its fields are in another order"


def _shown(value: Any) -> str:
    text = f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
