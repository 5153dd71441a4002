"""What can happen to a ledger that is being written."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The words are those of the summary."""

    KILL = "kill -9"
    DISCONNECT = "node disconnects"
    TRUNCATED = "replies cut short"
    DUPLICATED = "replies twice"
    DELAYED = "reply delayed"
    WRONG = "wrong replies"
    SLOW = "slow node"
    DISK_FULL = "disk full"
    DATABASE_RESTART = "database restart"
    SECOND_WRITER = "second writer"
    REORG = "reorg of unfinalised heads"
    DEAD_WORKER = "killed worker"
    RECORDING = "recording killed"


OF_NODES = (
    Kind.DISCONNECT,
    Kind.TRUNCATED,
    Kind.DUPLICATED,
    Kind.DELAYED,
    Kind.WRONG,
    Kind.SLOW,
)


class Database(StrEnum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True)
class Mishap:
    """What a node does wrong for a while."""

    kind: Kind
    at: int
    """After how many calls of the process, to either node."""
    answers: int
    """How many of its answers are so."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One process from its start to its end, and what ends it."""

    kind: Kind
    """One of `OF_NODES` has its mishap and is then ended by SIGTERM."""
    calls: int
    """It happens after so many calls of the process,"""
    blocks: int
    """so many blocks that it told of,"""
    ms: int
    """and so many milliseconds."""
    scheme: str
    """How the bad node is reached: http or ws."""
    mishaps: tuple[Mishap, ...]

    def __str__(self) -> str:
        also = "".join(
            f", {m.kind} ({m.answers} from call {m.at})" for m in self.mishaps if m.answers
        )
        after = f"{self.calls} calls, {self.blocks} blocks and {self.ms} ms"
        return f"{self.kind} after {after} over {self.scheme}{also}"


@dataclass(frozen=True, slots=True)
class Round:
    """One ledger from its first block to the head."""

    number: int
    database: Database
    shown: int
    """Blocks that are final for the nodes when it begins,"""
    pace: int
    """and how many more whenever one is asked for its finalised head."""
    turns: tuple[Turn, ...]
