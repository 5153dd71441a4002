"""From published report rows to what a statement counts: checked against the standing roots."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.files import read_bounded
from ledger.pallets.scores import day_date
from ledger.program.bill_document import Payable, read_payable
from ledger.program.billing import BillingError
from ledger.state import State
from multisig.service import ServiceRecord
from multisig.statement import days_of
from oracles.report import REPORT, ServiceDay
from oracles.rowfiles import read_rows

RowsOption = Annotated[
    Path, typer.Option("--rows", help="Folder with the rows that the oracles published.")
]


BillOption = Annotated[
    Path | None, typer.Option("--bill", help="Bill of the month, of `ibp payout bill --out`.")
]
_MAX_BILL = 64 * 2**20


def payable(bill: Path | None) -> Payable | None:
    """Raises `BillingError` for a file that is no bill."""
    if bill is None:
        return None
    return read_payable(read_bounded(bill, _MAX_BILL, BillingError), str(bill))


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
