"""The pages: the same answers as the API's, rendered. Every one works without JavaScript."""

from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ibp_chain.accounts import ss58_decode
from ibp_chain.errors import AddressError, IbpError
from ibp_chain.web import charts, serving
from ibp_chain.web import parameters as of
from ibp_chain.web.caching import FOREVER
from ibp_chain.web.errors import NotFound, RequestError
from ibp_chain.web.identicon import svg
from ibp_chain.web.models import Listed, ScoreDay
from ibp_chain.web.queries import audit as audit_queries
from ibp_chain.web.queries import chain as chain_queries
from ibp_chain.web.queries import members as member_queries
from ibp_chain.web.queries import oracles as oracle_queries
from ibp_chain.web.queries import payouts as payout_queries
from ibp_chain.web.queries import score_days
from ibp_chain.web.queries.listing import listed
from ibp_chain.web.receipts import receiptable
from ibp_chain.web.rendering import page, query
from ibp_chain.web.site import SiteOf, SnapshotOf
from ledger.program.standing import Standing

router = APIRouter(default_response_class=HTMLResponse)

ROWS = 50
LINES = 40
DAYS = 31


@router.get("/")
def home() -> Response:
    return RedirectResponse("/members", HTTPStatus.FOUND)


# --- Members --------------------------------------------------------------------------


@router.get("/members")
def members(
    request: Request,
    site: SiteOf,
    snapshot: SnapshotOf,
    q: of.Text = "",
    standing: Annotated[Standing | str, Query(max_length=16)] = "",
    sort: member_queries.SortBy = member_queries.SortBy.MEMBER,
    offset: of.Offset = 0,
) -> Response:
    del site
    if standing not in ("", *Standing):
        raise RequestError(f"standing is one of {', '.join(Standing)}")
    wanted = Standing(standing) if standing else None
    found = member_queries.members(snapshot, text=q, standing=wanted, sort=sort)
    return page(
        request,
        "members.html",
        {
            "found": listed(found, offset, ROWS),
            "summary": _summary(member_queries.summaries(snapshot)),
            "problems": snapshot.owed.problems,
            "rows_given": snapshot.scores.given,
            "networks": _networks(snapshot),
            "asked": {"q": q, "standing": standing, "sort": sort},
            "standings": tuple(Standing),
            "sorts": tuple(member_queries.SortBy),
            "query": query,
        },
    )


@router.get("/members/{member}")
def member(
    request: Request,
    site: SiteOf,
    snapshot: SnapshotOf,
    member: of.MemberId,
    month: Annotated[str, Query(pattern=r"^([0-9]{4}-(0[1-9]|1[0-2]))?$")] = "",
    service: Annotated[str, Query(pattern=r"^([a-z0-9][a-z0-9-]{0,63})?$")] = "",
) -> Response:
    detail = member_queries.member(snapshot, member)
    days = score_days.score_days(snapshot, member)
    history = serving.lock_history(site, snapshot, member)
    months = score_days.months(days)
    shown_month = month or (months[-1] if months else "")
    services = sorted({own.service for each in days for own in each.services})
    shown_service = service if service in services else next(iter(services), "")
    now = chain_queries.head(snapshot).time
    return page(
        request,
        "member.html",
        {
            "member": detail,
            "history": history,
            "timeline": charts.lock_timeline(history, now),
            "calendar": charts.calendar(days, _last(days, now)) if days else None,
            "days": tuple(reversed([each for each in days if each.day.startswith(shown_month)])),
            "month": shown_month,
            "months": tuple(reversed(months)),
            "services": services,
            "service": shown_service,
            "plot": charts.response_times(days, shown_service) if shown_service else None,
            "rows_given": snapshot.scores.given,
            "receipts": receiptable(snapshot) if snapshot.scores.given else frozenset(),
            "missing": len(snapshot.scores.missing),
            "levels": charts.LEVELS,
            "query": query,
        },
    )


@router.get("/identicon/{address}.svg")
def identicon(address: Annotated[str, Path(max_length=64)]) -> Response:
    """The picture of an account. It is of the key: the same on every network."""
    try:
        account = ss58_decode(address)
    except AddressError as error:
        raise NotFound(str(error)) from error
    return Response(svg(account), media_type="image/svg+xml", headers={"Cache-Control": FOREVER})


# --- Oracles --------------------------------------------------------------------------


@router.get("/oracles")
def oracles(request: Request, snapshot: SnapshotOf, offset: of.Offset = 0) -> Response:
    found = oracle_queries.oracles(snapshot)
    return page(
        request,
        "oracles.html",
        {
            "oracles": found,
            "pairs": {(each.one, each.other): each for each in found.pairs},
            "found": listed(oracle_queries.days(snapshot), offset, DAYS),
            "query": query,
        },
    )


# --- Payouts --------------------------------------------------------------------------


