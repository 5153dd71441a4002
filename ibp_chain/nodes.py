"""Several nodes of one chain as one source of finalised blocks. See docs/indexer.md.

Windows of blocks are fetched ahead, each from one node. A window is taken whole or not at all: its
last block is the one that every other node names at that height, and each block is the one that the
next names as its parent, so that no node can slip a block in. Whoever fails is set aside and
another one is asked.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from threading import Event
from typing import Self, TypeVar
from weakref import WeakSet

from ibp_chain.archive_blocks import Recorded
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import SourceError
from ibp_chain.node import ChainInfo, Pruned
from ibp_chain.node_agreement import check_trust
from ibp_chain.node_events import NodeObserver
from ibp_chain.node_pool import NodePool, Question
from ibp_chain.node_votes import TooFew, Votes
from ibp_chain.node_wakes import Wakes
from ibp_chain.node_windows import Fetching, Window, Windows
from ibp_chain.rpc import Unreachable
from ibp_chain.runtimes import check_version
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash, SpecVersion

Answer = TypeVar("Answer")


class Nodes:
    """A `BlockSource`, and one that can be followed, over `urls`.

    `observer` is told what happens to the nodes, from several threads. Once `leaving` is set every
    wait ends. Raises `ConfigError` for a trust that is no majority, and as `NodePool`.
    """

    def __init__(
        self,
        urls: tuple[str, ...],
        *,
        fetching: Fetching | None = None,
        expected_genesis: Hash | None = None,
        observer: NodeObserver = lambda _: None,
        leaving: Event | None = None,
        unfinalised: bool = False,
    ) -> None:
        self.fetching = Fetching() if fetching is None else fetching
        check_trust(self.fetching.trust, len(urls))
        self._leaving = Event() if leaving is None else leaving
        self._pool = NodePool(
            urls,
            expected_genesis=expected_genesis,
            observer=observer,
            leaving=self._leaving,
            timeout=self.fetching.timeout,
            patience=self.fetching.patience,
        )
        self._votes = Votes(
            self._pool, trust=self.fetching.trust, lag=self.fetching.lag, observer=observer
        )
        self._windows = Windows(self._pool, self._votes, self.fetching, self._leaving)
        self.genesis_hash = self._pool.genesis_hash
        self._urls, self._unfinalised = urls, unfinalised
        self._wakes: Wakes | None = None
        self._head: BlockRef | None = None
        self._stands: BlockRef | None = None
        """The last block that was delivered, or that whoever reads on stood at before."""
        self._deliveries: WeakSet[Generator[Recorded, None, None]] = WeakSet()
        """What whoever reads has not read to its end, maybe because of an error that keeps it."""
        self._states: dict[SpecVersion, Hash] = {}
        """A block in whose post-state each runtime is, of those that blocks were delivered of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No thread and no connection is left."""
        for delivery in list(self._deliveries):
            delivery.close()
        if self._wakes is not None:
            self._wakes.close()
        self._pool.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes as people and events call them."""
        return tuple(member.name for member in self._pool.members)

    # --- BlockSource --------------------------------------------------------------------------

    def chain(self) -> ChainInfo:
        return self.ask(NodeSource.chain)

    def first(self) -> BlockNumber:
        """1: genesis has neither extrinsics nor events."""
        return BlockNumber(1)

    def head(self) -> BlockRef:
        """The last finalised block, as far as the nodes that are well agree.

        Waits while too few answer. Raises `NodesDisagree`.
        """
        self._head = self._patiently(self._votes.head)
        return self._head

    def stand_on(self, block: BlockRef) -> None:
        """The next block that is asked for, if it is the one above, has to follow `block`."""
        self._stands = block

    def blocks(self, first: BlockNumber, last: BlockNumber | None = None) -> Iterator[Block]:
        return (recorded.block for recorded in self.recorded(first, last))

    def recorded(
        self,
        first: BlockNumber,
        last: BlockNumber | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Recorded]:
        """`blocks`, each with its proof where those are asked for; ends when `stop` says so.

        Raises `NodesDisagree`; `SourceError` where no node can have what is asked for. A node that
        fails raises nothing: its window is asked of another, as soon as there is one.
        """
        if first < self.first():
            raise SourceError(f"block {first}: the first block that can be read is {self.first()}")
        head = self._head
        if head is None or last is None or last > head.number:
            head = self.head()
        if last is not None and last > head.number:
            raise SourceError(f"block {head.number} is finalised, block {last} is not yet")
        delivery = self._delivered(first, head.number if last is None else last, head, stop)
        self._deliveries.add(delivery)
        return delivery

    def metadata(self, spec_version: SpecVersion) -> bytes:
        """In the newest version up to 16 that the runtime offers; the nodes must agree on it.

        Only for runtimes of blocks that were delivered, of genesis and of the heads.
        """
        state = self._state_with(spec_version)
        return self._metadata(spec_version, lambda source: source.metadata_at(state))

    def metadata_v14(self, spec_version: SpecVersion) -> bytes:
        """As `metadata`, in the version that `state_getMetadata` answers with."""
        state = self._state_with(spec_version)
        return self._metadata(spec_version, lambda source: source.metadata_v14_at(state))

    # --- Following ----------------------------------------------------------------------------

    def heads(self, stop: Callable[[], bool] = lambda: False) -> Iterator[BlockRef]:
        """The finalised head whenever there may be another, until `stop` says so.

        While too few nodes answer nothing comes. Raises `NodesDisagree`, and `SourceError` where no
        node is left to ask.
        """
        if self._wakes is None:
            self._wakes = Wakes(self._urls, self._leaving, unfinalised=self._unfinalised)
        while not self._leaves(stop):
            try:
                self._head = self._votes.head()
            except SourceError:  # the observer was told of each node
                pause = self._pool.patience(self.fetching.poll_seconds)
            else:
                yield self._head
                pause = self.fetching.poll_seconds
            if not self._leaves(stop):
                self._wakes.wait(pause, stop)

    def version_after(self, state: Hash) -> SpecVersion:
        """Of the runtime in the post-state of a block: the one that executes the next."""
        version = self._patiently(lambda: self._votes.version(state))
        self._states.setdefault(version, state)
        return version

    def ask(self, question: Question[Answer]) -> Answer:
        """What the first node answers that is well; waits while none is there.

        Raises the last one's `SourceError` where they are there and none can tell.
        """
        return self._patiently(lambda: self._asked(question))

    def _asked(self, question: Question[Answer]) -> Answer:
        error: SourceError = self._votes.too_few(0)
        for member in self._pool.ready():
            try:
                return self._pool.ask(member, question)
            except SourceError as refused:
                error = refused
        raise error

    def _metadata(self, spec_version: SpecVersion, question: Question[bytes]) -> bytes:
        raw = self._patiently(lambda: self._votes.metadata(spec_version, question))
        try:
            check_version(raw, spec_version, "the nodes' metadata")
        except SourceError:
            self._states.pop(spec_version, None)  # whoever named that state was wrong
            raise
        return raw

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """`ask` until somebody is there to answer it."""
        while True:
            try:
                return ask()
            except (Unreachable, TooFew):
                if self._leaving.is_set():
                    raise
                self._leaving.wait(self._pool.patience())

    def _state_with(self, spec_version: SpecVersion) -> Hash:
        """What is found here is not kept: a block that is not final may never be."""
        if spec_version in self._states:
            return self._states[spec_version]
        head = self.head().hash
        if self._patiently(lambda: self._votes.version(head)) == spec_version:
            return head
        others: tuple[Callable[[], Hash], ...] = (
            lambda: self.ask(NodeSource.best_hash),
            lambda: self.genesis_hash,
        )
        for find in others:
            # not every node has the best block, and most have forgotten what was at genesis
            with suppress(Pruned, TooFew):
                state = find()
                if self._votes.version(state) == spec_version:
                    return state
        raise SourceError(f"no block with spec version {spec_version} has been shown yet")

    # --- Delivery -----------------------------------------------------------------------------

    def _delivered(
        self, number: BlockNumber, last: BlockNumber, head: BlockRef, stop: Callable[[], bool]
    ) -> Generator[Recorded, None, None]:
        stands = self._stands
        previous = stands if stands is not None and stands.number + 1 == number else None
        while number <= last and not self._leaves(stop):
            ends = number
            with closing(self._windows.ahead(number, last, lambda: self._leaves(stop))) as windows:
                for window in windows:
                    if self._is_torn(window, previous):
                        break
                    for recorded in window.blocks:
                        block = recorded.block
                        self._states.setdefault(block.spec_version, block.header.parent_hash)
                        self._stands = previous = block.ref
                        yield recorded
                        number = BlockNumber(previous.number + 1)
                    self._windows.note(window)
                    ends = BlockNumber(window.last + 1)
                    if number < ends:  # there is a gap
                        break
            if number < ends:
                number = self._behind_gap(previous, number, head)

    def _is_torn(self, window: Window, previous: BlockRef | None) -> bool:
        return self._patiently(lambda: self._windows.is_torn(window, previous))

    def _behind_gap(
        self, previous: BlockRef | None, missing: BlockNumber, head: BlockRef
    ) -> BlockNumber:
        while True:
            try:
                return self._windows.behind_gap(previous, missing, head)
            except SourceError:  # the observer was told of each node
                if self._leaving.is_set():
                    raise
                self._leaving.wait(self._pool.patience())

    def _leaves(self, stop: Callable[[], bool]) -> bool:
        return self._leaving.is_set() or stop()
