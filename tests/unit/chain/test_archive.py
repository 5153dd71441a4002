"""A block archive: what is recorded is read back, and no byte of it can change unnoticed."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibp_chain import archive_record
from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.archive_blocks import Recorded, check_proof
from ibp_chain.archive_format import BLOCK_FILES, MANIFEST, MAX_METADATA, hex_digest, write_manifest
from ibp_chain.archive_record import ArchiveWriter
from ibp_chain.blocks import Block
from ibp_chain.errors import ArchiveCorrupt, ArchiveError, CheckFailed, IbpError
from ibp_chain.node import ChainInfo
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from tests.support.chain import GENESIS, SPEC, chain

CHAIN = ChainInfo("test", 42, "PAS", 10)
BLOCKS = chain([1, 2, 3, 7, 8])
METADATA = b"meta\x0f" + bytes(range(32))
METADATA_V14 = b"meta\x0e" + bytes(range(32))


def _writer(folder: Path, genesis: Hash = GENESIS.hash) -> ArchiveWriter:
    return ArchiveWriter(folder, CHAIN, genesis, lambda _: [METADATA, METADATA_V14])


def _write(folder: Path, blocks: list[Block]) -> Path:
    writer = _writer(folder)
    for block in blocks:
        writer.append(Recorded(block, None))
    writer.flush()
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return _write(tmp_path / "archive", BLOCKS)


def _block_file(folder: Path) -> Path:
    return next((folder / "blocks").iterdir())


def test_what_was_recorded_is_read_back(archive: Path) -> None:
    source = ArchiveSource(archive)
    assert list(source.blocks(BlockNumber(1))) == BLOCKS
    assert list(source.blocks(BlockNumber(2), BlockNumber(7))) == BLOCKS[1:4]
    assert source.head() == BLOCKS[-1].ref
    assert source.genesis_hash == GENESIS.hash
    assert source.chain() == CHAIN
    assert source.metadata(SPEC) == METADATA
    assert source.metadata_v14(SPEC) == METADATA_V14


def test_verifying_counts_blocks_and_proofs(archive: Path) -> None:
    seen: list[int] = []
    result = verify(archive, seen.append)
    assert (result.blocks, result.proven) == (5, 0)
    assert seen == [1, 2, 3, 4, 5]


def test_common_tools_read_the_block_files(archive: Path) -> None:
    rows = pq.read_table(_block_file(archive)).to_pylist()
    assert [row["number"] for row in rows] == [1, 2, 3, 7, 8]
    assert rows[0]["extrinsics"] == list(BLOCKS[0].extrinsics)


def test_any_changed_byte_of_a_block_file_is_found_and_its_block_named(tmp_path: Path) -> None:
    archive = _write(tmp_path / "archive", chain([1, 7]))
    path = _block_file(archive)
    whole = path.read_bytes()
    spans = ArchiveSource(archive).manifest.files[0].spans
    ends = [4 + sum(span.size for span in spans[: index + 1]) for index in range(len(spans))]
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        with pytest.raises(ArchiveCorrupt) as caught:
            verify(archive)
        owner = next((i for i, end in enumerate(ends) if 4 <= position < end), None)
        expected = spans[0 if owner is None else owner].number
        assert caught.value.block == expected, position
        assert str(caught.value).startswith(f"block {expected}: ")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_reading_a_changed_file_is_a_clear_error_or_gives_the_same_blocks(
    archive: Path, data: st.DataObject
) -> None:
    path = _block_file(archive)
    whole = path.read_bytes()
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(changed)
    manifest = (archive / MANIFEST).read_bytes()
    digest = hex_digest(
        bytes(changed)
    )  # the reader gets to see what the digest would have kept from it
    _resealed(archive, lambda value: value["files"][0].update(blake2b=digest))
    said, blocks = "", BLOCKS
    try:
        blocks = list(ArchiveSource(archive).blocks(BlockNumber(1)))
    except IbpError as error:
        said = str(error)
    finally:
        path.write_bytes(whole)
        (archive / MANIFEST).write_bytes(manifest)
    assert "\n" not in said
    for read, true in zip(blocks, BLOCKS, strict=True):
        assert (read.header, read.extrinsics) == (true.header, true.extrinsics)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_truncated_block_file_is_bad_input(archive: Path, cut: int) -> None:
    path = _block_file(archive)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ArchiveError, match="copy it again"):
        verify(archive)


def test_a_missing_block_file_is_bad_input(archive: Path) -> None:
    _block_file(archive).unlink()
    with pytest.raises(ArchiveError, match="copy it again"):
        ArchiveSource(archive)


def test_no_archive_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="is no archive"):
        ArchiveSource(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not the manifest"),
        (b'{"format":"ibp-block-archive","version":2}', "archive version 2"),
        (b'{"format":"ibp-block-archive","version":1}', "Field required"),
    ],
)
def test_another_manifest_is_bad_input(archive: Path, content: bytes, said: str) -> None:
    (archive / MANIFEST).write_bytes(content)
    with pytest.raises(ArchiveError, match=said):
        ArchiveSource(archive)


def test_any_changed_byte_of_the_manifest_is_found(archive: Path) -> None:
    path = archive / MANIFEST
    whole = path.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 3 if whole[position : position + 1].isspace() else 1
        path.write_bytes(changed)
        with pytest.raises(IbpError, match=r"manifest\.json"):
            verify(archive)


def test_a_manifest_is_written_as_json_writes_it_sorted_and_indented(tmp_path: Path) -> None:
    name = 'a "spans": [] \u00e9 name'
    writer = ArchiveWriter(
        tmp_path, ChainInfo(name, 42, "PAS", 10), GENESIS.hash, lambda _: [METADATA, METADATA_V14]
    )
    for blocks in (BLOCKS[:1], BLOCKS[1:]):
        for block in blocks:
            writer.append(Recorded(block, None))
        writer.flush()
    raw = (tmp_path / MANIFEST).read_text()
    value = json.loads(raw)
    assert [len(file["spans"]) for file in value["files"]] == [1, 4]
    assert raw == json.dumps(value, indent=1, sort_keys=True) + "\n"
    assert ArchiveSource(tmp_path).chain().name == name


def _resealed(archive: Path, change: Any) -> None:
    """Change the manifest and mend its checksum: an attack, not an accident."""
    value = json.loads((archive / MANIFEST).read_bytes())
    change(value)
    write_manifest(archive, {key: item for key, item in value.items() if key != "checksum"})


def test_a_manifest_with_another_head_is_found(archive: Path) -> None:
    _resealed(archive, lambda value: value.update(head_hash="0x" + "11" * 32))
    with pytest.raises(ArchiveCorrupt, match="head is another block"):
        verify(archive)


def test_files_in_another_order_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    for part in (BLOCKS[:2], BLOCKS[2:]):
        _write(folder, part)
    verify(folder)
    _resealed(folder, lambda value: value["files"].reverse())
    with pytest.raises(ArchiveCorrupt, match="listed behind"):
        verify(folder)


def test_a_dropped_file_is_found_by_the_parent_link(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    for part in (BLOCKS[:2], BLOCKS[2:4], BLOCKS[4:]):
        _write(folder, part)
    _resealed(folder, lambda value: value["files"].pop(1))
    with pytest.raises(ArchiveError, match=r"3-7\.parquet is not in the manifest"):
        verify(folder)
    (folder / BLOCK_FILES / "3-7.parquet").unlink()
    with pytest.raises(ArchiveCorrupt, match="block 8: parent_hash"):
        verify(folder)


def test_a_swapped_file_is_found(tmp_path: Path) -> None:
    archive = _write(tmp_path / "archive", BLOCKS)
    other = _write(tmp_path / "other", chain([1, 2, 3, 7, 8], salt=b"b"))
    shutil.copy(_block_file(other), _block_file(archive))
    with pytest.raises(IbpError):
        verify(archive)


def test_changed_metadata_is_found(archive: Path) -> None:
    path = archive / "metadata" / f"{SPEC}-v15.scale.zst"
    whole = path.read_bytes()
    for position in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(CheckFailed, match=r"7-v15\.scale\.zst"):
                verify(archive)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckFailed, match=r"7-v15\.scale\.zst: damaged: not one whole frame"):
        verify(archive)
    path.unlink()
    with pytest.raises(ArchiveError, match=r"7-v15\.scale\.zst"):
        verify(archive)


def test_an_unknown_spec_version_is_bad_input(archive: Path) -> None:
    with pytest.raises(ArchiveError, match="no metadata of spec version 99; it has 7"):
        ArchiveSource(archive).metadata(SpecVersion(99))


def test_blocks_outside_the_range_are_bad_input(archive: Path) -> None:
    with pytest.raises(ArchiveError, match="blocks 1 to 8, not 1 to 9"):
        ArchiveSource(archive).blocks(BlockNumber(1), BlockNumber(9))


def test_recording_goes_on_where_it_stopped(tmp_path: Path) -> None:
    writer = _writer(tmp_path / "archive")
    for block in BLOCKS[:3]:
        writer.append(Recorded(block, None))
    writer.flush()
    writer.append(Recorded(BLOCKS[3], None))  # never flushed: the process died
    _write(tmp_path / "archive", BLOCKS[3:])
    assert list(ArchiveSource(tmp_path / "archive").blocks(BlockNumber(1))) == BLOCKS


def test_a_recording_that_was_interrupted_is_the_same_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_record, "BLOCKS_PER_FILE", 2)
    blocks = chain(range(1, 8))
    whole = _write(tmp_path / "whole", blocks)
    interrupted = _writer(tmp_path / "interrupted")
    for block in blocks[:5]:
        interrupted.append(Recorded(block, None))
    _write(tmp_path / "interrupted", blocks[4:])
    assert len(_content(whole)) == 7
    assert _content(tmp_path / "interrupted") == _content(whole)


def test_a_block_that_does_not_follow_is_refused(archive: Path) -> None:
    with pytest.raises(ArchiveError, match="does not follow"):
        _writer(archive).append(Recorded(chain([9])[0], None))


def test_another_chain_is_not_recorded_into_the_same_archive(archive: Path) -> None:
    with pytest.raises(ArchiveError, match="holds another chain"):
        _writer(archive, Hash(b"x" * 32))


def test_a_proof_that_proves_nothing_is_corrupt() -> None:
    with pytest.raises(ArchiveCorrupt, match="block 1: proof"):
        check_proof(BLOCKS[0], (b"\0",))


def test_metadata_that_claims_to_be_huge_reserves_no_memory(archive: Path) -> None:
    path = archive / "metadata" / f"{SPEC}-v15.scale.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(bytes(MAX_METADATA + 1)))
    with pytest.raises(CheckFailed, match="says that it holds 67108865 bytes"):
        verify(archive)


def test_block_1_hangs_on_the_genesis_block(tmp_path: Path) -> None:
    folder = _write(tmp_path / "archive", chain([1, 2], parent=Hash(b"z" * 32)))
    with pytest.raises(ArchiveCorrupt, match=r"block 1: parent_hash: .* but block 0 is"):
        verify(folder)


def test_a_recording_may_begin_anywhere(tmp_path: Path) -> None:
    folder = _write(tmp_path / "archive", BLOCKS[2:])
    assert verify(folder).blocks == 3
    assert ArchiveSource(folder).first() == 3


@pytest.mark.parametrize("first", range(1, 9))
def test_reading_may_begin_anywhere(archive: Path, first: int) -> None:
    read = ArchiveSource(archive).blocks(BlockNumber(first), BlockNumber(7))
    assert list(read) == [block for block in BLOCKS if first <= block.header.number <= 7]


def test_the_first_block_read_links_to_the_one_below(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    writer = _writer(folder)
    for block in (*BLOCKS[:2], *chain([3], parent=Hash(b"z" * 32))):
        writer._waiting.append(Recorded(block, None))
    writer.flush()
    with pytest.raises(ArchiveCorrupt, match="block 3: parent_hash"):
        list(ArchiveSource(folder).blocks(BlockNumber(3)))


def test_a_spec_version_without_metadata_is_found(archive: Path) -> None:
    _resealed(archive, lambda value: [part.update(spec_version=8) for part in value["metadata"]])
    for path in (archive / "metadata").iterdir():
        path.rename(path.with_name(path.name.replace("7-", "8-")))
    with pytest.raises(ArchiveCorrupt, match="block 1: spec_version: 7 has no metadata here"):
        verify(archive)


def test_large_blocks_end_a_file_earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(map(len, BLOCKS[0].extrinsics)) + len(BLOCKS[0].events)
    monkeypatch.setattr(archive_record, "BYTES_PER_FILE", 2 * size)
    folder = _write(tmp_path / "archive", BLOCKS)
    assert [file.blocks for file in ArchiveSource(folder).manifest.files] == [2, 2, 1]
    assert list(ArchiveSource(folder).blocks(BlockNumber(1))) == BLOCKS


def test_of_two_recordings_at_once_the_second_gives_up(archive: Path) -> None:
    one, other = _writer(archive), _writer(archive)
    (block,) = chain([9], parent=BLOCKS[-1].hash)
    for writer in (one, other):
        writer.append(Recorded(block, None))
    one.flush()
    with pytest.raises(ArchiveError, match="another recording has written to it"):
        other.flush()
    assert verify(archive).blocks == 6


_DIES_AT_A_WRITE = """
import os, signal, sys
from pathlib import Path
from ibp_chain import archive_record
from tests.unit.chain.test_archive import _write, LONG
archive_record.BLOCKS_PER_FILE = 3
left, fsync = int(sys.argv[2]), os.fsync
def count(descriptor):
    global left
    left -= not Path(f"/proc/self/fd/{descriptor}").is_dir()  # a folder's sync writes no file
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = count
_write(Path(sys.argv[1]), LONG)
"""
LONG = chain(range(1, 8))


@pytest.mark.parametrize("write", range(1, 9))
def test_a_recording_that_was_killed_at_any_write_is_the_same_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    monkeypatch.setattr(archive_record, "BLOCKS_PER_FILE", 3)
    whole, killed = _write(tmp_path / "whole", LONG), tmp_path / "killed"
    command = [sys.executable, "-c", _DIES_AT_A_WRITE, str(killed), str(write)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    done = 0
    if (killed / MANIFEST).exists():  # then whatever it names is whole
        source = ArchiveSource(killed)
        done = len(list(source.blocks(BlockNumber(1))))
    assert done == {1: 0, 2: 0, 3: 0, 4: 0, 5: 3, 6: 3, 7: 6, 8: 6}[write]
    _write(killed, LONG[done:])
    assert _content(killed) == _content(whole)


def test_a_file_that_a_killed_recording_left_is_replaced_by_one_with_another_end(
    archive: Path, tmp_path: Path
) -> None:
    blocks = chain([9, 10], parent=BLOCKS[-1].hash)
    before = (archive / MANIFEST).read_bytes()
    _write(archive, blocks[:1])
    (archive / MANIFEST).write_bytes(before)  # as if it had died just before
    with pytest.raises(ArchiveError, match=r"9-9\.parquet is not in the manifest: record again"):
        verify(archive)
    _write(archive, blocks)
    assert verify(archive).blocks == 7
    assert _content(archive) == _content(_write(_write(tmp_path / "b", BLOCKS), blocks))


def _content(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
