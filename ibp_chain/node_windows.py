"""Windows of blocks fetched ahead from the nodes of a pool, each whole and checked, in order."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from threading import Event

from ibp_chain.archive_blocks import Recorded
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError, SourceError
from ibp_chain.node import Missing, Pruned, Untrue
from ibp_chain.node_pool import Member, NodePool
from ibp_chain.node_votes import Votes
from ibp_chain.pipeline import ordered
from ibp_chain.proven_blocks import with_proofs
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash

_WINDOW_BYTES = 8 * 2**20
"""Of raw blocks: windows that are larger make the next ones shorter."""
_NEXT_SECONDS = 0.1
"""Until the next node is asked for what one has forgotten."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """How blocks are asked for."""

    trust: int | None = None
    """How many nodes must name a block; None takes one's word while nobody contradicts it."""
    proofs: bool = False
    """Whether events and spec version of each block are to be proven. Nodes must keep states."""
    window: int = 32
    """Blocks in one batch, at most."""
    workers: int = 4
    """Windows that are fetched at a time."""
    ahead: int = 6
    """Windows in memory that were not delivered yet, those being fetched among them."""
    poll_seconds: float = 6.0
    """After which the head is asked for where no node told of a new one."""
    timeout: float = 15.0
    """Seconds that a node has for one answer."""
    patience: float = 5.0
    """Seconds for which the others wait for the slowest, before it is set aside."""
    lag: int = 64
    """Blocks by which a node's finalised head may be behind before it is set aside."""


_NEAR_HEAD = 16
"""Blocks below the finalised head that no node prunes: without one of them it is behind."""


@dataclass(frozen=True, slots=True)
class Window:
    """What came of a stretch of heights: nothing from the first gap on."""

    last: BlockNumber
    blocks: tuple[Recorded, ...]
    by: Member


class NoNodeKeeps(InputError):
    """Every node has forgotten a block that is needed."""


