"""One flipped bit, anywhere: row, path, document, signature, remark, row file. Nothing passes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.errors import IbpError, RemarkError
from ibp_chain.merkle import verify_inclusion
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.remarks import Kind, Unknown, encode, parse
from ibp_chain.types import Hash
from oracles.digest import Digest, check_digest, observe, report
from oracles.errors import DigestRefused, EvidenceRefused, ProofError, ProofRefused
from oracles.evidence import read_evidence, write_evidence
from oracles.proof import (
    Proof,
    StandingReport,
    prove,
    read_proof,
    verify,
    verify_against_ledger,
    write_proof,
)
from oracles.report import REPORT, ReportRow
from oracles.rowfiles import read_rows, write_rows
from oracles.samples import OBSERVATION, ObservationRow
from tests.property.test_oracles_rows import observations, row_sets
from tests.support.scores import DAY, ORACLES, PREFIX, PROGRAM, SIGNERS

hashes = st.binary(min_size=32, max_size=32).map(Hash)
bit = st.integers(0, 2**32)
"""Of whatever it is taken: counted round its length."""


def flipped(data: bytes, at: int) -> bytes:
    at %= 8 * len(data)
    raw = bytearray(data)
    raw[at // 8] ^= 1 << at % 8
    return bytes(raw)


def signed(kind: Kind, root: Hash) -> Digest:
    """A word of the first oracle."""
    if kind is Kind.OBSERVE:
        return observe(
            program=PROGRAM, oracle=ORACLES[0], day=DAY, root=root, rows=7,
            previous=Hash(bytes(32)), ss58_prefix=PREFIX, sign=SIGNERS[0].sign,
        )  # fmt: skip
    return report(
        program=PROGRAM, oracle=ORACLES[0], day=DAY, turn=0, root=root, rows=7,
        observes=[Hash(bytes(32))], ss58_prefix=PREFIX, sign=SIGNERS[0].sign,
    )  # fmt: skip


# --- Proofs: for their row and for nothing else ----------------------------------------------


@settings(max_examples=40)
@given(row_sets, st.integers(-1, 300), hashes)
def test_a_proof_is_for_its_root_and_row_count(
    rows: list[ReportRow], other_size: int, other_root: Hash
) -> None:
    canonical = REPORT.canonical(rows)
    root, size = REPORT.root(canonical), len(canonical)
    for index in range(size):
        proof = prove(REPORT, canonical, index)
        with pytest.raises(ProofRefused, match="for root"):
            verify(proof, root=other_root, size=size)
        with pytest.raises(ProofRefused):  # whatever it calls its root
            verify(replace(proof, root=other_root), root=other_root, size=size)
        if other_size != size:
            with pytest.raises(ProofRefused, match="for a tree of"):
                verify(proof, root=root, size=other_size)
            with pytest.raises(ProofRefused, match="for a tree of"):
                verify(replace(proof, size=other_size), root=root, size=size)


@settings(max_examples=40)
@given(row_sets, st.integers(-3, 300))
def test_a_row_is_at_its_place_and_at_no_other(rows: list[ReportRow], other: int) -> None:
    canonical = REPORT.canonical(rows)
    root, size = REPORT.root(canonical), len(canonical)
    for index in set(range(size)) - {other}:
        proof = replace(prove(REPORT, canonical, index), index=other)
        with pytest.raises(ProofRefused, match="does not lead"):
            verify(proof, root=root, size=size)


@settings(max_examples=40)
@given(row_sets, row_sets)
def test_a_proof_of_one_day_proves_nothing_under_another(
    rows: list[ReportRow], others: list[ReportRow]
) -> None:
    """With path and all, whatever the proof then calls its root and size."""
    one, other = REPORT.canonical(rows), REPORT.canonical(others)
    root, size = REPORT.root(other), len(other)
    for index, row in enumerate(one):
        if row not in other:
            proof = replace(prove(REPORT, one, index), root=root, size=size)
            with pytest.raises(ProofRefused):
                verify(proof, root=root, size=size)


@settings(max_examples=40)
@given(row_sets, st.lists(observations(), min_size=1, max_size=4, unique_by=OBSERVATION.key))
def test_a_row_of_one_kind_is_none_of_another(
    rows: list[ReportRow], seen: list[ObservationRow]
) -> None:
    reported, observed = REPORT.canonical(rows), OBSERVATION.canonical(seen)
    proofs = [
        (prove(REPORT, reported, 0), Kind.OBSERVE),
        (prove(OBSERVATION, observed, 0), Kind.REPORT),
    ]
    for proof, kind in proofs:
        posing = replace(proof, kind=kind)
        with pytest.raises(ProofRefused, match="the row is no row of"):
            verify(posing, root=proof.root, size=proof.size)
        with pytest.raises(ProofRefused):
            write_proof(posing)
    standing = StandingReport(proofs[1][0].day, proofs[1][0].root, len(observed), 1, ORACLES)
    with pytest.raises(ProofRefused, match="where a report is asked for"):
        verify_against_ledger(proofs[1][0], standing)


# --- Flipped bits ---------------------------------------------------------------------------


def some_proof(rows: Sequence[ReportRow], at: int) -> Proof:
    canonical = REPORT.canonical(rows)
    return prove(REPORT, canonical, at % len(canonical))


@settings(max_examples=40)
@given(row_sets, bit, bit)
def test_in_the_row(rows: list[ReportRow], which: int, at: int) -> None:
    proof = some_proof(rows, which)
    with pytest.raises(ProofRefused):
        verify(replace(proof, row=flipped(proof.row, at)), root=proof.root, size=proof.size)
    leaf = flipped(proof.row, at)  # under any row's form
    assert not verify_inclusion(leaf, proof.index, proof.size, proof.path, proof.root)


@settings(max_examples=40)
@given(row_sets, bit, bit)
def test_in_the_path(rows: list[ReportRow], which: int, at: int) -> None:
    proof = some_proof(rows, which)
    if not proof.path:
        return
    raw = flipped(b"".join(proof.path), at)
    path = tuple(Hash(raw[i : i + 32]) for i in range(0, len(raw), 32))
    with pytest.raises(ProofRefused, match="does not lead"):
        verify(replace(proof, path=path), root=proof.root, size=proof.size)


@settings(max_examples=80)
@given(row_sets, bit, bit)
def test_in_a_proof_document(rows: list[ReportRow], which: int, at: int) -> None:
    proof = some_proof(rows, which)
    document = write_proof(proof)
    with pytest.raises((ProofError, ProofRefused)):
        verify(read_proof(flipped(document, at)), root=proof.root, size=proof.size)


@settings(max_examples=40)
@given(row_sets, bit)
def test_in_a_row_file(rows: list[ReportRow], at: int) -> None:
    canonical = REPORT.canonical(rows)
    root = REPORT.root(canonical)
    with TemporaryDirectory() as folder:
        path = write_rows(Path(folder), REPORT, canonical)
        assert read_rows(Path(folder), REPORT, root=root) == canonical
        path.write_bytes(flipped(path.read_bytes(), at))
        with pytest.raises(IbpError, match=root.hex()):
            read_rows(Path(folder), REPORT, root=root)


@given(st.lists(observations(), min_size=1, max_size=3, unique_by=OBSERVATION.key), bit)
def test_in_the_bytes_of_an_observation(rows: list[ObservationRow], at: int) -> None:
    canonical = OBSERVATION.canonical(rows)
    raw, root = OBSERVATION.pack(canonical), OBSERVATION.root(canonical)
    with pytest.raises(IbpError):
        OBSERVATION.unpack(flipped(raw, at), root=root, size=len(canonical))


@pytest.mark.parametrize("kind", [Kind.OBSERVE, Kind.REPORT])
def test_in_a_signature(kind: Kind) -> None:
    """All 512 of them: no other signature of the same word is known to anybody."""
    word = signed(kind, Hash(bytes(32)))
    check_digest(word, program=PROGRAM, ss58_prefix=PREFIX)
    for at in range(512):
        other = word.model_copy(update={"sig": flipped(word.sig, at)})
        with pytest.raises(DigestRefused, match="the signature is not the oracle's"):
            check_digest(other, program=PROGRAM, ss58_prefix=PREFIX)


@settings(max_examples=200)
@given(st.sampled_from((Kind.OBSERVE, Kind.REPORT)), hashes, bit)
def test_in_a_remark(kind: Kind, root: Hash, at: int) -> None:
    """It is no remark, or one of a kind that nobody knows, or its oracle did not sign it."""
    word = signed(kind, root)
    raw = encode(word, PREFIX)
    assert parse(raw, PREFIX) == word
    try:
        other = parse(flipped(raw, at), PREFIX)
    except RemarkError:
        return
    if isinstance(other, Unknown):
        return
    assert isinstance(other, Observe | Report)
    with pytest.raises(DigestRefused):
        check_digest(other, program=PROGRAM, ss58_prefix=PREFIX, oracle=ORACLES[0], day=DAY)


@settings(max_examples=100)
@given(st.sampled_from((Kind.OBSERVE, Kind.REPORT)), hashes, hashes, bit)
def test_in_evidence(kind: Kind, one: Hash, other: Hash, at: int) -> None:
    if one == other:
        return
    document = write_evidence(signed(kind, one), signed(kind, other), PREFIX)
    read_evidence(document)
    with pytest.raises((ProofError, EvidenceRefused)):
        read_evidence(flipped(document, at))


def test_a_flip_is_a_change_of_one_bit() -> None:
    for at in range(24):
        number = int.from_bytes(flipped(b"abc", at), "big") ^ int.from_bytes(b"abc", "big")
        assert number.bit_count() == 1
