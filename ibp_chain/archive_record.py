"""Record a node's finalised blocks; a recording that was interrupted goes on where it stopped."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ibp_chain.archive_blocks import Recorded
from ibp_chain.archive_format import (
    BLOCK_FILES,
    MANIFEST,
    PARQUET_MAGIC,
    SCHEMA,
    BlockFile,
    Manifest,
    Span,
    block_file_name,
    file_digest,
    read_manifest,
    span_digest,
    write_manifest,
    write_metadata,
)
from ibp_chain.blocks import Block
from ibp_chain.errors import ArchiveError
from ibp_chain.files import replacing
from ibp_chain.node import ChainInfo, to_hex
from ibp_chain.proven_blocks import with_proofs
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash, SpecVersion

BLOCKS_PER_FILE = 1_024
BYTES_PER_FILE = 64 * 2**20
"""Of raw block data: where blocks are large, files end earlier and memory stays bounded."""
_PROOFS_AT_ONCE = 16


class ArchiveWriter:
    """Adds blocks to the archive in `folder`, new or begun; what is not flushed is not there.

    `metadata` gives a runtime's metadata in every format version that is to be kept.

    Raises `ArchiveError` where the archive there is of another chain.
    """

    def __init__(
        self,
        folder: Path,
        chain: ChainInfo,
        genesis_hash: Hash,
        metadata: Callable[[SpecVersion], Sequence[bytes]],
    ) -> None:
        self.folder, self._metadata = folder, metadata
        self._chain = {
            "name": chain.name,
            "genesis_hash": to_hex(genesis_hash),
            "ss58_prefix": chain.ss58_prefix,
            "token_symbol": chain.token_symbol,
            "token_decimals": chain.token_decimals,
        }
        self.manifest = _manifest_there(folder)
        if self.manifest and self.manifest.chain.genesis_hash != to_hex(genesis_hash):
            raise ArchiveError(
                f"{folder} holds another chain: its genesis is "
                f"{self.manifest.chain.genesis_hash}, not {to_hex(genesis_hash)}"
            )
        self._waiting: list[Recorded] = []
        self._waiting_size = 0

    def append(self, recorded: Recorded) -> None:
        """Take a block; a full file of them is written at once.

        Raises `ArchiveError`, also where the file system refuses, as `flush` does.
        """
        parent, head = recorded.block.header.parent_hash, self._head()
        if head is not None and head != to_hex(parent):
            raise ArchiveError(
                f"block {recorded.block.header.number} does not follow the archive's last block "
                f"{head}"
            )
        self._waiting.append(recorded)
        self._waiting_size += _raw_size(recorded)
        if len(self._waiting) >= BLOCKS_PER_FILE or self._waiting_size >= BYTES_PER_FILE:
            self.flush()

    def flush(self) -> None:
        """Write what was appended: the block file first, then the manifest that names it.

        Raises `ArchiveError`; what could not be written is tried again by the next one.
        """
        if self._waiting:
            with written_to(self.folder):
                self._flush()

    def _flush(self) -> None:
        if _manifest_there(self.folder) != self.manifest:
            raise ArchiveError(f"{self.folder}: another recording has written to it meanwhile")
        known = [] if self.manifest is None else [f.model_dump() for f in self.manifest.metadata]
        versions = {file["spec_version"] for file in known}
        new = sorted({recorded.block.spec_version for recorded in self._waiting} - versions)
        known += [
            write_metadata(self.folder, version, raw).model_dump()
            for version in new
            for raw in self._metadata(version)
        ]
        files = [] if self.manifest is None else [f.model_dump() for f in self.manifest.files]
        written = _write_blocks(self.folder, self._waiting)
        files.append(written.model_dump())
        self.manifest = write_manifest(
            self.folder,
            {
                "chain": self._chain,
                "head_hash": to_hex(self._waiting[-1].block.hash),
                "files": files,
                "metadata": sorted(known, key=lambda file: (file["spec_version"], file["version"])),
            },
        )
        _remove_left_over(self.folder, written)
        self._waiting, self._waiting_size = [], 0

    def _head(self) -> str | None:
        if self._waiting:
            return to_hex(self._waiting[-1].block.hash)
        return None if self.manifest is None else self.manifest.head_hash


def record(
    node: NodeSource,
    folder: Path,
    first: BlockNumber | None = None,
    last: BlockNumber | None = None,
    *,
    proofs: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> Manifest:
    """Record finalised blocks `first` (or behind what is there) to `last` (or the head).

    With `proofs`, each block's events and spec version are bound to its header; the node must keep
    those states. `progress` hears how many blocks were read. Raises `ArchiveError`, `SourceError`.
    """
    writer = ArchiveWriter(
        folder,
        node.chain(),
        node.genesis_hash,
        lambda version: sorted({node.metadata_v14(version), node.metadata(version)}),
    )
    if writer.manifest is not None:
        behind = BlockNumber(writer.manifest.last + 1)
        if first is not None and first != writer.manifest.first:
            raise ArchiveError(f"{folder} begins with block {writer.manifest.first}, not {first}")
        first = behind
    start = node.first() if first is None else first
    stop = node.head().number if last is None else last
    blocks = iter(node.blocks(start, stop) if start <= stop else ())
    done = 0
    while waiting := list(islice(blocks, _PROOFS_AT_ONCE)):
        done += _take(node, writer, waiting, proofs=proofs)
        progress(done)
    writer.flush()
    if writer.manifest is None:
        raise ArchiveError(f"there are no finalised blocks from {start} to {stop} to record")
    return writer.manifest


def _take(node: NodeSource, writer: ArchiveWriter, blocks: Sequence[Block], *, proofs: bool) -> int:
    recorded = with_proofs(node, blocks) if proofs else [Recorded(block, None) for block in blocks]
    for each in recorded:
        writer.append(each)
    return len(blocks)


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """What the file system refuses is an `ArchiveError` that names the archive."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"{folder} cannot be written any further: {error.strerror or error}: mend that and run "
            "this again, what was recorded is whole"
        ) from error


