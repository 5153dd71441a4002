"""An oracle's HTTP on loopback: its real server, and strangers in its place."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx

from ibp_chain.http_server import Health, serving
from oracles.publish import application
from oracles.samples import OBSERVATION, ObservationRow
from oracles.shelf import Shelf
from oracles.web import opened
from tests.support.probed import Handler, read_request, response, tcp
from tests.support.scores import sample, sampled

ROWS = sampled(sample(0), sample(1, member="beta"))
ROOT = OBSERVATION.root(ROWS)
RAW = OBSERVATION.pack(ROWS)
_WELL = Health()
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def revealed(directory: Path, rows: tuple[ObservationRow, ...] = ROWS) -> Shelf:
    shelf = Shelf(directory)
    shelf.reveal(shelf.put(OBSERVATION, rows))
    return shelf


@asynccontextmanager
async def oracle(shelf: Shelf, health: Health = _WELL, **options: float) -> AsyncIterator[str]:
    """Yields its URL."""
    app = application(shelf, lambda: health)
    async with serving(app, "127.0.0.1", 0, **options) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def stranger(handle: Handler) -> AsyncIterator[str]:
    async with tcp(handle) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def answering(
    body: bytes, status: str = "200 OK", headers: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Whoever asks gets this; yields the URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(response(status, body, **(headers or {})))
            await writer.drain()

    async with stranger(handle) as url:
        yield url


def loopback_client() -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """The daemon's client; loading the machine's certificates for each test would take long."""
    return opened(_NO_TLS)
