"""JSON-RPC 2.0 with a stranger: one question, one answer, nothing taken on trust.

Contract: a session asks one question at a time; whatever comes that is not its answer ends the
poll as a `Fault`. No subscription is ever made, so nothing else may come.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from oracles.probes.outcomes import Fault, Reason, shown


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error that a node answers with."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A result, or a `Refusal`, and how long it took."""

    value: Any
    latency_ns: int


class Session(Protocol):
    """An open connection to one node."""

    async def call(self, method: str, *params: Any) -> Reply:
        """Raises `Fault`, `OSError` or what the transport's library raises."""

    async def round_trip(self) -> int:
        """Nanoseconds that the network needs there and back, without the node's work."""


def question(identity: int, method: str, params: tuple[Any, ...]) -> bytes:
    """One request as bytes."""
    body = {"jsonrpc": "2.0", "id": identity, "method": method, "params": list(params)}
    return json.dumps(body, separators=(",", ":")).encode()


def answer(raw: bytes, identity: int) -> Any:
    """The result in `raw`, or its `Refusal`. Raises `Fault`."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Fault(Reason.MALFORMED, f"its answer is no JSON: {error}") from error
    match body:
        # a node that could not read the request has no id to give
        case {"id": None, "error": {"code": int(code), "message": str(message)}}:
            return Refusal(code, shown(message))
        case {"id": other, **rest} if type(other) is int and other == identity:
            return _outcome(rest)
        case {"id": other, **_unused}:
            raise Fault(Reason.WRONG_ID, f"answered id {other!r}, asked {identity}")
        case _:
            raise Fault(Reason.MALFORMED, "its answer is no JSON-RPC reply")


def _outcome(body: Mapping[Any, Any]) -> Any:
    match body:
        case {"result": _, "error": _}:
            raise Fault(Reason.MALFORMED, "answered a result and an error")
        case {"result": value}:
            return value
        case {"error": {"code": int(code), "message": str(message)}}:
            return Refusal(code, shown(message))
        case _:
            raise Fault(Reason.MALFORMED, "its answer has neither a result nor a proper error")


def wanted(value: Any, method: str, check: Callable[[Any], bool], what: str) -> Any:
    """`value` if it is what was asked for. Raises `Fault`."""
    if isinstance(value, Refusal):
        refused(value, method)
    if not check(value):
        raise Fault(Reason.MALFORMED, f"{method} answered {value!r}, no {what}")
    return value


def refused(refusal: Refusal, method: str) -> NoReturn:
    """Raises the `Fault` of a refused call."""
    raise Fault(Reason.RPC_ERROR, f"refused {method}: {refusal.message} [code {refusal.code}]")


def number(value: Any, method: str, *, bits: int) -> int:
    """A `0x` quantity as Substrate and Ethereum write it. Raises `Fault`."""

    def fits(text: Any) -> bool:
        return (
            isinstance(text, str)
            and text.startswith("0x")
            and 3 <= len(text) <= 2 + bits // 4
            and all(digit in "0123456789abcdefABCDEF" for digit in text[2:])
        )

    return int(wanted(value, method, fits, f"hexadecimal number of {bits} bits"), 16)


def natural(value: Any, *, bits: int) -> bool:
    """Whether `value` is an unsigned integer of so many bits, and no bool."""
    return type(value) is int and 0 <= value < 1 << bits
