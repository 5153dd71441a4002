"""The block files of an archive: read one block at a time, and say where one is damaged."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from ibp_chain.archive_folder import Folder, chunks, said
from ibp_chain.archive_format import (
    PARQUET_MAGIC,
    SCHEMA,
    BlockFile,
    span_digest,
    stream_digest,
)
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import ArchiveCorrupt, ArchiveError, CheckFailed, DecodeError
from ibp_chain.headers import decode_header, first_fault
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.source import EVENTS_KEY, NO_EVENTS
from ibp_chain.trie import verify_read_proof
from ibp_chain.types import BlockNumber, Hash, SpecVersion

LAST_UPGRADE_KEY = bytes.fromhex("26aa394eea5630e07c48ae0c9558cef7f9cce9c888469bb1a0dceaa129672ef8")
"""twox128("System") + twox128("LastRuntimeUpgrade"): the version of the runtime that last ran."""
_BLOCKS_AT_ONCE = 64
_BYTES_AT_ONCE = 8 * 2**20
"""Of compressed blocks."""
_BYTES_IN_MEMORY = 64 * 2**20
"""Of a file that is fetched: what is longer lies in a temporary file meanwhile."""
_SPARSE = 4
"""Where a file has this many times the blocks that are wanted, ranges cost less."""
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A block and the trie nodes recorded with it; None where there are none."""

    block: Block
    proof: tuple[bytes, ...] | None


@contextmanager
def _checked(folder: Folder, file: BlockFile, wanted: range) -> Iterator[BinaryIO]:
    """The file, to read the blocks at `wanted` from; its digest is compared first.

    Elsewhere, a file of which little is wanted is read in ranges, and the spans' digests are
    compared. One of which all is wanted is fetched once.
    """
    try:
        with ExitStack() as stack:
            opened = stack.enter_context(folder.open(file.name))
            if not folder.is_local and len(wanted) * _SPARSE <= file.blocks:
                whole = _spans_hold(opened, file, wanted)
            elif folder.is_local:
                whole = stream_digest(opened) == file.blake2b
            else:
                fetched = stack.enter_context(SpooledTemporaryFile(_BYTES_IN_MEMORY))
                for chunk in chunks(opened):
                    fetched.write(chunk)
                fetched.seek(0)
                opened = cast("BinaryIO", fetched)
                whole = stream_digest(opened) == file.blake2b
            if not whole:
                raise _damage(folder, file)
            opened.seek(0)
            yield opened
    except OSError as error:
        raise ArchiveError(f"{folder.where(file.name)}: {said(error)}: copy it again") from error


def _spans_hold(opened: BinaryIO, file: BlockFile, wanted: range) -> bool:
    opened.seek(len(PARQUET_MAGIC) + sum(span.size for span in file.spans[: wanted.start]))
    spans = file.spans[wanted.start : wanted.stop]
    return all(span_digest(opened.read(span.size)) == span.blake2b for span in spans)


def _damage(folder: Folder, file: BlockFile) -> ArchiveCorrupt:
    """Where a file differs from what was recorded: the block, and its field if that shows."""
    with folder.open(file.name) as bytes_:
        if bytes_.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
            for index, span in enumerate(file.spans):
                if span_digest(bytes_.read(span.size)) != span.blake2b:
                    return _damaged_field(folder, file, index)
    blocks = f"{file.first}" if file.first == file.last else f"{file.first} to {file.last}"
    return ArchiveCorrupt(
        file.first, file.name, f"the file's own index of blocks {blocks} was changed"
    )


def _damaged_field(folder: Folder, file: BlockFile, index: int) -> ArchiveCorrupt:
    number = file.spans[index].number
    try:
        with folder.open(file.name) as opened, _parquet(opened, file) as parquet:
            check(_recorded(_read_row(parquet, index, number), number), None)
    except ArchiveCorrupt as fault:
        # a damaged index makes reading fail elsewhere; the span still knows which block it is
        return fault if fault.block == number else ArchiveCorrupt(number, "block", str(fault))
    return ArchiveCorrupt(number, "block", "its bytes are not those that were recorded")


