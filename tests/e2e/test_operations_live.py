"""Operations in flight on the real runtime: races, cancellation, short weight, upgrade, watch.

One chain for all tests here; each has a payout of its own, so that none waits for another. The
commands run in this process, except where one is killed.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ibp_chain.accounts import multisig_account, other_signatories, ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.cli.app import app
from ibp_chain.errors import CheckFailed
from ibp_chain.extrinsics import Submitter, Weight
from ibp_chain.keys import signer_from_uri
from ibp_chain.networks import network
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash, Planck
from multisig.approve import Approver, as_multi
from multisig.bundle import Bundle, write_file
from multisig.errors import ApprovalRefused, NextStep, OpenedAnew, WeightTooLow
from multisig.onchain import Witness
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario.cast import genesis_storage
from tests.e2e.test_runtime_upgrade import upgrade
from tests.support import payouts
from tests.support.http_server import Quiet, http_server

pytestmark = pytest.mark.live

PASEO = network("paseo")
URIS = [f"//IBP//Curator//{at}" for at in range(5)]
SIGNERS = [signer_from_uri(uri) for uri in URIS]
ACCOUNTS = sorted(signer.account for signer in SIGNERS)
MULTISIG = multisig_account(ACCOUNTS, 3)
STATEMENT = payouts.bundle().statement
LINES = len(STATEMENT.lines)


def address(at: int) -> str:
    return ss58_encode(SIGNERS[at].account, PASEO.ss58_prefix)


@dataclass
class Chain:
    devnet: Devnet
    submitter: Submitter
    folder: Path

    @property
    def node(self) -> tuple[str, str]:
        return "--node", self.devnet.url

    def bundle(self, period: str, price: str | None = None) -> Bundle:
        """The recorded payout as that of another month; another price makes another call of it."""
        runtime = self.submitter.runtime()
        changed: dict[str, Any] = {"period": period}
        if price is not None:
            changed["price"] = STATEMENT.price.model_copy(update={"usd": Decimal(price)})
        statement = STATEMENT.model_copy(update=changed)
        return payouts.on_chain(statement, runtime, self.devnet.genesis_hash, ACCOUNTS)

    def file(self, bundle: Bundle) -> Path:
        path = self.folder / f"{bundle.call_hash.hex()[:8]}.json"
        write_file(path, bundle.encoded)
        return path

    def approver(self, bundle: Bundle) -> Approver:
        return Approver(self.submitter, bundle)

    def waiting(self, bundle: Bundle, at: int, timepoint: dict[str, int] | None) -> None:
        """Curator `at`'s approval, in the pool: the next block takes it."""
        runtime, weight = self.submitter.runtime(), self.approver(bundle).max_weight()
        call = as_multi(runtime, bundle, SIGNERS[at].account, timepoint, weight)
        self.submitter.submit(call, SIGNERS[at])

    def by_hash(self, bundle: Bundle, at: int, timepoint: dict[str, int] | None) -> None:
        call = self.submitter.runtime().encode_call(
            "Multisig",
            "approve_as_multi",
            {
                "threshold": 3,
                "other_signatories": other_signatories(ACCOUNTS, SIGNERS[at].account),
                "maybe_timepoint": timepoint,
                "call_hash": bundle.call_hash,
                "max_weight": {"ref_time": 0, "proof_size": 0},
            },
        )
        self.submitter.submit_and_wait(call, SIGNERS[at])


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    balances = {signer.account: PASEO.planck(10_000) for signer in SIGNERS}
    balances[MULTISIG] = PASEO.planck(100_000)
    storage = genesis_storage(balances, Planck(1_150_000_010_000_000_000))
    with start_devnet(genesis_storage=storage) as devnet, NodeSource(devnet.url) as node:
        devnet.new_block(count=2)
        submitter = Submitter(node, runtimes(node), poll_seconds=0.0, advance=devnet.new_block)
        yield Chain(devnet, submitter, tmp_path_factory.mktemp("operations"))


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    error: str


