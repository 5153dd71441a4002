"""What every answer carries and every request must be, whatever it asks for. Pure ASGI.

A page gets its script, style and pictures from this server only, and nothing inline. A request
names a host that the server knows: a page of another site that had its own name point here (DNS
rebinding) would name that one. Only reading is answered, and nothing is taken in; where curators
sign here, one path takes what a page of this very origin sends it.
"""

import json
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_QUERY = 2_048
MAX_PATH = 1_024
MAX_BODY = 1_048_576
"""Bytes."""
SUBMISSIONS = "/api/v1/submissions"
"""The one path that takes something in, and only with --sign."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), usb=()",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Refuses what may not be asked, and adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], *, takes: bool = False) -> None:
        """`hosts` are names and addresses without a port, as a browser writes them; with `takes`
        signatures are taken at `SUBMISSIONS`.
        """
        self._app, self._hosts = app, frozenset(host.lower() for host in hosts)
        self._takes = takes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} is served here")
        head_only = scope["method"] == "HEAD"
        guarded = _Guarded(send, head_only=head_only)
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(guarded, *refusal)
            return
        method = "POST" if scope["method"] == "POST" else "GET"
        await self._app({**scope, "method": method}, receive, guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if host_name(headers.get("host", "")) not in self._hosts:
            return 421, "this server is not known by the name that was asked for (--host)"
        taken = self._takes and scope["method"] == "POST" and scope["path"] == SUBMISSIONS
        if scope["method"] not in ("GET", "HEAD") and not taken:
            return 405, "this server is read only"
        if len(scope["query_string"]) > MAX_QUERY or len(scope.get("raw_path", b"")) > MAX_PATH:
            return 414, f"longer than {MAX_QUERY} bytes of query or {MAX_PATH} of path"
        if taken:
            return _foreign(headers) or _unfit(headers)
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return 413, "a request has no body here"
        return None


def _foreign(headers: Headers) -> tuple[int, str] | None:
    """A page of another origin can have a browser send here, but neither header is its to choose.

    Fetch metadata is sent to trustworthy origins only, loopback among them; `Origin` always.
    """
    site, origin = headers.get("sec-fetch-site", "same-origin"), headers.get("origin", "")
    scheme, _, host = origin.partition("://")
    own = headers.get("host", "").strip().lower()
    if site != "same-origin" or scheme not in ("http", "https") or host.lower() != own:
        return 403, "only this server's own pages may send a signature here"
    return None


def _unfit(headers: Headers) -> tuple[int, str] | None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return 415, "a signature comes as application/json"
    length = headers.get("content-length", "")
    if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()):
        return 411, "the length of what is sent has to be said"
    if len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
        return 413, f"longer than {MAX_BODY:,} bytes: use `ibp multisig submit`"
    return None


def host_name(host: str) -> str:
    """The name in a `Host` header, without its port: `[::1]:8080` is `[::1]`."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[: name.find("]") + 1]
    return name.partition(":")[0]


class _Guarded:
    """Adds the headers; for HEAD the answer's body is left out, its length is not."""

    def __init__(self, send: Send, *, head_only: bool) -> None:
        self._send, self._head_only = send, head_only

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)  # a receipt has a stricter policy of its own
        elif self._head_only and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


async def _refuse(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"status": status, "detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
