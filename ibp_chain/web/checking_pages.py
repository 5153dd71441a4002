"""What a member takes away: the page that checks a proof in the browser, and receipts."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from ibp_chain.errors import IbpError
from ibp_chain.types import Hash
from ibp_chain.web import parameters as of
from ibp_chain.web import receipts
from ibp_chain.web.api import PROBLEMS
from ibp_chain.web.errors import NotFound, RequestError
from ibp_chain.web.models import DayWords, MemberDetail
from ibp_chain.web.queries import members, payouts
from ibp_chain.web.queries.day_words import day_words
from ibp_chain.web.rendering import page, query
from ibp_chain.web.site import Site, SiteOf, SnapshotOf
from ibp_chain.web.snapshot import Snapshot
from ledger.remark_places import stored_places
from multisig.receipt_page import POLICY, receipt_page
from multisig.receipts import Receipt

router = APIRouter()
api = APIRouter(prefix="/api/v1", tags=["members"], responses=PROBLEMS)

_NOBLE = "noble-hashes-2.4.0"
_MODULES = (
    "proof.js",
    *(f"{_NOBLE}/{name}.js" for name in ("blake2", "_blake", "_md", "_u64", "utils")),
)
"""What verify.js imports: named on the page with their hashes, so that a browser refuses others."""


@router.get("/verify")
def verify(
    request: Request,
    member: Annotated[str, Query(pattern=of.EMPTY_OR_SLUG)] = "",
    day: Annotated[str, Query(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")] = "",
    service: Annotated[str, Query(pattern=of.EMPTY_OR_SLUG)] = "",
    milestone: Annotated[str, Query(pattern=r"^[1-8]?$")] = "",
) -> Response:
    """Of a proof that the server has, or of any file."""
    asked = None
    if member or day or service or milestone:
        if not (member and day) or bool(service) == bool(milestone):
            raise RequestError("which proof? member=…&day=… and either service=… or milestone=…")
        row = service or f"M{milestone}"
        about = {"service": service, "milestone": milestone}
        asked = {
            "member": member,
            "day": day,
            "what": service or f"milestone {milestone}",
            **about,
            "url": f"/api/v1/members/{member}/scores/{day}/proof{query(about)}",
            "file": f"{member}-{day}-{row}.proof.json",
        }
    return page(request, "verify.html", {"asked": asked, "modules": _MODULES})


@router.get("/members/{member}/receipts/{call_hash}", response_class=HTMLResponse)
def receipt(
    request: Request,
    site: SiteOf,
    snapshot: SnapshotOf,
    member: of.MemberId,
    call_hash: of.CallHashText,
) -> Response:
    """The page that `ibp payout receipts --html` writes, byte for byte."""
    site.charge(request, cost=2.0)
    made, name = _made(site, snapshot, member, of.hash_of(call_hash))
    detail: MemberDetail = members.member(snapshot, member)
    text = receipt_page(made, detail.name, f"{name}.json")
    return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})


@api.get("/days/{day}")
def get_day(site: SiteOf, snapshot: SnapshotOf, day: of.DayOf) -> DayWords:
    """What oracles said of one day, and where on chain: what a proof's root is compared with."""
    with site.ledger.opened() as store:
        places = stored_places(store, day.isoformat())
    return day_words(snapshot, day, places)


@api.get(
    "/members/{member}/receipts/{call_hash}",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def get_receipt(
    request: Request,
    site: SiteOf,
    snapshot: SnapshotOf,
    member: of.MemberId,
    call_hash: of.CallHashText,
) -> Response:
    """What a call paid a member, with the proofs of every day: for `ibp payout receipt verify`."""
    site.charge(request, cost=2.0)
    made, name = _made(site, snapshot, member, of.hash_of(call_hash))
    return Response(
        made.encoded + b"\n",
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}.json"'},
    )


def _made(site: Site, snapshot: Snapshot, member: str, call_hash: Hash) -> tuple[Receipt, str]:
    """The receipt, and its name. Raises `RequestError` where there is none."""
    try:
        made = receipts.receipt(site, snapshot, member, call_hash)
    except RequestError:
        raise
    except IbpError as error:
        raise NotFound(str(error)) from error
    bundle = payouts.bundle_file(snapshot, call_hash).bundle
    return made, receipts.file_name(made, bundle.part, bundle.parts)
