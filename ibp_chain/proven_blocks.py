"""Blocks with the proof that their events and spec version are those of the header's state."""

from collections.abc import Sequence

from ibp_chain.archive_blocks import LAST_UPGRADE_KEY, Recorded, check_proof
from ibp_chain.blocks import Block
from ibp_chain.node import Node
from ibp_chain.source import EVENTS_KEY
from ibp_chain.trie import prune_read_proof


def with_proofs(node: Node, blocks: Sequence[Block]) -> list[Recorded]:
    """`blocks` with what `node` proves of them, checked.

    The node must keep their states. Raises `ArchiveCorrupt` where a proof does not hold,
    `CheckFailed` where it is none, `SourceError`.
    """
    found = node.read_proofs([EVENTS_KEY, LAST_UPGRADE_KEY], [block.hash for block in blocks])
    proven = []
    for block, nodes in zip(blocks, found, strict=True):
        pruned = _pruned(block, nodes)
        check_proof(block, pruned)
        proven.append(Recorded(block, pruned))
    return proven


def _pruned(block: Block, nodes: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Only the nodes that the two keys need, each once, from the root downwards."""
    root = block.header.state_root
    paths = (prune_read_proof(root, key, nodes) for key in (EVENTS_KEY, LAST_UPGRADE_KEY))
    return tuple(dict.fromkeys(node for path in paths for node in path))