def said(*arguments: object, uri: str | None = None) -> Said:
    env = {} if uri is None else {"IBP_SECRET_URI": uri}
    done = CliRunner().invoke(app, ["multisig", *map(str, arguments)], env=env)
    error = done.exception
    if error is not None and not isinstance(error, SystemExit | CheckFailed):
        raise error
    return Said(done.exit_code, done.stdout, str(error or ""))


# --- Races ------------------------------------------------------------------------------------


def test_who_is_overtaken_by_the_first_approval_approves_the_operation_that_it_opened(
    chain: Chain,
) -> None:
    bundle = chain.bundle("2031-01")
    approver, told = chain.approver(bundle), list[str]()
    chain.waiting(bundle, 0, None)
    done = approver.approve(SIGNERS[1], told=told.append)
    assert not done.executed
    (sentence,) = told
    assert sentence.startswith("Multisig.NoTimepoint in block ")
    assert "another curator opened the operation first" in sentence
    operation = approver.status()
    assert operation is not None
    assert operation.approvals == tuple(sorted(signer.account for signer in SIGNERS[:2]))


def test_an_approval_that_comes_after_the_execution_opens_nothing(chain: Chain) -> None:
    bundle = chain.bundle("2031-02")
    approver = chain.approver(bundle)
    approver.approve(SIGNERS[0])
    approver.approve(SIGNERS[1])
    operation = approver.status()
    assert operation is not None
    chain.waiting(bundle, 2, operation.timepoint)
    with pytest.raises(ApprovalRefused, match="the call was executed in block") as refused:
        approver.approve(SIGNERS[3])
    assert address(2) in str(refused.value)
    assert refused.value.following is NextStep.RECONCILE
    assert approver.status() is None

    # the ledger is still where it was before: the blocks since tell
    head = chain.submitter.node.head()
    before = next(iter(chain.submitter.node.blocks(BlockNumber(1), BlockNumber(1)))).ref
    with pytest.raises(ApprovalRefused, match="which your ledger does not have yet"):
        approver.approve(SIGNERS[3], seen=Witness(before, ()))
    with pytest.raises(ApprovalRefused, match="begin to pay it again"):
        approver.approve(SIGNERS[3], seen=Witness(head, (head.number,)))
    with pytest.raises(ApprovalRefused, match="is not the one in your ledger"):
        approver.approve(SIGNERS[3], seen=Witness(BlockRef(before.number, Hash(bytes(32))), ()))
    ahead = BlockRef(BlockNumber(head.number + 50), head.hash)
    with pytest.raises(ApprovalRefused, match="use a node that is up to date"):
        approver.approve(SIGNERS[3], seen=Witness(ahead, ()))
    assert approver.status() is None


def test_an_operation_that_was_opened_after_the_execution_is_told_loudly_and_cancelled(
    chain: Chain,
) -> None:
    bundle = chain.bundle("2031-03")
    approver, runtime = chain.approver(bundle), chain.submitter.runtime()
    remark = runtime.encode_call("System", "remark", {"remark": b"where the next one stands"})
    at = chain.submitter.submit_and_wait(remark, SIGNERS[4])
    timepoint = {"height": at.block.number + 1, "index": at.extrinsic_index}
    chain.waiting(bundle, 0, None)
    chain.waiting(bundle, 1, timepoint)
    chain.waiting(bundle, 2, timepoint)
    with pytest.raises(OpenedAnew, match="THIS OPENED A SECOND OPERATION") as opened:
        approver.approve(SIGNERS[3])
    assert f"executed in block {timepoint['height']}" in str(opened.value)
    assert opened.value.following is NextStep.CANCEL

    path, operation = chain.file(bundle), approver.status()
    assert operation is not None
    reserved = operation.deposit
    chain.devnet.rpc("dev_setBlockBuildMode", "Instant")
    other = said("cancel", path, *chain.node, "--yes", uri=URIS[0])
    assert (other.code, address(3) in other.error) == (1, True)
    assert "who opened it in block" in other.error
    done = said("cancel", path, *chain.node, "--yes", uri=URIS[3])
    chain.devnet.rpc("dev_setBlockBuildMode", "Manual")
    assert done.code == 0, done.error
    deposit = PASEO.format(reserved)
    assert f"1 of 3 approved; {deposit} of deposit come back" in done.out
    assert f"{deposit} of deposit came back" in done.out
    assert approver.status() is None


