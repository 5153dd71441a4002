"""Row files: named by their root, read within bounds, written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded, write_whole
from ibp_chain.types import Hash
from oracles import rowfiles
from oracles.errors import RowsAltered, RowsError
from oracles.report import REPORT
from oracles.rowfiles import parse_root, path_of, read_rows, root_of, write_rows
from oracles.samples import OBSERVATION
from tests.support.scores import observed, sample, sampled, series

ROWS = sampled(sample(0), sample(1, member="beta"))
ROOT = OBSERVATION.root(ROWS)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write_rows(tmp_path, OBSERVATION, ROWS)


def test_rows_are_kept_under_their_root(published: Path, tmp_path: Path) -> None:
    assert published == tmp_path / f"{ROOT.hex()}.rows" == path_of(tmp_path, ROOT)
    assert root_of(published) == ROOT
    assert published.read_bytes() == OBSERVATION.pack(ROWS)
    assert read_rows(tmp_path, OBSERVATION, root=ROOT) == ROWS
    assert read_rows(tmp_path, OBSERVATION, root=ROOT, size=2) == ROWS


def test_everybody_may_read_what_is_published(published: Path) -> None:
    assert stat.S_IMODE(published.stat().st_mode) == 0o644


def test_publishing_again_changes_nothing(published: Path, tmp_path: Path) -> None:
    before = published.read_bytes()
    assert write_rows(tmp_path, OBSERVATION, ROWS) == published
    assert published.read_bytes() == before
    assert list(tmp_path.iterdir()) == [published]


def test_publishing_makes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    write_rows(folder, OBSERVATION, ROWS)
    assert read_rows(folder, OBSERVATION, root=ROOT) == ROWS


def test_rows_that_are_not_canonical_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="out of order"):
        write_rows(tmp_path, OBSERVATION, ROWS[::-1])
    assert list(tmp_path.iterdir()) == []


# --- Reading ----------------------------------------------------------------------------


def test_rows_that_nobody_published_are_missed_by_name(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match=rf"{ROOT.hex()}\.rows: cannot be read: No such file"):
        read_rows(tmp_path, OBSERVATION, root=ROOT)


def test_one_changed_byte_is_found(published: Path, tmp_path: Path) -> None:
    raw = bytearray(published.read_bytes())
    raw[-1] ^= 1  # a response time: still a row, another one
    published.write_bytes(raw)
    with pytest.raises(RowsAltered, match=rf"{ROOT.hex()}\.rows: .*they hash to 0x"):
        read_rows(tmp_path, OBSERVATION, root=ROOT)


def test_a_truncated_file_is_found(published: Path, tmp_path: Path) -> None:
    published.write_bytes(published.read_bytes()[:-1])
    with pytest.raises(RowsError, match=rf"{ROOT.hex()}\.rows: "):
        read_rows(tmp_path, OBSERVATION, root=ROOT)


def test_other_rows_under_this_name_are_found(published: Path, tmp_path: Path) -> None:
    published.write_bytes(OBSERVATION.pack((observed(0, series("")),)))
    with pytest.raises(RowsAltered):
        read_rows(tmp_path, OBSERVATION, root=ROOT)


def test_the_row_count_of_the_digest_must_fit(published: Path) -> None:
    with pytest.raises(RowsAltered, match="2 rows, the digest says 3"):
        read_rows(published.parent, OBSERVATION, root=ROOT, size=3)


def test_rows_of_an_observation_are_no_report(published: Path) -> None:
    with pytest.raises(RowsError):
        read_rows(published.parent, REPORT, root=ROOT)


def test_an_oversized_file_is_not_read(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = published.stat().st_size
    monkeypatch.setattr(rowfiles, "MAX_SIZE", limit)
    assert read_rows(tmp_path, OBSERVATION, root=ROOT) == ROWS
    with published.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(RowsError, match=f"longer than the {limit} bytes"):
        read_rows(tmp_path, OBSERVATION, root=ROOT)


def test_a_sparse_file_of_a_gibibyte_is_refused_unread(published: Path, tmp_path: Path) -> None:
    os.truncate(published, 1 << 30)
    with pytest.raises(RowsError, match="longer than"):
        read_rows(tmp_path, OBSERVATION, root=ROOT)


def test_more_rows_than_a_file_holds_are_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rowfiles, "MAX_SIZE", 100)
    with pytest.raises(RowsError, match=r"2 rows take .* bytes; 100 fit"):
        write_rows(tmp_path, OBSERVATION, ROWS)
    assert list(tmp_path.iterdir()) == []


# --- Names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["x.rows", "rows", f"{'0' * 64}.json", f"{'0' * 63}.rows", f"{'A' * 64}.rows",
     f"0x{'0' * 64}.rows", f"0x{'0' * 62}.rows", f"{'0' * 64}.rows.part", f"{'٣' * 64}.rows"],
)  # fmt: skip
def test_another_name_is_no_row_file(name: str) -> None:
    with pytest.raises(RowsError):
        root_of(Path(name))


def test_a_root_is_written_with_or_without_0x() -> None:
    assert parse_root(ROOT.hex()) == parse_root("0x" + ROOT.hex()) == ROOT


@pytest.mark.parametrize(
    "text",
    ["", "0x", ROOT.hex()[1:], ROOT.hex() + "0", "0X" + ROOT.hex(), ROOT.hex() + "\n",
     " " + ROOT.hex(), "../" + ROOT.hex()[3:]],
)  # fmt: skip
def test_another_text_is_no_root(text: str) -> None:
    with pytest.raises(RowsError, match="is no root"):
        parse_root(text)


# --- Files ------------------------------------------------------------------------------


def test_a_pipe_or_folder_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(ConfigError, match="is no regular file"):
            read_bounded(path, 10, ConfigError)


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"0123456789")
    assert read_bounded(path, 10, ConfigError) == b"0123456789"
    with pytest.raises(ConfigError, match="longer than the 9 bytes"):
        read_bounded(path, 9, ConfigError)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_root_of_no_file_is_not_a_path_elsewhere(tmp_path: Path) -> None:
    assert path_of(tmp_path, Hash(bytes(32))).parent == tmp_path
