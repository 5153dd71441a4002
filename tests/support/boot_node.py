"""A libp2p listener's half of multistream-select 1.0.0, written apart from the dialler's.

It follows rust-libp2p's `listener_select_proto`: the header is answered with the header, an unknown
protocol with "na", a known one with itself.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection

from tests.support.probed import tcp, web_socket

HEADER = b"\x13/multistream/1.0.0\n"
NOT_AVAILABLE = b"\x03na\n"


async def answer(message: bytes, protocols: tuple[str, ...], noise_seconds: float) -> bytes:
    """What a listener says to one message, which comes with its length."""
    assert message[0] == len(message) - 1
    assert message[-1:] == b"\n"
    text = message[1:-1].decode()
    if text == "/multistream/1.0.0":
        return HEADER
    if text not in protocols:
        return NOT_AVAILABLE
    await asyncio.sleep(noise_seconds)
    return message


@asynccontextmanager
async def boot_node(
    *, protocols: tuple[str, ...] = ("/noise",), noise_seconds: float = 0.0
) -> AsyncIterator[int]:
    """A TCP boot node; yields its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            length = await reader.readexactly(1)
            message = length + await reader.readexactly(length[0])
            writer.write(await answer(message, protocols, noise_seconds))

    async with tcp(handle) as port:
        yield port


@asynccontextmanager
async def web_boot_node(**options: object) -> AsyncIterator[int]:
    """The same behind a WebSocket; its header and its answers come as one message or as two."""

    async def talk(connection: ServerConnection) -> None:
        buffer = b""
        async for data in connection:
            assert isinstance(data, bytes)
            buffer += data
            while buffer and len(buffer) > buffer[0]:
                message, buffer = buffer[: buffer[0] + 1], buffer[buffer[0] + 1 :]
                told = await answer(message, ("/noise",), 0.0)
                await connection.send(told[:1])
                await connection.send(told[1:])

    async with web_socket(talk, **options) as port:  # type: ignore[arg-type]  # passed through
        yield port
