"""`/api/v1`: what the pages show, as JSON, with an OpenAPI document.

Every answer is of one snapshot. Its entity tag changes with the state root and with what was
published beside it, so that asking again costs little.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import FileResponse, StreamingResponse

from ibp_chain.errors import IbpError
from ibp_chain.web import parameters as of
from ibp_chain.web import serving
from ibp_chain.web.errors import NotFound, RequestError
from ibp_chain.web.models import (
    AuditPage,
    BatchDetail,
    BatchShown,
    BudgetShown,
    BundleDetail,
    BundleShown,
    Head,
    Lag,
    Listed,
    LockHistory,
    MemberDetail,
    MemberShown,
    OperationShown,
    OracleDay,
    OraclesShown,
    PaidShown,
    Problem,
    RejectionShown,
    RootShown,
    RuntimeShown,
    ScoreDay,
)
from ibp_chain.web.queries import audit, chain, members, oracles, payouts, score_days
from ibp_chain.web.queries.listing import DEFAULT_LIMIT, listed
from ibp_chain.web.site import SiteOf, SnapshotOf
from ledger.program.standing import Standing

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "The request cannot be answered as it stands.",
        404: "Nothing of that name is here.",
        422: "A value is of another form than it must be.",
        429: "Too many expensive reads: see Retry-After.",
    }.items()
}
router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


class ExportForm(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


_MEDIA = {
    ExportForm.CSV: "text/csv; charset=utf-8",
    ExportForm.PARQUET: "application/vnd.apache.parquet",
}


# --- Chain ----------------------------------------------------------------------------


@router.get("/head", tags=["chain"])
def get_head(snapshot: SnapshotOf) -> Head:
    """The block, state root and rules that every other answer is of."""
    return chain.head(snapshot)


@router.get("/lag", tags=["chain"])
def get_lag(site: SiteOf, snapshot: SnapshotOf) -> Lag | None:
    """How far the ledger is behind a node; null where the server was not told of one."""
    return chain.lag(snapshot, site.node_view)


@router.get("/runtimes", tags=["chain"])
def list_runtimes(snapshot: SnapshotOf) -> tuple[RuntimeShown, ...]:
    """The runtimes that executed the ledger's blocks, the newest first."""
    return chain.runtimes(snapshot)


@router.get("/operations", tags=["chain"])
def list_operations(
    snapshot: SnapshotOf,
    *,
    open_only: Annotated[bool, Query(description="Those that wait for signatures.")] = True,
    offset: of.Offset = 0,
    limit: of.Limit = DEFAULT_LIMIT,
) -> Listed[OperationShown]:
    """Operations of the curators' multisig, the latest first."""
    return listed(chain.operations(snapshot, open_only=open_only), offset, limit)


@router.get("/budget", tags=["chain"])
def get_budget(snapshot: SnapshotOf) -> BudgetShown:
    """What was used of each line of the treasury's budget."""
    return chain.budget(snapshot)


# --- Members --------------------------------------------------------------------------


@router.get("/members", tags=["members"])
def list_members(
    snapshot: SnapshotOf,
    q: of.Text = "",
    standing: Standing | None = None,
    sort: members.SortBy = members.SortBy.MEMBER,
    offset: of.Offset = 0,
    limit: of.Limit = DEFAULT_LIMIT,
) -> Listed[MemberShown]:
    """Members with milestones, ranks, locks, the month's uptime, what is owed and was paid."""
    return listed(members.members(snapshot, text=q, standing=standing, sort=sort), offset, limit)


@router.get("/members/{member}", tags=["members"])
def get_member(snapshot: SnapshotOf, member: of.MemberId) -> MemberDetail:
    """Everything that the state says of one member."""
    return members.member(snapshot, member)


@router.get("/members/{member}/locks", tags=["members"])
def get_lock_history(site: SiteOf, snapshot: SnapshotOf, member: of.MemberId) -> LockHistory:
    """Whether its promise was kept, block by block since it was registered, and the gaps."""
    return serving.lock_history(site, snapshot, member)


@router.get("/members/{member}/scores", tags=["members"])
def list_scores(
    snapshot: SnapshotOf,
    member: of.MemberId,
    offset: of.Offset = 0,
    limit: of.Limit = DEFAULT_LIMIT,
) -> Listed[ScoreDay]:
    """Every day with a standing report, the latest first."""
    days = tuple(reversed(score_days.score_days(snapshot, member)))
    return listed(days, offset, limit)