class Windows:
    """Asks the nodes of `pool` for blocks, as `votes` agree on them.

    Once `leaving` is set every wait ends.
    """

    def __init__(self, pool: NodePool, votes: Votes, fetching: Fetching, leaving: Event) -> None:
        self._pool, self._votes, self.fetching = pool, votes, fetching
        self._leaving, self._size = leaving, fetching.window

    def ahead(
        self, number: BlockNumber, last: BlockNumber, stop: Callable[[], bool]
    ) -> Generator[Window, None, None]:
        """Heights `number` to `last` in windows, until `stop` says so; waits for nodes.

        Raises `NodesDisagree`, `NoNodeKeeps`, `SourceError` where no node is left to ask.
        """
        return ordered(
            self._window,
            self._spans(number, last),
            workers=self.fetching.workers,
            ahead=self.fetching.ahead,
            stop=stop,
        )

    def _spans(
        self, number: BlockNumber, last: BlockNumber
    ) -> Iterator[tuple[BlockNumber, BlockNumber]]:
        while number <= last:
            end = BlockNumber(min(number + self._size - 1, last))
            yield number, end
            number = BlockNumber(end + 1)

    def is_torn(self, window: Window, previous: BlockRef | None) -> bool:
        """Whether it does not go on where the one before ended; its node is set aside then.

        Not where all nodes are on another fork than `previous`, which is for its owner to find.
        Raises `NodesDisagree`, `TooFew`.
        """
        if not window.blocks or previous is None:
            return False
        block = window.blocks[0].block
        if block.header.parent_hash == previous.hash:
            return False
        if self._votes.at(previous.number, Event()) not in (None, previous.hash):
            return False
        what = f"{window.by.name}: block {block.header.number} does not follow {previous.number}"
        self._pool.set_aside(window.by, Untrue(f"{what} (0x{previous.hash.hex()})"))
        return True

    def note(self, window: Window) -> None:
        """It was taken: whoever delivered it is well, and its size tells that of the next."""
        if window.blocks:
            self._pool.absolve(window.by)
        size = sum(_size(recorded) for recorded in window.blocks)
        if size > _WINDOW_BYTES:
            self._size = max(1, self._size // 2)
        elif size < _WINDOW_BYTES // 4:
            self._size = min(self.fetching.window, self._size * 2)

    # --- One window, in a thread --------------------------------------------------------------

    def _window(self, span: tuple[BlockNumber, BlockNumber], abandoned: Event) -> Window:
        """The blocks of a stretch, from whoever has them; waits until somebody does."""
        while True:
            try:
                return self._window_now(span, abandoned)
            except SourceError as error:
                if abandoned.is_set() or self._leaving.is_set():
                    raise
                # whoever has not forgotten it is asked at once
                pause = _NEXT_SECONDS if isinstance(error, Pruned) else self._pool.patience()
                abandoned.wait(pause)

    def _window_now(self, span: tuple[BlockNumber, BlockNumber], abandoned: Event) -> Window:
        first, last = span
        member = self._who_has(first, last, abandoned)
        alone = len(self._pool.members) == 1
        agreed = None if alone else self._votes.at(last, abandoned)
        head = member.head
        assert head is not None, "who has the blocks told of its head"
        try:
            blocks = self._pool.ask(
                member, lambda source: self._fetched(source, first, last, agreed, head), abandoned
            )
        except Pruned:
            self._pool.note_pruned(member, last)
            raise
        edge = blocks[-1].block.ref if blocks else None
        if edge is None or edge.number < last:
            missing = first if edge is None else BlockNumber(edge.number + 1)
            self._check_gap(member, edge, missing, abandoned)
        return Window(last, tuple(blocks), member)

    def _fetched(
        self,
        source: NodeSource,
        first: BlockNumber,
        last: BlockNumber,
        agreed: Hash | None,
        head: BlockRef,
    ) -> list[Recorded]:
        refs = source.refs(first, last)
        if not refs:
            return []
        if agreed is not None and refs[-1].number == last and refs[-1].hash != agreed:
            raise source.untrue(
                f"names block {last} 0x{refs[-1].hash.hex()}, the others name 0x{agreed.hex()}"
            )
        try:
            blocks = source.window(refs, None)
            if self.fetching.proofs:
                return with_proofs(source, blocks)
        except Pruned as error:
            if first + _NEAR_HEAD > head.number:
                raise Missing(f"{error}; so near its head it is only behind") from error
            raise
        return [Recorded(block, None) for block in blocks]

    def _check_gap(
        self, member: Member, edge: BlockRef | None, missing: BlockNumber, abandoned: Event
    ) -> None:
        """Nobody has a block `missing`, and `edge` below is the others', too.

        Raises `SourceError`: `member` is set aside where the others have what it has not.
        """
        error: SourceError | None = None
        if self._votes.at(missing, abandoned) is not None:
            error = Missing(f"{member.name} does not have block {missing} yet, which others have")
        elif edge is not None and self._votes.at(edge.number, abandoned) != edge.hash:
            error = Untrue(f"{member.name} names another block {edge.number} than the others")
        if error is not None:
            self._pool.set_aside(member, error)
            raise error

    def behind_gap(
        self, previous: BlockRef | None, missing: BlockNumber, head: BlockRef
    ) -> BlockNumber:
        """The height of the block whose parent is `previous`, where `missing` has none.

        One node looks for it; what enough of them name there has to follow `previous`, or that node
        is set aside. Raises `NodesDisagree`, `SourceError`.
        """
        forever = Event()
        below = self._votes.at(BlockNumber(missing - 1), forever)
        if below is not None:  # `previous`, unless it is of a fork that is for its owner to find
            previous = BlockRef(BlockNumber(missing - 1), below)
        if previous is None:
            raise InputError(
                f"the chain has neither block {missing} nor the one below: begin with one that it "
                "has"
            )
        before = previous
        member = self._who_has(missing, head.number, forever)

        def found(source: NodeSource) -> BlockNumber:
            if source.hashes([missing])[0] is not None:
                return missing
            return source.behind_gap(before, missing, head)

        height = self._pool.ask(member, found)
        named = self._votes.at(height, forever)

        def follows(source: NodeSource) -> None:
            if named is None or source.header(named).parent_hash != before.hash:
                raise source.untrue(
                    f"goes on with block {height} behind block {before.number}, the others do not"
                )

        self._pool.ask(member, follows)
        return height

    def _who_has(self, first: BlockNumber, last: BlockNumber, abandoned: Event) -> Member:
        """A node that is well, has finalised `last` and has not forgotten `first`.

        Raises `SourceError` where there is none now, `NoNodeKeeps` where there never will be.
        """
        ready = self._pool.ready()
        known = [member for member in self._pool.members if member.retry_at is not None]
        if known and all(member.has_forgotten(first) for member in known):
            raise NoNodeKeeps(
                f"block {first}: every node has forgotten it or its state "
                f"({', '.join(member.name for member in self._pool.members)}): add an archive node "
                "(--state-pruning archive --blocks-pruning archive)"
            )
        for member in self._pool.in_turn(ready):
            if member.has_forgotten(first):
                continue
            if member.head is None or member.head.number < last:
                member.head = self._pool.ask(member, NodeSource.head, abandoned)
            if member.head.number >= last:
                return member
        raise self._votes.too_few(0)


def _size(recorded: Recorded) -> int:
    parts = (*recorded.block.extrinsics, recorded.block.events, *(recorded.proof or ()))
    return sum(map(len, parts))
