"""How a process of ours tells over HTTP how it is: `/healthz`, `/metrics`, and a server for both.

A server of strangers too (`oracles.publish`): it gives nobody more than a place for a while.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from ibp_chain.errors import ConfigError

CONNECTIONS = 64
"""At most this many at once; one more costs one that asks nothing its place."""
CONNECTION_SECONDS = 120.0
"""After which a connection is cut, whatever it is doing: who is slower waits for another's copy."""
NO_STORE = {"Cache-Control": "no-store"}


Fact: TypeAlias = "str | int | bool | Mapping[str, Fact] | None"


@dataclass(frozen=True, slots=True)
class Health:
    """How a process is, for `/healthz`: well unless there is a problem."""

    problems: tuple[str, ...] = ()
    """In words for people."""
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.problems


def operators(health: Callable[[], Health], registry: CollectorRegistry) -> Starlette:
    """For who runs the process: `/healthz` with reasons, `/metrics`. Not for strangers.

    `health` is asked on the event loop and must not block.
    """

    async def healthz(_: Request) -> Response:
        state = health()
        body = {"ok": state.ok, "problems": list(state.problems), "facts": dict(state.facts)}
        return JSONResponse(body, status_code=200 if state.ok else 503, headers=NO_STORE)

    async def metrics(_: Request) -> Response:
        return Response(
            generate_latest(registry), headers=NO_STORE, media_type=CONTENT_TYPE_PLAIN_0_0_4
        )

    return routed(
        Route("/healthz", healthz, methods=["GET"]), Route("/metrics", metrics, methods=["GET"])
    )


def routed(*routes: Route) -> Starlette:
    """An application of just these; a path with a slash too many is not found."""
    found = Starlette(routes=routes)
    found.router.redirect_slashes = False
    return found


@asynccontextmanager
async def serving(
    app: Starlette, host: str, port: int, *, connection_seconds: float = CONNECTION_SECONDS
) -> AsyncIterator[int]:
    """Serves `app` on this event loop inside the block; yields the port, a free one for port 0.

    Signals stay the caller's. Raises `ConfigError` where the address cannot be listened on.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=_impatient(connection_seconds),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # strangers' nonsense is no news
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
    )
    listening = _listen(host, port)
    try:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            for connection in server.server_state.connections:
                connection.transport.abort()  # who asks can ask again
            server.should_exit = True
            await task
    finally:
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen on {host} port {port}: {error}") from error


class _Server(uvicorn.Server):
    """Without uvicorn's own handling of signals: the process has its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _impatient(seconds: float) -> type[asyncio.Protocol]:
    """HTTP/1.1 as uvicorn does it; by itself it waits for slow senders and readers without end."""
    held: dict[H11Protocol, None] = {}

    class Impatient(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in H11Protocol
            super().connection_made(transport)
            held[self] = None
            if len(held) > CONNECTIONS:
                # the oldest first: who holds on to nothing but a place loses it
                idle = (one for one in held if _is_idle(one))
                next(idle, self).transport.abort()
            self._end = self.loop.call_later(seconds, transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            held.pop(self, None)
            self._end.cancel()
            super().connection_lost(exc)

    return Impatient


def _is_idle(connection: Any) -> bool:
    """Whether nothing is asked or answered on it; uvicorn's cycle is one request."""
    cycle = connection.cycle
    return cycle is None or bool(cycle.response_complete)


def host_and_port(text: str) -> tuple[str, int]:
    """Of `HOST:PORT` to listen on, the host of IPv6 in brackets. Raises `ConfigError`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) >= 2**16:
        raise ConfigError(f"{text!r} is no address to listen on, such as 127.0.0.1:8080")
    return host, int(port)
