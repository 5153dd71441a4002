"""`/api/v1`, with --sign only: what a curator is to sign, and what came back.

No answer is kept by anybody: a payload is made for the moment. Reading is rationed too, for each
of these asks the node.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from ibp_chain.web import parameters as of
from ibp_chain.web.errors import NotGiven
from ibp_chain.web.models import AskedShown, Problem, SignedAsked, SubmissionShown
from ibp_chain.web.queries import payouts
from ibp_chain.web.security import SUBMISSIONS
from ibp_chain.web.signing import Desk
from ibp_chain.web.site import SiteOf, SnapshotOf

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "The body is no JSON.",
        403: "The request comes from a page of another origin.",
        404: "Nothing of that name is here.",
        409: "The chain, the ledger or the bundle stands against it; nothing was sent.",
        413: "The body is too long.",
        415: "The body is not application/json.",
        422: "A value is of another form than it must be.",
        429: "Too much was asked for: see Retry-After.",
        502: "The node did not answer as it must.",
    }.items()
}
router = APIRouter(prefix="/api/v1", tags=["signing"], responses=_PROBLEMS)
ADDRESS = r"^[1-9A-HJ-NP-Za-km-z]{32,64}$"


def desk_of(site: SiteOf) -> Desk:
    """Raises `NotGiven`; the routes are there only where it is."""
    if site.desk is None:
        raise NotGiven("the server was started without --sign")
    return site.desk


DeskOf = Annotated[Desk, Depends(desk_of)]


@router.get("/bundles/{call_hash}/payload")
def get_payload(
    request: Request,
    response: Response,
    site: SiteOf,
    desk: DeskOf,
    snapshot: SnapshotOf,
    call_hash: of.CallHashText,
    address: Annotated[str, Query(pattern=ADDRESS, description="Of the curator, SS58.")],
    *,
    vault: Annotated[bool, Query(description="With QR codes for Polkadot Vault.")] = False,
    without_metadata_hash: Annotated[
        bool, Query(description="For wallets, and runtimes, that do not know it.")
    ] = False,
) -> AskedShown:
    """What one curator is to sign now, and what to compare on the device."""
    site.charge_signing(request)
    response.headers["Cache-Control"] = "no-store"
    found = payouts.bundle_file(snapshot, of.hash_of(call_hash))
    return desk.ask(
        snapshot, found, address, vault=vault, with_metadata_hash=not without_metadata_hash
    )


@router.post(SUBMISSIONS.removeprefix("/api/v1"), status_code=202)
def post_submission(
    request: Request,
    response: Response,
    site: SiteOf,
    desk: DeskOf,
    snapshot: SnapshotOf,
    signed: SignedAsked,
) -> SubmissionShown:
    """A signature over a payload: checked as `ibp multisig submit` checks it, then sent."""
    site.charge_signing(request)
    found = payouts.bundle_file(snapshot, of.hash_of(signed.bundle))
    sent = desk.submit(snapshot, found, signed)
    response.headers["Location"] = f"{SUBMISSIONS}/{sent.id}"
    response.headers["Cache-Control"] = "no-store"
    return sent


@router.get(SUBMISSIONS.removeprefix("/api/v1") + "/{submission}")
def get_submission(
    response: Response,
    desk: DeskOf,
    submission: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")],
) -> SubmissionShown:
    """What became of a signature that was sent."""
    response.headers["Cache-Control"] = "no-store"
    return desk.submissions.of(submission)
