"""How long a payout of many members takes to make, to verify, to read and to simulate.

    make bench-payouts
    python -m scripts.bench_payouts [--members 200] [--rounds 3]

The programme of the bundled recording with more members, on a test chain of the runtime of 2026,
which has a dry run. Prints a table and rewrites its section of docs/benchmarks.md. It asserts that
what was made holds, and no time.
"""

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import ibp_chain
from ibp_chain.blocks import BlockRef
from ibp_chain.cli.opened import open_ledger
from ibp_chain.cli.output import say
from ibp_chain.cli.served import service_records
from ibp_chain.errors import CheckFailed
from ibp_chain.extrinsics import Submitter
from ibp_chain.networks import NETWORKS
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash
from ledger.mirrors import Constants
from ledger.program.rules import Rules, load_rules
from multisig.approve import Approver
from multisig.batch import Batch, build_batches, encode_batch
from multisig.bundle import Bundle, make_bundles, read_bundle, verify_bundle
from multisig.checks import Policy
from multisig.decode import decode_payout
from multisig.dry_run import dry_run
from multisig.fork import run_signatures
from multisig.simulate import Simulation, judge_dry_run, judge_fork
from multisig.statement import Ledger, Statement, build_statement
from scripts.bench.members import Programme, with_members
from scripts.bench.parts import Part, write_part
from scripts.bench.report import Sheet, number, show
from scripts.bench.timing import Seconds, stay_on_one_core, timed
from scripts.devnet_process import Devnet, start_devnet
from scripts.fork_process import start_fork
from scripts.scenario.play import devnet_options, load_cast

_DEMO = Path(ibp_chain.__file__).parent / "data" / "demo"
_DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_SPEC = "paseo-2026"
_NETWORK = NETWORKS["paseo"]
_FUNDS = _NETWORK.planck(10_000_000)
_POLICY = Policy()
_ABOUT = """\
`make bench-payouts` measures what follows and rewrites it; the others leave it as it is. One core
for everything, the test chain and the fork among it; the fastest of {rounds} passes, simulations
once. It asserts that what was made holds, and no time.
"""


class Maker(NamedTuple):
    """All that a curator makes and checks a payout with."""

    programme: Programme
    rules: Rules
    runtime: Runtime
    codec: PeerCodec
    genesis_hash: Hash

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.programme.state, Constants.of(self.runtime))

    def statement(self) -> Statement:
        given = read_bundle(_DEMO / "bundle.json").statement
        return build_statement(
            self.ledger, self.rules, given.period, given.price, self.programme.service, frozenset()
        )

    def batches(self, statement: Statement) -> tuple[Batch, ...]:
        return build_batches(statement, self.programme.state, self.runtime, policy=_POLICY)

    def bundles(self, statement: Statement) -> tuple[Bundle, ...]:
        batches = self.batches(statement)
        return make_bundles(
            statement, batches, self.programme.state, self.genesis_hash, self.runtime
        )

    def verify(self, bundle: Bundle) -> None:
        verify_bundle(
            bundle,
            self.ledger,
            self.rules,
            self.programme.service,
            self.genesis_hash,
            self.runtime,
            self.codec,
            policy=_POLICY,
        )


def programme(members: int) -> Programme:
    """The recording's as of its statement, with members like its first one."""
    given = read_bundle(_DEMO / "bundle.json").statement
    opened = open_ledger("", _DEMO / "archive", given.ledger.block)
    service = service_records(opened.state, _DEMO / "rows", given.period)
    owed = [line.member for line in given.lines]
    return with_members(opened.state, service, owed[0], owed, members)


# --- What is measured -----------------------------------------------------------------


class Figure(NamedTuple):
    name: str
    taken: Seconds
    payees: int
    """That it was done for."""
    peer: Seconds | None = None


def on_paper(maker: Maker, rounds: int) -> tuple[list[Figure], tuple[Bundle, ...]]:
    """What needs no node, in the order in which curators do it."""
    stating, statement = timed(maker.statement, rounds)
    building, bundles = timed(lambda: maker.bundles(statement), rounds)
    verifying, _ = timed(lambda: [maker.verify(bundle) for bundle in bundles], rounds)
    decoding, read = timed(
        lambda: [decode_payout(maker.runtime, maker.codec, b.call, b.network) for b in bundles],
        rounds,
    )
    if [pair for reading in read for pair in reading.transfers] != [
        (line.payee, line.planck) for line in statement.lines
    ]:
        raise CheckFailed("the bundles' calls pay something else than the statement")
    parts = [batch.lines for batch in maker.batches(statement)]
    encoding, ours = timed(
        lambda: [encode_batch(statement, lines, maker.runtime).call for lines in parts], rounds
    )
    values = [_peer_value(maker.codec, call) for call in ours]
    beside, theirs = timed(lambda: [maker.codec.encode_call(value) for value in values], rounds)
    if theirs != ours:
        raise CheckFailed("scalecodec encodes the batches otherwise")
    count = len(statement.lines)
    figures = [
        Figure("state what is owed", stating, count),
        Figure("build: checks, calls, bundles", building, count),
        Figure("of that, encode the calls", encoding, count, beside),
        Figure("verify: statement and calls rebuilt, read twice", verifying, count),
        Figure("decode, by both decoders", decoding, count),
    ]
    return figures, bundles


