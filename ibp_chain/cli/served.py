"""From published report rows to what a statement counts: checked against the standing roots."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ledger.pallets.scores import day_date
from ledger.state import State
from multisig.service import ServiceRecord
from multisig.statement import days_of
from oracles.report import REPORT, ServiceDay
from oracles.rowfiles import read_rows

RowsOption = Annotated[
    Path, typer.Option("--rows", help="Folder with the rows that the oracles published.")
]


def service_records(state: State, rows: Path, period: str) -> Iterator[ServiceRecord]:
    """Every (member, service, day) that stands in `period`, from the report rows in `rows`.

    Raises `RowsError` for a missing file and `RowsAltered` for one that holds anything else.
    """
    days = days_of(period)
    for day, report in sorted(state.scores.standing.items()):
        if day_date(day) not in days:
            continue
        for row in read_rows(rows, REPORT, root=report.root, size=report.rows):
            if isinstance(row, ServiceDay):
                yield ServiceRecord(row.day, row.member, row.service, row.counts.known, row.failed)
