"""A journal that ends anywhere is taken over as far as it is whole; the archive loses nothing."""

import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.archive_blocks import Recorded
from ibp_chain.archive_follow import JOURNAL, FollowedArchive
from ibp_chain.archive_format import MANIFEST
from ibp_chain.blocks import Block
from ibp_chain.errors import ArchiveError
from ibp_chain.node import ChainInfo
from ibp_chain.types import SpecVersion
from tests.support.chain import GENESIS, chain

INFO = ChainInfo("Paper", 42, "PAP", 10)
BLOCKS = chain([*range(1, 9), 50, 51])


def _metadata(version: SpecVersion) -> Sequence[bytes]:
    return [b"meta\x0e" + bytes([version])]


def _opened(folder: Path) -> FollowedArchive:
    return FollowedArchive(folder, INFO, GENESIS.hash, _metadata)


def _take(archive: FollowedArchive, blocks: Sequence[Block]) -> None:
    for block in blocks:
        archive.take(Recorded(block, None))


def _killed(folder: Path, blocks: Sequence[Block]) -> bytes:
    """Leave `blocks` as a process does that is killed; the journal."""
    with closing(_opened(folder)) as archive:
        _take(archive, blocks)
        assert archive.sync() == len(blocks)
    return (folder / JOURNAL).read_bytes()


def _read(folder: Path) -> list[Block]:
    source = ArchiveSource(folder)
    return list(source.blocks(source.first()))


def test_what_was_synced_survives_and_the_rest_is_sealed(tmp_path: Path) -> None:
    assert _killed(tmp_path, BLOCKS[:5])
    with _opened(tmp_path) as archive:
        assert archive.head == BLOCKS[4].ref
        _take(archive, BLOCKS)  # the source says again what is there already
    assert _read(tmp_path) == BLOCKS
    assert verify(tmp_path).blocks == len(BLOCKS)
    assert not (tmp_path / JOURNAL).read_bytes()


def test_a_journal_cut_or_changed_anywhere_is_taken_over_up_to_there(tmp_path: Path) -> None:
    whole = _killed(tmp_path, BLOCKS[:4])
    journal = tmp_path / JOURNAL
    kept = set()
    for place in range(0, len(whole), 7):
        changed = bytes([whole[place] ^ 1])
        for broken in (whole[:place], whole[:place] + changed + whole[place + 1 :]):
            journal.write_bytes(broken)
            with closing(_opened(tmp_path)) as archive:
                assert archive.head in [block.ref for block in BLOCKS[:4]]
                assert archive.head is not None
                kept.add(archive.head.number)
                assert whole.startswith(journal.read_bytes())
    assert kept == {1, 2, 3}, "the first block is in a block file, and no damage passes for whole"
    journal.write_bytes(whole[: len(whole) // 2])
    with _opened(tmp_path) as archive:
        _take(archive, BLOCKS)
    assert _read(tmp_path) == BLOCKS


def test_a_journal_whose_blocks_are_in_a_file_already_adds_nothing(tmp_path: Path) -> None:
    journal = _killed(tmp_path, BLOCKS[:6])
    with _opened(tmp_path):
        pass
    (tmp_path / JOURNAL).write_bytes(journal)  # killed between the manifest and the journal
    with _opened(tmp_path) as archive:
        assert archive.head == BLOCKS[5].ref
        _take(archive, BLOCKS)
    assert _read(tmp_path) == BLOCKS


def test_another_fork_is_refused(tmp_path: Path) -> None:
    other = chain(range(1, 9), salt=b"x")
    with _opened(tmp_path) as archive:
        _take(archive, BLOCKS[:4])
        with pytest.raises(ArchiveError, match="of another fork"):
            _take(archive, other[:4])
        with pytest.raises(ArchiveError, match="does not follow"):
            _take(archive, other[4:5])
    assert _read(tmp_path) == BLOCKS[:4]


def test_two_cannot_add_to_one_archive(tmp_path: Path) -> None:
    with _opened(tmp_path), pytest.raises(ArchiveError, match="another process"):
        _opened(tmp_path)


@contextmanager
def _room_for(size: int) -> Iterator[None]:
    """No file may be longer than `size` bytes, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("spare", [0, 3, 20, 200])
def test_a_journal_that_cannot_be_written_whole_says_so_and_loses_nothing(
    tmp_path: Path, spare: int
) -> None:
    with closing(_opened(tmp_path)) as archive:
        _take(archive, BLOCKS[:2])
        archive.sync()
        whole = (tmp_path / JOURNAL).read_bytes()
        _take(archive, BLOCKS[2:4])
        with _room_for(len(whole) + spare), pytest.raises(ArchiveError, match="any further"):
            archive.sync()
        assert (tmp_path / JOURNAL).read_bytes() == whole
        _take(archive, BLOCKS[4:7])
        assert archive.sync() == 5, "once there is room"
    with closing(_opened(tmp_path)) as archive:
        assert archive.head == BLOCKS[6].ref


def test_a_full_disk_is_told_as_any_other_error_of_an_archive(tmp_path: Path) -> None:
    with closing(_opened(tmp_path)) as archive, _room_for(0):
        with pytest.raises(ArchiveError, match="cannot be written any further: File too large"):
            _take(archive, BLOCKS[:1])
        with pytest.raises(ArchiveError, match="cannot be written any further: File too large"):
            archive.seal()
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="Not a directory"):
        _opened(tmp_path / "file" / "archive")


def test_a_journal_is_emptied_once_the_manifests_name_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, ftruncate = os.fsync, os.ftruncate

    def synced(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        done.append(f"{path.name} synced" if path != tmp_path else _names(tmp_path))
        fsync(file)

    def cut(file: int, size: int) -> None:
        done.append("emptied")
        ftruncate(file, size)

    with closing(_opened(tmp_path)) as archive:
        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(os, "ftruncate", cut)
        _take(archive, BLOCKS[:1])
    assert done[-2:] == ["the manifest's name synced", "emptied"]
    assert "blocks synced" in done, "the folder that names the block file"


def _names(folder: Path) -> str:
    return "the manifest's name synced" if (folder / MANIFEST).exists() else "other names synced"
