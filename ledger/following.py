"""One chain followed into one database: nodes, archive, store and view, wired together.

What is told on the way is told to an `Observer`; nothing here prints or logs.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from sqlmodel import col, select

from ibp_chain.accounts import ss58_decode
from ibp_chain.archive import ArchiveSource
from ibp_chain.archive_follow import FollowedArchive, RecordedNodes, kept_formats
from ibp_chain.archive_format import START
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError, SourceError
from ibp_chain.node_windows import Fetching
from ibp_chain.nodes import Nodes
from ibp_chain.runtimes import network_of, runtimes
from ibp_chain.source import NodeSource
from ibp_chain.state_excerpt import Excerpt, fetch_excerpt
from ibp_chain.types import BlockNumber, Hash
from ledger.indexer import Heard, Telling, follow, replay_into
from ledger.progress import (
    AtWork,
    BestSeen,
    BlocksRecorded,
    HeadSeen,
    Observer,
    Opened,
    Stopped,
)
from ledger.replay import BlockReport, Runtimes
from ledger.start import prefixes
from ledger.state import State
from ledger.store import Identity, Store
from ledger.tables import BlockRow
from ledger.unfinalised import Unfinalised, View

Tick = Callable[[int], object]
_RECORDED_AT_ONCE = 512
"""Blocks that the ledger has and the archive lacks, between two syncs of its journal."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What is to be followed, and into what."""

    nodes: tuple[str, ...] = field(repr=False)
    db: str = field(repr=False)
    curators: str | None = None
    """Address of the multisig that must have founded the ledger; None takes the first."""
    genesis: Hash | None = None
    """What the chain's genesis must be; None takes the nodes' word for a new ledger."""
    first: BlockNumber | None = None
    """The block that a new ledger begins with; None for the chain's first."""
    archive: Path | None = None
    unfinalised: bool = False
    fetching: Fetching = field(default_factory=Fetching)


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of it, in the follower's thread; `observer` from those of the nodes, too."""

    observer: Observer = lambda _: None
    heard: Heard = lambda _: None
    seen: Callable[[Unfinalised], object] = lambda _: None
    """Told of the unfinalised view whenever it is another."""
    entries: Tick = lambda _: None
    """How many entries of storage are read, of those that a ledger begins with."""


def follow_chain(plan: Followed, leaving: Event, ears: Ears) -> BlockRef | None:
    """Follow until `leaving` is set; where the ledger stands then.

    Raises `NodesDisagree`, `MirrorDivergence` and what else no waiting would mend; nodes that do
    not answer are waited for, once one has. The observer hears `Stopped` in any case.
    """
    head = None
    try:
        with _interruptible(leaving):
            head = _follow(plan, leaving, ears)
    except BaseException as error:
        ears.observer(Stopped(str(error) or type(error).__name__))
        raise
    ears.observer(Stopped(None))
    return head


def _follow(plan: Followed, leaving: Event, ears: Ears) -> BlockRef | None:
    with ExitStack() as stack:
        nodes = stack.enter_context(
            Nodes(
                plan.nodes,
                fetching=plan.fetching,
                expected_genesis=plan.genesis,
                observer=ears.observer,
                leaving=leaving,
                unfinalised=plan.unfinalised,
            )
        )
        runtime_of = runtimes(nodes)
        network = network_of(nodes, runtime_of)
        curators = (
            None if plan.curators is None else ss58_decode(plan.curators, network.ss58_prefix)
        )
        identity = Identity(network.name, nodes.genesis_hash, curators)
        store = stack.enter_context(Store(plan.db, identity))
        stands = store.head()
        if stands is not None:
            nodes.stand_on(stands)
        archive = None if plan.archive is None else stack.enter_context(_archive(plan, nodes))
        chain = _Chain(nodes, store, archive, runtime_of, leaving, ears)
        with _interruptible(leaving):  # within the archive: it is sealed after such an end, too
            ears.observer(Opened(store.head()))
            ears.observer(HeadSeen(nodes.head()))
            start = chain.start_before(plan.first)
            if archive is not None:
                chain.bring_together()
            chain.follow(start, View(runtimes(nodes)) if plan.unfinalised else None)
        return store.head()


@contextmanager
def _interruptible(leaving: Event) -> Iterator[None]:
    """A wait for nodes that `leaving` has ended is no failure."""
    try:
        yield
    except SourceError:
        if not leaving.is_set():
            raise


def _archive(plan: Followed, nodes: Nodes) -> FollowedArchive:
    assert plan.archive is not None, "asked for where there is one"
    return FollowedArchive(plan.archive, nodes.chain(), nodes.genesis_hash, kept_formats(nodes))


