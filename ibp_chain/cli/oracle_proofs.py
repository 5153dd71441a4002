"""`ibp oracle prove` and `verify`: one row of a day, and whose words on chain it stands on."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.cli.opened import (
    DEFAULT_DB,
    ArchiveOption,
    AtOption,
    DbOption,
    Opened,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, row, table
from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.explorers import links
from ibp_chain.files import read_bounded
from ibp_chain.remarks import Kind
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.mirrors import Constants
from ledger.pallets.scores import Standing, day_number
from ledger.remark_places import Place, Places, Word, stored_places, told_places
from ledger.replay import BlockReport
from ledger.state import State
from ledger.store import Store
from oracles.errors import ProofError, ProofRefused
from oracles.proof import (
    Proof,
    StandingReport,
    prove_about,
    read_proof,
    verify,
    verify_against_ledger,
    write_proof,
)
from oracles.report import REPORT
from oracles.rowfiles import parse_root, read_rows
from oracles.rows import Row
from oracles.samples import OBSERVATION, ObservationRow

MAX_PROOF = 1 << 16
"""Bytes: a row of 288 response times in hex and in digits, and 64 hashes, take a quarter of it."""


class RowsOf(StrEnum):
    """Whose rows a root is over."""

    OBSERVE = "observe"
    REPORT = "report"


def prove(
    rows: Annotated[Path, typer.Option(help="Directory with the row files.", show_default=False)],
    member: Annotated[str, typer.Option(help="Whose row.", show_default=False)],
    day: Annotated[
        datetime | None,
        typer.Option(help="Of this UTC day, as the ledger knows it.", formats=["%Y-%m-%d"]),
    ] = None,
    service: Annotated[str | None, typer.Option(help="The row of this service.")] = None,
    milestone: Annotated[
        int | None, typer.Option(help="The points of this milestone instead of a service's score.")
    ] = None,
    oracle: Annotated[
        str | None, typer.Option(help="What this oracle (address) saw, instead of the report.")
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="Of these rows instead of a day's; no ledger is read.")
    ] = None,
    kind: Annotated[RowsOf, typer.Option(help="The remark that carries --root.")] = RowsOf.REPORT,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    *,
    slots: Annotated[
        bool, typer.Option("--slots", help="The agreed slots instead of what they come to.")
    ] = False,
    _json: JsonOption = False,  # the proof is JSON with and without it
) -> None:
    """Print the proof of one row of a day, as JSON that `ibp oracle verify` reads.

    The row is of the report that stands for --day in the ledger, or of any --root.
    """
    if (day is None) == (root is None):
        raise InputError("of which rows? --day D as the ledger knows it, or --root ROOT")
    if root is not None:
        if oracle is not None:
            raise InputError("--oracle needs --day: a root is of one oracle already")
        wanted = _Rows(kind, parse_root(root), None)
    elif day is not None:
        if kind is RowsOf.OBSERVE and oracle is None:
            raise InputError("what did who observe that day? --oracle ADDRESS")
        wanted = _rows_of(open_ledger(db, archive, at), day.date(), oracle)
    proof = _proof(wanted, rows, member, service, milestone, slots=slots)
    sys.stdout.write(write_proof(proof).decode() + "\n")


def verify_(
    file: Annotated[Path, typer.Argument(help="A proof document.", show_default=False)],
    root: Annotated[
        str | None, typer.Option(help="Check against this root, not a ledger.", show_default=False)
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Row count of --root.", min=0, show_default=False)
    ] = None,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check a proof against what a ledger says of its day; exit 1 when it does not hold.

    Tells where on chain the remarks are that it stands on. With --root and --size it is checked
    against numbers that you have from a ledger yourself.
    """
    proof = read_proof(read_bounded(file, MAX_PROOF, ProofError))
    backing = None
    if root is not None:
        if size is None:
            raise InputError("--root needs --size: the ledger keeps both, a proof is of both")
        proven = verify(proof, root=parse_root(root), size=size)
    elif size is not None:
        raise InputError("--size needs --root")
    else:
        opened, places = _open(db, archive, at, proof.day)
        proven, backing = _verified(opened, places, proof)
    if as_json:
        print_json(_as_json(proof, proven, backing))
        return
    _show_proven(proof, proven)
    if backing is not None:
        _show_backing(proof, backing)


# --- Which rows -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    kind: RowsOf
    root: Hash
    size: int | None


def _rows_of(opened: Opened, day: date, oracle: str | None) -> _Rows:
    """What the ledger says stands for `day`, or what `oracle` committed to."""
    scores, number = opened.state.scores, day_number(day)
    if oracle is None:
        return _Rows(RowsOf.REPORT, *_standing(opened.state, day)[:2])
    account = ss58_decode(oracle, opened.network.ss58_prefix)
    seen = scores.observations.find((account, number))
    if seen is None:
        raise ProofError(f"no observation of {day} by {oracle} counts in this ledger")
    return _Rows(RowsOf.OBSERVE, seen.root, seen.rows)


def _standing(state: State, day: date) -> Standing:
    found = state.scores.standing.find(day_number(day))
    if found is None:
        raise ProofError(f"no report of {day} stands in this ledger")
    return found


