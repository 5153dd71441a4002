"""A ledger that is behind is brought up to the node, and signs by what the blocks since say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Never

import pytest

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import CheckFailed
from ibp_chain.rpc import RpcClient
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash
from ledger.replay import apply_block
from ledger.state import State
from multisig.catch_up import (
    CaughtUp,
    catch_up,
    ensure_not_executed_since,
    ensure_right,
    executed_in,
)
from multisig.errors import ApprovalRefused
from multisig.pending import pending_lines
from tests.support import heard, payouts, recording
from tests.support.replayed_node import ReplayedNode, served

RUNTIME, BUNDLE = recording.runtime(), payouts.bundle()
ACCOUNT, CALL = heard.party().account, BUNDLE.call_hash
LAST = 60_107
KEYS = frozenset((payouts.PERIOD, line.member, line.item) for line in BUNDLE.statement.lines)


def at(height: int) -> State:
    """The ledger behind block `height` of the recording."""
    state = payouts.state(payouts.STATED)
    head = state.head.value
    assert head is not None
    for block in recording.blocks():
        if head.number < block.header.number <= height:
            apply_block(state, block, RUNTIME)
    return state


def ref(height: int) -> BlockRef:
    return next(block.ref for block in recording.blocks() if block.header.number == height)


@contextmanager
def node(final: int | None = None) -> Iterator[NodeSource]:
    with (
        served(ReplayedNode(LAST, final=final)) as url,
        NodeSource(url, client=RpcClient(url, attempts=1)) as source,
    ):
        yield source


def caught(state: State, source: NodeSource, best: int = LAST) -> CaughtUp:
    return catch_up(state, source, lambda _: RUNTIME, ref(best))


def head_of(state: State) -> int:
    assert state.head.value is not None
    return state.head.value.number


def test_what_was_paid_since_is_in_the_register_afterwards() -> None:
    state = at(60_104)
    assert not KEYS & set(dict(state.payouts.paid.items()))
    with node() as source:
        found = caught(state, source)
    assert found.best is found.final is state
    assert state.root() == at(LAST).root()
    assert set(dict(state.payouts.paid.items())) >= KEYS
    assert executed_in(state, ACCOUNT, CALL) == {LAST}
    assert found.timestamp_ms


def test_blocks_that_may_be_undone_are_seen_and_are_not_taken_over() -> None:
    state = at(60_104)
    with node(final=60_106) as source:
        found = caught(state, source)
        assert (head_of(found.final), head_of(found.best)) == (60_106, LAST)
        assert found.states == (found.final, found.best)
        assert not KEYS & set(dict(found.final.payouts.paid.items()))
        assert pending_lines(found.final, RUNTIME) == KEYS
        assert set(dict(found.best.payouts.paid.items())) >= KEYS
        # looked at again it goes on from what is final
        again = caught(state, source)
    assert again.best.root() == found.best.root()


def test_an_execution_that_the_ledger_lacked_is_named() -> None:
    state = at(60_104)
    before = executed_in(state, ACCOUNT, CALL)
    with node(final=60_106) as source:
        found = caught(state, source)
    with pytest.raises(ApprovalRefused, match="executed in block 60107, which your ledger does"):
        ensure_not_executed_since(before, found, ACCOUNT, CALL)
    ensure_not_executed_since(frozenset({BlockNumber(LAST)}), found, ACCOUNT, CALL)
    ensure_not_executed_since(before, found, ACCOUNT, Hash(bytes(32)))


def test_a_signature_has_to_be_right_by_both_states() -> None:
    with node(final=60_106) as source:
        found = caught(at(60_104), source)

    def unpaid(state: State) -> None:
        if KEYS & set(dict(state.payouts.paid.items())):
            raise CheckFailed("it was paid before")

    with pytest.raises(ApprovalRefused, match="up to 60107, which are not final yet: wait"):
        ensure_right(found, unpaid)
    with node() as source:
        final = caught(at(60_104), source)
    with pytest.raises(CheckFailed, match=r"it was paid before$"):
        ensure_right(final, unpaid)


def test_a_ledger_too_far_behind_on_another_fork_ahead_or_empty_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with node() as source:
        with pytest.raises(ApprovalRefused, match="use a node that is up to date"):
            caught(payouts.state(payouts.PAID), source, best=60_106)
        with pytest.raises(ApprovalRefused, match="has no blocks yet"):
            caught(State(payouts.PASEO), source)
        forked = at(60_104)
        head = forked.head.value
        assert head is not None
        forked.head.put(head._replace(hash=Hash(bytes(32))))
        with pytest.raises(ApprovalRefused, match="on another fork or lies"):
            caught(forked, source)
        monkeypatch.setattr("multisig.onchain.MOST_BLOCKS", 2)
        with pytest.raises(ApprovalRefused, match="too far behind to know that nobody paid"):
            caught(at(60_104), source)


def test_a_block_of_a_runtime_that_the_ledger_lacks_is_not_read_by_the_nodes_word() -> None:
    def nothing(version: int) -> Never:
        raise ApprovalRefused(f"your ledger does not have the metadata of {version}")

    with node() as source, pytest.raises(ApprovalRefused, match=str(recording.SPEC_VERSION)):
        catch_up(at(60_104), source, nothing, ref(LAST))
