"""Every table agrees with the state, whatever happened on the way there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.types import BlockNumber
from ledger.indexer import replay_into
from ledger.origins import Unattributed
from ledger.replay import BlockReport
from ledger.store import Store
from ledger.tables import LedgerTable
from tests.unit.store.demo import demo, rows, url
from tests.unit.store.expected import expected_rows

BESIDE_THE_STATE = {"ledger_meta", "block", "runtime", "rejection", "unattributed"}


def found_rows(path: Path, tables: set[str]) -> dict[str, set[tuple[Any, ...]]]:
    found = {}
    for table in tables:
        listed = rows(path, table)
        if table == "state_entry":
            listed = [row[:2] for row in listed]
        found[table] = set(listed)
        assert len(found[table]) == len(listed)
    return found


def test_every_table_is_compared_with_something() -> None:
    state, _ = demo().replay(0)
    assert set(LedgerTable.metadata.tables) == BESIDE_THE_STATE | set(expected_rows(state))


@pytest.mark.parametrize("batch", [1, 6])
def test_every_table_holds_exactly_what_the_state_says(tmp_path: Path, batch: int) -> None:
    path = tmp_path / "ledger.db"
    for stop in (12, 25, 40, len(demo().blocks)):
        with Store(url(path), demo().identity) as store:
            last = demo().blocks[stop - 1].header.number
            replay_into(store, demo().source, demo().runtime_of, last=last, batch=batch)
        expected = expected_rows(demo().replay(stop)[0])
        assert found_rows(path, set(expected)) == expected


def test_the_recording_fills_the_tables_that_matter(replayed: Path) -> None:
    never = {"decision", "violation", "unattributed"}  # which the recorded story does not have
    for table in set(LedgerTable.metadata.tables) - never:
        assert rows(replayed, table), table


def test_blocks_are_those_of_the_source(replayed: Path) -> None:
    _, reports = demo().replay()
    assert rows(replayed, "block") == [
        (
            block.header.number,
            block.hash,
            block.header.parent_hash,
            block.spec_version,
            report.timestamp_ms,
            len(block.extrinsics),
        )
        for block, report in zip(demo().blocks, reports, strict=True)
    ]


def test_a_state_entry_knows_the_block_that_changed_it_last(replayed: Path) -> None:
    state, changed = demo().replay(0)[0], dict[bytes, int]()
    for block in demo().blocks:
        demo().apply(state, block)
        for item in state.maps():
            changed |= dict.fromkeys(map(item.raw_key, item.take_changes()), block.header.number)
    assert {key: at for key, _, at in rows(replayed, "state_entry")} == {
        key: changed[key] for key, _ in state.entries()
    }


def test_rejections_have_the_codes_of_the_state_and_the_words_of_the_replay(
    replayed: Path,
) -> None:
    state, reports = demo().replay()
    refused = [refusal for report in reports for refusal in report.refused]
    assert rows(replayed, "rejection") == [
        (*r.key, r.code.name.lower(), r.reason, r.origin, r.extrinsic_index) for r in refused
    ]
    assert {(b, n): code for b, n, code, *_ in rows(replayed, "rejection")} == {
        key: rejection.code.name.lower() for key, rejection in state.programme.rejections.items()
    }
    with Store(url(replayed)) as store:
        assert [row.reason for row in store.rejections()] == [r.reason for r in refused]


def test_unattributed_calls_are_kept_with_the_reason(tmp_path: Path) -> None:
    path, block = tmp_path / "ledger.db", demo().blocks[0]
    state, (report,) = demo().replay(1)
    call = demo().runtime_of(block.spec_version).decode_extrinsic(block.extrinsics[0]).call
    lost = Unattributed(call, "two alike", 0, ())
    with Store(url(path), demo().identity) as store:
        store.apply(state, told(report, lost, replace(lost, extrinsic_index=None)))
    number = BlockNumber(block.header.number)
    assert rows(path, "unattributed") == [
        (number, 0, 0, str(call), "two alike"),
        (number, 1, None, str(call), "two alike"),
    ]


def told(report: BlockReport, *unattributed: Unattributed) -> BlockReport:
    return replace(report, unattributed=unattributed)
