"""A backup brings a ledger back, into either database, whole or not at all."""

import io
import os
import random
import resource
import signal
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ibp_chain.cli import backup as cli_backup
from ibp_chain.cli.app import app
from ibp_chain.errors import CheckFailed, ConfigError, IbpError, InputError
from ledger.backup import back_up, restore
from ledger.backup_format import BackupError, Contents, opened
from ledger.check import check
from ledger.indexer import replay_into
from ledger.store import DatabaseError, Store
from tests.support.ledgers import File, Ledgers, Place, dump, tamper
from tests.unit.store.conftest import KINDS, Kept
from tests.unit.store.demo import demo, roots

HALF = 30


def replay(place: Place, last: int | None = None) -> None:
    end = None if last is None else demo().blocks[last - 1].header.number
    with Store(place.url, demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of, last=end)


def in_child(work: Callable[[], object]) -> tuple[int, str]:
    """Run `work` in a child; the signal that ended it, 0 for none, and its error in one line."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        _end_after(work, writes)
    os.close(writes)
    with os.fdopen(reads) as said:
        words = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), words


def _end_after(work: Callable[[], object], said: int) -> NoReturn:
    """Without what pytest would do at the end of a process."""
    try:
        work()
    except IbpError as error:
        os.write(said, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


# --- There and back -----------------------------------------------------------------------


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_every_row_comes_back_in_either_database(
    kept: dict[str, Kept], kinds: dict[str, Ledgers], source: str, target: str
) -> None:
    place = kinds[target].new()
    restore(kept[source].path, place.url)
    assert dump(place) == kept[source].rows
    with Store(place.url) as store:
        assert store.load_state().root() == roots()[-1]


def test_both_databases_give_the_same_bytes(kept: dict[str, Kept]) -> None:
    assert kept["sqlite"].path.read_bytes() == kept["postgresql"].path.read_bytes()


@pytest.mark.parametrize(
    ("source", "target"), [KINDS, KINDS[::-1]], ids=["to a server", "to a file"]
)
def test_a_restored_ledger_goes_on_as_if_nothing_had_been(
    kept: dict[str, Kept], kinds: dict[str, Ledgers], tmp_path: Path, source: str, target: str
) -> None:
    half, place, path = kinds[source].new(), kinds[target].new(), tmp_path / "half.backup"
    replay(half, HALF)
    back_up(half.url, path)
    restore(path, place.url)
    replay(place)
    assert dump(place) == kept["sqlite"].rows
    with Store(place.url) as store:
        for done in (1, HALF - 1, HALF, HALF + 1):
            at = demo().blocks[done - 1].header.number
            assert store.load_state(at).root() == roots()[done]


def test_a_backup_is_of_one_block_whoever_writes_meanwhile(
    fresh: Place, kinds: dict[str, Ledgers], tmp_path: Path
) -> None:
    replay(fresh, HALF)
    told: list[int] = []
    with Store(fresh.url, demo().identity) as writer:
        blocks, state = iter(demo().blocks[HALF:]), writer.load_state()

        def tick(_: str, done: int, __: int) -> None:
            told.append(done)
            for block in list(blocks)[:20] if len(told) == 1 else ():
                writer.apply(state, demo().apply(state, block))

        contents = back_up(fresh.url, tmp_path / "a.backup", tick)
        assert writer.head() == demo().blocks[HALF + 19].ref
    assert contents.head.number == demo().blocks[HALF - 1].header.number
    place = kinds["sqlite"].new()
    restore(tmp_path / "a.backup", place.url)
    with Store(place.url) as store:
        assert store.load_state().root() == roots()[HALF]


def test_tar_and_any_parquet_reader_open_it(taken: Path) -> None:
    with tarfile.open(taken) as file:
        names = file.getnames()
        found = file.extractfile("block/000000.parquet")
        assert found is not None
        rows = pq.read_table(io.BytesIO(found.read())).to_pylist()
    assert (names[0], names[-1]) == ("ledger.json", "seal.json")
    assert [row["hash"] for row in rows] == [block.hash for block in demo().blocks]


def test_what_it_is_of_is_said_before_the_rows(taken: Path) -> None:
    with opened(taken) as backup:
        contents = backup.contents
    assert contents.head.hash == "0x" + demo().blocks[-1].hash.hex()
    assert contents.state_root == "0x" + roots()[-1].hex()
    assert contents.tables["block"] == len(demo().blocks)


# --- Databases that are not empty ---------------------------------------------------------


def stays(place: Place, taken: Path, words: str) -> None:
    before = dump(place)
    with pytest.raises(ConfigError, match=words) as caught:
        restore(taken, place.url)
    assert place.name in str(caught.value)
    assert dump(place) == before


def test_a_ledger_that_is_there_is_never_written_over(fresh: Place, taken: Path) -> None:
    Store(fresh.url, demo().identity).close()
    stays(fresh, taken, "this ledger up to no block already, .*ibp ledger follow")
    replay(fresh, HALF)
    stays(fresh, taken, r"this ledger up to block \d+ already, .* ends with block 60108: go on")
    replay(fresh)
    stays(fresh, taken, "brings nothing: to go back restore into a new database")
    tamper(fresh, "UPDATE ledger_meta SET network = 'kusama'")
    stays(fresh, taken, "holds another ledger already, of kusama")
    tamper(fresh, "UPDATE ledger_meta SET schema_version = 2")
    stays(fresh, taken, "of schema version 2 already")


def test_somebody_elses_tables_are_left_alone(fresh: Place, taken: Path) -> None:
    if isinstance(fresh, File):
        fresh.path.touch()
    with fresh.asking() as execute:
        execute("CREATE TABLE wallet (secret TEXT, other TEXT)")
    stays(fresh, taken, "is not empty and holds no ledger")


def test_nobody_restores_into_a_database_that_is_being_written(fresh: Place, taken: Path) -> None:
    with Store(fresh.url, demo().identity), pytest.raises(DatabaseError, match="already"):
        restore(taken, fresh.url)


# --- Ledgers that cannot be backed up ------------------------------------------------------


def test_a_damaged_ledger_takes_no_backups_place(ledger: Place, tmp_path: Path) -> None:
    assert tamper(ledger, "UPDATE state_entry SET value = ?", b"\1")
    with pytest.raises(CheckFailed, match="are not those that were written"):
        back_up(ledger.url, tmp_path / "a.backup")
    assert list(tmp_path.iterdir()) == []


def test_a_value_of_another_type_is_not_backed_up(ledger_file: Path, tmp_path: Path) -> None:
    tamper(File(ledger_file), "UPDATE block SET hash = 'text' WHERE number = 1")
    with pytest.raises(CheckFailed, match=r"of another type: block\.hash"):
        back_up(File(ledger_file).url, tmp_path / "a.backup")
    assert not list(tmp_path.glob("*.part"))


def test_a_ledger_without_blocks_is_not_backed_up(fresh: Place, tmp_path: Path) -> None:
    Store(fresh.url, demo().identity).close()
    with pytest.raises(InputError, match="nothing to back up"):
        back_up(fresh.url, tmp_path / "a.backup")


def test_a_backup_takes_no_other_files_place(ledger_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.backup").write_bytes(b"the one that is left")
    with pytest.raises(BackupError, match="is there already"):
        back_up(File(ledger_file).url, tmp_path / "a.backup")
    with pytest.raises(BackupError, match="No such file"):
        back_up(File(ledger_file).url, tmp_path / "nowhere" / "a.backup")
    assert (tmp_path / "a.backup").read_bytes() == b"the one that is left"


def test_a_backup_takes_no_place_of_a_file_that_came_meanwhile(
    ledger_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.backup"

    def somebody_else(*_: object) -> None:
        path.write_bytes(b"theirs")

    with pytest.raises(BackupError, match="is there already"):
        back_up(File(ledger_file).url, path, somebody_else)
    assert path.read_bytes() == b"theirs"
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".part"] == []


def test_a_backup_that_is_told_to_end_leaves_nothing(
    ledger_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell_it(url: str, path: Path, tick: Callable[..., object]) -> Contents:
        def ended(*progress: Any) -> None:
            tick(*progress)
            signal.raise_signal(signal.SIGTERM)

        return back_up(url, path, ended)

    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "a.backup"
    monkeypatch.setattr(cli_backup, "back_up", tell_it)
    command = ["ledger", "backup", "--db", File(ledger_file).url, "--out", str(path)]
    assert CliRunner().invoke(app, command).exit_code == 128 + signal.SIGTERM
    assert list(path.parent.iterdir()) == []


# --- Ends that nobody chose ----------------------------------------------------------------


def kill_at(step: int) -> Callable[[str, int, int], None]:
    steps = iter(range(step))

    def tick(*_: object) -> None:
        if next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    return tick


@pytest.mark.parametrize("target", KINDS)
def test_a_restore_killed_at_any_step_leaves_nothing_and_can_be_repeated(
    kept: dict[str, Kept], kinds: dict[str, Ledgers], target: str
) -> None:
    place, path, killed = kinds[target].new(), kept[target].path, 0
    while (ended := in_child(partial(restore, path, place.url, tick=kill_at(killed)))[0]) != 0:
        assert ended == -signal.SIGKILL
        place.wait_until_left()
        assert not place.begun() or place.tables() == []
        killed += 2 if target == "sqlite" else 5
    assert killed > 15
    assert dump(place) == kept[target].rows


@pytest.mark.parametrize("target", KINDS)
def test_a_restore_killed_at_any_moment_is_done_or_not(
    kept: dict[str, Kept], kinds: dict[str, Ledgers], target: str
) -> None:
    chance, began = random.Random(9), time.monotonic()
    restore(kept[target].path, kinds[target].new().url)
    lasts, place = time.monotonic() - began, kinds[target].new()
    for _ in range(5):
        child = os.fork()
        if child == 0:
            _end_after(partial(restore, kept[target].path, place.url), 2)
        time.sleep(chance.uniform(0.3, 1.0) * lasts)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        place.wait_until_left()
        if place.begun() and place.tables():
            assert dump(place) == kept[target].rows
            place = kinds[target].new()
    with suppress(ConfigError):
        restore(kept[target].path, place.url)
    assert dump(place) == kept[target].rows


def test_a_backup_that_is_killed_leaves_no_file_of_that_name(
    ledger_file: Path, tmp_path: Path
) -> None:
    path, url = tmp_path / "folder" / "a.backup", File(ledger_file).url
    path.parent.mkdir()
    ended, _ = in_child(lambda: back_up(url, path, kill_at(3)))
    assert ended == -signal.SIGKILL
    assert not path.exists()
    back_up(url, path)
    assert path.exists()


def limited(size: int, work: Callable[[], object]) -> str:
    """What `work` says where no file may grow above `size`, as where a disk is full."""

    def child() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        work()

    ended, words = in_child(child)
    assert ended == 0
    return words


def test_a_full_disk_leaves_no_half_backup(ledger_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    said = limited(100_000, lambda: back_up(File(ledger_file).url, folder / "a.backup"))
    assert said.startswith("BackupError")
    assert "a.backup cannot be written: File too large" in said
    assert list(folder.iterdir()) == []


def test_a_full_disk_leaves_a_restore_undone(taken: Path, tmp_path: Path) -> None:
    place = File(tmp_path / "ledger.db")
    said = limited(300_000, lambda: restore(taken, place.url))
    assert said.startswith("DatabaseError")
    assert "make room on its disk and run this again" in said
    assert place.tables() == []
    restore(taken, place.url)
    assert check(place.url).root == roots()[-1]


def test_a_full_disk_leaves_the_ledger_at_its_last_batch(tmp_path: Path) -> None:
    place = File(tmp_path / "ledger.db")
    replay(place, HALF)
    before, size = dump(place), place.path.stat().st_size

    def go_on() -> None:
        with Store(place.url, demo().identity) as store:
            replay_into(store, demo().source, demo().runtime_of, batch=1000)

    said = limited(size // 8, go_on)
    assert said.startswith("DatabaseError")
    assert "make room on its disk and run this again, what was committed is whole" in said
    assert dump(place) == before
    go_on()
    assert check(place.url).root == roots()[-1]
