"""`ibp oracle`: agree on a day from published rows, prove one row of it, check such a proof."""

import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ibp_chain.cli.output import JsonOption, console, hex_, print_json, row, table
from ibp_chain.cli.views import uptime
from ibp_chain.errors import InputError
from ibp_chain.types import Micros
from ledger.program.rules import load_rules
from oracles.consensus import Commitment, Observation, admit, consensus
from oracles.errors import ProofError, RowsError
from oracles.files import read_bounded
from oracles.proof import Proof, prove_about, read_proof, verify, write_proof
from oracles.report import REPORT, MilestoneDay, ReportRow, ServiceDay
from oracles.rosters import load_roster
from oracles.rowfiles import parse_root, read_rows, root_of, write_rows
from oracles.rows import Row
from oracles.rules import sla_rules
from oracles.samples import OBSERVATION
from oracles.scoring import MilestoneKey, Runs, report_rows, runs_after

app = typer.Typer(help="Scores: computed from the oracles' rows, proven, checked.")

_MAX_PROOF = 1 << 16
"""Bytes: a row of 288 response times in hex and in digits, and 64 hashes, take a quarter of it."""


class RowsOf(StrEnum):
    """Whose rows a root is over."""

    OBSERVE = "observe"
    REPORT = "report"


ServiceOption = Annotated[str | None, typer.Option(help="The row of this service.")]


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

    Compare the observations' roots and the report's with those on chain: files prove only that they
    are of their root.
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
    written = None if out is None else write_rows(out, REPORT, rows)
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


@app.command()
def prove(
    root: Annotated[str, typer.Argument(help="Root of the rows.", show_default=False)],
    rows: Annotated[Path, typer.Option(help="Directory with the row files.", show_default=False)],
    member: Annotated[str, typer.Option(help="Whose row.", show_default=False)],
    service: ServiceOption = None,
    milestone: Annotated[
        int | None, typer.Option(help="The points of this milestone instead of a service's score.")
    ] = None,
    kind: Annotated[RowsOf, typer.Option(help="The remark that carries the root.")] = RowsOf.REPORT,
    *,
    slots: Annotated[
        bool, typer.Option("--slots", help="The agreed slots instead of what they come to.")
    ] = False,
    _json: JsonOption = False,  # the proof is JSON with and without it
) -> None:
    """Print the proof that one row is under ROOT, as JSON that `ibp oracle verify` reads."""
    wanted = parse_root(root)
    match kind, service, milestone, slots:
        case RowsOf.OBSERVE, str(), None, False:
            observed = read_rows(rows, OBSERVATION, root=wanted)
            proof = prove_about(OBSERVATION, observed, (member, service))
        case RowsOf.REPORT, str(), None, _:
            reported = read_rows(rows, REPORT, root=wanted)
            proof = prove_about(REPORT, reported, (0 if slots else 1, member, service))
        case RowsOf.REPORT, None, int(), False:
            reported = read_rows(rows, REPORT, root=wanted)
            proof = prove_about(REPORT, reported, (2, member, milestone))
        case _:
            raise InputError(
                "which row? --service S [--slots] or --milestone N of a report, "
                "--service S of an observation"
            )
    sys.stdout.write(write_proof(proof).decode() + "\n")


@app.command("verify")
def verify_(
    file: Annotated[Path, typer.Argument(help="A proof document.", show_default=False)],
    root: Annotated[str, typer.Option(help="The root, from the ledger.", show_default=False)],
    size: Annotated[int | None, typer.Option(help="The row count, from the ledger.", min=0)] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check a proof against the root that the ledger knows; exit 1 when it does not hold."""
    proof = read_proof(read_bounded(file, _MAX_PROOF, ProofError))
    # A path leads to the root for rows of the tree alone, so without a size from the ledger only
    # the row's place stays the prover's word.
    proven = verify(proof, root=parse_root(root), size=proof.size if size is None else size)
    if as_json:
        print_json(
            {
                "holds": True,
                "kind": proof.kind.value,
                "root": proof.root,
                "index": proof.index,
                "size": proof.size,
                "row": proven.fields(),
            }
        )
        return
    _show_proven(proof, proven)


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


def _show_proven(proof: Proof, proven: Row) -> None:
    fields: dict[str, Any] = proven.fields()
    view = table(f"Holds: row {proof.index} of {proof.size} under {hex_(proof.root)}", "", "")
    for name, value in fields.items():
        row(view, name, ("no", "yes")[value] if isinstance(value, bool) else value)
    console.print(view)