@dataclass(frozen=True, slots=True)
class _Chain:
    """Everything that is open."""

    nodes: Nodes
    store: Store
    archive: FollowedArchive | None
    runtime_of: Runtimes
    leaving: Event
    ears: Ears

    def follow(self, start: Excerpt | None, view: View | None) -> None:
        def heard(report: BlockReport) -> None:
            if view is not None:
                view.hear(report)
            self.ears.heard(report)

        def looked(state: State) -> None:
            if view is not None and not self.leaving.is_set():
                self._look(view, state)

        source = self.nodes if self.archive is None else RecordedNodes(self.nodes, self.archive)
        follow(
            self.store,
            source,
            self.runtime_of,
            stop=self.leaving.is_set,
            start=start,
            telling=Telling(heard, self.ears.observer, self._before_commit),
            looked=looked,
        )

    def start_before(self, first: BlockNumber | None) -> Excerpt | None:
        """The storage before block `first`, for a ledger that has no blocks yet."""
        if first is None or self.store.head() is not None:
            return None
        excerpt = self._excerpt(first)
        if self.archive is not None and self.archive.head is None:
            excerpt.write(self.archive.folder / START)
        return excerpt

    def bring_together(self) -> None:
        """Archive and store to the same block, whichever is behind, as far as there are blocks."""
        assert self.archive is not None, "asked for where there is one"
        recorded, stands = self.archive.head, self.store.head()
        if recorded is not None and (stands is None or recorded.number > stands.number):
            self.archive.seal()
            source = ArchiveSource(self.archive.folder)
            telling = Telling(self.ears.heard, self.ears.observer, of_chain=False)
            replay_into(
                self.store,
                source,
                runtimes(source),
                start=source.start(),
                stop=self.leaving.is_set,
                telling=telling,
            )
        elif stands is not None and (recorded is None or recorded.number < stands.number):
            self._record_up_to(stands, self._behind_archive())

    def _behind_archive(self) -> BlockNumber:
        """The first block that the archive has not, of those that the store has."""
        assert self.archive is not None, "asked for where there is one"
        if self.archive.head is not None:
            return BlockNumber(self.archive.head.number + 1)
        with self.store.session() as session:
            lowest = session.exec(select(BlockRow).order_by(col(BlockRow.number)).limit(1)).one()
        if lowest.parent_hash == self.nodes.genesis_hash:
            return BlockNumber(lowest.number)
        # that block is known by its storage alone: the ledger began with it
        self._excerpt(BlockNumber(lowest.number + 1)).write(self.archive.folder / START)
        return BlockNumber(lowest.number + 1)

    def _record_up_to(self, stands: BlockRef, first: BlockNumber) -> None:
        assert self.archive is not None, "asked for where there is one"
        blocks = self.nodes.recorded(first, stands.number, self.leaving.is_set)
        for count, block in enumerate(blocks, 1):
            self.archive.take(block)
            if count % _RECORDED_AT_ONCE == 0:
                self._before_commit()
                self.ears.observer(HeadSeen(self.nodes.head()))
        self._before_commit()
        head = self.archive.head
        if head != stands and not self.leaving.is_set():
            there = "nothing" if head is None else f"block {head.number} (0x{head.hash.hex()})"
            raise InputError(
                f"{self.store.name} stands at block {stands.number} (0x{stands.hash.hex()}), "
                f"{self.archive.folder} at {there}: they are of different forks"
            )

    def _before_commit(self) -> None:
        if self.archive is not None and self.archive.head is not None:
            blocks = self.archive.sync()
            self.ears.observer(BlocksRecorded(self.archive.head, blocks))

    def _look(self, view: View, state: State) -> None:
        seen = view.look(self.nodes, state)
        if seen is not None:
            event = BestSeen(seen.best, len(seen.blocks), len(seen.rolled_back))
            self.ears.observer(event)
            self.ears.seen(seen)

    def _excerpt(self, first: BlockNumber) -> Excerpt:
        before = BlockNumber(first - 1)

        def fetched(node: NodeSource) -> Excerpt:
            (digest,) = node.hashes([before])
            if digest is None:
                raise InputError(f"{node.client.url} has no block {before} to begin with")
            return fetch_excerpt(node, node.header(digest), prefixes(), read)

        def read(entries: int) -> None:
            self.ears.observer(AtWork("entries of storage", entries))
            self.ears.entries(entries)

        excerpt = self.nodes.ask(fetched)
        self.nodes.version_after(excerpt.header.parent_hash)  # so that its metadata can be had
        return excerpt
