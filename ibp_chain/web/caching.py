"""Answers that have not changed are not sent again: entity tags and 304 (RFC 9110, 13.1.2)."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REVALIDATE = "no-cache"
"""Kept by who likes, asked for each time: a new block changes it."""
FOREVER = "public, max-age=31536000, immutable"
"""For what has its version in its address."""
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_KEPT = frozenset({b"etag", b"cache-control", b"vary", b"date", b"expires", b"content-location"})


def tag(version: str) -> str:
    return f'"{version}"'


def matches(if_none_match: str | None, etag: str | None) -> bool:
    """Whether the client has it already, by the weak comparison that GET is to use."""
    if if_none_match is None or etag is None:
        return False
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(if_none_match)


class Conditional:
    """Turns a 200 whose entity tag the client named into a 304 without a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("if-none-match")
        unchanged = False

        async def conditional(message: Message) -> None:
            nonlocal unchanged
            if message["type"] == "http.response.start":
                etag = MutableHeaders(scope=message).get("etag")
                unchanged = message["status"] == 200 and matches(asked, etag)
                if unchanged:
                    kept = [pair for pair in message["headers"] if pair[0].lower() in _KEPT]
                    message = {**message, "status": 304, "headers": kept}
            elif unchanged:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, conditional)
