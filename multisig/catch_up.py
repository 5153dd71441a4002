"""A curator's ledger, brought up to what a node has now, in memory alone.

What is checked before a signature (the paid register, open operations, who is in office, who is
paid) is as old as the ledger. So the blocks behind its head are replayed first: those that are
final into the ledger's own state, those of the best chain behind them into a copy, because they may
be undone. A signature has to be right by both.

Blocks are decoded by the runtimes that are passed in, which are to be the ledger's own: an upgrade
that it has not seen, it follows first.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import CheckFailed
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.replay import Runtimes, apply_block
from ledger.state import State
from ledger.unfinalised import copied
from multisig import onchain
from multisig.errors import ApprovalRefused, NextStep
from multisig.onchain import blocks_after, ensure_same_chain, witness


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What a node has, as the ledger sees it."""

    final: State
    """Behind the last final block, or the ledger's own head where that is later."""
    best: State
    """Behind the best block; `final` itself where nothing is behind it."""
    timestamp_ms: int | None
    """The block's own time of the last block that was replayed into `final`; None for none."""

    @property
    def states(self) -> tuple[State, ...]:
        """By each of which a signature has to be right."""
        return (self.final,) if self.best is self.final else (self.final, self.best)


def catch_up(state: State, node: NodeSource, runtimes: Runtimes, best: BlockRef) -> CaughtUp:
    """Replay into `state`, which is changed, what is final, and into a copy what is not.

    Raises `ApprovalRefused` for a ledger without blocks, on another fork than the node, ahead of
    it, or too far behind; otherwise as `runtimes` and `apply_block` do, after which `state` is
    unusable.
    """
    head = state.head.value
    if head is None:
        raise ApprovalRefused("your ledger has no blocks yet: follow or replay the chain first")
    ensure_same_chain(node, head.ref, best)
    final = node.head().number
    ahead, timestamp_ms = state, None
    for count, block in enumerate(blocks_after(node, head.ref, best), 1):
        if count > onchain.MOST_BLOCKS:
            raise ApprovalRefused(
                f"your ledger is at block {head.number}, the node at {best.number}: too far behind "
                "to know that nobody paid any of it since; follow or replay the chain up to now, "
                "then approve again"
            )
        if block.header.number > final and ahead is state:
            ahead = copied(state)
        report = apply_block(ahead, block, runtimes(block.spec_version))
        if ahead is state:
            timestamp_ms = report.timestamp_ms
    return CaughtUp(state, ahead, timestamp_ms)


def executed_in(state: State, account: AccountId, call_hash: Hash) -> frozenset[BlockNumber]:
    """The blocks that executed the call, without a failure inside."""
    seen = witness(state, account, call_hash)
    return frozenset() if seen is None else frozenset(seen.executed)


def ensure_not_executed_since(
    before: frozenset[BlockNumber], caught_up: CaughtUp, account: AccountId, call_hash: Hash
) -> None:
    """That the call was not executed in blocks that the ledger lacked when it had `before`.

    Raises `ApprovalRefused`.
    """
    since = executed_in(caught_up.best, account, call_hash) - before
    if since:
        raise ApprovalRefused(
            f"this call was executed in block {max(since)}, which your ledger does not have yet: "
            "approving it now would begin to pay it again",
            NextStep.RECONCILE,
        )


Checked = Callable[[State], object]
"""Holds a bundle against a state; raises what it finds."""


def ensure_right(caught_up: CaughtUp, check: Checked) -> None:
    """`check` on every state. What only unfinalised blocks brought is said to be that: it may be
    undone, and waiting tells.
    """
    check(caught_up.final)
    if caught_up.best is caught_up.final:
        return
    try:
        check(caught_up.best)
    except CheckFailed as refused:
        head = caught_up.best.head.value
        assert head is not None
        raise ApprovalRefused(
            f"{refused}. That is of blocks up to {head.number}, which are not final yet: wait "
            "until they are, then look again",
            NextStep.STATUS,
        ) from refused
