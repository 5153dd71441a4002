"""Every table agrees with the state, whatever happened on the way there."""

from dataclasses import replace
from typing import Any

import pytest

from ibp_chain.remarks import as_json
from ibp_chain.types import BlockNumber
from ledger.indexer import replay_into
from ledger.origins import Unattributed
from ledger.replay import BlockReport
from ledger.store import Store
from ledger.tables import LedgerTable
from tests.support.ledgers import Place
from tests.unit.store.demo import demo
from tests.unit.store.expected import expected_rows

BESIDE_THE_STATE = {
    "ledger_meta",
    "block",
    "block_state",
    "state_history",
    "runtime",
    "remark",
    "rejection",
    "unattributed",
}


def found_rows(place: Place, tables: set[str]) -> dict[str, set[tuple[Any, ...]]]:
    found = {}
    for table, rows in place.read(tables).items():
        listed = [row[:2] for row in rows] if table == "state_entry" else rows
        found[table] = set(listed)
        assert len(found[table]) == len(listed)
    return found


def test_every_table_is_compared_with_something() -> None:
    state, _ = demo().replay(0)
    assert set(LedgerTable.metadata.tables) == BESIDE_THE_STATE | set(expected_rows(state))


@pytest.mark.parametrize("batch", [1, 6])
def test_every_table_holds_exactly_what_the_state_says(fresh: Place, batch: int) -> None:
    for stop in (12, 25, 40, len(demo().blocks)):
        with Store(fresh.url, demo().identity) as store:
            last = demo().blocks[stop - 1].header.number
            replay_into(store, demo().source, demo().runtime_of, last=last, batch=batch)
        expected = expected_rows(demo().replay(stop)[0])
        assert found_rows(fresh, set(expected)) == expected


def test_the_recording_fills_the_tables_that_matter(replayed: Place) -> None:
    never = {"decision", "violation", "unattributed"}  # which the recorded story does not have
    for table in set(LedgerTable.metadata.tables) - never:
        assert replayed.rows(table), table


def test_blocks_are_those_of_the_source(replayed: Place) -> None:
    _, reports = demo().replay()
    assert replayed.rows("block") == [
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


def test_a_state_entry_knows_the_block_that_gave_it_its_value(replayed: Place) -> None:
    state, changed = demo().replay(0)[0], dict[bytes, tuple[int, bytes | None]]()
    for block in demo().blocks:
        demo().apply(state, block)
        for item in state.maps():
            for key in item.take_changes():
                raw_key, raw = item.raw_key(key), item.raw_value(key)
                if raw_key not in changed or changed[raw_key][1] != raw:
                    changed[raw_key] = block.header.number, raw
    assert {key: at for key, _, at in replayed.rows("state_entry")} == {
        key: changed[key][0] for key, _ in state.entries()
    }


def test_remarks_that_were_taken_are_kept_with_their_extrinsics(replayed: Place) -> None:
    _, reports = demo().replay()
    taken = [accepted for report in reports for accepted in report.accepted]
    found = replayed.rows("remark")
    assert [row[:5] for row in found] == [
        (*a.key, a.kind.name.lower(), a.origin, a.extrinsic_index) for a in taken
    ]
    for (_, _, kind, _, _, day), accepted in zip(found, taken, strict=True):
        assert (day is not None) == (kind in ("observe", "report"))
        assert day is None or as_json(accepted.body, 42)["day"] == day


def test_rejections_have_the_codes_of_the_state_and_the_words_of_the_replay(
    replayed: Place,
) -> None:
    state, reports = demo().replay()
    refused = [refusal for report in reports for refusal in report.refused]
    assert replayed.rows("rejection") == [
        (*r.key, r.code.name.lower(), r.reason, r.origin, r.extrinsic_index) for r in refused
    ]
    assert {(b, n): code for b, n, code, *_ in replayed.rows("rejection")} == {
        key: rejection.code.name.lower() for key, rejection in state.programme.rejections.items()
    }
    with Store(replayed.url) as store:
        assert [row.reason for row in store.rejections()] == [r.reason for r in refused]


def test_unattributed_calls_are_kept_with_the_reason(fresh: Place) -> None:
    block = demo().blocks[0]
    state, (report,) = demo().replay(1)
    call = demo().runtime_of(block.spec_version).decode_extrinsic(block.extrinsics[0]).call
    lost = Unattributed(call, "two alike", 0, ())
    with Store(fresh.url, demo().identity) as store:
        store.apply(state, told(report, lost, replace(lost, extrinsic_index=None)))
    number = BlockNumber(block.header.number)
    assert fresh.rows("unattributed") == [
        (number, 0, 0, str(call), "two alike"),
        (number, 1, None, str(call), "two alike"),
    ]


def told(report: BlockReport, *unattributed: Unattributed) -> BlockReport:
    return replace(report, unattributed=unattributed)
