"""A follower beside a chain whose unfinalised blocks are replaced again and again.

What was never final never reaches the ledger: after every fork it stands where a clean replay of
the final chain stands, and the chain's own storage agrees. Heights are skipped on the way, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from ibp_chain.blocks import BlockRef
from ibp_chain.keys import Signer
from ibp_chain.peer_codec import peer_codec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.signing import SigningContext, sign_extrinsic
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash
from ledger.audit import audit
from ledger.indexer import follow, replay_into
from ledger.store import Identity, Store
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario.play import NETWORK, devnet_options, load_cast

pytestmark = pytest.mark.live

LAG, ROUNDS, UNIT = 2, 5, 10**10


@dataclass
class Delegators:
    """Accounts that delegate, end that and unlock: three calls that need no referendum."""

    devnet: Devnet
    node: NodeSource
    signers: tuple[Signer, ...]
    dice: Random = field(default_factory=lambda: Random(4))

    def __post_init__(self) -> None:
        version = self.node.version_after(self.devnet.head_hash())
        self.runtime: Runtime = runtimes(self.node)(version)

    def block(self) -> Hash:
        """A block in which some of them do something at random, on top of the head."""
        head = self.devnet.head_hash()
        extrinsics = [self._extrinsic(head, who) for who in self.dice.sample(self.signers, 3)]
        options = {"transactions": ["0x" + raw.hex() for raw in extrinsics]}
        return Hash(bytes.fromhex(self.devnet.rpc("dev_newBlock", options)[2:]))

    def _extrinsic(self, head: Hash, who: Signer) -> bytes:
        runtime, header = self.runtime, self.node.header(head)
        key = runtime.storage_key("System", "Account", who.account)
        (raw,) = self.node.storage([key], head)
        nonce = 0 if raw is None else runtime.decode_storage("System", "Account", raw)["nonce"]
        context = SigningContext(
            codec=peer_codec(self.node.metadata_v14(runtime.spec_version)),
            genesis_hash=self.node.genesis_hash,
            spec_version=runtime.spec_version,
            transaction_version=runtime.transaction_version,
            birth=BlockRef(header.number, head),
            period=64,
            nonce=nonce,
        )
        return sign_extrinsic(self._call(who), who, context)

    def _call(self, who: Signer) -> bytes:
        track = self.dice.choice((0, 30))
        other = self.dice.choice([s for s in self.signers if s is not who]).account
        conviction = self.dice.choice(("None", "Locked1x", "Locked6x"))
        lent = {"to": ("Id", other), "conviction": conviction, "balance": UNIT}
        name, arguments = self.dice.choice(
            (
                ("delegate", {"class": track, **lent}),
                ("delegate", {"class": track, **lent}),
                ("undelegate", {"class": track}),
                ("unlock", {"class": track, "target": ("Id", who.account)}),
            )
        )
        return self.runtime.encode_call("ConvictionVoting", name, arguments)


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
