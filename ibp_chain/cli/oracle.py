"""`ibp oracle`: agree on a day from published rows, prove one row of it, convict a liar."""

import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.cli import oracle_proofs
from ibp_chain.cli.deferred import Deferred, add_deferred
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, row, table
from ibp_chain.cli.views import uptime
from ibp_chain.errors import InputError, RemarkError
from ibp_chain.files import read_bounded
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.remarks import KINDS, MAX_SIZE, parse
from ibp_chain.types import Micros
from ledger.program.rules import load_rules
from oracles.consensus import Commitment, Observation, admit, consensus
from oracles.digest import Digest
from oracles.errors import ProofError, RowsError
from oracles.evidence import read_evidence, write_evidence
from oracles.report import REPORT, MilestoneDay, ReportRow, ServiceDay
from oracles.rosters import load_roster
from oracles.rowfiles import read_rows, root_of, write_rows
from oracles.rules import sla_rules
from oracles.samples import OBSERVATION
from oracles.scoring import MilestoneKey, Runs, report_rows, runs_after

COMMANDS = {
    "probe": Deferred(
        "ibp_chain.cli.probe",
        "Probe every target once, at the member's own address; exit 1 if one failed or is slow.",
        "probe",
    ),
    "run": Deferred(
        "ibp_chain.cli.oracle_run",
        "Measure, commit, publish, agree and report, day after day, until SIGTERM or Ctrl-C.",
        "run",
    ),
}

app = typer.Typer(
    add_completion=False, help="Scores: computed from the oracles' rows, proven, checked."
)
add_deferred(app, COMMANDS)

_MAX_EVIDENCE = 1 << 14
"""Bytes: two remarks take a third of it."""


