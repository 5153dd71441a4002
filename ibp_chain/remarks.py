"""The remark protocol, version 1: programme facts as text that people can read and sign.

A remark is `IBP/1 <kind> <json>`, UTF-8, at most 2,048 bytes, its JSON canonical (RFC 8785) and
made of objects, arrays, strings, booleans and integers up to 2**53 - 1. `docs/remarks.md` is the
specification; this module is the envelope, `ibp_chain.remark_bodies` has one model per kind.

Account ids are SS58 text of the chain that carries the remark, hashes are `0x` hex.
"""

import json
from enum import StrEnum
from typing import Any, NamedTuple

import rfc8785
from pydantic import ValidationError

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import RemarkError
from ibp_chain.remark_bodies import (
    Body,
    Decision,
    Link,
    Member,
    Milestone,
    Observe,
    Payout,
    Program,
    Report,
)
from ibp_chain.types import Hash
from ibp_chain.validation import first_problem

PREFIX = b"IBP/"
VERSION = 1
MAX_SIZE = 2_048


class Kind(StrEnum):
    """What a remark says."""

    PROGRAM = "program"
    MEMBER = "member"
    MILESTONE = "milestone"
    DECISION = "decision"
    PAYOUT = "payout"
    LINK = "link"
    OBSERVE = "observe"
    REPORT = "report"


BODIES: dict[Kind, type[Body]] = {
    Kind.PROGRAM: Program,
    Kind.MEMBER: Member,
    Kind.MILESTONE: Milestone,
    Kind.DECISION: Decision,
    Kind.PAYOUT: Payout,
    Kind.LINK: Link,
    Kind.OBSERVE: Observe,
    Kind.REPORT: Report,
}
KINDS: dict[type[Body], Kind] = {body: kind for kind, body in BODIES.items()}


class Unknown(NamedTuple):
    """A remark of this protocol in a version or kind that we do not know: recorded, ignored."""

    version: str
    kind: str


def is_programme_remark(raw: bytes) -> bool:
    """Whether `raw` claims to follow this protocol, in any version."""
    return raw.startswith(PREFIX)


def encode(body: Body, ss58_prefix: int) -> bytes:
    """The remark that says `body`. Raises `RemarkError` when it is longer than allowed."""
    raw = b" ".join(
        (
            PREFIX + str(VERSION).encode(),
            KINDS[type(body)].value.encode(),
            canonical_json(as_json(body, ss58_prefix)),
        )
    )
    if len(raw) > MAX_SIZE:
        raise RemarkError(f"remark of {len(raw)} bytes; at most {MAX_SIZE} are allowed")
    return raw


def parse(raw: bytes, ss58_prefix: int) -> Body | Unknown:
    """What a remark says. Raises `RemarkError`, its message being the reason to record."""
    if not is_programme_remark(raw):
        raise RemarkError(f"does not start with '{PREFIX.decode()}'")
    if len(raw) > MAX_SIZE:
        raise RemarkError(f"{len(raw)} bytes; at most {MAX_SIZE} are allowed")
    try:
        version, kind, text = raw.decode().removeprefix(PREFIX.decode()).split(" ", 2)
    except UnicodeDecodeError as error:
        raise RemarkError("not UTF-8") from error
    except ValueError as error:
        raise RemarkError("not of the form 'IBP/<version> <kind> <json>'") from error
    if version != str(VERSION) or kind not in {known.value for known in Kind}:
        return Unknown(version, kind)
    value = _parse_canonical(text)
    try:
        return BODIES[Kind(kind)].model_validate(value, context={"ss58_prefix": ss58_prefix})
    except ValidationError as error:
        raise RemarkError(f"{kind}: {first_problem(error)}") from error


def as_json(body: Body, ss58_prefix: int) -> dict[str, Any]:
    """`body` as the JSON object that its remark carries."""
    return body.model_dump(mode="json", exclude_none=True, context={"ss58_prefix": ss58_prefix})


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of `value`, floats refused. Raises `RemarkError`."""
    _refuse_other_types(value)
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:  # half a surrogate pair
        raise RemarkError(f"no canonical JSON: {error}") from error


def read_canonical(data: bytes, what: str) -> Any:
    """The value that `data` is the RFC 8785 bytes of; `what` it should be is said where it is not.

    Raises `RemarkError`.
    """
    try:
        value = json.loads(data)
        canonical = canonical_json(value)
    except (ValueError, RecursionError, RemarkError) as error:
        raise RemarkError(f"no {what}: {error}") from error
    if canonical != data:
        raise RemarkError("not in canonical form (RFC 8785): was it edited?")
    return value


def signing_digest(body: Body, ss58_prefix: int) -> Hash:
    """What the signature inside a body is over: blake2b-256 of its JSON without `sig`."""
    value = as_json(body, ss58_prefix)
    value.pop("sig", None)
    return blake2_256(canonical_json(value))


def link_message(member: str, origin: str) -> bytes:
    """What the account of a `link` signs: that it speaks for `member`, as `origin` claims.

    Wrapped in `<Bytes>`, as wallets wrap what is no transaction.
    """
    return f"<Bytes>IBP/{VERSION} link {member} {origin}</Bytes>".encode()


def _parse_canonical(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RemarkError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RemarkError("the JSON is no object")
    try:
        canonical = canonical_json(value)
    except RecursionError as error:
        raise RemarkError("the JSON is nested too deeply") from error
    if canonical != text.encode():
        raise RemarkError("the JSON is not in canonical form (RFC 8785)")
    return value


def _refuse_other_types(value: Any) -> None:
    match value:
        case dict():
            for item in value.values():
                _refuse_other_types(item)
        case list() | tuple():
            for item in value:
                _refuse_other_types(item)
        case str() | bool() | int():
            pass
        case _:
            raise RemarkError(f"{type(value).__name__} values are not allowed in a remark")