@router.get("/payouts")
def payouts(request: Request, snapshot: SnapshotOf, offset: of.Offset = 0) -> Response:
    found = payout_queries.payouts(snapshot)
    return page(
        request,
        "payouts.html",
        {
            "payouts": found,
            "batches": listed(found.batches, offset, ROWS),
            "operations": chain_queries.operations(snapshot, open_only=True),
            "query": query,
        },
    )


@router.get("/payouts/batches/{batch}")
def batch(
    request: Request, snapshot: SnapshotOf, batch: of.BatchName, offset: of.Offset = 0
) -> Response:
    key = of.batch_key(batch)
    detail = payout_queries.batch(snapshot, key)
    found = member_queries.paid_page(snapshot, None, key, offset, ROWS)
    return page(request, "batch.html", {"batch": detail, "found": found, "query": query})


@router.get("/payouts/bundles/{call_hash}")
def bundle(
    request: Request,
    site: SiteOf,
    snapshot: SnapshotOf,
    call_hash: of.CallHashText,
    offset: of.Offset = 0,
) -> Response:
    found = payout_queries.bundle(snapshot, of.hash_of(call_hash))
    own = tuple(line for line in found.payees if line.state != payout_queries.OTHER_PART)
    return page(
        request,
        "bundle.html",
        {
            "bundle": found,
            "lines": listed(own, offset, LINES),
            "others": len(found.payees) - len(own),
            "decoded": listed(found.decoded, offset, LINES),
            "signing": site.desk is not None,
            "query": query,
        },
    )


# --- Audit ----------------------------------------------------------------------------


@router.get("/audit")
def audit(
    request: Request,
    site: SiteOf,
    snapshot: SnapshotOf,
    block: Annotated[str, Query(pattern=r"^[0-9]{0,10}$")] = "",
    offset: of.Offset = 0,
) -> Response:
    archive, problem, root = site.archive, None, None
    asides = site.ledger.asides(offset, ROWS)
    if block:
        height = _height(block)
        site.charge(request)
        try:
            root = serving.root_at(site, height)
        except IbpError as error:
            problem = site.places.without_paths(str(error))
    return page(
        request,
        "audit.html",
        {
            "audit": audit_queries.audit(
                snapshot,
                archive.files(),
                given=archive.folder is not None,
                calls=asides.unattributed,
            ),
            "root": root,
            "root_problem": problem,
            "block": block,
            "found": audit_queries.rejections(snapshot, asides, offset, ROWS),
            "query": query,
        },
    )


def _height(text: str) -> int:
    """Raises `RequestError` for more than a block number can be."""
    if not 1 <= int(text) <= of.MAX_BLOCK:
        raise RequestError(f"a block is a number from 1 to {of.MAX_BLOCK}")
    return int(text)


# --- Chain ----------------------------------------------------------------------------


@router.get("/chain")
def chain(request: Request, site: SiteOf, snapshot: SnapshotOf) -> Response:
    found = chain_queries.budget(snapshot)
    return page(
        request,
        "chain.html",
        {
            "lag": chain_queries.lag(snapshot, site.node_view),
            "runtimes": chain_queries.runtimes(snapshot),
            "operations": chain_queries.operations(snapshot, open_only=True),
            "budget": found,
            "bars": charts.budget_bars(found),
        },
    )


@router.get("/about")
def about(request: Request, snapshot: SnapshotOf) -> Response:
    """How to check what is shown here, and the API's operations."""
    del snapshot
    schema = request.app.openapi()
    operations = [
        {"path": path, "id": found["operationId"], "text": found.get("description", ""),
         "tag": found["tags"][0]}
        for path, methods in schema["paths"].items()
        for found in methods.values()
    ]  # fmt: skip
    return page(request, "about.html", {"operations": operations})


# --- Errors ---------------------------------------------------------------------------


def error_page(request: Request, status: int, detail: str) -> HTMLResponse:
    return page(
        request,
        "error.html",
        {"status": status, "phrase": HTTPStatus(status).phrase, "detail": detail},
        status,
    )


# --- Parts ----------------------------------------------------------------------------


def _summary(found: tuple[Any, ...]) -> dict[str, int]:
    """How many there are of each standing, and how many keep every promise."""
    counted = {standing.value: 0 for standing in Standing}
    for each in found:
        counted[each.standing] += 1
    counted["locked"] = sum(
        bool(each.locks) and all(lock.kept for lock in each.locks) for each in found
    )
    return counted


def _networks(snapshot: SnapshotOf) -> tuple[str, ...]:
    return tuple(chain.network.name for chain in snapshot.chains)


def _last(days: tuple[ScoreDay, ...], now: str) -> date:
    """The calendar ends with the last day that stands, or with the ledger's own."""
    return max(date.fromisoformat(days[-1].day), date.fromisoformat(now[:10]))


__all__ = ["Listed", "error_page", "router"]
