"""Equivocation: two statements by one oracle that cannot both be honest, provable offline.

Evidence is two signed bodies of one programme, oracle, day and kind, and where they are reports of
one turn, with different roots. Their
signatures alone convict: neither has to be on chain.
"""

from typing import Any, Literal

from pydantic import Field, ValidationError

from ibp_chain.remark_bodies import Body, Observe, Report
from ibp_chain.remarks import BODIES, KINDS, Kind, as_json
from oracles.digest import Digest, check_digest
from oracles.documents import VersionOne, read_document, write_document
from oracles.errors import DigestRefused, EvidenceRefused


class _EvidenceDocument(Body):
    format: Literal["ibp-equivocation"]
    version: VersionOne
    kind: Literal["observe", "report"]
    ss58_prefix: int = Field(ge=0, le=16_383)
    """The addresses in the bodies are of this network; it is part of what was signed."""
    first: dict[str, Any]
    second: dict[str, Any]


def convict(one: Digest, other: Digest, ss58_prefix: int) -> None:
    """Raises `EvidenceRefused` unless the two digests together are equivocation."""
    if type(one) is not type(other):
        raise EvidenceRefused("the two statements are of different kinds")
    same = (
        ("program", "oracle", "day", "turn")
        if isinstance(one, Report)
        else ("program", "oracle", "day")
    )
    for name in same:
        if getattr(one, name) != getattr(other, name):
            raise EvidenceRefused(f"the two statements differ in their {name}: no contradiction")
    if one.root == other.root:
        raise EvidenceRefused("the two statements have the same root: no contradiction")
    try:
        for digest in (one, other):
            check_digest(digest, program=one.program, ss58_prefix=ss58_prefix)
    except DigestRefused as error:
        raise EvidenceRefused(str(error)) from error


def write_evidence(one: Digest, other: Digest, ss58_prefix: int) -> bytes:
    """The evidence as one canonical JSON document, the same for either order of the two.

    Raises `EvidenceRefused` unless they are equivocation.
    """
    convict(one, other, ss58_prefix)
    first, second = sorted((one, other), key=lambda digest: digest.root)
    return write_document(
        _EvidenceDocument.model_validate(
            {
                "format": "ibp-equivocation",
                "version": 1,
                "kind": KINDS[type(first)].value,
                "ss58_prefix": ss58_prefix,
                "first": as_json(first, ss58_prefix),
                "second": as_json(second, ss58_prefix),
            }
        )
    )


def read_evidence(data: bytes) -> tuple[Digest, Digest]:
    """The two statements of an evidence document, checked: each is of the same oracle.

    Whether that oracle is one of the programme's is the reader's to ask of the ledger.
    Raises `ProofError` for another document, `EvidenceRefused` when it convicts nobody.
    """
    document = read_document(data, _EvidenceDocument)
    first, second = (
        _body(value, Kind(document.kind), document.ss58_prefix)
        for value in (document.first, document.second)
    )
    convict(first, second, document.ss58_prefix)
    if first.root > second.root:
        raise EvidenceRefused("the two statements are not in the order of their roots")
    return first, second


def _body(value: dict[str, Any], kind: Kind, ss58_prefix: int) -> Digest:
    try:
        body = BODIES[kind].model_validate(value, context={"ss58_prefix": ss58_prefix})
    except ValidationError as error:
        raise EvidenceRefused(f"{kind}: {error.errors()[0]['msg']}") from error
    assert isinstance(body, Observe | Report)
    return body
