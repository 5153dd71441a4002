"""The application: API and pages behind one guard, and what becomes of every error."""

import os
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ibp_chain.errors import CheckFailed, IbpError
from ibp_chain.web import api, checking_pages, pages, signing_api
from ibp_chain.web.caching import FOREVER, REVALIDATE, Conditional, tag
from ibp_chain.web.errors import RequestError, TooOften
from ibp_chain.web.models import Problem
from ibp_chain.web.security import Guard
from ibp_chain.web.site import Site

STATIC = Path(__file__).parent / "static"
_ABOUT = """What the Infrastructure Builders Program's ledger says, as of one block.

Amounts are decimal strings in planck, with what people read beside them; accounts SS58, hashes 0x
and hex, days and times ISO in UTC. Every answer has an entity tag that changes with the state root.
Nothing can be written; where curators sign here, one operation hands a signature to the node.
"""


def create_app(site: Site) -> FastAPI:
    """Whoever serves it keeps `site`'s loader going."""
    app = FastAPI(
        title="IBP ledger",
        version="1",
        description=_ABOUT,
        docs_url=None,  # its page wants scripts of another server
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        generate_unique_id_function=lambda route: route.name,
        middleware=[
            Middleware(Guard, hosts=site.hosts, takes=site.desk is not None),
            Middleware(Conditional),
            Middleware(_OneSnapshot, site=site),
        ],
    )
    app.state.site = site
    app.include_router(api.router)
    app.include_router(checking_pages.api)
    if site.desk is not None:
        app.include_router(signing_api.router)
    app.include_router(pages.router, include_in_schema=False)
    app.include_router(checking_pages.router, include_in_schema=False)
    app.mount("/static", _Static(directory=STATIC), name="static")
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    return app


class _OneSnapshot:
    """Gives the request its snapshot, and the answer its entity tag where it has no other."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        snapshot = self._site.snapshot
        scope.setdefault("state", {})["snapshot"] = snapshot
        version = tag(self._site.version(snapshot))

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if message["status"] == HTTPStatus.OK and "cache-control" not in headers:
                    headers["etag"] = version
                headers.setdefault("cache-control", REVALIDATE)
            await send(message)

        await self._app(scope, receive, tagged)


class _Static(StaticFiles):
    """Files with their hash in the address (`static_url`) never change; a module that another
    imports has none there, and is asked for again each time.
    """

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        versioned = b"v=" in scope["query_string"]
        response.headers["Cache-Control"] = FOREVER if versioned else REVALIDATE
        return response


# --- Errors ---------------------------------------------------------------------------

Handler = Callable[[Request, Exception], Awaitable[Response]]


def _answer(request: Request, status: int, detail: str, headers: dict[str, str]) -> Response:
    """As the path asks: JSON below `/api`, a page elsewhere."""
    detail = request.app.state.site.places.without_paths(detail)
    detail = detail.encode("utf-8", "replace").decode()  # JSON text may hold half a character
    if request.url.path.startswith("/api/"):
        problem = Problem(status=status, detail=detail)
        response: Response = JSONResponse(problem.model_dump(), status)
    else:
        response = pages.error_page(request, status, detail)
    response.headers.update({"Cache-Control": "no-store", **headers})
    return response


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, IbpError)
    headers = {}
    if isinstance(error, TooOften):
        headers["Retry-After"] = str(error.retry_after_s)
    status = error.status if isinstance(error, RequestError) else HTTPStatus.BAD_REQUEST
    if isinstance(error, CheckFailed):
        status = HTTPStatus.SERVICE_UNAVAILABLE  # what the server stands on does not hold up
    return _answer(request, status, str(error), headers)


async def _on_form(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("query", "path", "body"))
    return _answer(request, 422, f"{where}: {first['msg']}", {})


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, str(error.detail), dict(error.headers or {}))


_HANDLERS: dict[type[Exception], Handler] = {
    IbpError: _on_problem,
    RequestValidationError: _on_form,
    HTTPException: _on_http,
}
