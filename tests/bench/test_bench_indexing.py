"""`make bench-indexing`, small: everybody counts the same; and its place in the document."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import zstandard

from scripts.bench.indexing_run import WAYS, Chain, index
from scripts.bench_indexing import PEER, measure, prepared, sheet_of
from scripts.faults.stage import SNAPSHOT
from tests.support.postgres import Postgres

TODAY = date(2026, 11, 21)
BLOCKS = 12


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    snapshot = zstandard.decompress(SNAPSHOT.read_bytes())
    with prepared(tmp_path_factory.mktemp("bench"), snapshot, BLOCKS) as made:
        yield made


@pytest.mark.live
def test_both_sides_index_the_same_rows_into_either_database(
    chain: Chain, postgres_server: Postgres, tmp_path: Path
) -> None:
    found = measure(chain, postgres_server, tmp_path, ["node, proven"])
    theirs = found["sqlite", PEER]
    assert theirs["block"] == len(chain.heights()) == BLOCKS
    assert theirs["extrinsic"] > 2 * BLOCKS
    assert theirs["event"] > theirs["extrinsic"]
    told = sheet_of(found)
    assert [row[:2] for row in told.rows] == [
        (PEER, "SQLite"),
        (WAYS["node, proven"], "SQLite"),
        (WAYS["node, proven"], "PostgreSQL"),
    ]
    assert all(len(row) == len(told.columns) for row in told.rows)
    assert told.rows[0][3] == told.rows[0][5] == "1"


@pytest.mark.live
@pytest.mark.parametrize("way", ["node", "archive"])
def test_other_ways_come_to_the_same_counts(chain: Chain, tmp_path: Path, way: str) -> None:
    told = index(way, chain, f"sqlite:///{tmp_path / 'ledger.db'}")
    counts = chain.counts()
    assert (told["block"], told["extrinsic"]) == (counts["block"], counts["extrinsic"])