@router.get(
    "/members/{member}/scores/{day}/proof",
    tags=["members"],
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def get_proof(
    request: Request,
    site: SiteOf,
    snapshot: SnapshotOf,
    member: of.MemberId,
    day: of.DayOf,
    service: Annotated[str | None, Query(pattern=of.SERVICE)] = None,
    milestone: Annotated[int | None, Query(ge=1, le=8)] = None,
) -> Response:
    """The proof that one row is in the day's root: for `ibp oracle verify FILE`.

    Of a service's score, or of the points in a milestone.
    """
    if (service is None) == (milestone is None):
        raise RequestError("which row? either service=… or milestone=…")
    site.charge(request)
    data = _found(site, snapshot, member, day, service, milestone)
    row = service if service is not None else f"M{milestone}"
    return Response(
        data,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{member}-{day}-{row}.proof.json"'},
    )


def _found(
    site: SiteOf,
    snapshot: SnapshotOf,
    member: str,
    day: date,
    service: str | None,
    milestone: int | None,
) -> bytes:
    try:
        return serving.proof(site, snapshot, member, day, service=service, milestone=milestone)
    except RequestError:
        raise
    except IbpError as error:
        raise NotFound(str(error)) from error  # no such row, or its file is not there


# --- Oracles --------------------------------------------------------------------------


@router.get("/oracles", tags=["oracles"])
def get_oracles(snapshot: SnapshotOf) -> OraclesShown:
    """The oracles, how they agree with one another, and who contradicted itself."""
    return oracles.oracles(snapshot)


@router.get("/days", tags=["oracles"])
def list_days(
    snapshot: SnapshotOf, offset: of.Offset = 0, limit: of.Limit = DEFAULT_LIMIT
) -> Listed[OracleDay]:
    """Days, the latest first: who committed, who reported what, whether a report stands."""
    return listed(oracles.days(snapshot), offset, limit)


# --- Payouts --------------------------------------------------------------------------


@router.get("/batches", tags=["payouts"])
def list_batches(
    snapshot: SnapshotOf, offset: of.Offset = 0, limit: of.Limit = DEFAULT_LIMIT
) -> Listed[BatchShown]:
    """Payout batches that the curators' multisig dispatched, the latest first."""
    return listed(payouts.batches(snapshot), offset, limit)


@router.get("/batches/{batch}", tags=["payouts"])
def get_batch(snapshot: SnapshotOf, batch: of.BatchName) -> BatchDetail:
    """One batch: what it paid, and what was wrong about it."""
    return payouts.batch(snapshot, of.batch_key(batch))


@router.get("/paid", tags=["payouts"])
def list_paid(
    snapshot: SnapshotOf,
    member: Annotated[str | None, Query(pattern=of.SERVICE)] = None,
    batch: Annotated[str | None, Query(pattern=of.BATCH)] = None,
    offset: of.Offset = 0,
    limit: of.Limit = DEFAULT_LIMIT,
) -> Listed[PaidShown]:
    """The paid register, the latest batch first: of a member, of a batch, or all of it."""
    key = None if batch is None else of.batch_key(batch)
    return members.paid_page(snapshot, member, key, offset, limit)


@router.get("/bundles", tags=["payouts"])
def list_bundles(
    snapshot: SnapshotOf, offset: of.Offset = 0, limit: of.Limit = DEFAULT_LIMIT
) -> Listed[BundleShown]:
    """The payout bundles that the server was given."""
    return listed(payouts.payouts(snapshot).bundles, offset, limit)


@router.get("/bundles/{call_hash}", tags=["payouts"])
def get_bundle(snapshot: SnapshotOf, call_hash: of.CallHashText) -> BundleDetail:
    """One bundle: its statement, its call read by two decoders, what became of it."""
    return payouts.bundle(snapshot, of.hash_of(call_hash))


@router.get(
    "/bundles/{call_hash}/file",
    tags=["payouts"],
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def get_bundle_file(snapshot: SnapshotOf, call_hash: of.CallHashText) -> Response:
    """The bundle as it was given, for `ibp multisig verify`."""
    found = payouts.bundle_file(snapshot, of.hash_of(call_hash)).bundle
    name = f"bundle-{found.statement.period}-{found.part}-{call_hash[2:10]}.json"
    return Response(
        found.encoded + b"\n",
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


# --- Audit ----------------------------------------------------------------------------


@router.get("/audit", tags=["audit"])
def get_audit(site: SiteOf, snapshot: SnapshotOf) -> AuditPage:
    """The last comparison with a node, the archive's files, the tables that can be exported."""
    archive = site.archive
    return audit.audit(
        snapshot,
        archive.files(),
        given=archive.folder is not None,
        calls=site.ledger.asides(0, 1).unattributed,
    )


@router.get("/roots/{block}", tags=["audit"])
def get_root(
    request: Request, site: SiteOf, block: Annotated[int, Path(ge=1, le=of.MAX_BLOCK)]
) -> RootShown:
    """The state root behind a block; for a height without a block that of the last before it."""
    site.charge(request)
    try:
        return serving.root_at(site, block)
    except IbpError as error:
        raise NotFound(str(error)) from error


@router.get("/rejections", tags=["audit"])
def list_rejections(
    site: SiteOf, snapshot: SnapshotOf, offset: of.Offset = 0, limit: of.Limit = DEFAULT_LIMIT
) -> Listed[RejectionShown]:
    """Remarks that were not taken as facts, and why, the latest first."""
    return serving.rejections(site, snapshot, offset, limit)


@router.get(
    "/exports/{table}.{form}",
    tags=["audit"],
    response_class=Response,
    responses={
        200: {
            "content": {
                media.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for media in _MEDIA.values()
            }
        }
    },
)
def get_export(
    request: Request,
    site: SiteOf,
    table: Annotated[str, Path(pattern=r"^[a-z_]{1,32}$")],
    form: ExportForm,
) -> Response:
    """One table of the ledger as a file; `/audit` lists them."""
    site.charge(request, cost=2.0)
    return StreamingResponse(
        serving.exported(site, table, form),
        media_type=_MEDIA[form],
        headers={
            "Content-Disposition": f'attachment; filename="{table}.{form}"',
            "Cache-Control": "no-store",
        },
    )


@router.get("/archive/{name:path}", tags=["audit"], response_class=Response)
def get_archive_file(
    site: SiteOf, name: Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9._/-]+$")]
) -> Response:
    """One file of the archive; `/audit` lists them."""
    path = site.archive.path_of(name)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)
