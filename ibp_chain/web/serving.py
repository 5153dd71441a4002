"""Answers that both API and pages give from the database or the files, not from the snapshot."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from ibp_chain.types import BlockNumber
from ibp_chain.web.exports import write_csv, write_parquet
from ibp_chain.web.lock_record import lock_record
from ibp_chain.web.models import Listed, LockHistory, RejectionShown, RootShown
from ibp_chain.web.queries import audit as audit_queries
from ibp_chain.web.queries import locks as lock_queries
from ibp_chain.web.queries.score_days import standing_of_day
from ibp_chain.web.site import Site
from ibp_chain.web.snapshot import Snapshot
from oracles.proof import prove_about, write_proof
from oracles.report import REPORT
from oracles.rowfiles import read_rows

_PIECE = 1 << 16
"""Bytes."""


def lock_history(site: Site, snapshot: Snapshot, member: str) -> LockHistory:
    """Raises `NotFound`, and as the store does."""
    account, required, since = lock_queries.asked_of(snapshot, member)
    if account is None or not required:
        return lock_queries.history(snapshot, required, None)
    with site.ledger.opened() as store:
        record = lock_record(store, snapshot.chain, account, required, since)
    return lock_queries.history(snapshot, required, record)


def rejections(site: Site, snapshot: Snapshot, offset: int, limit: int) -> Listed[RejectionShown]:
    return audit_queries.rejections(snapshot, site.ledger.asides(offset, limit), offset, limit)


def root_at(site: Site, block: int) -> RootShown:
    """Raises `ConfigError` for a block that the ledger does not know the state of."""
    number = BlockNumber(block)
    return audit_queries.root_shown(number, *site.ledger.root_at(number))


def proof(
    site: Site,
    snapshot: Snapshot,
    member: str,
    day: date,
    *,
    service: str | None,
    milestone: int | None,
) -> bytes:
    """The proof document of one row, as `ibp oracle prove` prints it.

    Raises `NotGiven` without rows, `NotFound`, `RowsError` and `ProofError`.
    """
    standing, folder = standing_of_day(snapshot, day), site.rows_folder()
    rows = read_rows(folder, REPORT, root=standing.root, size=standing.rows)
    key = (1, member, service) if service is not None else (2, member, milestone)
    return write_proof(prove_about(REPORT, rows, key)) + b"\n"


def exported(site: Site, table: str, form: str) -> Iterator[bytes]:
    """The table as `csv` or `parquet`, in pieces. Raises `NotFound` before the first.

    It is written whole and read from a file that has no name any more, so that nothing is left of
    it whatever becomes of the request.
    """
    with TemporaryDirectory(prefix="ibp-export-") as folder:
        path = Path(folder) / f"{table}.{form}"
        with site.ledger.opened() as store:
            (write_csv if form == "csv" else write_parquet)(store, table, path)
        file = path.open("rb")
    return _pieces(file)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
