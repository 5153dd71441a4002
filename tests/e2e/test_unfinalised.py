"""The view of blocks that are not final: always what a clean replay of the best chain gives.

And a runtime upgrade under a follower that shows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ibp_chain.blocks import Block
from ibp_chain.extrinsics import Submitter
from ibp_chain.node_windows import Fetching
from ibp_chain.nodes import Nodes
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash
from ledger.following import Followed
from ledger.indexer import replay_into
from ledger.replay import apply_block
from ledger.state import State
from ledger.store import Identity, Store
from ledger.unfinalised import Unfinalised, View
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario.play import NETWORK, devnet_options, load_cast
from tests.e2e.test_runtime_upgrade import NEW, OLD, upgrade
from tests.support.delegators import Delegators
from tests.support.followed import clean_root, following, stored_root

pytestmark = pytest.mark.live

LAG = 3


@dataclass
class Playing:
    devnet: Devnet
    node: NodeSource
    busy: Delegators


@pytest.fixture(scope="module")
def playing() -> Iterator[Playing]:
    """A chain whose finalised head trails the best one."""
    cast = load_cast()
    options = devnet_options(cast) | {"finality_lag": LAG}
    with start_devnet(**options) as devnet, NodeSource(devnet.url) as node:
        signers = tuple(member.signer for member in cast.members)
        devnet.new_block(count=LAG)
        yield Playing(devnet, node, Delegators(devnet, node, signers))


def _best_chain(node: NodeSource) -> list[Block]:
    """From the first block to the best one, by parent links."""
    blocks = [node.block(node.best_hash())]
    while blocks[-1].header.number > 1:
        blocks.append(node.block(blocks[-1].header.parent_hash))
    return blocks[::-1]


def _replayed(node: NodeSource) -> State:
    state, runtime_of = State(NETWORK), runtimes(node)
    for block in _best_chain(node):
        apply_block(state, block, runtime_of(block.spec_version))
    return state


def test_the_view_is_a_clean_replay_of_the_best_chain_through_every_reorganisation(
    playing: Playing, tmp_path: Path
) -> None:
    devnet, node, busy = playing.devnet, playing.node, playing.busy
    identity = Identity(NETWORK.name, node.genesis_hash)
    values: list[Unfinalised] = []
    rolled_back: list[Hash] = []
    with Nodes((devnet.url,)) as nodes, Store(f"sqlite:///{tmp_path / 'l.db'}", identity) as store:
        runtime_of = runtimes(nodes)
        view = View(runtime_of)
        state: State | None = None
        for turn in range(5):
            made = [busy.block(), busy.block()]
            if turn % 2:
                devnet.reorg(2, blocks=1)
                rolled_back += made
                busy.block()
            state = replay_into(store, nodes, runtime_of, state=state, heard=view.hear, batch=1)
            root = state.root()
            seen = view.look(nodes, state)
            assert seen is not None
            assert seen.problem is None
            values.append(seen)
            assert seen.best.hash == devnet.head_hash()
            assert seen.finalised == store.head() == node.head()
            assert seen.state_root == _replayed(node).root()
            assert state.root() == root, "looking changed the finalised state"
            assert view.look(nodes, state) is None, "nothing has changed"
            if not turn % 2:  # so that the next blocks of this turn are seen before they go
                continue
            made = [busy.block()]
            assert view.look(nodes, state) is not None
            devnet.reorg(1, blocks=1)
            again = view.look(nodes, state)
            assert again is not None
            assert [ref.hash for ref in again.rolled_back] == made
            assert again.state_root == _replayed(node).root()
    assert any(len(value.blocks) == LAG for value in values)
    with Store(f"sqlite:///{tmp_path / 'l.db'}") as store:
        stored = {
            row.hash
            for row in (
                store.block(b.header.number)
                for b in node.blocks(BlockNumber(1), node.head().number)
            )
        }
    assert not stored & set(rolled_back)


def test_what_is_said_and_not_final_is_shown_before_it_is_written(
    playing: Playing, tmp_path: Path
) -> None:
    devnet, node = playing.devnet, playing.node
    submitter = Submitter(node, runtimes(node), poll_seconds=0.05, advance=lambda: None)
    fetching = Fetching(proofs=False, poll_seconds=0.1)
    plan = Followed(
        (devnet.url,), f"sqlite:///{tmp_path / 'l.db'}", unfinalised=True, fetching=fetching
    )
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == node.head())
        signer = playing.busy.signers[0]
        runtime = submitter.runtime()
        call = runtime.encode_call(
            "Multisig",
            "approve_as_multi",
            {
                "threshold": 2,
                "other_signatories": sorted(s.account for s in playing.busy.signers[1:3]),
                "maybe_timepoint": None,
                "call_hash": b"c" * 32,
                "max_weight": {"ref_time": 0, "proof_size": 0},
            },
        )
        submitter.submit(call, signer)
        best = devnet.new_block()
        follower.wait_for(lambda: follower.seen and follower.seen[-1].best.hash == best)
        (approval,) = follower.seen[-1].approvals
        assert (approval.call_hash, approval.by) == (b"c" * 32, signer.account)
        assert node.head().hash != best
        # the view may come before the commit of the block that `best` made final
        follower.wait_for(lambda: follower.committed == node.head())
        devnet.new_block(count=LAG)
        final = node.head()
        assert final.hash == best
        follower.wait_for(lambda: follower.committed == final)
        follower.wait_for(lambda: not follower.seen[-1].approvals)
    assert stored_root(plan.db) == clean_root(devnet.url, tmp_path)[1]


def test_a_runtime_upgrade_needs_no_restart(playing: Playing, tmp_path: Path) -> None:
    devnet, node = playing.devnet, playing.node
    submitter = Submitter(node, runtimes(node), poll_seconds=0.05, advance=devnet.new_block)
    plan = Followed(
        (devnet.url,),
        f"sqlite:///{tmp_path / 'l.db'}",
        archive=tmp_path / "archive",
        unfinalised=True,
        fetching=Fetching(poll_seconds=0.1),
    )
    with following(plan) as follower:
        follower.wait_for(lambda: follower.committed == node.head())
        last_old = upgrade(submitter, devnet, load_cast().whale)
        devnet.new_block(count=LAG + 2)
        best = devnet.head_hash()
        follower.wait_for(lambda: follower.committed == node.head())
        # a chain that is busy with its new runtime may have been a problem for a moment
        follower.wait_for(
            lambda: [(s.best.hash, s.problem) for s in follower.seen[-1:]] == [(best, None)]
        )
    with Store(plan.db) as store:
        assert store.block(last_old).spec_version == OLD
        assert store.block(BlockNumber(last_old + 1)).spec_version == NEW
    assert stored_root(plan.db) == clean_root(devnet.url, tmp_path)[1]
