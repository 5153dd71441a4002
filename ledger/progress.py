"""How a follower is doing: what it tells while it works, and the value that sums it up.

The follower calls an `Observer` with one `Event` after the other, in the thread in which it works
or in one that fetches for it. `Meter` is an observer that folds them into a `Progress`, which any
other thread may read at any time.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

from ibp_chain.blocks import BlockRef
from ibp_chain.node_events import Disagreement, NodeBack, NodeFailed, Trouble
from ibp_chain.types import BlockNumber, SpecVersion

__all__ = [
    "AtWork",
    "BestSeen",
    "BlockApplied",
    "BlocksRecorded",
    "Committed",
    "Disagreement",
    "Event",
    "HeadSeen",
    "Meter",
    "NodeBack",
    "NodeFailed",
    "NodeHealth",
    "Observer",
    "Opened",
    "Progress",
    "Stopped",
    "Trouble",
]

_RATE_SECONDS = 60.0
"""Over how long a time the rate is taken."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The ledger stood at `head` when following began; None for one without blocks."""

    head: BlockRef | None


@dataclass(frozen=True, slots=True)
class AtWork:
    """What comes before blocks, or between two commits, gets on: `done` of `what` so far."""

    what: str
    done: int


@dataclass(frozen=True, slots=True)
class HeadSeen:
    """The chain's finalised head, as the nodes that are trusted name it."""

    head: BlockRef


@dataclass(frozen=True, slots=True)
class BlockApplied:
    """A block was folded into the state; it is in the database with the next `Committed`."""

    block: BlockRef
    timestamp_ms: int
    """The block's own time."""
    spec_version: SpecVersion
    extrinsics: int
    accepted: int
    """Remarks that were taken as facts."""
    refused: int


@dataclass(frozen=True, slots=True)
class Committed:
    """Blocks up to `head` are in the database."""

    head: BlockRef
    blocks: int
    """How many this transaction brought."""
    took_ms: int


@dataclass(frozen=True, slots=True)
class BlocksRecorded:
    """Blocks up to `head` are in the archive, on the disk."""

    head: BlockRef
    blocks: int


@dataclass(frozen=True, slots=True)
class BestSeen:
    """The unfinalised view stands at `best`."""

    best: BlockRef
    unfinalised: int
    """Blocks above the finalised head."""
    rolled_back: int
    """Blocks of the view before that are no longer on the best chain."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Following has ended; `error` says why, None where it was asked to."""

    error: str | None


