"""An archive that grows with its chain: every block is on the disk before anybody else sees it.

A block file holds a thousand blocks, and the chain makes one at a time: until a file is full its
blocks stand in a journal beside the block files, each with a checksum. A process that was killed
leaves a journal that ends somewhere; the next one takes over what is whole.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Self

from ibp_chain.archive_blocks import Recorded, check
from ibp_chain.archive_record import ArchiveWriter, written_to
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import ArchiveCorrupt, ArchiveError, DecodeError
from ibp_chain.headers import decode_header
from ibp_chain.node import ChainInfo
from ibp_chain.nodes import Nodes
from ibp_chain.scale import schema
from ibp_chain.types import BlockNumber, Hash, SpecVersion

JOURNAL = "journal"
_SIZE_BYTES, _DIGEST_BYTES = 4, 16


class _Entry(NamedTuple):
    """A block in the journal."""

    header: bytes
    extrinsics: tuple[bytes, ...]
    events: bytes
    spec_version: int
    proof: tuple[bytes, ...] | None


_ENTRY = schema.struct(
    _Entry,
    header=schema.octets,
    extrinsics=schema.vec(schema.octets),
    events=schema.octets,
    spec_version=schema.u32,
    proof=schema.option(schema.vec(schema.octets)),
)


class FollowedArchive:
    """The archive in `folder`, new or begun, for one process to add to.

    `metadata` gives a runtime's metadata in every format version that is to be kept.

    Raises `ArchiveError` for an archive of another chain, and where another process adds to it.
    """

    def __init__(
        self,
        folder: Path,
        chain: ChainInfo,
        genesis_hash: Hash,
        metadata: Callable[[SpecVersion], Sequence[bytes]],
    ) -> None:
        self.folder = folder
        with written_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _locked(folder)
        try:
            self._writer = ArchiveWriter(folder, chain, genesis_hash, metadata)
            self._versions = self._known_versions()
            self._unwritten = bytearray()
            self._whole = 0
            """Bytes of the journal that are whole records, and on the disk."""
            self._taken = 0
            self.head = self._sealed_head()
            """The last block that was taken; None before the first."""
            with written_to(folder):
                self._take_over()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.seal()
        finally:
            self.close()

    def close(self) -> None:
        """Leave it as it is: what was synced is taken over by the next one."""
        os.close(self._file)

    def take(self, recorded: Recorded) -> None:
        """Add a block; one that is there already must be the same.

        Raises `ArchiveError` where it is another, or does not follow the last one, and where it
        cannot be written.
        """
        block = recorded.block
        if self.head is not None and block.header.number <= self.head.number:
            if block.header.number == self.head.number and block.hash != self.head.hash:
                raise ArchiveError(
                    f"{self.folder} ends with block {self.head.number} "
                    f"(0x{self.head.hash.hex()}), the chain has 0x{block.hash.hex()} there: it is "
                    "of another fork"
                )
            return
        manifest = self._writer.manifest
        with written_to(self.folder):
            self._writer.append(recorded)
            self.head = block.ref
            self._taken += 1
            if block.spec_version not in self._versions:
                self._writer.flush()  # so that a journal never needs metadata that is not there
            if self._writer.manifest is manifest:
                self._unwritten += _framed(recorded)
            else:
                self._versions = self._known_versions()
                self._empty_journal()

    def sync(self) -> int:
        """What was taken is on the disk when this returns; how many blocks since the last time.

        Raises `ArchiveError` where it cannot be written: the journal then ends with the last block
        before, and what was taken since is kept for the next time.
        """
        if self._unwritten:
            with written_to(self.folder):
                self._append()
        blocks, self._taken = self._taken, 0
        return blocks

    def seal(self) -> None:
        """Put the journal's blocks into a block file, as any reader of archives finds them."""
        with written_to(self.folder):
            self._writer.flush()
            self._empty_journal()

    def _append(self) -> None:
        """What is unwritten behind the journal's whole records; all of it or nothing."""
        try:
            with memoryview(self._unwritten) as rest:
                done = 0
                while done < len(rest):
                    done += os.pwrite(self._file, rest[done:], self._whole + done)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._whole)
            raise
        self._whole += len(self._unwritten)
        self._unwritten.clear()

    def _known_versions(self) -> frozenset[int]:
        manifest = self._writer.manifest
        return (
            frozenset()
            if manifest is None
            else frozenset(m.spec_version for m in manifest.metadata)
        )

    def _sealed_head(self) -> BlockRef | None:
        manifest = self._writer.manifest
        if manifest is None:
            return None
        return BlockRef(BlockNumber(manifest.last), Hash(bytes.fromhex(manifest.head_hash[2:])))

    def _empty_journal(self) -> None:
        self._unwritten.clear()
        self._whole = 0
        os.ftruncate(self._file, 0)

    def _take_over(self) -> None:
        """The blocks that a process before this one left in the journal, as far as they are whole.

        Behind a record that is torn or damaged nothing is kept: the chain still has the blocks.
        """
        data = Path(self.folder / JOURNAL).read_bytes()
        whole = 0
        for recorded, end in _entries(data):
            follows = self.head is None or recorded.block.header.parent_hash == self.head.hash
            if follows:
                try:
                    check(recorded, self.head)
                except ArchiveCorrupt:
                    break
                self._writer.append(recorded)
                self.head = recorded.block.ref
            elif recorded.block.header.number > (self.head or recorded.block.ref).number:
                break
            whole = end
        os.ftruncate(self._file, whole)
        self._whole = whole