def _manifest_there(folder: Path) -> Manifest | None:
    return read_manifest(folder) if (folder / MANIFEST).exists() else None


def _write_blocks(folder: Path, blocks: Sequence[Recorded]) -> BlockFile:
    first, last = blocks[0].block.header.number, blocks[-1].block.header.number
    with replacing(folder / block_file_name(first, last)) as part:
        _write_parquet(part, blocks)
        return BlockFile(
            first=first,
            last=last,
            proven=sum(recorded.proof is not None for recorded in blocks),
            size=part.stat().st_size,
            blake2b=file_digest(part),
            spans=_spans(part, blocks),
        )


def _remove_left_over(folder: Path, written: BlockFile) -> None:
    """A process that died before the manifest left this file behind, maybe with another end."""
    for path in (folder / BLOCK_FILES).glob(f"{written.first}-*.parquet*"):
        if path != folder / written.name:
            path.unlink()


def _raw_size(recorded: Recorded) -> int:
    parts = (*recorded.block.extrinsics, recorded.block.events, *(recorded.proof or ()))
    return sum(map(len, parts))


def _write_parquet(path: Path, blocks: Sequence[Recorded]) -> None:
    with pq.ParquetWriter(
        path,
        SCHEMA,
        compression="zstd",
        compression_level=12,
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        for recorded in blocks:
            writer.write_table(_row(recorded))


def _spans(path: Path, blocks: Sequence[Recorded]) -> tuple[Span, ...]:
    """Which bytes hold which block: row groups follow each other from behind the magic on."""
    footer = pq.read_metadata(path)
    spans = []
    with path.open("rb") as file:
        file.seek(len(PARQUET_MAGIC))
        for index, recorded in enumerate(blocks):
            group = footer.row_group(index)
            size = sum(group.column(c).total_compressed_size for c in range(group.num_columns))
            assert file.tell() == group.column(0).data_page_offset
            digest = span_digest(file.read(size))
            number = recorded.block.header.number
            spans.append(Span(number=number, size=size, blake2b=digest))
    return tuple(spans)


def _row(recorded: Recorded) -> Any:
    block = recorded.block
    return pa.table(
        {
            "number": [block.header.number],
            "hash": [block.hash],
            "header": [block.header.encoded],
            "extrinsics": [list(block.extrinsics)],
            "events": [block.events],
            "spec_version": [block.spec_version],
            "proof": [None if recorded.proof is None else list(recorded.proof)],
        },
        schema=SCHEMA,
    )
