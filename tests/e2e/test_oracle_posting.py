"""An oracle's words on their way into blocks: once, again where they were lost, never two.

On the real runtime. The programme is founded by the play's cast; the polls are put into the journal
by hand, so that the oracle has something to say of the day that ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer
from ibp_chain.remarks import Kind
from ibp_chain.rpc import RpcClient
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import Micros
from ledger.indexer import replay_into
from ledger.pallets.scores import day_number
from ledger.program.rules import load_rules
from ledger.state import State
from ledger.store import Identity, Store
from oracles.daemon.agreement import Turns
from oracles.daemon.duties import Done, Duties, Now
from oracles.daemon.journal import Journal
from oracles.metrics import Metrics
from oracles.rules import Roster, Service
from oracles.samples import Sample, Status
from oracles.shelf import Shelf
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario import founding
from scripts.scenario.cast import Cast
from scripts.scenario.play import NETWORK, devnet_options, load_cast, set_stage
from tests.e2e.test_runtime_upgrade import upgrade

pytestmark = pytest.mark.live

DAY = date(2026, 1, 27)
D = day_number(DAY)
ERA = 4
QUIET = 2 * ERA
"""Blocks in which a new journal signs nothing."""
MEMBER = "gatotech"
ROSTER = Roster((Service("polkadot", "polkadot", 3),), {MEMBER: frozenset({"polkadot"})})


@dataclass
class World:
    """A founded programme just after the end of `DAY`, and a ledger that follows."""

    devnet: Devnet
    node: NodeSource
    cast: Cast
    store: Store
    submitter: Submitter
    state: State | None = None

    def look(self) -> Now:
        known = runtimes(self.node)
        self.state = replay_into(self.store, self.node, known, state=self.state)
        head = self.state.head.value
        assert head is not None
        block = self.store.block(head.number)
        return Now(self.state, head.number, block.timestamp_ms, self.submitter)

    def attend(self, duties: Duties) -> Done:
        return duties.attend(self.look())

    def blocks(self, count: int) -> None:
        self.devnet.new_block(count=count)

    def later(self, blocks: int) -> None:
        """One block, so many heights above the head: eras end by height."""
        height = int(self.devnet.rpc("chain_getHeader")["number"], 16)
        self.devnet.new_block(to_height=height + blocks)

    @property
    def observations(self) -> int:
        return len(list(self.look().state.scores.observations.items()))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain on which the programme is founded, at midnight."""
    path, cast = tmp_path_factory.mktemp("chain") / "founded", load_cast()
    with start_devnet(**devnet_options(cast)) as devnet, patient(devnet) as node:
        stage = set_stage(devnet, cast, node)
        founding.found(stage, cast, load_rules())
        founding.register(stage, cast)
        devnet.time_travel(int(datetime(2026, 1, 28, tzinfo=UTC).timestamp()) * 1_000)
        devnet.new_block()
        devnet.save(path)
    return path


@pytest.fixture
def world(snapshot: Path, tmp_path: Path) -> Iterator[World]:
    with at_midnight(snapshot, tmp_path) as found:
        yield found


def patient(devnet: Devnet) -> NodeSource:
    """Busy machines take their time to look at a call, and to run one that replaces the runtime."""
    return NodeSource(devnet.url, client=RpcClient(devnet.url, timeout=300.0))


@contextmanager
def at_midnight(snapshot: Path, folder: Path, finality_lag: int = 0) -> Iterator[World]:
    cast = load_cast()
    options = devnet_options(cast)
    del options["timestamp_ms"]
    with (
        start_devnet(**options, load=snapshot, finality_lag=finality_lag) as devnet,
        patient(devnet) as node,
    ):
        identity = Identity(NETWORK.name, node.genesis_hash, None)
        with Store(f"sqlite:///{folder / 'ledger.db'}", identity) as store:
            yield World(devnet, node, cast, store, Submitter(node, runtimes(node), period=ERA))


@contextmanager
def oracle(world: World, folder: Path, *, signer: Signer | None = None) -> Iterator[Duties]:
    """The first oracle in `folder`, with one poll of the day."""
    who = signer or world.cast.oracles[0]
    journal = Journal(folder)
    slot = DAY, 287
    if journal.begin(slot):
        journal.finish(
            slot,
            [Sample(who.account, *slot, MEMBER, "polkadot", Status.OK, Micros(20_000))],
        )
    try:
        yield Duties(
            signer=who,
            journal=journal,
            shelf=Shelf(folder / "rows"),
            roster=ROSTER,
            rules=load_rules(),
            turns=Turns(),
            era=ERA,
            metrics=Metrics(lambda: 0.0),
        )
    finally:
        journal.close()