# --- What is open -----------------------------------------------------------------------------


def test_whatever_is_open_is_told_with_what_nobody_should_approve(chain: Chain) -> None:
    shown, twin = chain.bundle("2031-04"), chain.bundle("2031-04", price="2.25")
    hidden, former = chain.bundle("2031-05"), chain.bundle("2031-06")
    chain.waiting(shown, 0, None)
    chain.waiting(twin, 1, None)
    chain.by_hash(hidden, 2, None)
    files = [chain.file(each) for each in (shown, former)]
    done = said("pending", *chain.node, "--bundle", files[0], "--bundle", files[1], "--json")
    assert done.code == 0, done.error
    found = {each["call_hash"]: each for each in json.loads(done.out)["operations"]}
    first, second, third = (found["0x" + b.call_hash.hex()] for b in (shown, twin, hidden))

    assert first["depositor"] == address(0)
    assert first["approvals"] == [address(0)]
    assert set(first["missing"]) == {address(at) for at in (1, 2, 3, 4)}
    assert (first["threshold"], first["lacking"]) == (3, 2)
    assert first["call"]["bundle"] == str(files[0])
    assert first["call"]["words"][0].startswith("says that it pays 2031-04, by statement 0x")
    assert len(first["call"]["words"]) == 1 + LINES
    # nobody gave the twin's bundle: the extrinsic that opened it holds the whole call
    assert (second["call"]["from"], second["call"]["bundle"]) == ("as_multi on chain", None)
    assert {each[-1] for each in first["also_paid_by"]} == {second["call_hash"]}
    assert len(first["also_paid_by"]) == len(second["also_paid_by"]) == LINES
    assert third["call"] is None
    assert third["warnings"] == ["unknown: hash only, nobody should approve what nobody has shown"]
    assert third["age"]["blocks"] <= first["age"]["blocks"] + 1
    assert first["age"]["exact"]

    in_words = said("status", files[0], *chain.node)
    assert "cancel the other" in in_words.out
    assert f"ibp multisig cancel {files[0]} --node {chain.devnet.url}" in in_words.out
    assert "https://polkadot.js.org/apps/?rpc=ws%3A%2F%2F127.0.0.1" in in_words.out
    assert "subscan" not in in_words.out
    assert "of spec version 1001002, which the node runs" in in_words.out


def test_a_last_approval_with_too_little_weight_is_explained_and_the_next_one_executes(
    chain: Chain,
) -> None:
    bundle = chain.bundle("2031-07")
    approver = chain.approver(bundle)
    chain.waiting(bundle, 0, None)
    approver.approve(SIGNERS[1])
    needed = approver.weight()
    short = Weight(needed.ref_time, needed.proof_size - 1)
    with pytest.raises(WeightTooLow, match="the others do") as refused:
        approver.approve(SIGNERS[2], max_weight=short)
    assert (refused.value.given, refused.value.needed) == (short, needed)
    assert refused.value.following is NextStep.APPROVE
    operation = approver.status()
    assert operation is not None
    assert len(operation.approvals) == 2
    assert approver.approve(SIGNERS[2]).executed


def test_what_three_approved_by_hash_is_executed_by_anyone_with_the_whole_call(
    chain: Chain,
) -> None:
    bundle = chain.bundle("2031-05")  # opened by curator 2, by its hash
    approver = chain.approver(bundle)
    operation = approver.status()
    assert operation is not None
    chain.by_hash(bundle, 3, operation.timepoint)
    chain.by_hash(bundle, 4, operation.timepoint)
    assert approver.approve(SIGNERS[4]).executed


# --- A watch, over all of the above -----------------------------------------------------------