def _peer_value(codec: PeerCodec, call: bytes) -> Any:
    """The batch as scalecodec takes it: its own reading of it, by names alone."""
    match codec.decode_call(call):
        case {"call_args": [{"value": calls}]}:
            return {
                "call_module": "Utility",
                "call_function": "batch_all",
                "call_args": {"calls": [_named(each) for each in calls]},
            }
    raise CheckFailed("scalecodec reads no batch")


def _named(call: Any) -> dict[str, Any]:
    return {
        "call_module": call["call_module"],
        "call_function": call["call_function"],
        "call_args": {each["name"]: each["value"] for each in call["call_args"]},
    }


def simulated(submitter: Submitter, bundles: Sequence[Bundle]) -> list[Figure]:
    """Each part by itself, all at the same block, once; each fork is a process of its own."""
    at = submitter.best()
    found = []
    for name, run in (
        ("simulate: dry run", by_dry_run),
        ("simulate: three signatures on a fork", by_fork),
    ):
        began, payees = time.perf_counter(), 0
        for bundle in bundles:
            simulation = run(submitter, bundle, at)
            if not simulation.agrees:
                raise CheckFailed(f"{name}: {simulation.differences[0]}")
            payees += sum(change.expected > 0 for change in simulation.changes)
        found.append(Figure(name, Seconds(0, time.perf_counter() - began), payees))
    return found


def by_dry_run(submitter: Submitter, bundle: Bundle, at: BlockRef) -> Simulation:
    runtime = submitter.runtime()
    return judge_dry_run(bundle, runtime, dry_run(bundle, submitter.node, runtime, at))


def by_fork(submitter: Submitter, bundle: Bundle, at: BlockRef) -> Simulation:
    runtime, weight = submitter.runtime(), Approver(submitter, bundle).max_weight()
    with start_fork(submitter.node.client) as fork:
        fork.open(at.hash)
        path = run_signatures(bundle, fork, at, runtime, weight, submitter.context)
    return judge_fork(bundle, runtime, path)


# --- Told -----------------------------------------------------------------------------


def sheet_of(figures: Sequence[Figure], calls: int, codec: str) -> Sheet:
    def line(figure: Figure) -> tuple[str, ...]:
        taken, peer = figure.taken, figure.peer
        beside = ("", "") if peer is None else (number(peer.cpu), number(peer.cpu / taken.cpu))
        cpu = number(taken.cpu) if taken.cpu else ""
        return figure.name, cpu, number(taken.wall), *beside

    payees = figures[0].payees
    return Sheet(
        f"Payouts: a month of {payees:,} payees",
        ("", "seconds of CPU", "by the clock", "peer, CPU", "ratio"),
        tuple(map(line, figures)),
        (
            (
                f"{calls} calls, since a remark has room for so many lines; each figure is for "
                "all of them. Simulations by the clock alone: the runtime runs in other "
                "processes, and each fork compiles it anew. They are of the test chain beside "
                "it; a public node adds its delay for each storage entry that is read."
            ),
            f"Peer: {codec}, which encodes the same calls from its own values to the same bytes.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=_DOCUMENT)
    given = parser.parse_args()
    stay_on_one_core()
    made = programme(given.members)
    options = devnet_options(load_cast()) | {"spec": _SPEC}
    with start_devnet(**options) as devnet, NodeSource(devnet.url) as node:
        submitter = Submitter(node, runtimes(node))
        maker = Maker(made, load_rules(), submitter.runtime(), submitter.codec(), node.genesis_hash)
        figures, bundles = on_paper(maker, given.rounds)
        fund(devnet, bundles[0])
        figures += simulated(submitter, bundles)
    if {figure.payees for figure in figures} != {given.members}:
        raise CheckFailed(f"not every figure is of {given.members} payees")
    sheet = sheet_of(figures, len(bundles), f"scalecodec {version('scalecodec')}")
    show([sheet])
    about = _ABOUT.format(rounds=given.rounds)
    write_part(given.out, Part.PAYOUTS, about, [sheet], datetime.now(UTC).date())
    say(f"written to {given.out}")


def fund(devnet: Devnet, bundle: Bundle) -> None:
    """Give the multisig enough for everything."""
    account = {"providers": 1, "data": {"free": str(_FUNDS)}}
    devnet.set_items({"System": {"Account": [[[bundle.multisig.account], account]]}})
    devnet.new_block()


if __name__ == "__main__":
    main()
