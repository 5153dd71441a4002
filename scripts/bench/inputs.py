"""The bytes that every codec is given: real Polkadot events, and the blocks of a recorded chain."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import Block, Header
from ibp_chain.runtime import Runtime
from ibp_chain.types import BlockNumber, SpecVersion
from scripts.public_data import scale_data

V14 = 14
"""The metadata format that every codec reads."""


class Sample(NamedTuple):
    """What of one block is decoded."""

    number: BlockNumber
    spec_version: SpecVersion
    events: bytes
    extrinsics: tuple[bytes, ...]
    """Empty where only events are known."""
    header: Header | None = None
    """None where only events are known."""


class Format(NamedTuple):
    """Whose metadata, in which format."""

    spec_version: SpecVersion
    version: int


@dataclass(frozen=True)
class Input:
    """Blocks of one chain, and the metadata of their runtimes."""

    title: str
    samples: tuple[Sample, ...]
    metadata: Mapping[Format, bytes]

    @cached_property
    def runtimes(self) -> dict[SpecVersion, Runtime]:
        """By V14, as the peers."""
        return {
            key.spec_version: Runtime.from_metadata(raw)
            for key, raw in self.metadata.items()
            if key.version == V14
        }

    @cached_property
    def event_bytes(self) -> int:
        return sum(len(sample.events) for sample in self.samples)

    @cached_property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """`Pallet.Event` of every event of every block, as we read them."""
        return tuple(
            tuple(
                f"{event.pallet}.{event.name}"
                for event in self.runtimes[sample.spec_version].decode_events(sample.events)
            )
            for sample in self.samples
        )

    @cached_property
    def events(self) -> int:
        return sum(len(block) for block in self.names)

    @cached_property
    def calls(self) -> tuple[tuple[str, ...], ...]:
        """`Pallet.call` of every extrinsic of every block, as we read them."""
        return tuple(
            tuple(
                f"{call.pallet}.{call.name}"
                for raw in sample.extrinsics
                for call in (self.runtimes[sample.spec_version].decode_extrinsic(raw).call,)
            )
            for sample in self.samples
        )

    @cached_property
    def extrinsics(self) -> int:
        return sum(len(sample.extrinsics) for sample in self.samples)

    def varied(self, spec_version: SpecVersion) -> list[Sample]:
        """The first blocks of a runtime that have an event or a call that none before had."""
        seen: set[str] = set()
        found = []
        for sample, *names in zip(self.samples, self.names, self.calls, strict=True):
            new = {name for each in names for name in each} - seen
            if sample.spec_version == spec_version and new:
                seen |= new
                found.append(sample)
        return found

    def count(self, pallets: frozenset[str]) -> int:
        """How many events are of `pallets`."""
        return sum(name.split(".")[0] in pallets for block in self.names for name in block)


@dataclass(frozen=True)
class Chain:
    """A recorded chain, read and verified."""

    folder: Path
    source: ArchiveSource
    blocks: tuple[Block, ...]
    input: Input


def real_blocks() -> Input:
    """The real Polkadot blocks. Raises `ConfigError` where they are not on this machine."""
    folder = scale_data()
    with gzip.open(folder / "polkadot-events.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    samples = tuple(
        Sample(
            BlockNumber(int(row["block"])),
            SpecVersion(int(row["spec"])),
            bytes.fromhex(row["hex"][2:]),
            (),
        )
        for row in rows
    )
    metadata = {
        Format(spec_version, version): gzip.decompress(path.read_bytes())
        for spec_version in sorted({sample.spec_version for sample in samples})
        for version in (14, 15, 16)
        if (path := folder / "metadata" / f"polkadot-{spec_version}-v{version}.scale.gz").is_file()
    }
    return Input("Events of real Polkadot blocks", samples, metadata)


def recorded_chain(folder: Path) -> Chain:
    """The archive in `folder`. Raises `ArchiveError`."""
    source = ArchiveSource(folder)
    blocks = tuple(source.blocks(source.first()))
    samples = tuple(
        Sample(
            block.header.number, block.spec_version, block.events, block.extrinsics, block.header
        )
        for block in blocks
    )
    metadata = {}
    for spec_version in sorted({sample.spec_version for sample in samples}):
        for raw in (source.metadata_v14(spec_version), source.metadata(spec_version)):
            metadata[Format(spec_version, raw[4])] = raw
    title = f"Events of a recorded {source.chain().name} test chain"
    return Chain(folder, source, blocks, Input(title, samples, metadata))
