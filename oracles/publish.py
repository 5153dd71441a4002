"""What an oracle daemon tells over HTTP: revealed rows, its health, its metrics; nothing else.

A root that is sealed is answered as one that nobody has: commit before reveal. For the same reason
no metric and no health check says what was seen of a member before the day is closed.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from os import fstat
from typing import BinaryIO

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ibp_chain.http_server import NO_STORE, Health, routed
from ibp_chain.types import Hash
from oracles.shelf import Shelf

_ROOT = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 16
_FOREVER = "public, max-age=31536000, immutable"


def application(shelf: Shelf, health: Callable[[], Health]) -> Starlette:
    """For everybody: `GET` and `HEAD` of `/rows/<64 hex digits>` and `/healthz`.

    All else is 404 or 405. Health is a word here, without reasons. `health` is asked on the event
    loop and must not block.
    """

    async def rows(request: Request) -> Response:
        text = request.path_params["root"]
        if not _ROOT.fullmatch(text):
            raise HTTPException(404)
        file = await asyncio.to_thread(shelf.open, Hash(bytes.fromhex(text)))
        if file is None:
            raise HTTPException(404)
        return _answer(request, file, f'"{text}"')

    async def healthz(_: Request) -> Response:
        ok = health().ok
        return JSONResponse({"ok": ok}, status_code=200 if ok else 503, headers=NO_STORE)

    return routed(
        Route("/rows/{root}", rows, methods=["GET"]), Route("/healthz", healthz, methods=["GET"])
    )


class _FileResponse(Response):
    """An open file, sent in pieces and closed; without the ranges that Starlette's own has."""

    def __init__(self, file: BinaryIO, headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers, media_type="application/octet-stream")
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the ASGI signature
        with self._file as file:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            more = scope["method"] == "GET"
            while more:
                chunk = await asyncio.to_thread(file.read, _CHUNK)
                if more := bool(chunk):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body"})


def _answer(request: Request, file: BinaryIO, etag: str) -> Response:
    headers = {"ETag": etag, "Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
    known = {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {etag, f"W/{etag}", "*"}:
        file.close()
        return Response(status_code=304, headers=headers)
    return _FileResponse(file, headers | {"Content-Length": str(fstat(file.fileno()).st_size)})