def read_blocks(
    folder: Folder, file: BlockFile, first: BlockNumber, last: BlockNumber
) -> Iterator[Recorded]:
    """The blocks of one file up to height `last`, one at a time, from the one below `first` on."""
    numbers = [span.number for span in file.spans]
    wanted = range(max(0, bisect_left(numbers, first) - 1), bisect_right(numbers, last))
    with _checked(folder, file, wanted) as opened, _parquet(opened, file) as parquet:
        for batch in _batches(file, wanted):
            for index, row in zip(batch, _read_rows(parquet, batch, numbers), strict=True):
                yield _recorded(row, numbers[index])


def _batches(file: BlockFile, wanted: range) -> Iterator[range]:
    """Consecutive row groups to read at once: few enough that memory stays bounded."""
    start, size = wanted.start, 0
    for index in wanted:
        size += file.spans[index].size
        if index + 1 - start == _BLOCKS_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield range(start, index + 1)
            start, size = index + 1, 0
    if start < wanted.stop:
        yield range(start, wanted.stop)


def _read_rows(parquet: Any, batch: range, numbers: Sequence[int]) -> list[dict[str, Any]]:
    try:
        table = parquet.read_row_groups(list(batch), use_threads=False)
        if len(table) == len(batch):
            return list(table.to_pylist())
    except _UNREADABLE:
        pass  # one by one, so that block and field are named
    return [_read_row(parquet, index, numbers[index]) for index in batch]


@contextmanager
def _parquet(opened: BinaryIO, file: BlockFile) -> Iterator[Any]:
    with _naming(file.first, f"{file.name} (index)"):
        parquet = pq.ParquetFile(opened, page_checksum_verification=True)
        if not parquet.schema_arrow.equals(SCHEMA) or parquet.num_row_groups != file.blocks:
            raise ValueError("not the columns or the number of blocks that were recorded")
    with parquet:
        yield parquet


def _read_row(parquet: Any, index: int, number: int) -> dict[str, Any]:
    return {name: _read_cell(parquet, index, name, number) for name in SCHEMA.names}


def _read_cell(parquet: Any, index: int, name: str, number: int) -> Any:
    with _naming(number, name):
        column = parquet.read_row_group(index, columns=[name], use_threads=False).column(0)
        if len(column) != 1:
            raise ValueError(f"{len(column)} values instead of one")
        return column[0].as_py()


def _recorded(row: dict[str, Any], number: int) -> Recorded:
    if row["number"] != number:
        raise ArchiveCorrupt(number, "number", f"reads {row['number']}")
    try:
        header = decode_header(row["header"])
    except DecodeError as error:
        raise ArchiveCorrupt(number, "header", str(error)) from error
    if header.number != number:
        raise ArchiveCorrupt(number, "header", f"is of block {header.number}")
    block = Block(
        Hash(row["hash"]),
        header,
        tuple(row["extrinsics"]),
        row["events"],
        SpecVersion(row["spec_version"]),
    )
    proof = row["proof"]
    return Recorded(block, None if proof is None else tuple(proof))


@contextmanager
def _naming(number: int, field: str) -> Iterator[None]:
    """Whatever the Parquet reader trips over is damage, named by block and field."""
    try:
        yield
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArchiveCorrupt(number, field, f"unreadable: {reason}") from error


def check(recorded: Recorded, previous: BlockRef | None) -> None:
    block = recorded.block
    fault = first_fault(block, previous)
    if fault is not None:
        raise ArchiveCorrupt(block.header.number, *fault)
    if recorded.proof is not None:
        check_proof(block, recorded.proof)


def check_proof(block: Block, proof: tuple[bytes, ...]) -> None:
    """That the header's state has these events, and was left by this runtime.

    Raises `ArchiveCorrupt`. Executive writes `LastRuntimeUpgrade` in the first block that a runtime
    executes, so that a block's post-state names the runtime that executed it.
    """
    root, number = block.header.state_root, block.header.number
    try:
        events = verify_read_proof(root, EVENTS_KEY, proof)
        upgrade = verify_read_proof(root, LAST_UPGRADE_KEY, proof)
        spec_version = None if upgrade is None else decode_compact(upgrade)[0]
    except (CheckFailed, DecodeError) as error:
        raise ArchiveCorrupt(number, "proof", str(error)) from error
    if (NO_EVENTS if events is None else events) != block.events:
        raise ArchiveCorrupt(number, "events", "are not those of the header's state root")
    if spec_version != block.spec_version:
        raise ArchiveCorrupt(
            number, "spec_version", f"is {block.spec_version}; the state says {spec_version}"
        )
