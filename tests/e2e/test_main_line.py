"""The whole way: the programme played on the real runtime, followed, recorded, replayed, audited."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.archive_record import record
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash
from ledger.audit import audit
from ledger.indexer import follow, replay_into
from ledger.state import State
from ledger.store import Identity, Store
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario.cast import Cast
from scripts.scenario.play import NETWORK, Outcome, devnet_options, load_cast, play

pytestmark = pytest.mark.live


@dataclass(frozen=True)
class Played:
    """The chain after the play, still running."""

    devnet: Devnet
    cast: Cast
    outcome: Outcome
    folder: Path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    cast, folder = load_cast(), tmp_path_factory.mktemp("programme")
    with start_devnet(**devnet_options(cast)) as devnet:
        yield Played(devnet, cast, play(devnet, cast, folder), folder)


def _identity(played: Played, genesis_hash: Hash) -> Identity:
    return Identity(NETWORK.name, genesis_hash, played.cast.multisig)


def test_following_the_chain_and_replaying_its_recording_give_the_same_root(
    played: Played, tmp_path: Path
) -> None:
    with NodeSource(played.devnet.url) as node:
        identity = _identity(played, node.genesis_hash)
        with Store(f"sqlite:///{tmp_path / 'followed.db'}", identity) as store:
            target = node.head()
            follow(store, node, runtimes(node), stop=lambda: store.head() == target)
            followed = store.load_state()
        record(node, tmp_path / "archive", proofs=True)
    verify(tmp_path / "archive")
    source = ArchiveSource(tmp_path / "archive")
    with Store(f"sqlite:///{tmp_path / 'replayed.db'}", identity) as store:
        replay_into(store, source, runtimes(source))
        replayed = store.load_state()
    assert replayed.head.value == followed.head.value
    assert replayed.root() == followed.root()


def test_the_audit_finds_no_difference(played: Played, tmp_path: Path) -> None:
    with NodeSource(played.devnet.url) as node:
        with Store(
            f"sqlite:///{tmp_path / 'ledger.db'}", _identity(played, node.genesis_hash)
        ) as store:
            replay_into(store, node, runtimes(node))
            state = store.load_state()
        head = state.head.value
        assert head is not None
        result = audit(state, node, runtimes(node))
    assert result.agrees, [str(difference) for difference in result.differences]
    assert result.compared["ConvictionVoting.VotingFor"] > 0
    assert result.compared["Balances.Locks"] > 0


def test_the_story_is_in_the_ledger(played: Played) -> None:
    with NodeSource(played.devnet.url) as node:
        state = State(NETWORK, played.cast.multisig)
        _fold(state, node)
    members = dict(state.membership.members.items())
    assert set(members) == {member.id for member in played.cast.members}
    assert len(state.scores.standing) == 4
    assert len(state.scores.equivocations) == 1
    assert len(state.programme.rejections) == 4
    batches = [batch.status.name for _, batch in sorted(state.payouts.batches.items())]
    assert batches == ["FAILED", "PAID"]
    assert len(state.payouts.paid) > 0
    assert len(state.payouts.violations) == 0


def _fold(state: State, node: NodeSource) -> None:
    from ledger.replay import apply_block

    known = runtimes(node)
    for block in node.blocks(node.first()):
        apply_block(state, block, known(block.spec_version))
