"""Proofs of one row: made from all of them, checked without them, tied to what the ledger knows."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ibp_chain.remarks import Kind, canonical_json
from ibp_chain.types import Hash
from oracles.errors import ProofError, ProofRefused
from oracles.proof import (
    Proof,
    StandingReport,
    prove,
    prove_about,
    prove_member,
    read_proof,
    verify,
    verify_against_ledger,
    write_proof,
)
from oracles.report import REPORT, MilestoneDay, ReportRow, ServiceDay
from oracles.samples import OBSERVATION
from oracles.scoring import report_rows
from tests.support.scores import (
    DAY,
    ORACLES,
    ROSTER,
    RULES,
    admitted,
    agreed,
    observed,
    sample,
    sampled,
    series,
)


def report_of(head: str) -> tuple[ReportRow, ...]:
    seen = (
        admitted(i, observed(i, series(head)), observed(i, series(""), "beta")) for i in range(2)
    )
    return report_rows(agreed(*seen), roster=ROSTER, rules=RULES, carried={})


ROWS = report_of("FFF")
ROOT, SIZE = REPORT.root(ROWS), len(ROWS)
ALPHA = 2  # alpha's service day: behind two rows of slots
PROOF = prove(REPORT, ROWS, ALPHA)
STANDING = StandingReport(DAY, ROOT, SIZE, 2, ORACLES[:2])


@pytest.mark.parametrize("index", range(SIZE))
def test_every_row_is_proven(index: int) -> None:
    proof = prove(REPORT, ROWS, index)
    assert verify(proof, root=ROOT, size=SIZE) == ROWS[index]
    assert verify_against_ledger(proof, STANDING) == ROWS[index]


def test_a_tree_of_one_row_needs_no_path() -> None:
    rows = sampled(sample(0))
    proof = prove(OBSERVATION, rows, 0)
    assert proof.path == ()
    assert verify(proof, root=OBSERVATION.root(rows), size=1) == rows[0]


@pytest.mark.parametrize("index", [-1, SIZE])
def test_a_row_that_is_not_there_has_no_proof(index: int) -> None:
    with pytest.raises(IndexError):
        prove(REPORT, ROWS, index)


def test_a_member_gets_all_its_rows() -> None:
    proofs = prove_member(REPORT, ROWS, "beta")
    proven = [verify(proof, root=ROOT, size=SIZE) for proof in proofs]
    assert proven == [row for row in ROWS if row.member == "beta"]
    with pytest.raises(ProofError, match="no row is about member 'nobody'"):
        prove_member(REPORT, ROWS, "nobody")


def test_a_row_is_found_by_what_it_is_about() -> None:
    service = prove_about(REPORT, ROWS, (1, "alpha", "polkadot"))
    milestone = prove_about(REPORT, ROWS, (2, "alpha", 3))
    assert isinstance(verify(service, root=ROOT, size=SIZE), ServiceDay)
    row = verify(milestone, root=ROOT, size=SIZE)
    assert isinstance(row, MilestoneDay)
    assert row.points == -7
    with pytest.raises(ProofError, match="no report row of this root is about alpha and kusama"):
        prove_about(REPORT, ROWS, (1, "alpha", "kusama"))


# --- What does not hold -------------------------------------------------------------------


def test_a_proof_is_for_one_root_and_size() -> None:
    with pytest.raises(ProofRefused, match="the proof is for root 0x"):
        verify(PROOF, root=Hash(bytes(32)), size=SIZE)
    with pytest.raises(ProofRefused, match=f"tree of {SIZE} rows, not 7"):
        verify(PROOF, root=ROOT, size=7)


@pytest.mark.parametrize("index", [i for i in range(-1, SIZE + 1) if i != ALPHA])
def test_a_row_is_in_one_place(index: int) -> None:
    with pytest.raises(ProofRefused, match="does not lead from row"):
        verify(replace(PROOF, index=index), root=ROOT, size=SIZE)


@pytest.mark.parametrize(
    "path",
    [
        (),
        PROOF.path[:-1],
        PROOF.path[1:],
        PROOF.path[::-1],
        (*PROOF.path, Hash(bytes(32))),
        (Hash(bytes(32)), *PROOF.path[1:]),
    ],
)
def test_another_path_does_not_hold(path: tuple[Hash, ...]) -> None:
    with pytest.raises(ProofRefused, match="does not lead"):
        verify(replace(PROOF, path=path), root=ROOT, size=SIZE)


def test_a_better_row_under_the_same_path_does_not_hold() -> None:
    honest = report_of("")
    better = replace(PROOF, row=REPORT.schema.encode(honest[ALPHA]))
    with pytest.raises(ProofRefused, match="does not lead"):
        verify(better, root=ROOT, size=SIZE)


def test_a_node_of_the_tree_is_no_row() -> None:
    node = replace(PROOF, row=b"\1" + PROOF.path[0] + PROOF.path[1])
    with pytest.raises(ProofRefused, match="the row is no row of a report"):
        verify(node, root=ROOT, size=SIZE)


def test_a_row_with_bytes_behind_it_is_no_row() -> None:
    with pytest.raises(ProofRefused, match="bytes too many"):
        verify(replace(PROOF, row=PROOF.row + b"\0"), root=ROOT, size=SIZE)


def test_the_proof_names_the_rows_day() -> None:
    with pytest.raises(ProofRefused, match="the row is of 2026-01-29, the proof says 2026-01-28"):
        verify(replace(PROOF, day=DAY - timedelta(days=1)), root=ROOT, size=SIZE)


# --- Against the ledger -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"root": Hash(bytes(32))}, "for root 0x"),
        ({"rows": SIZE + 1}, f"tree of {SIZE} rows"),
        ({"day": DAY + timedelta(days=1)}, "the proof is for 2026-01-29"),
        ({"reporters": ORACLES[:1]}, "does not stand: 1 oracles, quorum 2"),
        ({"reporters": (ORACLES[0], ORACLES[0])}, "does not stand: 1 oracles"),
        ({"quorum": 3}, "does not stand: 2 oracles, quorum 3"),
    ],
)
def test_only_what_stands_in_the_ledger_counts(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ProofRefused, match=why):
        verify_against_ledger(PROOF, STANDING._replace(**change))


def test_an_observation_is_no_report() -> None:
    rows = sampled(sample(0))
    proof = prove(OBSERVATION, rows, 0)
    standing = STANDING._replace(root=OBSERVATION.root(rows), rows=1)
    with pytest.raises(ProofRefused, match="a proof of an observe"):
        verify_against_ledger(proof, standing)
    posing = replace(proof, kind=Kind.REPORT)
    with pytest.raises(ProofRefused):
        verify_against_ledger(posing, standing)


# --- Documents ------------------------------------------------------------------------

DOCUMENT = write_proof(PROOF)


def edited(**changes: Any) -> bytes:
    return canonical_json(json.loads(DOCUMENT) | changes)


@pytest.mark.parametrize("index", range(SIZE))
def test_a_proof_travels_as_a_document(index: int) -> None:
    proof = prove(REPORT, ROWS, index)
    assert read_proof(write_proof(proof)) == proof
    assert read_proof(write_proof(proof) + b"\n") == proof


def test_an_observation_travels_too() -> None:
    proof = prove(OBSERVATION, sampled(sample(0)), 0)
    assert read_proof(write_proof(proof)) == proof


def test_people_read_the_row_in_the_document() -> None:
    document = json.loads(DOCUMENT)
    assert document["fields"] == ROWS[ALPHA].fields()
    assert document["root"] == "0x" + ROOT.hex()
    assert (document["index"], document["size"]) == (ALPHA, SIZE)


def _fields(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(DOCUMENT)["fields"]
    return fields | changes


@pytest.mark.parametrize(
    "fields",
    [
        {},
        _fields(failed=0),
        _fields(note="paid"),
        _fields(excluded=False),  # equal to 0 in Python, not in JSON
        {name: value for name, value in _fields().items() if name != "failed"},
    ],
)
def test_readable_fields_that_lie_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ProofRefused, match="do not say what the row says"):
        read_proof(edited(fields=fields))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON document"),
        (b"[]", "valid dictionary"),
        (b"null", "no JSON document"),
        (b"\xff\xfe", "no JSON document"),
        (b"9" * 10_000, "no JSON document"),
        (b'{"a":' * 50_000, "no JSON document"),
        (DOCUMENT + b"\n\n", "canonical"),
        (DOCUMENT.replace(b'"index":2', b'"index":2.0'), "no JSON document"),
        (json.dumps(json.loads(DOCUMENT)).encode(), "canonical"),
        (edited(version=2), "version"),
        (edited(version=True), "version"),
        (edited(format="ibp-equivocation"), "format"),
        (edited(kind="payout"), "kind"),
        (edited(size=-1), "size"),
        (edited(size="6"), "size"),
        (edited(index=True), "index"),
        (edited(root="0x00"), "root"),
        (edited(root=json.loads(DOCUMENT)["root"].upper()), "root"),
        (edited(row=json.loads(DOCUMENT)["row"][2:]), "row"),
        (edited(row="0x0"), "row"),
        (edited(row="0x 00"), "row"),
        (edited(day="2026-02-30"), "day"),
        (edited(path=["0x00"]), "path"),
        (edited(path=["0x" + "00" * 32] * 65), "path"),
        (edited(note="more"), "note"),
    ],
)
def test_another_document_is_no_proof(data: bytes, why: str) -> None:
    with pytest.raises(ProofError, match=why):
        read_proof(data)


def test_a_document_whose_row_is_none_is_refused() -> None:
    with pytest.raises(ProofRefused, match="no row of a report"):
        read_proof(edited(row="0x"))
    with pytest.raises(ProofRefused, match=r"no row of an? observe"):
        read_proof(edited(kind="observe"))


def test_what_is_no_row_is_not_written() -> None:
    with pytest.raises(ProofRefused, match="no row of a report"):
        write_proof(Proof(Kind.REPORT, DAY, ROOT, 1, 0, b"", ()))
