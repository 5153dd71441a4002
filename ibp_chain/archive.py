"""Read and verify a block archive.

An archive is a `BlockSource` like a node, and trusted as little: every block that comes out of it
hashes to its hash, links to the one before and has its extrinsics root recomputed; where a proof is
recorded, events and spec version are checked against the state root in the header.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ibp_chain.archive_format import (
    MANIFEST,
    PARQUET_MAGIC,
    SCHEMA,
    BlockFile,
    Manifest,
    MetadataFile,
    file_digest,
    read_manifest,
    read_metadata,
    span_digest,
)
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import ArchiveCorrupt, ArchiveError, CheckFailed, DecodeError
from ibp_chain.headers import decode_header, first_fault
from ibp_chain.node import ChainInfo
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.source import EVENTS_KEY, NO_EVENTS
from ibp_chain.trie import verify_read_proof
from ibp_chain.types import BlockNumber, Hash, SpecVersion

LAST_UPGRADE_KEY = bytes.fromhex("26aa394eea5630e07c48ae0c9558cef7f9cce9c888469bb1a0dceaa129672ef8")
"""twox128("System") + twox128("LastRuntimeUpgrade"): the version of the runtime that last ran."""
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A block and the trie nodes recorded with it; None where there are none."""

    block: Block
    proof: tuple[bytes, ...] | None


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification covered."""

    manifest: Manifest
    blocks: int
    proven: int
    """Blocks whose events and spec version are bound to their header."""


class ArchiveSource:
    """The blocks of the archive in `folder`; reads one block at a time.

    Raises `ArchiveError` for a folder that is no archive, `ArchiveCorrupt` for a damaged one, when
    opened or as soon as reading gets there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        _check_files(folder, self.manifest)

    @property
    def genesis_hash(self) -> Hash:
        return _hash(self.manifest.chain.genesis_hash)

    def chain(self) -> ChainInfo:
        chain = self.manifest.chain
        return ChainInfo(chain.name, chain.ss58_prefix, chain.token_symbol, chain.token_decimals)

    def head(self) -> BlockRef:
        return BlockRef(self.manifest.last, _hash(self.manifest.head_hash))

    def first(self) -> BlockNumber:
        return self.manifest.first

    def blocks(self, first: BlockNumber, last: BlockNumber | None = None) -> Iterator[Block]:
        last = self.manifest.last if last is None else last
        if not self.manifest.first <= first or not last <= self.manifest.last:
            raise ArchiveError(
                f"{self.folder} has blocks {self.manifest.first} to {self.manifest.last}, "
                f"not {first} to {last}"
            )
        return (recorded.block for recorded in self.recorded(first, last))

    def metadata(self, spec_version: SpecVersion) -> bytes:
        return read_metadata(self.folder, self._metadata_files(spec_version)[-1])

    def metadata_v14(self, spec_version: SpecVersion) -> bytes:
        """For decoders that read no newer format. Raises `ArchiveError` where it is not kept."""
        oldest = self._metadata_files(spec_version)[0]
        if oldest.version != 14:
            raise ArchiveError(f"{self.folder} has no metadata V14 of spec version {spec_version}")
        return read_metadata(self.folder, oldest)

    def _metadata_files(self, spec_version: SpecVersion) -> list[MetadataFile]:
        """By format version, at least one. Raises `ArchiveError`."""
        every = sorted(self.manifest.metadata, key=lambda file: file.version)
        found = [file for file in every if file.spec_version == spec_version]
        if not found:
            known = ", ".join(map(str, sorted({file.spec_version for file in every})))
            raise ArchiveError(
                f"{self.folder} has no metadata of spec version {spec_version}; it has {known}"
            )
        return found

    def recorded(self, first: BlockNumber, last: BlockNumber) -> Iterator[Recorded]:
        """Blocks with their proofs, each checked. Raises `ArchiveCorrupt`."""
        previous: BlockRef | None = None
        for file in self.manifest.files:
            if file.last < first:
                continue
            if file.first > last:
                break
            for recorded in _read_file(self.folder, file):
                block = recorded.block
                _check(recorded, previous)
                previous = block.ref
                if first <= block.header.number <= last:
                    yield recorded
                if block.header.number >= last:
                    break
        if last == self.manifest.last and previous != self.head():
            raise ArchiveCorrupt(last, "hash", "the manifest's head is another block")


