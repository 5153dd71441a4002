"""What the daemon never forgets, and what it never signs."""

import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

from ibp_chain.remarks import Kind
from ibp_chain.types import BlockNumber, Hash
from oracles.daemon.journal import Journal, JournalError, PollState, Word, WouldContradict
from oracles.samples import Sample, Status
from tests.support.scores import DAY, FAST, ORACLES, PROGRAM, sample

ROOT, OTHER = Hash(b"\x11" * 32), Hash(b"\x22" * 32)
HEAD = BlockNumber(100)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "oracle")
    yield opened
    opened.close()


def word(root: Hash = ROOT, kind: Kind = Kind.OBSERVE, turn: int = 0, day: date = DAY) -> Word:
    return Word(day=day.isoformat(), kind=kind.value, turn=turn, root=root, rows=3)


def states(journal: Journal, day: date = DAY) -> dict[int, PollState]:
    return {poll.slot: poll.state for poll in journal.polls(day)}


# --- Words --------------------------------------------------------------------------------


def test_a_word_stands_once_it_is_written_down(journal: Journal) -> None:
    assert journal.word(DAY, Kind.OBSERVE) is None
    journal.intend(word())
    found = journal.word(DAY, Kind.OBSERVE)
    assert found is not None
    assert (found.root, found.rows, found.remark) == (ROOT, 3, b"")


def test_another_root_for_the_same_day_and_kind_is_not_signed(journal: Journal) -> None:
    journal.intend(word())
    with pytest.raises(WouldContradict, match="was written down before"):
        journal.intend(word(OTHER))
    with pytest.raises(WouldContradict):
        journal.intend(Word(day=DAY.isoformat(), kind="observe", root=ROOT, rows=4))
    assert journal.intend(word()).root == ROOT


def test_days_kinds_and_turns_have_words_of_their_own(journal: Journal) -> None:
    journal.intend(word())
    journal.intend(word(OTHER, Kind.REPORT))
    journal.intend(word(ROOT, Kind.REPORT, turn=2))
    journal.intend(word(OTHER, day=DAY + timedelta(days=1)))
    last = journal.word(DAY, Kind.REPORT)
    assert last is not None
    assert (last.root, last.turn) == (ROOT, 2)
    with pytest.raises(WouldContradict):
        journal.intend(word(OTHER, Kind.REPORT, turn=2))


def test_a_signed_remark_is_said_again_byte_for_byte(journal: Journal) -> None:
    journal.intend(word())
    journal.signed(word(), b"IBP/1 observe {}")
    journal.signed(word(), b"IBP/1 observe {}")
    with pytest.raises(WouldContradict, match="another form"):
        journal.signed(word(), b"IBP/1 observe {x}")
    assert journal.intend(word()).remark == b"IBP/1 observe {}"


def _intend_and_die(folder: Path) -> None:
    Journal(folder).intend(word())
    os._exit(9)


def test_a_word_outlives_a_process_that_is_killed_right_after(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_intend_and_die, args=(tmp_path,))
    process.start()
    process.join(300)  # it imports everything anew, which a busy machine takes its time for
    assert process.exitcode == 9
    journal = Journal(tmp_path)
    with pytest.raises(WouldContradict):
        journal.intend(word(OTHER))
    journal.close()


def test_extrinsics_of_a_word_are_counted_until_the_last_is_dead(journal: Journal) -> None:
    journal.intend(word())
    assert journal.alive_until(word()) == 0
    journal.posted(word(), ROOT, BlockNumber(70))
    journal.posted(word(), OTHER, BlockNumber(64))
    assert journal.alive_until(word()) == 70
    assert journal.alive_until(word(ROOT, Kind.REPORT)) == 0


# --- Whose --------------------------------------------------------------------------------


def test_a_journal_is_one_oracles_and_one_programmes(journal: Journal) -> None:
    assert journal.claim(ORACLES[0], PROGRAM, HEAD) == HEAD
    assert journal.claim(ORACLES[0], PROGRAM, BlockNumber(900)) == HEAD
    for oracle, program in ((ORACLES[1], PROGRAM), (ORACLES[0], ROOT)):
        with pytest.raises(JournalError, match="a folder of its own"):
            journal.claim(oracle, program, HEAD)


