"""WebSockets to a pinned address; the round trip is a ping."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from oracles.probes.jsonrpc import Reply, answer, question
from oracles.probes.targets import Endpoint
from oracles.probes.wire import Poll, dialled

_CLOSE_SECONDS = 0.5
"""A target that does not answer the close is left without."""
_QUEUED_MESSAGES = 4


@asynccontextmanager
async def opened(endpoint: Endpoint, poll: Poll) -> AsyncIterator[ClientConnection]:
    """A WebSocket whose socket is closed at the end, whatever happens.

    No compression: a small message stays small. Raises `OSError` and `WebSocketException`.
    """
    async with dialled(endpoint, poll) as sock:
        connection = await _shake_hands(endpoint, poll, sock)
        try:
            poll.saw_certificate(connection.transport.get_extra_info("ssl_object"))
            yield connection
            await connection.close()
        finally:
            connection.transport.abort()


async def _shake_hands(endpoint: Endpoint, poll: Poll, sock: socket.socket) -> ClientConnection:
    tls: dict[str, Any] = {}
    if endpoint.scheme.secure:
        tls = {"ssl": poll.tools.tls, "server_hostname": endpoint.host}
    # with a socket of ours the library refuses redirects: there is nowhere else to go
    return await connect(
        endpoint.url,
        sock=sock,
        proxy=None,
        compression=None,
        open_timeout=None,
        ping_interval=None,
        close_timeout=_CLOSE_SECONDS,
        max_size=poll.tools.limits.reply_bytes,
        max_queue=_QUEUED_MESSAGES,
        **tls,
    )


class WebSocketSession:
    """JSON-RPC over one WebSocket."""

    def __init__(self, connection: ClientConnection, poll: Poll) -> None:
        self._connection, self._clock, self._last_id = connection, poll.tools.clock, 0

    async def call(self, method: str, *params: Any) -> Reply:
        self._last_id += 1
        message = question(self._last_id, method, params).decode()
        start = self._clock()
        await self._connection.send(message)
        raw = await self._connection.recv(decode=False)
        latency = self._clock() - start
        return Reply(answer(raw, self._last_id), latency)

    async def round_trip(self) -> int:
        start = self._clock()
        await (await self._connection.ping())
        return self._clock() - start
