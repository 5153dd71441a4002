"""Ranges of blocks, and what a worker makes of one: read, verified, decoded, attributed.

A range is a pure task: whoever does it, as often as it is done, the same facts come of it. So it
may be lost with a worker, or done by two, and nobody needs to know.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

import ibp_chain
import ledger
from ibp_chain.archive import ArchiveSource
from ibp_chain.archive_folder import redacted
from ibp_chain.blocks import Block
from ibp_chain.errors import ArchiveCorrupt, ArchiveError, CheckFailed, IbpError, SourceError
from ibp_chain.networks import network
from ibp_chain.proven_blocks import with_proofs
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import check_version, runtimes
from ibp_chain.source import BlockSource, NodeSource
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger.facts import FACTS_VERSION, BlockFacts, gather, pack
from ledger.replay import Runtimes

BLOCKS_OF_NODE = 512
"""In a range that is read from a node."""
_PROOFS_AT_ONCE = 16
_ASIDE = frozenset({"cli", "web", "data"})
"""Folders whose code makes no facts."""


class Versions(NamedTuple):
    """What client and workers must have alike."""

    package: str
    facts: int
    code: str = ""
    """A digest of the code that reads and decodes: between two releases too it must be the same."""

    def __str__(self) -> str:
        return f"ibp-chain {self.package} with facts format {self.facts}, code {self.code}"


@cache
def versions() -> Versions:
    """Of the process that asks."""
    return Versions(version("ibp-chain"), FACTS_VERSION, code_digest(*_code()))


def code_digest(*folders: Path) -> str:
    """Of every Python file in `folders`, by name and content; 16 hex digits."""
    digest = blake2b(digest_size=8)
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if not _ASIDE.intersection(path.relative_to(folder).parts):
                for part in (str(path.relative_to(folder)).encode(), path.read_bytes()):
                    digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _code() -> tuple[Path, Path]:
    """Where what `gather` depends on is: all of it that is neither a command nor a page."""
    return Path(ibp_chain.__file__).parent, Path(ledger.__file__).parent


@dataclass(frozen=True, slots=True)
class ArchiveRange:
    """Blocks of one file of an archive, which every worker reaches at `location`."""

    location: str = field(repr=False)
    checksum: str
    """Of the archive's manifest: what a worker keeps of an archive is of this one."""
    file: str
    first: BlockNumber
    last: BlockNumber

    def __str__(self) -> str:
        place = redacted(self.location) if "://" in self.location else self.location
        return f"{place}/{self.file}"


@dataclass(frozen=True, slots=True)
class NodeRange:
    """Blocks of a node, which every worker reaches at `url`."""

    url: str = field(repr=False)
    """May hold a password, and a task is logged by its repr."""
    genesis_hash: Hash
    first: BlockNumber
    last: BlockNumber
    proofs: bool = True
    """Whether events and spec version of each block are to be proven by its header."""

    def __str__(self) -> str:
        return f"{redacted(self.url)}: blocks {self.first} to {self.last}"


Range: TypeAlias = ArchiveRange | NodeRange


class Gathered(NamedTuple):
    """What came of a range."""

    packed: bytes
    """Its facts: `ledger.facts.unpack`."""
    blocks: int


class Refusal(NamedTuple):
    """Why nothing came of a range. A value: nobody does it again because of an exception."""

    message: str
    again: bool
    """Whether another attempt may succeed: a node did not answer."""
    exit_code: int


class BadRange(CheckFailed):
    """A range that does not hold up; says which, and which block and field."""


def gather_range(part: Range, network_name: str, expected: Versions) -> Gathered | Refusal:
    """The facts of a range's blocks, each block verified as `ibp archive verify` does.

    Of an archive a block's events are as proven as it recorded them; of a node they are proven here
    unless the range says otherwise. A node that proves something else is a `BadRange`.
    The link to the block before the range is left to whoever merges it.
    """
    mine = versions()
    if mine != expected:
        return Refusal(f"{part}: a worker has {mine}, this is {expected}", again=False, exit_code=2)
    chain, known = network(network_name), list[BlockFacts]()
    try:
        for block, runtime in _blocks(part):
            known.append(_naming(block, runtime, lambda b, r: gather(b, r, chain)))
    except SourceError as error:
        return Refusal(str(error), again=True, exit_code=error.exit_code)
    except ArchiveError as error:
        return Refusal(str(error), again=False, exit_code=error.exit_code)
    except IbpError as error:
        return Refusal(f"{part}: {error}", again=False, exit_code=CheckFailed.exit_code)
    return Gathered(pack(known), len(known))