def test_a_watch_that_is_killed_loses_nothing_and_repeats_only_what_was_on_its_way(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = chain.file(chain.bundle("2031-07"))
    watching = ("multisig", "watch", "--bundle", path, "--all", *chain.node, "--json", "--first", 1)
    truth = [json.loads(line) for line in said(*watching[1:], "--once").out.splitlines()]
    keys = [each["id"] for each in truth]
    assert len(set(keys)) == len(keys) > 15
    executed = [each for each in truth if each["event"] == "executed"]
    assert len(executed) == 4
    for each in executed:
        assert [line["done"] for line in each["lines"]] == ["paid"] * LINES
    (cancelled,) = (each for each in truth if each["event"] == "cancelled")
    assert cancelled["who"] == address(3)

    taken, enough, killed = list[str](), threading.Event(), threading.Event()
    state, problems = chain.folder / "watch.json", chain.folder / "watch.stderr"
    with receiving(taken, enough, killed, fail_first=2) as url:
        command = [sys.executable, "-m", "ibp_chain.cli.app", *map(str, watching)]
        with problems.open("wb") as stderr:
            process = subprocess.Popen(
                [*command, "--state", str(state)],
                env={**os.environ, "IBP_WEBHOOK": url},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        try:
            assert enough.wait(120), (len(taken), problems.read_text())
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed.set()
        assert 0 < len(taken) < len(keys)
        # a slow machine is no webhook that is away: it would hear a report twice
        monkeypatch.setattr("multisig.webhook.SECONDS", 300.0)
        resumed = said(*watching[1:-2], "--once", "--state", state, "--webhook", url)
        assert resumed.code == 0, resumed.error
    assert list(dict.fromkeys(taken)) == keys
    assert len(taken) - len(keys) <= 1


@contextmanager
def receiving(
    taken: list[str], enough: threading.Event, killed: threading.Event, fail_first: int
) -> Iterator[str]:
    """A webhook that fails first, then takes reports, and none between `enough` and `killed`."""
    failures = iter(range(fail_first))

    class Handler(Quiet):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if enough.is_set() and not killed.is_set():
                killed.wait(120)  # it gave the fifth up, and tries again
                return
            failed = next(failures, None) is not None
            if not failed:
                taken.append(self.headers["Idempotency-Key"])
            if len(taken) == 5 and not enough.is_set():
                enough.set()
                killed.wait(120)
                return  # it never hears that this one was taken
            self.send_response(503 if failed else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with http_server(Handler) as url:
        yield f"{url}/steps"


# --- An upgrade -------------------------------------------------------------------------------


def test_signatures_go_on_after_an_upgrade_that_left_the_call_as_it_was(chain: Chain) -> None:
    bundle = chain.bundle("2031-08")
    path = chain.file(bundle)
    chain.waiting(bundle, 0, None)
    done = chain.approver(bundle).approve(SIGNERS[1])
    assert not done.executed
    upgrade(chain.submitter, chain.devnet, SIGNERS[4])
    chain.devnet.new_block()

    approver = chain.approver(bundle)
    with pytest.raises(ApprovalRefused, match="the node runs 2003001") as refused:
        approver.approve(SIGNERS[2])
    assert refused.value.following is NextStep.RECHECK
    status = json.loads(said("status", path, *chain.node, "--json").out)
    assert (status["spec_version"], status["running_spec_version"]) == (1_001_002, 2_003_001)
    assert " multisig recheck " in status["next"]["command"]
    assert len(status["approvals"]) == 2

    compared = said("recheck", path, *chain.node)
    assert compared.code == 0, compared.error
    assert "Made for paseo 1001002, the node runs paseo 2003001." in compared.out
    assert f"the same call hash 0x{bundle.call_hash.hex()}" in compared.out

    again = chain.bundle("2031-08")
    assert (again.call_hash, again.chain.spec_version) == (bundle.call_hash, 2_003_001)
    assert chain.approver(again).approve(SIGNERS[2]).executed