Event = (
    Opened
    | AtWork
    | HeadSeen
    | BlockApplied
    | Committed
    | BlocksRecorded
    | BestSeen
    | NodeFailed
    | NodeBack
    | Disagreement
    | Stopped
)
Observer = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """One node, by what was heard of it last."""

    node: str
    """Its URL, without password and query."""
    healthy: bool
    trouble: Trouble | None = None
    """Why it is set aside."""
    message: str | None = None
    failures: int = 0
    """How often it was set aside since the start."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a follower is; times are milliseconds since 1970, by the clock of `Meter`."""

    chain: str
    """A name of `ibp_chain.networks`, or what the configuration calls it."""
    finalised: BlockRef | None = None
    """The finalised head that was seen last."""
    applied: BlockRef | None = None
    """The last block that is committed."""
    block_time_ms: int | None = None
    """The block time of the last block that was applied."""
    spec_version: SpecVersion | None = None
    """Of the runtime that executed it."""
    blocks_per_second: float = 0.0
    """Committed, over the last minute."""
    blocks_applied: int = 0
    """Committed since the start."""
    recorded: BlockRef | None = None
    """The last block in the archive; None where none is kept."""
    best: BlockRef | None = None
    """The unfinalised view's block; None where there is no view."""
    unfinalised: int = 0
    rollbacks: int = 0
    """How often the view went back."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """How often each `Trouble`, and `disagreement`, was met since the start."""
    nodes: tuple[NodeHealth, ...] = ()
    """In the order in which they were given."""
    last_commit_ms: int | None = None
    """When the last commit was done."""
    commit_took_ms: int | None = None
    worked_ms: int | None = None
    """When anything was read, recorded, applied or committed."""
    stopped: str | None = None
    """Why following has ended, an empty text where it was asked to; None while it goes on."""

    @property
    def lag(self) -> BlockNumber | None:
        """Heights between the finalised head and what is committed; None before both are known."""
        if self.finalised is None or self.applied is None:
            return None
        return BlockNumber(max(0, self.finalised.number - self.applied.number))


class Meter:
    """An `Observer` that keeps a `Progress`. `clock` gives seconds since 1970."""

    def __init__(self, chain: str, nodes: tuple[str, ...], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._commits: deque[tuple[float, int]] = deque()
        """When how many blocks were committed, over the last minute."""
        self._begun = clock()
        self._progress = Progress(
            chain=chain, nodes=tuple(NodeHealth(node, healthy=False) for node in nodes)
        )

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Committed):
                self._commits.append((self._clock(), event.blocks))
            self._progress = after(self._progress, event, int(self._clock() * 1_000))

    @property
    def progress(self) -> Progress:
        """As it is now; the rate falls while nothing is committed."""
        with self._lock:
            return replace(self._progress, blocks_per_second=self._rate())

    def _rate(self) -> float:
        now = self._clock()
        while self._commits and self._commits[0][0] <= now - _RATE_SECONDS:
            self._commits.popleft()
        seconds = min(_RATE_SECONDS, now - self._begun)
        return sum(blocks for _, blocks in self._commits) / seconds if seconds > 0 else 0.0


def after(progress: Progress, event: Event, now_ms: int) -> Progress:
    """`progress` once `event` was heard at `now_ms`, but for the rate."""
    match event:
        case Opened(at):
            return replace(progress, applied=at)
        case AtWork():
            return replace(progress, worked_ms=now_ms)
        case HeadSeen(head):
            return replace(progress, finalised=head)
        case BlockApplied():
            return replace(
                progress,
                block_time_ms=event.timestamp_ms,
                spec_version=event.spec_version,
                worked_ms=now_ms,
            )
        case Committed(head, blocks, took_ms):
            return replace(
                progress,
                applied=head,
                blocks_applied=progress.blocks_applied + blocks,
                last_commit_ms=now_ms,
                worked_ms=now_ms,
                commit_took_ms=took_ms,
            )
        case BlocksRecorded(head):
            return replace(progress, recorded=head, worked_ms=now_ms)
        case BestSeen(best, unfinalised, rolled_back):
            return replace(
                progress,
                best=best,
                unfinalised=unfinalised,
                rollbacks=progress.rollbacks + (rolled_back > 0),
            )
        case NodeFailed():
            return _failed(progress, event)
        case NodeBack(node):
            return _with_node(progress, node, healthy=True, trouble=None, message=None)
        case Disagreement():
            return replace(progress, errors=_counted(progress.errors, "disagreement"))
        case Stopped(error):
            return replace(progress, stopped=error or "")


def _failed(progress: Progress, event: NodeFailed) -> Progress:
    before = next((n.failures for n in progress.nodes if n.node == event.node), 0)
    counted = replace(progress, errors=_counted(progress.errors, event.trouble))
    return _with_node(
        counted,
        event.node,
        healthy=False,
        trouble=event.trouble,
        message=event.message,
        failures=before + 1,
    )


def _counted(errors: Mapping[str, int], kind: str) -> dict[str, int]:
    return {**errors, str(kind): errors.get(kind, 0) + 1}


def _with_node(progress: Progress, node: str, **changes: object) -> Progress:
    nodes = tuple(
        replace(each, **changes) if each.node == node else each  # type: ignore[arg-type]  # its own fields
        for each in progress.nodes
    )
    return replace(progress, nodes=nodes)
