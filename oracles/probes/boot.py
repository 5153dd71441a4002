"""A boot node: TCP or WebSocket, then multistream-select until noise is agreed on.

The noise handshake itself is left there, so the peer id is not proven.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection

from oracles.probes import timing, web_socket
from oracles.probes.multistream import Negotiation, Stream
from oracles.probes.outcomes import Fault, Outcome, Reason
from oracles.probes.targets import Scheme, Target
from oracles.probes.wire import Poll, dialled

_READ_AHEAD = 1 << 12


class _TcpStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, count: int) -> bytes:
        return await self._reader.readexactly(count)


class _MessageStream:
    """The bytes inside binary WebSocket messages."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._buffer = connection, bytearray()

    async def write(self, data: bytes) -> None:
        await self._connection.send(data)

    async def read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            message = await self._connection.recv()
            if isinstance(message, str):
                raise Fault(Reason.MALFORMED, "sent a text message where libp2p sends binary ones")
            self._buffer += message
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


async def probe(target: Target, poll: Poll) -> Outcome:
    """Raises `Fault`, `OSError`, `EOFError` and `WebSocketException`."""
    tools = poll.tools
    async with _stream(target, poll) as stream:
        talk = Negotiation(stream, tools.clock)
        await talk.begin()
        # once noise is agreed on nothing can be asked again, so there is one attempt
        trips = [await talk.round_trip() for _ in range(timing.ROUND_TRIPS)]
        latency = await talk.offer_noise()
        lag = tools.watch.at_arrival(latency)
    measured = timing.Timing(latency, min(trips), lag)
    poll.saw(**measured.facts())
    return timing.judge(measured, tools.slow_at)


@asynccontextmanager
async def _stream(target: Target, poll: Poll) -> AsyncIterator[Stream]:
    if target.endpoint.scheme is not Scheme.TCP:
        async with web_socket.opened(target.endpoint, poll) as connection:
            yield _MessageStream(connection)
        return
    async with dialled(target.endpoint, poll) as sock:
        reader, writer = await asyncio.open_connection(sock=sock, limit=_READ_AHEAD)
        try:
            yield _TcpStream(reader, writer)
        finally:
            writer.transport.abort()
