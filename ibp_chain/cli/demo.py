"""`ibp demo`: the bundled recording, verified, replayed and explained. No network, no Node."""

import json
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from rich.markup import escape

from ibp_chain.accounts import ss58_decode
from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.cli import views
from ibp_chain.cli.output import console, hex_, progress, row, table
from ibp_chain.errors import CheckFailed, ConfigError
from ibp_chain.networks import Network, network
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.types import AccountId, Hash
from ledger.locks import AccountLocks, Promise, account_locks, promise
from ledger.mirrors import Constants
from ledger.pallets.scores import day_date
from ledger.program.rules import Rules, load_rules
from ledger.remark_routing import Refused
from ledger.replay import BlockReport, apply_block
from ledger.state import State
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
        _verify(folder)
        source = ArchiveSource(folder / "archive")
        runtime_of = runtimes(source)
        state, reports = _replay(source, facts)
        runtime = runtime_of(reports[-1].spec_version)
        rules = load_rules()
        _check_rules(state, rules)
        _show_members(state, runtime, rules, reports[-1].timestamp_ms)
        _show_scores(state, folder)
        _show_payouts(state)
        _show_refused(state, [refused for report in reports for refused in report.refused])
        root = state.root()
    heading("The state root")
    console.print(f"{hex_(root)} after block {reports[-1].ref.number:,}")
    if root != facts.state_root:
        raise CheckFailed(f"the recording was made at state root {hex_(facts.state_root)}")
    say(f"As recorded. Done in {time.monotonic() - started:.1f} s.")


def heading(text: str) -> None:
    console.print(f"\n[bold cyan]{escape(text)}[/]")


def say(text: str) -> None:
    console.print(escape(text))


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


def _replay(source: ArchiveSource, facts: Facts) -> tuple[State, list[BlockReport]]:
    state, runtime_of = State(facts.network, facts.curators), runtimes(source)
    reports = []
    with progress("replaying", source.manifest.blocks) as tick:
        for block in source.blocks(source.first()):
            reports.append(apply_block(state, block, runtime_of(block.spec_version)))
            tick(len(reports))
    unattributed = sum(len(report.unattributed) for report in reports)
    accepted = sum(len(report.accepted) for report in reports)
    say(
        f"Replayed: {accepted} remarks taken as facts, {unattributed} calls that could not be "
        "attributed; every mirrored call's events were predicted."
    )
    return state, reports


def _check_rules(state: State, rules: Rules) -> None:
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
    head, chain = state.head.value, state.network
    assert head is not None
    assert account is not None
    config = state.mirrors.voting_config(Constants.of(runtime), head.now)
    required = chain.planck(rules.lock.required(chain.name) or 0)
    storage = state.mirrors.conviction_voting
    return account_locks(storage, config, account), promise(storage, config, account, required)


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


def _show_payouts(state: State) -> None:
    program = state.programme.program.value
    assert program is not None
    heading("Payouts")
    names = {account: f"curator {i}" for i, account in enumerate(program.curators)}
    hashes = {batch.call_hash for _, batch in state.payouts.batches.items()}
    mine = [
        (key, operation)
        for key, operation in sorted(state.mirrors.multisig.operations.items())
        if key[1] in hashes
    ]
    console.print(views.batches_table(dict(state.payouts.batches.items()), state.network))
    console.print(views.operations_table(mine, names))
    console.print(views.paid_table(dict(state.payouts.paid.items()), state.network))
