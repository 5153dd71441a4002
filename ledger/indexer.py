"""Blocks into a database: a replay that can be interrupted anywhere, and a follower of a node.

Both fold blocks into the state that the store stands at and commit a batch at a time; whatever
happens in between, the database holds a whole ledger at a block, and the next run goes on there.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ibp_chain.blocks import Block
from ibp_chain.errors import InputError
from ibp_chain.source import BlockSource
from ibp_chain.state_excerpt import Excerpt
from ibp_chain.types import BlockNumber, SpecVersion
from ledger.replay import BlockReport, Runtimes, apply_block
from ledger.start import begin
from ledger.state import State
from ledger.store import Store

DEFAULT_BATCH = 200
Heard = Callable[[BlockReport], object]


class FollowedSource(BlockSource, Protocol):
    """A source that goes on delivering; `ibp_chain.source.NodeSource`."""

    def follow(self, first: BlockNumber, stop: Callable[[], bool]) -> Iterator[Block]: ...


def replay_into(
    store: Store,
    source: BlockSource,
    runtimes: Runtimes,
    *,
    last: BlockNumber | None = None,
    batch: int = DEFAULT_BATCH,
    heard: Heard = lambda _: None,
    start: Excerpt | None = None,
) -> State:
    """Bring `store` from where it stands up to block `last` of `source`, default its head.

    An empty one begins with the storage of `start`, default at the first block of the chain.
    Returns the state there. `heard` is told of every block. Raises `InputError` where `source` is
    of another chain or fork, or does not go on where the store stands, `DecodeError` and
    `MirrorDivergence` as `apply_block`, the store then standing at the last whole batch.
    """
    _check_chain(store, source)
    state = store.load_state()
    if start is not None and store.head() is None:
        report = begin(state, start, runtimes)
        _keep_runtime(store, source, report.spec_version)
        store.begin(state, report)
        store.commit()
    first = _next(store, source)
    end = source.head().number if last is None else last
    if first <= end:
        _fold(store, state, source, source.blocks(first, end), runtimes, batch, heard)
    return state


def follow(
    store: Store,
    source: FollowedSource,
    runtimes: Runtimes,
    *,
    stop: Callable[[], bool] = lambda: False,
    heard: Heard = lambda _: None,
    start: Excerpt | None = None,
) -> State:
    """`replay_into`, then every further block as it is finalised, committed one by one.

    Ends when `stop` says so, which is asked after every block that is followed and from time to
    time. A process that is killed instead loses nothing that was committed.
    """
    state = replay_into(store, source, runtimes, heard=heard, start=start)
    if not stop():
        blocks = source.follow(_next(store, source), stop)
        _fold(store, state, source, blocks, runtimes, 1, heard)
    return state


def _fold(
    store: Store,
    state: State,
    source: BlockSource,
    blocks: Iterable[Block],
    runtimes: Runtimes,
    batch: int,
    heard: Heard,
) -> None:
    for block in blocks:
        report = apply_block(state, block, runtimes(block.spec_version))
        _keep_runtime(store, source, block.spec_version)
        store.collect(state, report)
        if store.collected >= batch:
            store.commit()
        heard(report)
    store.commit()


def _keep_runtime(store: Store, source: BlockSource, version: SpecVersion) -> None:
    if not store.knows(version):
        metadata = source.metadata_v14(version), source.metadata(version)
        store.collect_runtime(version, metadata)


def _check_chain(store: Store, source: BlockSource) -> None:
    genesis_hash = source.genesis_hash
    if store.identity.genesis_hash != genesis_hash:
        raise InputError(
            f"{store.name} is the ledger of a chain with genesis "
            f"0x{store.identity.genesis_hash.hex()}, these blocks are of 0x{genesis_hash.hex()}"
        )
    head, stands = source.head(), store.head()
    if stands is None or not 0 < head.number <= stands.number:
        return  # where the blocks go on behind the store, the first of them tells
    known = store.hash_at(head.number)
    if known != head.hash:
        has = "no such block" if known is None else f"0x{known.hex()} there"
        raise InputError(
            f"these blocks end with block {head.number} (0x{head.hash.hex()}), {store.name} has "
            f"{has}: they are of another fork"
        )


def _next(store: Store, source: BlockSource) -> BlockNumber:
    """The first block to read. A source that begins above it cannot continue the store."""
    head, first = store.head(), source.first()
    if head is None:
        return first
    if first <= head.number + 1:
        return BlockNumber(head.number + 1)
    block = next(iter(source.blocks(first, first)), None)
    if block is None or block.header.parent_hash != head.hash:  # unless heights were skipped
        raise InputError(
            f"{store.name} stands at block {head.number}, the blocks begin with {first}"
        )
    return first