def _naming(
    block: Block, runtime: Runtime, make: Callable[[Block, Runtime], BlockFacts]
) -> BlockFacts:
    """A block that cannot be decoded is named, as a damaged one is."""
    try:
        return make(block, runtime)
    except IbpError as error:
        raise ArchiveCorrupt(block.header.number, "extrinsics or events", str(error)) from error


def _blocks(part: Range) -> Iterator[tuple[Block, Runtime]]:
    if isinstance(part, ArchiveRange):
        source, runtime_of = _archive(part.location, part.checksum)
        for block in source.blocks(part.first, part.last):
            yield block, runtime_of(block.spec_version)
        return
    with NodeSource(part.url, expected_genesis=part.genesis_hash) as node:
        blocks = node.blocks(part.first, part.last)
        for block in _proven(node, iter(blocks)) if part.proofs else blocks:
            yield block, _runtime_of_node(node, part, block.spec_version)


def _proven(node: NodeSource, blocks: Iterator[Block]) -> Iterator[Block]:
    """`blocks`, each once `node` has proven its events and spec version."""
    while waiting := list(islice(blocks, _PROOFS_AT_ONCE)):
        yield from (recorded.block for recorded in with_proofs(node, waiting))


# --- What a worker keeps ----------------------------------------------------------------


@lru_cache(maxsize=4)
def _archive(location: str, checksum: str) -> tuple[ArchiveSource, Runtimes]:
    del checksum  # of the key: another recording at the same place is another archive
    source = ArchiveSource(location)
    return source, runtimes(source)


_METADATA_OF_NODES: dict[tuple[str, Hash, SpecVersion], bytes] = {}


def _runtime_of_node(node: NodeSource, part: NodeRange, spec_version: SpecVersion) -> Runtime:
    key = part.url, part.genesis_hash, spec_version
    metadata = _METADATA_OF_NODES.get(key) or node.metadata(spec_version)
    runtime = check_version(metadata, spec_version, f"{part}: metadata")
    _METADATA_OF_NODES[key] = metadata
    return runtime


# --- From a source to its ranges --------------------------------------------------------


class Quarry(Protocol):
    """What a ledger is filled from."""

    @property
    def source(self) -> BlockSource: ...

    def ranges(self, first: BlockNumber, last: BlockNumber) -> Iterator[Range]:
        """Ascending, without gaps or overlap, up to `last`."""

    def met(self, facts: BlockFacts) -> None:
        """Told of a runtime's first block before its metadata is asked for."""


@dataclass(frozen=True, slots=True)
class ArchiveQuarry:
    """An archive at `location`, a range for each of its files."""

    location: str
    source: ArchiveSource

    def ranges(self, first: BlockNumber, last: BlockNumber) -> Iterator[Range]:
        manifest = self.source.manifest
        for file in manifest.files:
            begins, ends = max(file.first, first), min(file.last, last)
            if begins <= ends:
                yield ArchiveRange(
                    self.location,
                    manifest.checksum,
                    file.name,
                    BlockNumber(begins),
                    BlockNumber(ends),
                )

    def met(self, facts: BlockFacts) -> None:
        """The archive has all metadata."""


@dataclass(frozen=True, slots=True)
class NodeQuarry:
    """A node, `size` blocks to a range, with `proofs` of their events and spec versions."""

    url: str = field(repr=False)
    source: NodeSource
    size: int = BLOCKS_OF_NODE
    proofs: bool = True

    def ranges(self, first: BlockNumber, last: BlockNumber) -> Iterator[Range]:
        while first <= last:
            end = self._end(first, last)
            yield NodeRange(self.url, self.source.genesis_hash, first, end, self.proofs)
            first = BlockNumber(end + 1)

    def _end(self, first: BlockNumber, last: BlockNumber) -> BlockNumber:
        """A height that has a block: the next range is linked to it, and test chains skip some."""
        size = self.size
        while True:
            end = BlockNumber(min(first + size - 1, last))
            if end == last or self.source.hashes([end])[0] is not None:
                return end
            size *= 2

    def met(self, facts: BlockFacts) -> None:
        self.source.version_after(facts.parent_hash)