@app.command()
def day(
    day: Annotated[
        datetime, typer.Argument(help="UTC day.", formats=["%Y-%m-%d"], show_default=False)
    ],
    files: Annotated[
        list[Path], typer.Argument(help="Row files of its observations.", show_default=False)
    ],
    roster: Annotated[Path, typer.Option(help="Who is measured on what (TOML).")],
    quorum: Annotated[int, typer.Option(help="Oracles that must agree.", min=1)],
    rules: Annotated[
        Path | None, typer.Option(help="Rules file; default the IBP's own.", show_default=False)
    ] = None,
    before: Annotated[
        Path | None, typer.Option(help="Report row file of the day before, for its open runs.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also publish the report's rows in this directory.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Compute a day's report from what oracles observed, as every oracle must.

    Compare all roots with those on chain: a file proves only that it is of its own.
    """
    when = day.date()
    programme = load_rules(rules)
    sla, who = sla_rules(programme.sla), load_roster(roster)
    agreed = consensus(
        _observations(files, when, sla.slow_at, quorum),
        day=when,
        roster=who,
        rules=sla,
        quorum=quorum,
    )
    rows = report_rows(agreed, roster=who, rules=sla, carried=_carried(before, when))
    root = REPORT.root(rows)
    written = None if out is None else _publish(out, rows)
    if as_json:
        print_json(
            {
                "day": when.isoformat(),
                "root": root,
                "rows": len(rows),
                "quorum": quorum,
                "observes": agreed.observes,
                "rules": programme.hash,
                "before": None if before is None else root_of(before),
                "file": None if written is None else str(written),
                "scores": [
                    item.fields() for item in rows if isinstance(item, ServiceDay | MilestoneDay)
                ],
            }
        )
        return
    _show_scores(rows)
    console.print(f"Report of {when}: root {hex_(root)}, {len(rows)} rows, from")
    for observed in agreed.observes:
        console.print(f"  {hex_(observed)}")
    if before is None:
        console.print("Runs of bad slots start at midnight: no report of the day before was given.")
    if written is not None:
        console.print(f"Published as {written}", markup=False)


app.command()(oracle_proofs.prove)
app.command("verify")(oracle_proofs.verify_)


@app.command()
def evidence(
    one: Annotated[Path, typer.Argument(help="A file with a remark.", show_default=False)],
    other: Annotated[Path, typer.Argument(help="And the other one.", show_default=False)],
    chain: Annotated[str, typer.Option("--network", help="Whose addresses the remarks carry.")],
) -> None:
    """Print the proof that two remarks of one oracle contradict each other, for `convict`."""
    prefix = network(chain).ss58_prefix
    document = write_evidence(_statement(one, prefix), _statement(other, prefix), prefix)
    sys.stdout.write(document.decode() + "\n")


@app.command()
def convict(
    file: Annotated[Path, typer.Argument(help="An evidence document.", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Check that an oracle signed two roots for one day; exit 1 when it did not.

    No ledger is asked. Whether the programme and the oracle are yours, you compare.
    """
    first, second = read_evidence(read_bounded(file, _MAX_EVIDENCE, ProofError))
    facts = {
        "programme": hex_(first.program),
        "oracle": hex_(first.oracle),
        "day": first.day,
        "kind": KINDS[type(first)].value,
        "roots": [hex_(first.root), hex_(second.root)],
    }
    if as_json:
        print_json({"convicts": True, **facts})
        return
    view = table("Contradicts itself", "", "")
    for name, value in facts.items():
        row(view, name, "\n".join(value) if isinstance(value, list) else value)
    console.print(view)


def _statement(file: Path, ss58_prefix: int) -> Digest:
    """The `observe` or `report` in `file`: a remark as text or as 0x hex, a line break behind."""
    raw = read_bounded(file, 2 * MAX_SIZE + 3, RemarkError).removesuffix(b"\n")
    try:
        if raw.startswith(b"0x"):
            raw = bytes.fromhex(raw[2:].decode())
        body = parse(raw, ss58_prefix)
    except (RemarkError, ValueError) as error:
        raise RemarkError(f"{file}: {error}") from error
    if not isinstance(body, Observe | Report):
        raise RemarkError(f"{file}: no observe or report of protocol version 1")
    return body


def _observations(
    files: Sequence[Path], day: date, slow_at: Micros, quorum: int
) -> list[Observation]:
    """What the row files say, each checked as if its name were the oracle's commitment."""
    found: dict[bytes, Path] = {}
    admitted = []
    for path in files:
        root = root_of(path)
        rows = read_rows(path.parent, OBSERVATION, root=root)
        if not rows:
            raise RowsError(f"{path}: no rows, so nobody's observation")
        oracle = rows[0].oracle
        if oracle in found:
            raise RowsError(f"{path} and {found[oracle]} are both by oracle {hex_(oracle)}")
        found[oracle] = path
        admitted.append(admit(Commitment(oracle, day, root, len(rows)), rows, slow_at))
    if len(admitted) < quorum:
        raise InputError(
            f"{len(admitted)} observations of {day}: no report stands on fewer than the quorum, "
            f"{quorum}"
        )
    return admitted


def _publish(out: Path, rows: Sequence[ReportRow]) -> Path:
    try:
        return write_rows(out, REPORT, rows)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from error


def _carried(before: Path | None, day: date) -> Mapping[MilestoneKey, Runs]:
    if before is None:
        return {}
    return runs_after(read_rows(before.parent, REPORT, root=root_of(before)), day)


def _show_scores(rows: Sequence[ReportRow]) -> None:
    slots = ("ok", "failed", "slow", "unknown", "excluded")
    numbers = (*slots, "uptime", "p50 µs", "p95 µs", "p99 µs")
    view = table("Services", "member", "service", *numbers, right=numbers)
    for item in rows:
        if isinstance(item, ServiceDay):
            times = ("-" if time is None else time for time in (item.p50, item.p95, item.p99))
            row(view, item.member, item.service, *item.counts, uptime(item.uptime), *times)
    console.print(view)
    charges = ("milestone", "points", "failed charges", "slow charges", "open run")
    view = table("Milestones", "member", *charges, "clean", right=charges)
    for item in rows:
        if isinstance(item, MilestoneDay):
            row(
                view,
                item.member,
                item.milestone,
                f"{item.points:+d}",
                item.failed_charges,
                item.slow_charges,
                item.failed_run + item.slow_run,
                "yes" if item.clean else "no",
            )
    console.print(view)
