"""A payout by child bounties on the real runtime: what the ledger says is what the chain did.

That of 2024: later relay chains have moved their bounties to Asset Hub and filter the calls.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Planck
from ledger.indexer import replay_into
from ledger.pallets.child_bounties import PendingPayout
from ledger.pallets.payouts import BatchStatus, ViolationCode
from ledger.program.rules import load_rules
from ledger.state import State
from ledger.store import Identity, Store
from multisig.approve import Approver
from multisig.batch import Batch, bounty_account, build_batches
from multisig.bundle import check_bundle, make_bundles, write_file
from multisig.dry_run import missing_dry_run
from multisig.errors import BatchRefused
from multisig.fork import run_signatures
from multisig.plan import Kind, PlanPart
from multisig.simulate import judge_fork
from multisig.statement import Line, Statement
from scripts.fork_process import ForkProcess, start_fork
from scripts.scenario import founding
from scripts.scenario.cast import Cast
from scripts.scenario.play import NETWORK, devnet_options, load_cast, set_stage
from scripts.scenario.stage import Stage
from tests.conftest import StartDevnet
from tests.differential.spending_acts import POT
from tests.support import payouts
from tests.support.command_line import DEMO, assert_one_clear_line
from tests.support.in_process import ibp_here

pytestmark = pytest.mark.live

PLAN = PlanPart(kind=Kind.CHILD_BOUNTIES, parent=0)
CLAIMS = PlanPart(kind=Kind.CHILD_CLAIMS)
FORTUNE = NETWORK.planck(10_000_000)


@dataclass(frozen=True)
class Programme:
    """A founded programme whose multisig is curator of bounty 0."""

    stage: Stage
    cast: Cast
    fork: ForkProcess

    @property
    def statement(self) -> Statement:
        return payouts.bundle().statement

    def build(self, plan: PlanPart, statement: Statement | None = None) -> tuple[State, Batch]:
        state, of = self.stage.state(), statement or self.statement
        (batch,) = build_batches(of, state, self.stage.runtime, plan=plan)
        genesis = self.stage.node.genesis_hash
        (bundle,) = make_bundles(of, [batch], state, genesis, self.stage.runtime)
        check_bundle(bundle, state, genesis, self.stage.runtime, self.stage.submitter.codec())
        return state, batch

    def foresee(self, batch: Batch) -> dict[AccountId, int]:
        """What a fork with every signature says that everybody will have but for the fees, which
        depend on the weight that `by_multisig` allows.
        """
        stage, runtime = self.stage, self.stage.runtime
        state, genesis = stage.state(), stage.node.genesis_hash
        (bundle,) = make_bundles(self.statement, [batch], state, genesis, runtime)
        assert missing_dry_run(runtime) == "spec version 1001002 has no DryRunApi in its metadata"
        at, weight = stage.submitter.best(), Approver(stage.submitter, bundle).max_weight()
        self.fork.open(at.hash)
        context_of = stage.submitter.context
        path = run_signatures(bundle, self.fork, at, runtime, weight, context_of)
        simulation = judge_fork(bundle, runtime, path)
        assert simulation.agrees, simulation.differences
        assert len(simulation.changes) == 2 + 2 * len(batch.lines) + 3
        return {
            change.account: path.before[change.account].free + change.simulated
            for change in simulation.changes
            if "fee" not in change.name
        }

    def holds(self, accounts: Iterable[AccountId]) -> dict[AccountId, int]:
        return {account: self.free(account) for account in accounts}

    def execute(self, call: bytes) -> State:
        self.stage.by_multisig(call, self.cast.curators)
        return self.stage.state()

    def approve(self, file: Path, folder: Path) -> CompletedProcess[str]:
        """The command of a curator whose ledger is up to date."""
        stage, db = self.stage, f"sqlite:///{folder / 'ledger.db'}"
        with Store(db, Identity(NETWORK.name, stage.node.genesis_hash, stage.multisig)) as store:
            replay_into(store, stage.node, stage.submitter.runtimes)
        whole = ("approve", file, "--yes", "--rows", DEMO / "rows", "--node", stage.devnet.url)
        secret = {"IBP_SECRET_URI": "//IBP//Curator//0"}
        return ibp_here("multisig", *whole, "--db", db, env=secret)

    def free(self, account: AccountId) -> int:
        runtime, node = self.stage.runtime, self.stage.node
        key = runtime.storage_key("System", "Account", account)
        (raw,) = node.storage([key], self.stage.devnet.head_hash())
        return (
            0
            if raw is None
            else int(runtime.decode_storage("System", "Account", raw)["data"]["free"])
        )

    def balances(self) -> dict[str, int]:
        return {line.member: self.free(payee(line)) for line in self.statement.lines}


def payee(line: Line) -> AccountId:
    return ss58_decode(line.payee, NETWORK.ss58_prefix)


@pytest.fixture(scope="module")
def programme(start_devnet: StartDevnet) -> Iterator[Programme]:
    cast = load_cast()
    with start_devnet(**devnet_options(cast)) as devnet, NodeSource(devnet.url) as node:
        stage = set_stage(devnet, cast, node)
        founding.found(stage, cast, load_rules())
        founding.register(stage, cast)
        _grant_bounty(stage, cast)
        with start_fork(node.client) as fork:
            yield Programme(stage, cast, fork)


def _grant_bounty(stage: Stage, cast: Cast) -> None:
    """Proposed by the whale, approved by root, funded by the pot, accepted by the multisig."""
    address = [ss58_encode(POT, NETWORK.ss58_prefix)]
    account = {"providers": 1, "data": {"free": str(FORTUNE)}}
    stage.devnet.set_items(
        {
            "System": {"Account": [[address, account]]},
            "Sudo": {"Key": ss58_encode(cast.whale.account, NETWORK.ss58_prefix)},
        }
    )

    def by_root(name: str, **args: object) -> None:
        call = stage.call(stage.encode("Bounties", name, bounty_id=0, **args))
        stage.send(cast.whale, stage.encode("Sudo", "sudo", call=call))
        stage.block()

    value = NETWORK.planck(100_000)
    propose = stage.encode("Bounties", "propose_bounty", value=value, description=b"IBP")
    stage.send(cast.whale, propose)
    stage.block()
    by_root("approve_bounty")
    period: int = stage.runtime.constant("Treasury", "SpendPeriod")
    stage.jump_to((stage.height // period + 1) * period)
    by_root("propose_curator", curator=("Id", cast.multisig), fee=0)
    stage.by_multisig(stage.encode("Bounties", "accept_curator", bounty_id=0), cast.curators)


def test_a_month_is_awarded_claimed_and_registered_once(programme: Programme) -> None:
    before, pot = programme.balances(), programme.free(bounty_account(0))
    _, batch = programme.build(PLAN)
    foreseen = programme.foresee(batch)
    state = programme.execute(batch.call)
    assert programme.holds(foreseen) == foreseen
    lines, storage = programme.statement.lines, state.mirrors.spending.child_bounties

    (record,) = (each for _, each in state.payouts.batches.items())
    assert (record.status, record.total) == (BatchStatus.PAID, programme.statement.total)
    assert not len(state.payouts.violations)
    assert {key[1]: paid.amount for key, paid in state.payouts.paid.items()} == {
        line.member: line.planck for line in lines
    }
    assert programme.free(bounty_account(0)) == pot - programme.statement.total
    for plan in (PLAN, PlanPart()):
        with pytest.raises(BatchRefused, match="was paid before"):
            programme.build(plan)

    pending = [child.status for _, child in storage.child_bounties.items()]
    assert len(pending) == len(lines)
    assert programme.balances() == before
    with pytest.raises(BatchRefused, match="can be claimed from block"):
        programme.build(CLAIMS)
    unlock = max(each.unlock_at for each in pending if isinstance(each, PendingPayout))
    programme.stage.jump_to(BlockNumber(unlock))
    _, claims = programme.build(CLAIMS)
    foreseen = programme.foresee(claims)
    state = programme.execute(claims.call)
    assert programme.holds(foreseen) == foreseen
    *_, (_, record) = sorted(state.payouts.batches.items())
    assert (record.call_hash, record.status, record.total) == (
        claims.call_hash, BatchStatus.PAID, 0,
    )  # fmt: skip
    assert not len(state.payouts.violations)

    after = programme.balances()
    assert {name: after[name] - before[name] for name in after} == {
        line.member: line.planck for line in lines
    }
    with pytest.raises(BatchRefused, match="is claimed already"):
        programme.build(CLAIMS)


def test_a_number_that_is_taken_behind_the_builders_back_does_not_go_unseen(
    programme: Programme, tmp_path: Path
) -> None:
    """A child added in between shifts all numbers: each award pays what another child holds."""
    statement = programme.statement.model_copy(update={"period": "2026-02"})
    before, batch = programme.build(PLAN, statement)
    genesis, file = programme.stage.node.genesis_hash, tmp_path / "bundle.json"
    (bundle,) = make_bundles(statement, [batch], before, genesis, programme.stage.runtime)
    write_file(file, bundle.encoded)
    assert batch.plan.children is not None
    first = batch.plan.children[0]
    stray = programme.stage.encode(
        "ChildBounties",
        "add_child_bounty",
        parent_bounty_id=0,
        value=Planck(NETWORK.planck(500)),
        description=b"in between",
    )
    state = programme.execute(stray)
    with pytest.raises(BatchRefused, match="by the ledger 0/"):
        build_batches(statement, state, programme.stage.runtime, plan=batch.plan, part=1)
    assert_one_clear_line(
        programme.approve(file, tmp_path),
        1,
        f"its child bounties are 0/{first} and on, by the ledger 0/{first + 1} and on: build it "
        "again",
    )
    state = programme.execute(batch.call)
    *_, (key, record) = sorted(state.payouts.batches.items())
    assert (record.call_hash, record.status) == (batch.call_hash, BatchStatus.IRREGULAR)
    assert [v.code for at, v in state.payouts.violations.items() if at[:2] == key] == [
        ViolationCode.NO_TRANSFER
    ] * len(statement.lines)
    assert not [paid for paid in state.payouts.paid.items() if paid[0][0] == "2026-02"]
