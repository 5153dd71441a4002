"""What happens to the nodes that a follower reads from, as values for whoever watches it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ibp_chain.types import BlockNumber, Hash


class Trouble(StrEnum):
    """Why a node is set aside."""

    UNREACHABLE = "unreachable"
    """No connection, or no answer in time."""
    REFUSED = "refused"
    """It answered a call with an error."""
    MALFORMED = "malformed"
    """Its answer is no answer: not JSON, too long, another shape, a reply too many or too few."""
    UNTRUE = "untrue"
    """What it sent does not hold up: a hash, a parent link, an extrinsics root, a proof."""
    LAGGING = "lagging"
    """Its finalised head stays behind the others'."""
    PRUNED = "pruned"
    """It no longer has a block or a state that is needed."""
    WRONG_CHAIN = "wrong_chain"
    """Its genesis is another."""
    OUTVOTED = "outvoted"
    """A trusted majority names another finalised block."""


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """A node is set aside for `retry_seconds`; None where it is not asked again."""

    node: str
    """Its URL as it may be shown: scheme, host and port."""
    trouble: Trouble
    message: str
    retry_seconds: float | None


@dataclass(frozen=True, slots=True)
class NodeBack:
    """A node that was set aside, or has not been asked yet, answers."""

    node: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Nodes name different finalised blocks at one height."""

    height: BlockNumber
    named: tuple[tuple[str, Hash], ...]
    """Each node's URL with the hash that it names."""
    resolved: Hash | None
    """What the trusted majority names; None where there is none, and following ends."""


NodeEvent = NodeFailed | NodeBack | Disagreement
NodeObserver = Callable[[NodeEvent], None]
