"""Rows, roots and proofs, for any rows at all."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.errors import DecodeError
from ibp_chain.merkle import inclusion_proof, tree_root, verify_inclusion
from ibp_chain.scale.schema import Schema
from ibp_chain.types import AccountId, Micros
from oracles.errors import ProofRefused, RowsAltered, RowsError
from oracles.proof import prove, read_proof, verify, write_proof
from oracles.report import REPORT, ConsensusRow, Counts, MilestoneDay, ReportRow, ServiceDay
from oracles.rows import Tree
from oracles.samples import (
    OBSERVATION,
    ObservationRow,
    Sample,
    Status,
    observation_rows,
    samples_of,
)
from tests.support.scores import DAY, ORACLES

slugs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
days = st.dates(min_value=date(1970, 1, 1))
micros = st.integers(0, 2**32 - 1).map(Micros)
accounts = st.binary(min_size=32, max_size=32).map(AccountId)
u32 = st.integers(0, 2**32 - 1)


@st.composite
def slots(draw: st.DrawFn, codes: int) -> tuple[bytes, tuple[Micros, ...]]:
    """A day of codes below `codes`, made of a few runs, and the times of its answered slots."""
    runs = draw(st.lists(st.tuples(st.integers(0, codes - 1), st.integers(1, 288)), max_size=12))
    series = b"".join(bytes([code]) * length for code, length in runs)[:288].ljust(288, b"\1")
    answers = sum(code in (0, 2) for code in series)
    few = draw(st.lists(micros, min_size=1, max_size=8))
    return series, tuple(few[i % len(few)] for i in range(answers))


@st.composite
def observations(draw: st.DrawFn) -> ObservationRow:
    statuses, times = draw(slots(4))
    return ObservationRow(draw(accounts), draw(days), draw(slugs), draw(slugs), statuses, times)


@st.composite
def consensus_rows(draw: st.DrawFn) -> ConsensusRow:
    return ConsensusRow(draw(days), draw(slugs), draw(slugs), *draw(slots(5)))


@st.composite
def service_days(draw: st.DrawFn) -> ServiceDay:
    cuts = sorted(draw(st.lists(st.integers(0, 288), min_size=4, max_size=4)))
    edges = [0, *cuts, 288]
    counts = Counts(*(after - before for before, after in pairwise(edges)))
    times = sorted(draw(st.lists(micros, min_size=3, max_size=3)))
    p50, p95, p99 = times if counts.ok + counts.slow else (None, None, None)
    return ServiceDay(
        draw(days), draw(slugs), draw(slugs), *counts, counts.uptime, p50, p95, p99
    )  # fmt: skip


@st.composite
def milestone_days(draw: st.DrawFn) -> MilestoneDay:
    run, is_slow = draw(u32), draw(st.booleans())
    return MilestoneDay(
        draw(days), draw(slugs), draw(st.integers(1, 8)), draw(st.integers(-(2**31), 2**31 - 1)),
        draw(st.booleans()), draw(u32), draw(u32), 0 if is_slow else run, run if is_slow else 0,
    )  # fmt: skip


report_rows: st.SearchStrategy[ReportRow] = st.one_of(
    consensus_rows(), service_days(), milestone_days()
)
row_sets = st.lists(report_rows, min_size=1, max_size=9, unique_by=REPORT.key)
leaves = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


@given(report_rows)
def test_report_rows_come_back_from_their_bytes(row: ReportRow) -> None:
    assert REPORT.schema.decode(REPORT.schema.encode(row)) == row


@given(observations())
def test_observations_come_back_from_their_bytes(row: ObservationRow) -> None:
    assert OBSERVATION.schema.decode(OBSERVATION.schema.encode(row)) == row


@given(report_rows, st.data())
def test_a_row_has_one_encoding(row: ReportRow, data: st.DataObject) -> None:
    """Bytes with something changed, cut or added are no row, or another one."""
    raw = bytearray(REPORT.schema.encode(row))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        other = REPORT.schema.decode(bytes(raw))
    except DecodeError:
        return
    assert other != row
    assert REPORT.schema.encode(other) == raw


@given(st.binary(max_size=400))
def test_any_bytes_are_rows_or_an_error(data: bytes) -> None:
    schemas: list[Schema[Any]] = [OBSERVATION.schema, REPORT.schema]
    for schema in schemas:
        try:
            row = schema.decode(data)
        except DecodeError:
            continue
        assert schema.encode(row) == data


@given(row_sets, st.randoms())
def test_the_order_in_which_rows_come_changes_no_byte(
    rows: list[ReportRow], random: Random
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    once, again = REPORT.canonical(rows), REPORT.canonical(shuffled)
    assert REPORT.pack(once) == REPORT.pack(again)
    assert REPORT.unpack(REPORT.pack(once), root=REPORT.root(again), size=len(rows)) == once


@given(row_sets, st.data())
def test_no_changed_byte_of_published_rows_passes(
    rows: list[ReportRow], data: st.DataObject
) -> None:
    canonical = REPORT.canonical(rows)
    raw = bytearray(REPORT.pack(canonical))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((RowsError, RowsAltered)):
        REPORT.unpack(bytes(raw), root=REPORT.root(canonical))


@given(row_sets)
def test_a_proof_holds_for_its_row_and_for_no_other(rows: list[ReportRow]) -> None:
    canonical = REPORT.canonical(rows)
    root, size = REPORT.root(canonical), len(canonical)
    for index, row in enumerate(canonical):
        proof = read_proof(write_proof(prove(REPORT, canonical, index)))
        assert verify(proof, root=root, size=size) == row
        for other in set(range(size)) - {index}:
            raw = REPORT.schema.encode(canonical[other])
            with pytest.raises(ProofRefused):
                verify(replace(proof, index=other), root=root, size=size)
            with pytest.raises(ProofRefused):
                verify(replace(proof, row=raw, day=canonical[other].day), root=root, size=size)


@given(leaves, st.data())
def test_a_path_verifies_at_its_place_and_nowhere_else(
    entries: list[bytes], data: st.DataObject
) -> None:
    tree, size = Tree(entries), len(entries)
    assert tree.root == tree_root(entries)
    index = data.draw(st.integers(0, size - 1))
    path = tree.path(index)
    assert path == inclusion_proof(entries, index)
    assert verify_inclusion(entries[index], index, size, path, tree.root)
    for other, entry in enumerate(entries):
        if entry != entries[index]:
            assert not verify_inclusion(entry, index, size, path, tree.root)
        if other != index and entry != entries[index]:
            assert not verify_inclusion(entries[index], other, size, path, tree.root)


@st.composite
def polls(draw: st.DrawFn) -> list[Sample]:
    keys = st.tuples(st.integers(0, 287), st.sampled_from("ab"), st.sampled_from("xy"))
    found = []
    for slot, member, service in draw(st.lists(keys, unique=True, max_size=30)):
        status = draw(st.sampled_from(Status))
        time = draw(micros) if status in (Status.OK, Status.SLOW) else None
        found.append(Sample(ORACLES[0], DAY, slot, member, service, status, time))
    return found


@given(polls(), st.randoms())
def test_rows_keep_every_poll_whatever_the_order(samples: list[Sample], random: Random) -> None:
    rows = observation_rows(samples, oracle=ORACLES[0], day=DAY)
    random.shuffle(samples)
    assert observation_rows(samples, oracle=ORACLES[0], day=DAY) == rows
    kept = {sample for row in rows for sample in samples_of(row)}
    assert kept == {sample for sample in samples if sample.status is not Status.UNKNOWN}
