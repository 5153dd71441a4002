"""A follower beside a chain whose unfinalised blocks are replaced again and again.

What was never final never reaches the ledger: after every fork it stands where a clean replay of
the final chain stands, and the chain's own storage agrees. Heights are skipped on the way, too.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash
from ledger.audit import audit
from ledger.indexer import follow, replay_into
from ledger.store import Identity, Store
from scripts.devnet_process import start_devnet
from scripts.scenario.play import NETWORK, devnet_options, load_cast
from tests.support.delegators import Delegators

pytestmark = pytest.mark.live

LAG, ROUNDS = 2, 5


@pytest.fixture
def delegators() -> Iterator[Delegators]:
    cast = load_cast()
    options = devnet_options(cast) | {"finality_lag": LAG}
    with start_devnet(**options) as devnet, NodeSource(devnet.url) as node:
        yield Delegators(devnet, node, tuple(member.signer for member in cast.members))


def test_forks_and_skipped_heights_leave_no_trace_in_a_ledger(
    delegators: Delegators, tmp_path: Path
) -> None:
    devnet, node, known = delegators.devnet, delegators.node, runtimes(delegators.node)
    identity = Identity(NETWORK.name, node.genesis_hash)
    abandoned: set[Hash] = set()
    with Store(f"sqlite:///{tmp_path / 'followed.db'}", identity) as store:
        for turn in range(ROUNDS):
            made = [delegators.block() for _ in range(LAG)]
            if turn % 2:
                abandoned.update(made)
                devnet.reorg(LAG, blocks=1)
            elif turn % 4:
                devnet.new_block(to_height=node.header(devnet.head_hash()).number + 50)
            delegators.block()
            target = node.head()
            follow(store, node, known, stop=lambda: store.head() == node.head())
            assert store.head() == target
        followed = store.load_state()
        applied = {block.hash for block in node.blocks(node.first())}
        assert not applied & abandoned
        assert {
            Hash(store.block(b.header.number).hash) for b in node.blocks(node.first())
        } == applied

    with Store(f"sqlite:///{tmp_path / 'replayed.db'}", identity) as store:
        replayed = replay_into(store, node, known)
    assert replayed.root() == followed.root()
    head = followed.head.value
    assert head is not None
    result = audit(followed, node, known, head.ref)
    assert result.agrees, [str(difference) for difference in result.differences]
    assert result.compared["ConvictionVoting.VotingFor"] > 2
    assert result.compared["Balances.Locks"] > 1
