"""`ibp demo`: the bundled recording, verified, replayed and explained. No network, no Node."""

import json
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from rich.markup import escape

from ibp_chain.accounts import ss58_decode
from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.cli import payout_views, views
from ibp_chain.cli.opened import locks_and_promise
from ibp_chain.cli.output import console, hex_, progress, row, say, table
from ibp_chain.cli.served import service_records
from ibp_chain.errors import CheckFailed, ConfigError
from ibp_chain.networks import Network, network
from ibp_chain.peer_codec import PeerCodec, peer_codec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.types import AccountId, Hash
from ledger.locks import AccountLocks, Promise
from ledger.mirrors import Constants
from ledger.pallets.scores import day_date
from ledger.program.rules import Rules, load_rules
from ledger.remark_routing import Refused
from ledger.replay import BlockReport, Runtimes, apply_block
from ledger.state import State
from multisig.batch import Batch, build_batches
from multisig.bundle import Bundle, compare_statements, read_bundle
from multisig.decode import Reading, decode_payout
from multisig.pending import pending_lines
from multisig.reconcile import reconcile
from multisig.statement import Ledger, Statement, build_statement
from oracles.proof import (
    StandingReport,
    prove_member,
    read_proof,
    verify_against_ledger,
    write_proof,
)
from oracles.report import REPORT, MilestoneDay, ReportRow, ServiceDay
from oracles.rowfiles import read_rows