def _proof(
    of: _Rows,
    rows: Path,
    member: str,
    service: str | None,
    milestone: int | None,
    *,
    slots: bool,
) -> Proof:
    match of.kind, service, milestone, slots:
        case RowsOf.OBSERVE, str(), None, False:
            observed = read_rows(rows, OBSERVATION, root=of.root, size=of.size)
            return prove_about(OBSERVATION, observed, (member, service))
        case RowsOf.REPORT, str(), None, _:
            key: tuple[Any, ...] = (0 if slots else 1, member, service)
        case RowsOf.REPORT, None, int(), False:
            key = (2, member, milestone)
        case _:
            raise InputError(
                "which row? --service S [--slots] or --milestone N of a report, "
                "--service S of an observation"
            )
    return prove_about(REPORT, read_rows(rows, REPORT, root=of.root, size=of.size), key)


# --- What it stands on ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Backing:
    """The remarks of oracles that carry a proof's root, by the ledger."""

    opened: Opened
    quorum: int
    """How many had to say so: 1 for an oracle's own observation."""
    oracles: int
    """How many did."""
    remarks: Mapping[AccountId, Place]
    """Of those whose word still counts."""


def _open(db: str, archive: Path | None, at: int | None, day: date) -> tuple[Opened, Places]:
    """The ledger, and where the words of oracles about `day` are."""
    if archive is not None:
        told: dict[Word, Place] = {}

        def heard(_state: State, _constants: Constants, report: BlockReport) -> None:
            told.update(told_places(report))

        opened = open_ledger(db, archive, at, heard)
        return opened, told
    opened = open_ledger(db, None, at)
    with Store(db) as store:
        return opened, stored_places(store, day.isoformat())


def _verified(opened: Opened, places: Places, proof: Proof) -> tuple[Row, _Backing]:
    """The proven row. Raises `ProofRefused` where the ledger holds nothing that it is under."""
    scores, day = opened.state.scores, day_number(proof.day)
    if proof.kind is Kind.OBSERVE:
        proven = verify(proof, root=proof.root, size=proof.size)
        assert isinstance(proven, ObservationRow)
        # asked by oracle: anybody may have copied the root
        seen = scores.observations.find((proven.oracle, day))
        if seen is None or (seen.root, seen.rows) != (proof.root, proof.size):
            raise ProofRefused(
                f"no observation of {proof.day} by {hex_(proven.oracle)} counts with "
                f"{hex_(proof.root)} over {proof.size} rows"
            )
        said = _placed(places, proof, [(proven.oracle, seen.at)])
        return proven, _Backing(opened, 1, 1, said)
    closing, report = scores.closings.find(day), scores.standing.find(day)
    if closing is None or report is None:
        raise ProofRefused(f"no report of {proof.day} stands in this ledger")
    claim = StandingReport(proof.day, report.root, report.rows, closing.quorum, report.reporters)
    proven = verify_against_ledger(proof, claim)
    # who contradicted itself or said otherwise later is not listed, and the day stands still
    records = [(oracle, scores.reports.find((oracle, day))) for oracle in report.reporters]
    reported = [
        (oracle, record.at)
        for oracle, record in records
        if record is not None and record.root == report.root
    ]
    said = _placed(places, proof, reported)
    return proven, _Backing(opened, closing.quorum, len(report.reporters), said)


def _placed(
    places: Places, proof: Proof, said: Iterable[tuple[AccountId, BlockNumber]]
) -> dict[AccountId, Place]:
    found = {}
    for oracle, at in said:
        place = places.get(Word(proof.kind, oracle, proof.day.isoformat(), at))
        if place is None:
            raise CheckFailed(
                f"block {at} should have the {proof.kind} of {proof.day} by {hex_(oracle)}, and "
                "this ledger does not list it: replay into a new file"
            )
        found[oracle] = place
    return found


# --- Shown ----------------------------------------------------------------------------


def _as_json(proof: Proof, proven: Row, backing: _Backing | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "holds": True,
        "kind": proof.kind.value,
        "root": proof.root,
        "index": proof.index,
        "size": proof.size,
        "row": proven.fields(),
    }
    if backing is None:
        return answer
    opened = backing.opened
    return answer | {
        "quorum": backing.quorum,
        "remarks": [
            {
                "oracle": ss58_encode(oracle, opened.network.ss58_prefix),
                "block": place.block.number,
                "block_hash": place.block.hash,
                "extrinsic": place.extrinsic,
                "links": links(opened.genesis_hash, place.block, place.extrinsic),
            }
            for oracle, place in backing.remarks.items()
        ],
    }


def _show_proven(proof: Proof, proven: Row) -> None:
    fields: dict[str, Any] = proven.fields()
    view = table(f"Holds: row {proof.index} of {proof.size} under {hex_(proof.root)}", "", "")
    for name, value in fields.items():
        row(view, name, ("no", "yes")[value] if isinstance(value, bool) else value)
    console.print(view)


def _show_backing(proof: Proof, backing: _Backing) -> None:
    opened, count = backing.opened, backing.oracles
    title = (
        f"Observed and committed to on {opened.network.name} by"
        if proof.kind is Kind.OBSERVE
        else f"Reported alike on {opened.network.name} by {count} oracles, quorum {backing.quorum}"
    )
    view = table(title, "oracle", "block", "extrinsic", "block hash", right=("block", "extrinsic"))
    pages: list[str] = []
    for oracle, place in backing.remarks.items():
        row(
            view,
            ss58_encode(oracle, opened.network.ss58_prefix),
            place.block.number,
            "by a hook" if place.extrinsic is None else place.extrinsic,
            hex_(place.block.hash),
        )
        pages += links(opened.genesis_hash, place.block, place.extrinsic)
    console.print(view)
    for page in pages:
        console.print(page, markup=False)
