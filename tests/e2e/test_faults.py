"""The campaign of `make faults`, short: each kind of fault once, both databases, and its judge."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.faults.__main__ import summary, verdict
from scripts.faults.course import Judged, Theatre, opened
from scripts.faults.faults import OF_NODES, Database, Kind
from scripts.faults.judge import differences
from scripts.faults.plan import KILLS, rounds, short_rounds
from tests.support.archives import change_a_byte
from tests.support.ledgers import Place, tamper

pytestmark = [pytest.mark.live, pytest.mark.timeout(1_500)]

SEED = 8


@dataclass(frozen=True)
class Played:
    theatre: Theatre
    judged: tuple[Judged, ...]
    told: list[str]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    told: list[str] = []
    with opened(tmp_path_factory.mktemp("faults"), told.append, 1) as theatre:
        yield Played(theatre, tuple(map(theatre.play, short_rounds(SEED))), told)


def test_whatever_happens_the_ledger_is_a_clean_replays(played: Played) -> None:
    assert [judged.wrong for judged in played.judged] == [[], []], played.told
    happened = [one for judged in played.judged for one in judged.happened]
    assert {one.turn.kind for one in happened} == set(Kind)
    assert {kind for one in happened for kind in one.mishaps} >= set(OF_NODES)
    assert sum(one.code == -9 for one in happened) >= 2
    assert len(played.told) == len(happened)
    for judged in played.judged:
        assert judged.blocks > 50
        assert judged.rows > 500
        assert "as a clean replay's" in verdict(judged)
    assert "0 of them wrong" in summary(list(played.judged))


def test_the_judge_sees_one_row_lost_doubled_or_changed(played: Played, tmp_path: Path) -> None:
    theatre = played.theatre
    for database in Database:
        place = theatre.kept[database]
        clean = theatre.clean(database)
        assert differences(place, (), clean, tmp_path) == []
        for statement, said in DAMAGES.items():
            other = theatre.ledgers[database].copy(place)
            assert tamper(other, statement)
            found = differences(other, (), clean, tmp_path)
            assert any(said in each for each in found), found
            theatre.ledgers[database].drop(other)


DAMAGES = {
    "DELETE FROM paid WHERE line = 0": "paid has ",
    "DELETE FROM state_entry WHERE key IN (SELECT key FROM state_entry ORDER BY key LIMIT 1)": (
        "state_entry has "
    ),
    "UPDATE block SET extrinsics = extrinsics + 1 WHERE number = 1": (
        "block has 1 rows that a clean replay's has not"
    ),
    "INSERT INTO unattributed VALUES (1, 9, NULL, 'System.remark', 'doubled')": (
        "unattributed has 1 rows, a clean replay's 0"
    ),
}


def test_the_judge_sees_an_archive_that_is_short_or_damaged(played: Played, tmp_path: Path) -> None:
    theatre = played.theatre
    clean = theatre.clean(Database.SQLITE)
    place: Place = theatre.kept[Database.SQLITE]
    archive = theatre.folder / "round-1" / "archive"
    assert differences(place, (archive,), clean, tmp_path) == []
    (file,) = sorted((archive / "blocks").iterdir())[-1:]
    change_a_byte(file)
    found = differences(place, (archive, tmp_path / "none"), clean, tmp_path)
    assert "archive does not verify" in found[0]
    assert "none does not verify" in found[1]


# --- The plan -----------------------------------------------------------------------------


def test_a_seed_gives_the_same_rounds_again_and_another_one_others() -> None:
    assert [*rounds(8, 6)] == [*rounds(8, 6)]
    assert [*rounds(8, 6)] == [*rounds(8, 9)][:6]
    assert [*rounds(8, 6)] != [*rounds(9, 6)]
    assert short_rounds(8) == short_rounds(8) != short_rounds(9)


def test_twenty_five_rounds_kill_two_hundred_times_and_have_every_kind_on_what_it_is_for() -> None:
    planned = [*rounds(SEED, 25)]
    kinds = [(one.database, turn.kind) for one in planned for turn in one.turns]
    assert sum(kind is Kind.KILL for _, kind in kinds) == 25 * KILLS == 200
    assert {kind for _, kind in kinds} == set(Kind)
    assert (Database.SQLITE, Kind.DATABASE_RESTART) not in kinds
    for kind in (Kind.KILL, Kind.DISK_FULL, Kind.REORG, Kind.DEAD_WORKER):
        assert {database for database, found in kinds if found is kind} == set(Database)
