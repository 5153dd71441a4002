"""Simulated before it is signed, and then signed: the simulation says what the chain then does.

One chain of the 2026 runtime, which has a dry run; `test_child_payouts_live` does the same with
child bounties on that of 2024, which has none.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.errors import SourceError
from ibp_chain.extrinsics import Inclusion, Submitter
from ibp_chain.keys import Signer
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, Hash
from multisig.approve import Approver
from multisig.bundle import Bundle, write_file
from multisig.dry_run import dry_run
from multisig.fork import run_signatures
from multisig.simulate import Simulation, judge_dry_run, judge_fork
from multisig.statement import Statement
from scripts.devnet_process import Devnet
from scripts.fork_process import ForkProcess, start_fork
from scripts.scenario.play import devnet_options, load_cast
from tests.conftest import StartDevnet
from tests.support import payouts
from tests.support.command_line import assert_done, assert_one_clear_line, ibp
from tests.support.simulated import PASEO, PREFIX, bundle_for, line, statement

pytestmark = pytest.mark.live

FUNDS = PASEO.planck(10_000)
STRANGER = AccountId(b"\7" * 32)


@dataclass(frozen=True)
class Stage:
    devnet: Devnet
    submitter: Submitter
    curators: tuple[Signer, ...]
    """By public key, as signatories are."""
    fork: ForkProcess

    def bundle(self, stated: Statement) -> Bundle:
        accounts = [signer.account for signer in self.curators]
        genesis = self.submitter.node.genesis_hash
        return bundle_for(self.submitter.runtime(), accounts, stated, genesis_hash=genesis)

    def by_fork(self, bundle: Bundle, *wanted: Signer) -> Simulation:
        runtime, at = self.submitter.runtime(), self.submitter.best()
        self.fork.open(at.hash)
        weight = Approver(self.submitter, bundle).max_weight()
        names = [signer.account for signer in wanted] or None
        context_of = self.submitter.context
        path = run_signatures(bundle, self.fork, at, runtime, weight, context_of, names)
        return judge_fork(bundle, runtime, path)

    def by_dry_run(self, bundle: Bundle) -> Simulation:
        runtime, at = self.submitter.runtime(), self.submitter.best()
        return judge_dry_run(bundle, runtime, dry_run(bundle, self.submitter.node, runtime, at))

    def balances(self, accounts: Iterable[AccountId]) -> dict[str, int]:
        """Free and reserved together, by address."""
        runtime, found = self.submitter.runtime(), {}
        for account in accounts:
            address = ss58_encode(account, PREFIX)
            key = runtime.storage_key("System", "Account", account)
            (raw,) = self.submitter.node.storage([key], self.devnet.head_hash())
            data = runtime.decode_storage("System", "Account", raw)["data"] if raw else {}
            found[address] = data.get("free", 0) + data.get("reserved", 0)
        return found

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Fails where the chain is not afterwards what it was before."""
        before = self.condition()
        yield
        assert self.condition() == before

    def condition(self) -> tuple[Any, ...]:
        rpc = self.devnet.rpc
        return (
            self.devnet.head_hash(),
            rpc("dev_checkState"),
            rpc("author_pendingExtrinsics"),
            rpc("dev_dropped"),
        )


@pytest.fixture(scope="module")
def stage(start_devnet: StartDevnet) -> Iterator[Stage]:
    cast = load_cast()
    options = devnet_options(cast) | {"spec": "paseo-2026"}
    with start_devnet(**options) as devnet, NodeSource(devnet.url) as node:
        multisig = ss58_encode(cast.multisig, PREFIX)
        account = {"providers": 1, "data": {"free": str(FUNDS)}}
        devnet.set_items({"System": {"Account": [[[multisig], account]]}})
        devnet.new_block()
        submitter = Submitter(
            node, runtimes(node), timeout=60, poll_seconds=0.05, advance=devnet.new_block
        )
        curators = tuple(sorted(cast.curators, key=lambda signer: signer.account))
        with start_fork(node.client) as fork:
            yield Stage(devnet, submitter, curators, fork)