@dataclass(frozen=True, slots=True)
class RecordedNodes:
    """`nodes` as a source whose blocks `archive` has taken before they come out."""

    nodes: Nodes
    archive: FollowedArchive

    @property
    def genesis_hash(self) -> Hash:
        return self.nodes.genesis_hash

    def chain(self) -> ChainInfo:
        return self.nodes.chain()

    def head(self) -> BlockRef:
        return self.nodes.head()

    def first(self) -> BlockNumber:
        return self.nodes.first()

    def heads(self, stop: Callable[[], bool] = lambda: False) -> Iterator[BlockRef]:
        return self.nodes.heads(stop)

    def blocks(self, first: BlockNumber, last: BlockNumber | None = None) -> Iterator[Block]:
        for recorded in self.nodes.recorded(first, last):
            self.archive.take(recorded)
            yield recorded.block

    def metadata(self, spec_version: SpecVersion) -> bytes:
        return self.nodes.metadata(spec_version)

    def metadata_v14(self, spec_version: SpecVersion) -> bytes:
        return self.nodes.metadata_v14(spec_version)


def kept_formats(nodes: Nodes) -> Callable[[SpecVersion], list[bytes]]:
    """Of a runtime's metadata: the newest, and V14 for decoders that read no newer one."""
    return lambda version: sorted({nodes.metadata_v14(version), nodes.metadata(version)})


def _locked(folder: Path) -> int:
    file = os.open(folder / JOURNAL, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise ArchiveError(f"{folder}: another process is adding blocks to it") from None
    return file


def _framed(recorded: Recorded) -> bytes:
    block = recorded.block
    payload = _ENTRY.encode(
        _Entry(
            block.header.encoded,
            block.extrinsics,
            block.events,
            block.spec_version,
            recorded.proof,
        )
    )
    size = len(payload).to_bytes(_SIZE_BYTES, "little")
    return size + _digest(payload) + payload


def _digest(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=_DIGEST_BYTES).digest()


def _entries(data: bytes) -> Iterator[tuple[Recorded, int]]:
    """Each whole entry of a journal with where it ends; nothing from the first that is not."""
    at = 0
    while len(data) - at >= _SIZE_BYTES + _DIGEST_BYTES:
        size = int.from_bytes(data[at : at + _SIZE_BYTES], "little")
        start = at + _SIZE_BYTES + _DIGEST_BYTES
        payload = data[start : start + size]
        if len(payload) != size or _digest(payload) != data[at + _SIZE_BYTES : start]:
            return
        try:
            yield _recorded(_ENTRY.decode(payload)), start + size
        except DecodeError:
            return
        at = start + size


def _recorded(entry: _Entry) -> Recorded:
    header = decode_header(entry.header)
    block = Block(
        header.hash,
        header,
        entry.extrinsics,
        entry.events,
        SpecVersion(entry.spec_version),
    )
    return Recorded(block, entry.proof)
