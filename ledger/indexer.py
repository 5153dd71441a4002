"""Blocks into a database: a replay that can be interrupted anywhere, and a follower of nodes.

Both fold blocks into the state that the store stands at and commit a batch at a time; whatever
happens in between, the database holds a whole ledger at a block, and the next run goes on there.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import InputError
from ibp_chain.runtimes import check_version
from ibp_chain.source import BlockSource
from ibp_chain.state_excerpt import Excerpt
from ibp_chain.types import BlockNumber, SpecVersion
from ledger.progress import BlockApplied, Committed, HeadSeen, Observer
from ledger.replay import BlockReport, Runtimes, apply_block
from ledger.start import begin
from ledger.state import State
from ledger.store import Store

DEFAULT_BATCH = 200
_HEAD_SECONDS = 30.0
"""How old the head that was told may be while blocks are caught up with."""
Heard = Callable[[BlockReport], object]


class FollowedSource(BlockSource, Protocol):
    """A source that goes on delivering; `ibp_chain.nodes.Nodes`, `ibp_chain.source.NodeSource`."""

    def heads(self, stop: Callable[[], bool]) -> Iterator[BlockRef]:
        """The finalised head whenever there may be another, until `stop` says so."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Who hears of what is done, and what has to come before it."""

    heard: Heard = lambda _: None
    """Told of every block that was applied."""
    observer: Observer = lambda _: None
    before_commit: Callable[[], object] = lambda: None
    """Called before each transaction: what it raises keeps the blocks out of the database."""
    clock: Callable[[], float] = time.monotonic
    """In seconds: how long a transaction takes."""
    of_chain: bool = True
    """Whether the source's head is the chain's, to be told; an archive's is not."""


def replay_into(
    store: Store,
    source: BlockSource,
    runtimes: Runtimes,
    *,
    last: BlockNumber | None = None,
    batch: int = DEFAULT_BATCH,
    heard: Heard = lambda _: None,
    start: Excerpt | None = None,
    state: State | None = None,
    stop: Callable[[], bool] = lambda: False,
    telling: Telling | None = None,
) -> State:
    """Bring `store` from where it stands up to block `last` of `source`, default its head.

    `state` is what an earlier call with this store returned; without it the store is read.

    An empty one begins with the storage of `start`, default at the first block of the chain.
    Ends early when `stop` says so. Returns the state there. `heard` is told of every block. Raises
    `InputError` where `source` is of another chain or fork, or does not go on where the store
    stands, `DecodeError` and `MirrorDivergence` as `apply_block`, the store then standing at the
    last whole batch.
    """
    telling = Telling(heard) if telling is None else telling
    _check_chain(store, source)
    if state is None:
        state = store.load_state()
    if start is not None and store.head() is None:
        report = begin(state, start, runtimes)
        _keep_runtime(store, source, report.spec_version)
        store.begin(state, report)
        _commit(store, telling)
    first, head = _next(store, source), source.head()
    _tell_head(head, telling)
    end = head.number if last is None else last
    if first <= end:
        blocks = takewhile(lambda _: not stop(), source.blocks(first, end))
        _fold(store, state, source, blocks, runtimes, batch, telling)
    return state


def follow(
    store: Store,
    source: FollowedSource,
    runtimes: Runtimes,
    *,
    stop: Callable[[], bool] = lambda: False,
    heard: Heard = lambda _: None,
    start: Excerpt | None = None,
    telling: Telling | None = None,
    looked: Callable[[State], object] = lambda _: None,
) -> State:
    """`replay_into`, then every further block as it is finalised, committed one by one.

    After an outage many blocks are there at once: those are committed in batches. `looked` gets
    the state after each look for new blocks; it must not change it. Ends when `stop` says so, which
    is asked after every block that is followed and from time to time. A process that is killed
    instead loses nothing that was committed.
    """
    telling = Telling(heard) if telling is None else telling
    state = replay_into(store, source, runtimes, start=start, telling=telling, stop=stop)
    looked(state)
    for head in source.heads(stop):
        telling.observer(HeadSeen(head))
        first = _next(store, source)
        if first <= head.number:
            batch = 1 if head.number - first < DEFAULT_BATCH else DEFAULT_BATCH
            blocks = _until(source.blocks(first, head.number), stop)
            _fold(store, state, source, blocks, runtimes, batch, telling)
        looked(state)
    return state


def _until(blocks: Iterable[Block], stop: Callable[[], bool]) -> Iterator[Block]:
    """`blocks`, up to the one behind which `stop` says so."""
    for block in blocks:
        yield block
        if stop():
            return


def _fold(
    store: Store,
    state: State,
    source: BlockSource,
    blocks: Iterable[Block],
    runtimes: Runtimes,
    batch: int,
    telling: Telling,
) -> None:
    told = telling.clock()
    for block in blocks:
        report = apply_block(state, block, runtimes(block.spec_version))
        _keep_runtime(store, source, block.spec_version)
        store.collect(state, report)
        telling.observer(_applied(report))
        if store.collected >= batch:
            _commit(store, telling)
        telling.heard(report)
        if telling.of_chain and telling.clock() - told > _HEAD_SECONDS:
            _tell_head(source.head(), telling)
            told = telling.clock()
    _commit(store, telling)


def _tell_head(head: BlockRef, telling: Telling) -> None:
    if telling.of_chain:
        telling.observer(HeadSeen(head))


def _commit(store: Store, telling: Telling) -> None:
    count = store.collected
    if not count:
        return
    telling.before_commit()
    began = telling.clock()
    store.commit()
    took_ms = int((telling.clock() - began) * 1_000)
    head = store.head()
    assert head is not None, "what was committed has a head"
    telling.observer(Committed(head, count, took_ms))


def _applied(report: BlockReport) -> BlockApplied:
    return BlockApplied(
        block=report.ref,
        timestamp_ms=report.timestamp_ms,
        spec_version=report.spec_version,
        extrinsics=report.extrinsics,
        accepted=len(report.accepted),
        refused=len(report.refused),
    )


def _keep_runtime(store: Store, source: BlockSource, version: SpecVersion) -> None:
    if not store.knows(version):
        metadata = source.metadata_v14(version), source.metadata(version)
        for raw in metadata:
            check_version(raw, version, "the source's metadata")
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