def verify(folder: Path, progress: Callable[[int], object] = lambda _: None) -> Verified:
    """Check every byte of the archive in `folder`; `progress` hears how many blocks are done.

    Raises `ArchiveError` for what is no archive, `ArchiveCorrupt` naming block and field.
    """
    source = ArchiveSource(folder)
    manifest = source.manifest
    for metadata in manifest.metadata:
        read_metadata(folder, metadata)
    for file in manifest.files:
        if file_digest(folder / file.name) != file.blake2b:
            raise _damage(folder, file)
    done = proven = 0
    for recorded in source.recorded(manifest.first, manifest.last):
        done, proven = done + 1, proven + (recorded.proof is not None)
        progress(done)
    if proven != sum(file.proven for file in manifest.files):
        raise ArchiveCorrupt(manifest.first, MANIFEST, "counts other proofs than there are")
    return Verified(manifest, done, proven)


# --- Block files ----------------------------------------------------------------------


def _check_files(folder: Path, manifest: Manifest) -> None:
    """The files that the manifest names are there, whole, and their blocks ascend."""
    above = -1
    for file in manifest.files:
        for span in file.spans:
            if span.number <= above:
                raise ArchiveCorrupt(span.number, MANIFEST, f"listed behind block {above}")
            above = span.number
        if (file.spans[0].number, above) != (file.first, file.last):
            raise ArchiveCorrupt(file.first, MANIFEST, f"{file.name} lists other blocks")
        try:
            size = (folder / file.name).stat().st_size
        except OSError as error:
            raise ArchiveError(f"{folder / file.name}: {error.strerror}: copy it again") from error
        if size != file.size:
            raise ArchiveError(
                f"{folder / file.name} has {size} bytes instead of {file.size}: copy it again"
            )


def _damage(folder: Path, file: BlockFile) -> ArchiveCorrupt:
    """Where a file differs from what was recorded: the block, and its field if that shows."""
    with (folder / file.name).open("rb") as bytes_:
        if bytes_.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
            for index, span in enumerate(file.spans):
                if span_digest(bytes_.read(span.size)) != span.blake2b:
                    return _damaged_field(folder, file, index)
    blocks = f"{file.first}" if file.first == file.last else f"{file.first} to {file.last}"
    return ArchiveCorrupt(
        file.first, file.name, f"the file's own index of blocks {blocks} was changed"
    )


def _damaged_field(folder: Path, file: BlockFile, index: int) -> ArchiveCorrupt:
    number = file.spans[index].number
    try:
        with _opened(folder, file) as parquet:
            _check(_recorded(_read_row(parquet, index, number), number), None)
    except ArchiveCorrupt as fault:
        # a damaged index makes reading fail elsewhere; the span still knows which block it is
        return fault if fault.block == number else ArchiveCorrupt(number, "block", str(fault))
    return ArchiveCorrupt(number, "block", "its bytes are not those that were recorded")


def _read_file(folder: Path, file: BlockFile) -> Iterator[Recorded]:
    """The blocks of one file, one at a time."""
    with _opened(folder, file) as parquet:
        for index, span in enumerate(file.spans):
            yield _recorded(_read_row(parquet, index, span.number), span.number)


@contextmanager
def _opened(folder: Path, file: BlockFile) -> Iterator[Any]:
    with _naming(file.first, f"{file.name} (index)"):
        parquet = pq.ParquetFile(folder / file.name, page_checksum_verification=True)
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


# --- Blocks -----------------------------------------------------------------------------


def _check(recorded: Recorded, previous: BlockRef | None) -> None:
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


def _hash(text: str) -> Hash:
    return Hash(bytes.fromhex(text[2:]))