@dataclass(frozen=True, slots=True)
class Facts:
    """What the recording's maker says; the demo finds it out for itself."""

    network: Network
    curators: AccountId
    state_root: Hash

    @classmethod
    def read(cls, folder: Path) -> "Facts":
        try:
            value = json.loads((folder / "demo.json").read_text())
            chain = network(value["network"])
            return cls(
                chain,
                ss58_decode(value["curators"], chain.ss58_prefix),
                Hash(bytes.fromhex(value["state_root"][2:])),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{folder}: the bundled recording is not whole: {error}") from error


def demo() -> None:
    """Verify and replay the bundled recording of the programme, and show what it comes to."""
    started = time.monotonic()
    with resources.as_file(resources.files("ibp_chain") / "data" / "demo") as folder:
        facts = Facts.read(folder)
        bundle = read_bundle(folder / "bundle.json")
        _verify(folder)
        source = ArchiveSource(folder / "archive")
        runtime_of = runtimes(source)
        replayed = _replay(source, runtime_of, facts, bundle, folder / "rows")
        state, last = replayed.state, replayed.reports[-1]
        runtime, rules = runtime_of(last.spec_version), load_rules()
        codec = peer_codec(source.metadata_v14(last.spec_version))
        _show_programme(state, rules)
        _show_members(state, runtime, rules, last.timestamp_ms)
        _show_scores(state, folder)
        _show_statement(bundle)
        reading = _check_bundle(bundle, replayed.rebuilt, facts, runtime, codec)
        _show_payouts(state, bundle, reading)
        _show_refused(state, [r for report in replayed.reports for r in report.refused])
        root = state.root()
    heading("The state root")
    say(f"{hex_(root)} after block {last.ref.number:,}")
    if root != facts.state_root:
        raise CheckFailed(f"the recording was made at state root {hex_(facts.state_root)}")
    say(f"As recorded. Done in {time.monotonic() - started:.1f} s.")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to."""

    state: State
    reports: list[BlockReport]
    rebuilt: "Rebuilt"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A payout rebuilt on the way, from the ledger as it stood when the curators built theirs."""

    statement: Statement
    batches: tuple[Batch, ...]
    root: Hash


def heading(text: str) -> None:
    console.print(f"\n[bold cyan]{escape(text)}[/]")


# --- Steps ----------------------------------------------------------------------------


def _verify(folder: Path) -> None:
    heading("The recording")
    total = ArchiveSource(folder / "archive").manifest.blocks
    with progress("verifying", total) as tick:
        result = verify(folder / "archive", tick)
    manifest = result.manifest
    say(
        f"{result.blocks} blocks of {manifest.chain.name}, {manifest.first:,} to "
        f"{manifest.last:,}: header hashes, parent links and extrinsics roots hold;"
    )
    say(f"{result.proven} prove their events and spec version against the state root.")


def _replay(
    source: ArchiveSource, runtime_of: Runtimes, facts: Facts, bundle: Bundle, rows: Path
) -> Replayed:
    state = State(facts.network, facts.curators)
    reports: list[BlockReport] = []
    rebuilt: Rebuilt | None = None
    with progress("replaying", source.manifest.blocks) as tick:
        for block in source.blocks(source.first()):
            runtime = runtime_of(block.spec_version)
            reports.append(apply_block(state, block, runtime))
            tick(len(reports))
            if block.header.number == bundle.statement.ledger.block:
                rebuilt = _rebuild(state, runtime, bundle, rows)
    if rebuilt is None:
        raise CheckFailed(f"the bundle is of block {bundle.statement.ledger.block}: no such block")
    unattributed = sum(len(report.unattributed) for report in reports)
    accepted = sum(len(report.accepted) for report in reports)
    say(
        f"Replayed: {accepted} remarks taken as facts, {unattributed} calls that could not be "
        "attributed; the events of every mirrored call were predicted."
    )
    return Replayed(state, reports, rebuilt)


def _rebuild(state: State, runtime: Runtime, bundle: Bundle, rows: Path) -> Rebuilt:
    """The payout from this ledger alone; of the bundle only its period and price are taken."""
    ledger, theirs = Ledger(state, Constants.of(runtime)), bundle.statement
    statement = build_statement(
        ledger,
        load_rules(),
        theirs.period,
        theirs.price,
        service_records(state, rows, theirs.period),
        pending_lines(state, runtime),
    )
    return Rebuilt(statement, build_batches(statement, state, runtime), state.root())


def _show_programme(state: State, rules: Rules) -> None:
    program = state.programme.program.value
    if program is None:
        raise CheckFailed("the recording founds no programme")
    if program.rules != rules.hash:
        raise CheckFailed(
            f"the programme's rules are {hex_(program.rules)}, not {hex_(rules.hash)}"
        )
    heading(program.name)
    say(
        f"{len(program.curators)} curators, {program.threshold} sign; {len(program.oracles)} "
        f"oracles, {program.quorum} are a quorum; rules {hex_(rules.hash)}"
    )


def _show_members(state: State, runtime: Runtime, rules: Rules, now_ms: int) -> None:
    members = dict(state.membership.members.items())
    locks = {
        member_id: _locks(state, runtime, rules, record.account(state.network.name))
        for member_id, record in members.items()
    }
    console.print(views.members_table(members, locks, state.network, now_ms))


def _locks(
    state: State, runtime: Runtime, rules: Rules, account: AccountId | None
) -> tuple[AccountLocks, Promise]:
    head, required = state.head.value, rules.lock.required_planck(state.network)
    assert head is not None
    assert account is not None
    return locks_and_promise(state.mirrors, Constants.of(runtime), head, account, required)


def _show_scores(state: State, folder: Path) -> None:
    program = state.programme.program.value
    assert program is not None
    heading("Scores")
    standing = dict(state.scores.standing.items())
    console.print(views.standing_table(standing, state.network))
    if state.scores.equivocations:
        console.print(
            views.equivocation_table(dict(state.scores.equivocations.items()), state.network)
        )
    rows: list[ReportRow] = []
    for report in standing.values():
        rows += read_rows(folder / "rows", REPORT, root=report.root, size=report.rows)
    _show_uptime(rows)
    day, report = max(standing.items())
    claim = StandingReport(
        day_date(day), report.root, report.rows, program.quorum, report.reporters
    )
    _prove_one(folder, claim)


def _show_uptime(rows: list[ReportRow]) -> None:
    slots = ("ok", "failed", "slow", "unknown", "excluded")
    view = table("Slots of five minutes", "member", "service", "days", *slots, right=slots)
    days = [day for day in rows if isinstance(day, ServiceDay)]
    for member, service in sorted({(day.member, day.service) for day in days}):
        counts = [day.counts for day in days if (day.member, day.service) == (member, service)]
        totals = (sum(column) for column in zip(*counts, strict=True))
        row(view, member, service, len(counts), *totals)
    console.print(view)
    points = [day for day in rows if isinstance(day, MilestoneDay)]
    view = table("Points", "member", "milestone", "points", right=("milestone", "points"))
    for key in sorted({(day.member, day.milestone) for day in points}):
        total = sum(day.points for day in points if (day.member, day.milestone) == key)
        row(view, *key, f"{total:+d}")
    console.print(view)


def _prove_one(folder: Path, claim: StandingReport) -> None:
    """The last day of one member, proven as anybody would who has the proof and the ledger only."""
    rows = read_rows(folder / "rows", REPORT, root=claim.root, size=claim.rows)
    member = "gatotech" if any(r.member == "gatotech" for r in rows) else rows[0].member
    proofs = [write_proof(proof) for proof in prove_member(REPORT, rows, member)]
    for document in proofs:
        proof = read_proof(document)
        proven = verify_against_ledger(proof, claim)
        if isinstance(proven, ServiceDay):
            say(
                f"Proven by {len(proof.path)} hashes: {proven.member} served {proven.service} on "
                f"{proven.day}, uptime {views.uptime(proven.uptime)}, row {proof.index} of "
                f"{proof.size} under {hex_(proof.root)[:18]}…"
            )


def _show_refused(state: State, refused: list[Refused]) -> None:
    heading("What was refused")
    console.print(views.refusals_table(refused, state.network))


def _show_statement(bundle: Bundle) -> None:
    heading(f"The payout of {bundle.statement.period}")
    console.print(payout_views.statement_table(bundle.statement, bundle.network))
    say(payout_views.statement_source(bundle.statement, bundle.network))


def _check_bundle(
    bundle: Bundle, rebuilt: Rebuilt, facts: Facts, runtime: Runtime, codec: PeerCodec
) -> Reading:
    """As a curator would before signing: rebuilt alone, and read by a second decoder."""
    compare_statements(rebuilt.statement, bundle.statement)
    mine = rebuilt.batches[bundle.part - 1]
    if mine.call != bundle.call or mine.call_hash != bundle.call_hash:
        raise CheckFailed(f"the rebuilt call hash is {hex_(mine.call_hash)}")
    reading = decode_payout(runtime, codec, bundle.call, facts.network)
    say("Rebuilt from the ledger as it stood there: the same statement and the same call hash,")
    say(f"{hex_(mine.call_hash)}. Two decoders that share no code read in it:")
    console.print(payout_views.reading_table(reading, facts.network))
    return reading


def _show_payouts(state: State, bundle: Bundle, reading: Reading) -> None:
    result = reconcile(bundle, reading, state)
    console.print(payout_views.attempts_table(bundle, result.attempts))
    console.print(payout_views.lines_table(bundle, result))
    say(f"After {len(result.attempts)} attempts: {result.outcome}.")
    if not result.settled:
        raise CheckFailed("the recorded payout is not settled")