def test_a_new_journal_signs_nothing_until_what_was_signed_without_it_is_dead(
    world: World, tmp_path: Path
) -> None:
    with oracle(world, tmp_path / "o") as duties:
        (problem,) = world.attend(duties).problems
        assert "this journal is new" in problem
        world.later(QUIET - 1)
        assert world.attend(duties).problems == (problem,)
        world.blocks(1)
        assert world.attend(duties).problems == ()
        world.blocks(1)
        assert world.observations == 1


def test_a_word_is_said_once(world: World, tmp_path: Path) -> None:
    with oracle(world, tmp_path / "o") as duties:
        world.attend(duties)
        world.later(QUIET)
        for _ in range(3):  # looked at again while it is under way, and after
            world.attend(duties)
        assert len(world.devnet.rpc("author_pendingExtrinsics")) == 1
        world.blocks(1)
        assert world.attend(duties).problems == ()
        assert world.devnet.rpc("author_pendingExtrinsics") == []
        assert world.observations == 1


def test_a_process_that_dies_before_it_posts_says_the_same_when_it_comes_back(
    world: World, tmp_path: Path
) -> None:
    with oracle(world, tmp_path / "o") as duties:
        world.attend(duties)  # the word is written down, and may not be signed yet
    world.later(QUIET)
    with oracle(world, tmp_path / "o") as duties:
        world.attend(duties)
        world.blocks(1)
        found = world.look().state.scores.observations.get((world.cast.oracles[0].account, D))
    journal = Journal(tmp_path / "o")
    word = journal.word(DAY, Kind.OBSERVE)
    journal.close()
    assert word is not None
    assert (found.root, found.rows) == (word.root, word.rows)


def test_a_lost_journal_does_not_contradict_what_is_on_chain(world: World, tmp_path: Path) -> None:
    with oracle(world, tmp_path / "o") as duties:
        world.attend(duties)
        world.later(QUIET)
        world.attend(duties)
        world.blocks(1)
    with oracle(world, tmp_path / "another") as duties:
        world.later(QUIET)
        (problem,) = world.attend(duties).problems
        assert "that this journal does not" in problem
        world.later(QUIET + 1)
        world.attend(duties)
        assert world.devnet.rpc("author_pendingExtrinsics") == []
    assert len(list(world.look().state.scores.equivocations.items())) == 0


def test_an_extrinsic_that_a_fork_took_away_is_sent_again_after_its_era(
    snapshot: Path, tmp_path: Path
) -> None:
    with (
        at_midnight(snapshot, tmp_path, finality_lag=3) as world,
        oracle(world, tmp_path / "o") as duties,
    ):
        world.blocks(3)
        world.attend(duties)
        world.blocks(QUIET)
        world.attend(duties)
        world.blocks(1)
        world.devnet.reorg(1, blocks=2)
        world.blocks(1)
        assert world.observations == 0
        assert world.attend(duties).problems == ()
        assert world.devnet.rpc("author_pendingExtrinsics") == []
        world.blocks(QUIET)
        world.attend(duties)
        assert len(world.devnet.rpc("author_pendingExtrinsics")) == 1
        world.blocks(4)
        assert world.observations == 1


def test_a_runtime_upgrade_does_not_keep_an_oracle_silent(world: World, tmp_path: Path) -> None:
    with oracle(world, tmp_path / "o") as duties:
        world.attend(duties)
        before = world.submitter.spec_version()
        submitter = Submitter(
            world.node, runtimes(world.node), poll_seconds=0.05, advance=world.devnet.new_block
        )
        upgrade(submitter, world.devnet, world.cast.whale)
        world.later(QUIET)
        assert world.submitter.spec_version() != before
        assert world.attend(duties).problems == ()
        world.blocks(1)
        assert world.observations == 1


def test_who_cannot_pay_is_told_and_tries_again(world: World, tmp_path: Path) -> None:
    who = world.cast.oracles[0]
    runtime = world.submitter.runtime()
    key = "0x" + runtime.storage_key("System", "Account", who.account).hex()
    with oracle(world, tmp_path / "o") as duties:
        world.attend(duties)
        world.later(QUIET)
        (full,) = world.node.storage([bytes.fromhex(key[2:])], world.devnet.head_hash())
        assert full is not None
        world.devnet.set_storage({key: None})
        world.blocks(1)
        (problem,) = world.attend(duties).problems
        assert "pay" in problem or "Payment" in problem, problem
        world.devnet.set_storage({key: "0x" + full.hex()})
        world.blocks(1)
        assert world.attend(duties).problems == ()
        world.blocks(1)
        assert world.observations == 1


def test_who_is_not_in_office_says_nothing(world: World, tmp_path: Path) -> None:
    with oracle(world, tmp_path / "o", signer=world.cast.stranger) as duties:
        assert world.attend(duties).problems == ("this oracle is not in office",)
