"""The bundled recording as tests use it: its blocks, what each of them came to, and forks of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import ibp_chain
from ibp_chain.accounts import ss58_decode
from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.networks import network
from ibp_chain.node import ChainInfo
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.types import AccountId, BlockNumber, Hash, SpecVersion
from ledger.replay import BlockReport, apply_block
from ledger.state import State
from ledger.store import Identity

ARCHIVE = Path(ibp_chain.__file__).parent / "data" / "demo" / "archive"
PASEO = network("paseo")
STANDS = 30
"""Blocks in a ledger that is begun, and that tests go on with."""
CURATORS = ss58_decode("5HNVyCu5Rg62HrFeWjrFiLvr9sWQuYirz484E2PTVtXVRYH2", PASEO.ss58_prefix)


@dataclass(frozen=True)
class Demo:
    source: ArchiveSource
    blocks: tuple[Block, ...]
    runtime_of: Callable[[SpecVersion], Runtime]

    @property
    def identity(self) -> Identity:
        return Identity(PASEO.name, self.source.genesis_hash, CURATORS)

    def replay(self, blocks: int | None = None) -> tuple[State, list[BlockReport]]:
        """In memory, over the first `blocks` of them."""
        state = State(PASEO, CURATORS)
        reports = [self.apply(state, block) for block in self.blocks[:blocks]]
        return state, reports

    def apply(self, state: State, block: Block) -> BlockReport:
        return apply_block(state, block, self.runtime_of(block.spec_version))


@cache
def demo() -> Demo:
    source = ArchiveSource(ARCHIVE)
    return Demo(source, tuple(source.blocks(source.first())), runtimes(source))


@cache
def roots() -> tuple[Hash, ...]:
    """The state root in memory behind each number of blocks, none of them first."""
    state = State(PASEO, CURATORS)
    found = [state.root()]
    for block in demo().blocks:
        demo().apply(state, block)
        found.append(state.root())
    return tuple(found)


@dataclass(frozen=True)
class Listed:
    """A source that hands out just these blocks, in order or not, as the demo's chain."""

    listed: Sequence[Block]
    begins: int = 1

    @property
    def genesis_hash(self) -> Hash:
        return demo().source.genesis_hash

    def chain(self) -> ChainInfo:
        return demo().source.chain()

    def head(self) -> BlockRef:
        return self.listed[-1].ref

    def first(self) -> BlockNumber:
        return BlockNumber(self.begins)

    def blocks(self, first: BlockNumber, last: BlockNumber | None = None) -> Iterator[Block]:
        del first, last  # a source that does not keep to what it is asked for
        yield from self.listed

    def metadata(self, spec_version: SpecVersion) -> bytes:
        return demo().source.metadata(spec_version)

    def metadata_v14(self, spec_version: SpecVersion) -> bytes:
        return demo().source.metadata_v14(spec_version)


def fork(block: Block, parent: Hash | None = None) -> Block:
    """Another block at the same height, with a true hash; on another parent if one is given."""
    header = replace(
        block.header,
        parent_hash=parent or block.header.parent_hash,
        digest=(*block.header.digest, b"\x08"),
    )
    return replace(block, header=header, hash=header.hash)


def other_account(fill: int) -> AccountId:
    return AccountId(bytes((fill,)) * 32)
