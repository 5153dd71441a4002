"""Read and verify a block archive.

An archive is a `BlockSource` like a node, and trusted as little: every block that comes out of it
hashes to its hash, links to the one before and has its extrinsics root recomputed; where a proof is
recorded, events and spec version are checked against the state root in the header. The digest of a
file is compared before its first block comes out, so that accidents are found where nothing is
proven.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ibp_chain.archive_blocks import Recorded, check, read_blocks
from ibp_chain.archive_folder import Folder, Location, folder_at, said
from ibp_chain.archive_format import (
    BLOCK_FILES,
    MANIFEST,
    START,
    Manifest,
    MetadataFile,
    read_manifest,
    read_metadata,
)
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import ArchiveCorrupt, ArchiveError
from ibp_chain.node import ChainInfo
from ibp_chain.state_excerpt import MAX_BYTES, Excerpt, decode_excerpt
from ibp_chain.types import BlockNumber, Hash, SpecVersion


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification covered."""

    manifest: Manifest
    blocks: int
    proven: int
    """Blocks whose events and spec version are bound to their header."""


class ArchiveSource:
    """The blocks of the archive at `location`; reads one block at a time.

    Raises `ArchiveError` for a folder that is no archive, `ArchiveCorrupt` for a damaged one, when
    opened or as soon as reading gets there.
    """

    def __init__(self, location: Location) -> None:
        self.folder = folder_at(location)
        self.manifest = read_manifest(self.folder)
        _check_files(self.folder, self.manifest)

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

    def start(self) -> Excerpt | None:
        """State after the block before the first, where `START` is there; see `ledger.start`.

        Raises `InputError` where it is damaged, `ArchiveCorrupt` where it is of another block.
        """
        if START not in self.folder.sizes(""):
            return None
        try:
            raw = self.folder.read(START, MAX_BYTES)
        except OSError as error:
            raise ArchiveError(f"{self.folder.where(START)}: {said(error)}") from error
        excerpt = decode_excerpt(raw, self.folder.where(START))
        first = next(self.blocks(self.manifest.first, self.manifest.first))
        if excerpt.header.hash != first.header.parent_hash:
            raise ArchiveCorrupt(
                first.header.number,
                "parent_hash",
                f"{START} is the state of 0x{excerpt.header.hash.hex()}, "
                f"the block before is 0x{first.header.parent_hash.hex()}",
            )
        return excerpt

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
            for recorded in read_blocks(self.folder, file, first, last):
                block = recorded.block
                if block.header.number == 1:
                    previous = BlockRef(BlockNumber(0), self.genesis_hash)
                check(recorded, previous)
                previous = block.ref
                if first <= block.header.number <= last:
                    yield recorded
                if block.header.number >= last:
                    break
        if last == self.manifest.last and previous != self.head():
            raise ArchiveCorrupt(last, "hash", "the manifest's head is another block")


def verify(location: Location, progress: Callable[[int], object] = lambda _: None) -> Verified:
    """Check every byte of the archive at `location`; `progress` hears how many blocks are done.

    Raises `ArchiveError` for what is no archive, `ArchiveCorrupt` naming block and field.
    """
    source = ArchiveSource(location)
    folder, manifest = source.folder, source.manifest
    _check_nothing_else(folder, manifest)
    for metadata in manifest.metadata:
        read_metadata(folder, metadata)
    versions = {file.spec_version for file in manifest.metadata}
    done = proven = 0
    for recorded in source.recorded(manifest.first, manifest.last):
        block = recorded.block
        if block.spec_version not in versions:
            raise ArchiveCorrupt(
                block.header.number, "spec_version", f"{block.spec_version} has no metadata here"
            )
        done, proven = done + 1, proven + (recorded.proof is not None)
        progress(done)
    if proven != sum(file.proven for file in manifest.files):
        raise ArchiveCorrupt(manifest.first, MANIFEST, "counts other proofs than there are")
    return Verified(manifest, done, proven)


def _check_files(folder: Folder, manifest: Manifest) -> None:
    """The files that the manifest names are there, whole, and their blocks ascend."""
    above, sizes = -1, _sizes(folder)
    for file in manifest.files:
        for span in file.spans:
            if span.number <= above:
                raise ArchiveCorrupt(span.number, MANIFEST, f"listed behind block {above}")
            above = span.number
        if (file.spans[0].number, above) != (file.first, file.last):
            raise ArchiveCorrupt(file.first, MANIFEST, f"{file.name} lists other blocks")
        size = sizes.get(Path(file.name).name)
        if size is None:
            raise ArchiveError(f"{folder.where(file.name)}: is not there: copy it again")
        if size != file.size:
            raise ArchiveError(
                f"{folder.where(file.name)} has {size} bytes instead of {file.size}: copy it again"
            )


def _check_nothing_else(folder: Folder, manifest: Manifest) -> None:
    """Common tools read every block file that lies there, so there are no others."""
    listed = {Path(file.name).name for file in manifest.files}
    for name in sorted(_sizes(folder)):
        if name.endswith(".parquet") and name not in listed:
            raise ArchiveError(
                f"{folder.where(f'{BLOCK_FILES}/{name}')} is not in the manifest: record again if "
                "that was interrupted, or remove the file"
            )


def _sizes(folder: Folder) -> dict[str, int]:
    try:
        return folder.sizes(BLOCK_FILES)
    except OSError as error:
        raise ArchiveError(f"{folder.where(BLOCK_FILES)}: {said(error)}") from error


def _hash(text: str) -> Hash:
    return Hash(bytes.fromhex(text[2:]))
