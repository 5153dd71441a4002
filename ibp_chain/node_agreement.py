"""What several nodes say of one height, weighed. Pure.

Without `trust` one node's word is taken as long as no other node contradicts it. With `trust` a
block is taken when that many nodes name it, which must be more than half of all that are
configured: no two blocks of a height can reach it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import CheckFailed, ConfigError
from ibp_chain.node_events import Disagreement
from ibp_chain.types import BlockNumber, Hash


class NodesDisagree(CheckFailed):
    """Nodes name different blocks at one height, and nothing says whom to believe."""

    def __init__(self, what: str, disagreement: Disagreement) -> None:
        self.disagreement = disagreement
        named = ", ".join(f"{node} names 0x{digest.hex()}" for node, digest in disagreement.named)
        super().__init__(
            f"nodes disagree on {what} {disagreement.height}: {named}; nothing of it is written: "
            "find out which one is right and leave the others out, or say how many must agree "
            "(--trust)"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is taken, and who says otherwise."""

    taken: Hash | None
    """None where nobody, or too few, named any."""
    disagreement: Disagreement | None = None
    outvoted: tuple[str, ...] = ()
    """Nodes that named another than what is taken."""


def check_trust(trust: int | None, nodes: int) -> None:
    """Raises `ConfigError` for a number of nodes that is no majority of them, or more than all."""
    if trust is not None and not nodes < 2 * trust <= 2 * nodes:
        raise ConfigError(
            f"of {nodes} {'node' if nodes == 1 else 'nodes'}, {nodes // 2 + 1} to {nodes} can be "
            f"what is trusted, not {trust}: it must be a majority, and not more than there are"
        )


def weigh(
    height: BlockNumber,
    named: Mapping[str, Hash | None],
    trust: int | None,
    *,
    what: str = "block",
) -> Verdict:
    """The hash to take at `height`, where each node of `named` says what it has there, if anything.

    Raises `NodesDisagree` where they name different ones and `trust` of them do not agree.
    """
    votes = Counter(digest for digest in named.values() if digest is not None)
    if not votes:
        return Verdict(None)
    favourite, count = votes.most_common(1)[0]
    enough = count >= (trust or 1)
    if len(votes) == 1:
        return Verdict(favourite if enough else None)
    told = tuple((node, digest) for node, digest in named.items() if digest is not None)
    if trust is None or not enough:
        raise NodesDisagree(what, Disagreement(height, told, None))
    outvoted = tuple(node for node, digest in told if digest != favourite)
    return Verdict(favourite, Disagreement(height, told, favourite), outvoted)


def target(heads: Iterable[BlockRef], trust: int | None) -> BlockNumber | None:
    """The height up to which enough nodes have finalised blocks; None where too few told."""
    heights = sorted((head.number for head in heads), reverse=True)
    place = (trust or 1) - 1
    return heights[place] if place < len(heights) else None


def heights_to_compare(heads: Sequence[BlockRef], height: BlockNumber) -> list[BlockNumber]:
    """`height` and every lower one at which a node's head stands: all nodes must agree there.

    A block's hash commits to all blocks before it, so nothing below needs to be asked.
    """
    return sorted({head.number for head in heads if head.number <= height} | {height})
