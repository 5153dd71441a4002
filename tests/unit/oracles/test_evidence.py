"""Equivocation: what convicts an oracle, offline, and what does not."""

import json
from datetime import timedelta
from typing import Any

import pytest

from ibp_chain.remark_bodies import Observe
from ibp_chain.remarks import canonical_json, signing_digest
from ibp_chain.types import Hash
from ledger.pallets.scores import NO_PREVIOUS
from oracles.digest import Digest, observe, report
from oracles.errors import EvidenceRefused, ProofError
from oracles.evidence import convict, read_evidence, write_evidence
from tests.support.scores import DAY, ORACLES, PREFIX, PROGRAM, SIGNERS

LOW, HIGH = Hash(b"\x11" * 32), Hash(b"\x22" * 32)


def said(root: Hash, oracle: int = 0, **changes: Any) -> Observe:
    fields: dict[str, Any] = {
        "program": PROGRAM, "oracle": ORACLES[oracle], "day": DAY, "root": root, "rows": 10,
        "previous": NO_PREVIOUS, "ss58_prefix": PREFIX, "sign": SIGNERS[oracle].sign,
    }  # fmt: skip
    return observe(**(fields | changes))


def reported(root: Hash, turn: int = 0) -> Digest:
    return report(
        program=PROGRAM, oracle=ORACLES[0], day=DAY, turn=turn, root=root, rows=30, observes=[LOW],
        ss58_prefix=PREFIX, sign=SIGNERS[0].sign,
    )  # fmt: skip


ONE, OTHER = said(LOW), said(HIGH)
EVIDENCE = write_evidence(ONE, OTHER, PREFIX)


@pytest.mark.parametrize(
    ("one", "other"), [(ONE, OTHER), (reported(LOW), reported(HIGH))], ids=["observe", "report"]
)
def test_two_roots_for_one_day_convict(one: Digest, other: Digest) -> None:
    convict(one, other, PREFIX)
    assert read_evidence(write_evidence(one, other, PREFIX)) == (one, other)


def test_another_report_in_a_later_turn_convicts_nobody() -> None:
    with pytest.raises(EvidenceRefused, match="differ in their turn"):
        convict(reported(LOW), reported(HIGH, turn=1), PREFIX)


def test_the_document_is_the_same_for_either_order() -> None:
    assert write_evidence(OTHER, ONE, PREFIX) == EVIDENCE


def test_a_different_place_in_the_chain_is_no_excuse() -> None:
    convict(ONE, said(HIGH, previous=signing_digest(ONE, PREFIX), rows=9), PREFIX)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (ONE, "the same root"),
        (said(LOW, rows=9), "the same root"),  # the root commits to the rows
        (said(HIGH, day=DAY + timedelta(days=1)), "differ in their day"),
        (said(HIGH, oracle=1), "differ in their oracle"),
        (said(HIGH, program=Hash(bytes(32))), "differ in their program"),
        (reported(HIGH), "different kinds"),
    ],
)
def test_what_is_no_contradiction_convicts_nobody(other: Digest, why: str) -> None:
    for one, two in ((ONE, other), (other, ONE)):
        with pytest.raises(EvidenceRefused, match=why):
            convict(one, two, PREFIX)
    with pytest.raises(EvidenceRefused, match=why):
        write_evidence(ONE, other, PREFIX)


def test_nobody_is_convicted_by_words_that_others_signed() -> None:
    framed = said(HIGH, oracle=1).model_copy(update={"oracle": ORACLES[0]})
    forged = OTHER.model_copy(update={"root": Hash(b"\x33" * 32)})
    for other in (framed, forged):
        with pytest.raises(EvidenceRefused, match="the signature is not the oracle's"):
            convict(ONE, other, PREFIX)


def test_words_for_another_network_convict_nobody() -> None:
    with pytest.raises(EvidenceRefused, match="signature"):
        convict(ONE, OTHER, 42)


# --- Documents ------------------------------------------------------------------------


def edited(**changes: Any) -> bytes:
    return canonical_json(json.loads(EVIDENCE) | changes)


def test_a_document_may_end_its_line() -> None:
    assert read_evidence(EVIDENCE + b"\n") == (ONE, OTHER)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON document"),
        (b"{", "no JSON document"),
        (b"\xff", "no JSON document"),
        (b"[" * 100_000, "no JSON document"),
        (b"NaN", "no JSON document"),
        (b"1.5", "no JSON document"),
        (EVIDENCE + b" ", "not in canonical form"),
        (b" " + EVIDENCE, "not in canonical form"),
        (EVIDENCE[:-1] + b',"version":1}', "not in canonical form"),
        (edited(version=2), "version"),
        (edited(version=True), "version"),
        (edited(format="ibp-score-proof"), "format"),
        (edited(kind="program"), "kind"),
        (edited(extra=1), "extra"),
        (edited(ss58_prefix=-1), "ss58_prefix"),
        (edited(ss58_prefix="0"), "ss58_prefix"),
        (edited(first=[]), "first"),
    ],
)
def test_another_document_is_no_evidence(data: bytes, why: str) -> None:
    with pytest.raises(ProofError, match=why):
        read_evidence(data)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"first": json.loads(EVIDENCE)["second"]}, "the same root"),
        (
            {"first": json.loads(EVIDENCE)["second"], "second": json.loads(EVIDENCE)["first"]},
            "not in the order",
        ),
        ({"first": json.loads(EVIDENCE)["first"] | {"rows": 11}}, "signature"),
        ({"first": {}}, "Field required"),
        ({"kind": "report"}, "report: "),
        ({"ss58_prefix": 42}, "observe: "),
    ],
)
def test_an_edited_document_convicts_nobody(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(EvidenceRefused, match=why):
        read_evidence(edited(**changes))
