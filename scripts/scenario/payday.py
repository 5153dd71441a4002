"""Act four: the curators pay January. The first try fails inside, the second one pays."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from ibp_chain.cli.served import service_records
from ibp_chain.errors import CallFailed
from ledger.mirrors import Constants
from ledger.program.rules import Rules
from multisig.approve import Approver
from multisig.batch import build_batches
from multisig.bundle import Bundle, check_bundle, make_bundles, write_file
from multisig.decode import read_payout
from multisig.pending import pending_lines
from multisig.reconcile import Outcome, reconcile
from multisig.statement import Ledger, Price, build_statement
from scripts.scenario.cast import Cast
from scripts.scenario.stage import Stage

PERIOD = "2026-01"
PRICE = Price(usd=Decimal("2.15"), source="scenario: a flat price", at="2026-02-01T00:00:00Z")
_PAYDAY = datetime(2026, 2, 1, 2, 10, tzinfo=UTC)
"""Behind the last day's report, and no session begins soon: its blocks take nothing signed."""


def dawn(stage: Stage) -> None:
    """Let the month end, and its last day be reported."""
    stage.jump_to_time(int(_PAYDAY.timestamp()) * 1_000)


def pay(stage: Stage, cast: Cast, rules: Rules, folder: Path) -> tuple[Path, Path]:
    """Build, check, approve, fail, fund, approve again; statement and bundle files."""
    bundle = _bundle(stage, rules, folder / "rows")
    files = folder / "statement.json", folder / "bundle.json"
    write_file(files[0], bundle.statement.encoded)
    write_file(files[1], bundle.encoded)
    approver = Approver(stage.submitter, bundle)
    for curator in cast.curators[:3]:
        approver.approve(curator, although_short=True)
    _ensure(stage, bundle, Outcome.FAILED)
    fund(stage, cast, bundle)
    for curator in cast.curators[2:5]:
        approver.approve(curator)
    _ensure(stage, bundle, Outcome.PAID)
    return files


def fund(stage: Stage, cast: Cast, bundle: Bundle) -> None:
    """Give the multisig what the payout needs, and some."""
    amount = bundle.statement.total + stage.network.planck(1_000)
    transfer = {"dest": ("Id", cast.multisig), "value": amount}
    stage.send(cast.whale, stage.encode("Balances", "transfer_keep_alive", **transfer))
    stage.block()


def _bundle(stage: Stage, rules: Rules, rows: Path) -> Bundle:
    state, genesis = stage.state(), stage.node.genesis_hash
    service = service_records(state, rows, PERIOD)
    pending = pending_lines(state, stage.runtime)
    ledger = Ledger(state, Constants.of(stage.runtime))
    statement = build_statement(ledger, rules, PERIOD, PRICE, service, pending)
    batches = build_batches(statement, state, stage.runtime)
    (bundle,) = make_bundles(statement, batches, state, genesis, stage.runtime)
    check_bundle(bundle, state, genesis, stage.runtime, stage.submitter.codec())
    return bundle


def _ensure(stage: Stage, bundle: Bundle, expected: Outcome) -> None:
    reading = read_payout(stage.submitter.codec(), bundle.call, bundle.network)
    result = reconcile(bundle, reading, stage.state())
    if result.outcome is not expected:
        raise CallFailed(f"the payout is {result.outcome}, expected: {expected}")