def test_two_processes_do_not_share_a_folder(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="belongs to another oracle process"):
        Journal(tmp_path / "oracle")
    journal.intend(word())


def test_a_journal_of_another_version_is_left_alone(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="version 99"):
        Journal(tmp_path)


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database, surely" * 100)
    with pytest.raises(JournalError, match=r"journal\.sqlite"):
        Journal(tmp_path)


# --- Polls --------------------------------------------------------------------------------


def test_a_poll_is_kept_whole(journal: Journal) -> None:
    found = [sample(7), sample(7, Status.FAILED, "beta")]
    assert journal.begin((DAY, 7))
    journal.finish((DAY, 7), found)
    assert journal.samples(DAY, ORACLES[0]) == found
    assert states(journal) == {7: PollState.DONE}
    assert not journal.begin((DAY, 7))


def test_a_poll_with_a_sample_twice_leaves_nothing(journal: Journal) -> None:
    journal.begin((DAY, 7))
    with pytest.raises(JournalError):
        journal.finish((DAY, 7), [sample(7), sample(7)])
    assert journal.samples(DAY, ORACLES[0]) == []
    assert states(journal) == {7: PollState.BEGUN}


def test_a_poll_that_was_cut_off_may_be_begun_again_in_its_slot(journal: Journal) -> None:
    journal.begin((DAY, 7))
    assert journal.begin((DAY, 7))


def test_slots_in_which_the_process_was_not_there_are_missed(journal: Journal) -> None:
    journal.begin((DAY, 7))
    journal.finish((DAY, 7), [sample(7)])
    journal.begin((DAY, 8))  # and killed
    assert journal.miss_before((DAY, 11), "late") == 2
    done, missed = PollState.DONE, PollState.MISSED
    assert states(journal) == {7: done, 8: missed, 9: missed, 10: missed}
    assert journal.miss_before((DAY, 11), "late") == 0


def test_slots_are_missed_over_midnight(journal: Journal) -> None:
    journal.miss((DAY, 286), "clock")
    after = DAY + timedelta(days=1)
    assert journal.miss_before((after, 2), "late") == 3
    assert list(states(journal)) == [286, 287]
    assert list(states(journal, after)) == [0, 1]


def test_a_slot_can_be_missed_by_many_threads_at_the_same_time(journal: Journal) -> None:
    with ThreadPoolExecutor(8) as pool:
        for slot in range(20):
            list(pool.map(lambda _, slot=slot: journal.miss((DAY, slot), "late"), range(8)))
    assert states(journal) == dict.fromkeys(range(20), PollState.MISSED)


def test_the_first_slot_of_all_misses_nothing(journal: Journal) -> None:
    assert journal.last_slot() is None
    assert journal.miss_before((DAY, 200), "late") == 0


def test_what_was_polled_is_not_missed_afterwards(journal: Journal) -> None:
    journal.begin((DAY, 7))
    journal.finish((DAY, 7), [])
    journal.miss((DAY, 7), "overlap")
    assert states(journal) == {7: PollState.DONE}


def test_old_samples_go_and_words_stay(journal: Journal) -> None:
    journal.intend(word())
    journal.begin((DAY, 0))
    journal.finish((DAY, 0), [sample(0)])
    journal.forget_before(DAY + timedelta(days=1))
    assert journal.samples(DAY, ORACLES[0]) == []
    assert journal.polls(DAY) == []
    assert journal.word(DAY, Kind.OBSERVE) is not None


def test_an_unknown_sample_comes_back_without_a_time(journal: Journal) -> None:
    unknown = Sample(ORACLES[0], DAY, 3, "alpha", "polkadot", Status.UNKNOWN, None)
    known = Sample(ORACLES[0], DAY, 3, "beta", "polkadot", Status.OK, FAST)
    journal.begin((DAY, 3))
    journal.finish((DAY, 3), [unknown, known])
    assert journal.samples(DAY, ORACLES[0]) == [unknown, known]


def test_notes_are_kept_by_name(journal: Journal) -> None:
    assert journal.noted("alerts") is None
    journal.note("alerts", "one")
    journal.note("alerts", "two")
    assert journal.noted("alerts") == "two"