def fee(inclusion: Inclusion) -> int:
    """That the chain took for an extrinsic."""
    (paid,) = (event for event in inclusion.events if event.name == "TransactionFeePaid")
    return int(paid.args["actual_fee"])


def test_both_ways_foresee_exactly_what_three_signatures_then_do(
    stage: Stage, tmp_path: Path
) -> None:
    bundle, file = stage.bundle(statement()), tmp_path / "bundle.json"
    write_file(file, bundle.encoded)
    with stage.untouched():
        done = ibp("multisig", "simulate", file, "--node", stage.devnet.url, "--json")
    told = json.loads(assert_done(done))
    by_dry_run, by_fork = told["simulations"]
    assert (told["agrees"], told["not_run"]) == (True, {})
    assert (by_dry_run["way"], by_fork["way"]) == ("dry run", "fork")
    assert (
        by_dry_run["block_hash"] == by_fork["block_hash"] == f"0x{stage.devnet.head_hash().hex()}"
    )
    assert [each["name"] for each in by_fork["changes"]] == [
        *(f"{line.member}/services" for line in bundle.statement.lines), "multisig", *["fee"] * 3
    ]  # fmt: skip
    for one, other in zip(by_dry_run["changes"], by_fork["changes"], strict=False):
        assert {**one, "before": other["before"]} == other

    accounts = [ss58_decode(each["account"], PREFIX) for each in by_fork["changes"]]
    before, approver = stage.balances(accounts), Approver(stage.submitter, bundle)
    first, *others = stage.curators[:3]
    approvals = [approver.approve(first)]
    with stage.untouched():
        rest = stage.by_fork(bundle)
    assert rest.agrees
    assert [step.signer for step in rest.steps] == [signer.account for signer in others]
    approvals += [approver.approve(signer) for signer in others]
    assert [(each.executed, each.error) for each in approvals] == [
        (False, None), (False, None), (True, None)
    ]  # fmt: skip

    after = stage.balances(accounts)
    assert {each["account"]: int(each["before"]) for each in by_fork["changes"]} == before
    assert {each["account"]: int(each["simulated"]) for each in by_fork["changes"]} == {
        address: after[address] - before[address] for address in after
    }
    fees = [fee(each.inclusion) for each in approvals]
    assert [int(step["fee"]) for step in by_fork["steps"]] == fees
    assert [step.fee for step in rest.steps] == fees[1:]
    (held,) = (e for e in approvals[0].inclusion.events if e.name == "Reserved")
    assert rest.deposit is not None
    assert by_fork["deposit"] == {
        "depositor": ss58_encode(first.account, PREFIX),
        "held": str(held.args["amount"]),
        "returned": str(rest.deposit.returned),
    }
    assert rest.deposit.returned == held.args["amount"]


def test_a_multisig_that_cannot_pay_shows_the_error_inside_and_pays_nobody(stage: Stage) -> None:
    bundle = stage.bundle(statement("2026-02", line(planck=2 * FUNDS)))
    with stage.untouched():
        by_fork, by_dry_run = stage.by_fork(bundle), stage.by_dry_run(bundle)
    assert by_fork.error == by_dry_run.error
    assert by_fork.error is not None
    for simulation in (by_fork, by_dry_run):
        paid = [c for c in simulation.changes if not c.name.startswith("fee")]
        assert [change.simulated for change in paid] == [0] * len(paid)
        assert [change.difference for change in paid] == [-change.expected for change in paid]
        assert not simulation.agrees
    assert f"fails inside: {by_fork.error}" in by_fork.differences[0]
    assert by_dry_run.differences[0] == f"the call fails: {by_dry_run.error}"
    assert by_fork.deposit is not None
    assert by_fork.deposit.returned == by_fork.deposit.held > 0
    assert [change.difference for change in by_fork.changes[-3:]] == [0, 0, 0]


def test_a_payee_below_the_existential_deposit_fails_the_batch_and_ends_the_command_with_1(
    stage: Stage, tmp_path: Path
) -> None:
    minimum = stage.submitter.runtime().constant("Balances", "ExistentialDeposit")
    short = line(planck=minimum - 1, payee=STRANGER)
    bundle, file = stage.bundle(statement("2026-03", short)), tmp_path / "bundle.json"
    write_file(file, bundle.encoded)
    done = ibp(
        "multisig", "simulate", file, "--node", stage.devnet.http_url, "--dry-run-only"
    )  # fmt: skip
    assert_one_clear_line(
        done, 1, "the simulation does not agree", "the call fails: Token.BelowMinimum"
    )
    assert "No fork: --dry-run-only." in done.stdout
    assert f"expected {minimum - 1:+} planck, simulated +0" in done.stdout
    assert done.stdout.count("DIFFERENT: ") == 1 + len(bundle.statement.lines) + 1


def test_a_call_with_one_more_that_leaves_no_event_does_not_agree(
    stage: Stage, tmp_path: Path
) -> None:
    runtime, bundle = stage.submitter.runtime(), stage.bundle(statement("2026-07"))
    calls = runtime.decode_call(bundle.call).args["calls"]
    silent = runtime.call("System", "remark", {"remark": b"nothing tells of this"})
    call = runtime.encode_call("Utility", "batch_all", {"calls": [*calls, silent]})
    file = tmp_path / "bundle.json"
    write_file(file, payouts.resealed(bundle, call).encoded)
    done = ibp("multisig", "simulate", file, "--node", stage.devnet.url, "--dry-run-only", "--json")
    assert_one_clear_line(done, 1, "the simulation does not agree", "not only transfers")
    told = json.loads(done.stdout)
    assert (told["agrees"], len(told["misread"])) == (False, 1)
    assert [each["agrees"] for each in told["simulations"]] == [True]


def test_a_curator_who_cannot_pay_the_fee_is_named_and_nothing_follows(stage: Stage) -> None:
    poor = stage.curators[3]
    address, account = ss58_encode(poor.account, PREFIX), {"providers": 1, "data": {"free": "1"}}
    stage.devnet.set_items({"System": {"Account": [[[address], account]]}})
    bundle = stage.bundle(statement("2026-04"))
    simulation = stage.by_fork(bundle, poor, *stage.curators[:2])
    (step,) = simulation.steps
    assert (step.signer, step.executed, step.fee) == (poor.account, False, None)
    assert address in simulation.differences[0]
    assert "refused: " in simulation.differences[0]
    assert "ayment" in simulation.differences[0]
    assert "the call is not executed" in simulation.differences


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--dry-run-only", "--fork-only"), 2, "leave nothing to do"),
        (("--signers", "5ED5"), 2, "5ED5"),
    ],
)
def test_what_cannot_be_simulated_ends_in_one_line(
    stage: Stage, tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    file = tmp_path / "bundle.json"
    write_file(file, stage.bundle(statement("2026-05")).encoded)
    done = ibp("multisig", "simulate", file, "--node", stage.devnet.url, *options)
    assert_one_clear_line(done, code, said)


def test_a_block_that_the_node_does_not_have_cannot_be_forked_and_the_fork_goes_on(
    stage: Stage,
) -> None:
    with pytest.raises(SourceError, match="cannot open: the node has no block 0x0000"):
        stage.fork.open(Hash(bytes(32)))
    stage.fork.open(stage.devnet.head_hash())


def test_a_fork_that_is_not_answered_in_time_ends_with_what_to_do(stage: Stage) -> None:
    with (
        start_fork(stage.submitter.node.client, patience=0.01) as fork,
        pytest.raises(SourceError, match="did not answer within"),
    ):
        fork.open(stage.devnet.head_hash())


def test_without_node_the_fork_says_what_it_needs(stage: Stage, tmp_path: Path) -> None:
    """A `node` on the PATH that is too old stands for a machine without one."""
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v12.0.0\n")
    old.chmod(0o755)
    file = tmp_path / "bundle.json"
    write_file(file, stage.bundle(statement("2026-06")).encoded)
    arguments = ("multisig", "simulate", file, "--node", stage.devnet.url, "--fork-only")
    done = ibp(*arguments, env={"PATH": str(tmp_path)})
    assert_one_clear_line(done, 2, "Node 20 or newer is needed")
