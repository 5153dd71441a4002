"""Outgoing HTTP of the daemon: a client without an environment, exchanges that leak nothing."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext
from typing import Any

import httpx


@asynccontextmanager
async def opened(tls: SSLContext | bool = True) -> AsyncIterator[httpx.AsyncClient]:  # noqa: FBT001, FBT002 - httpx's `verify`
    """A client: no proxy or setting of the environment, no cookies, no redirects, no time limit.

    Who uses it bounds each exchange as a whole, with `asyncio.timeout`.
    """
    async with httpx.AsyncClient(
        verify=tls,
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113 - a limit between two reads is none against who trickles
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"User-Agent": "ibp-oracle", "Accept-Encoding": "identity"},
    ) as client:
        yield client


@asynccontextmanager
async def exchange(
    client: httpx.AsyncClient, method: str, url: str, **options: Any
) -> AsyncIterator[httpx.Response]:
    """One request and its answer, whose body is not read yet. Raises as httpx does."""
    streams: list[Any] = []

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            streams.append(info["return_value"])

    try:
        async with client.stream(
            method, url, follow_redirects=False, extensions={"trace": trace}, **options
        ) as response:
            yield response
    except BaseException:
        # httpx forgets a connection that is cancelled in its handshake
        for stream in streams:
            await stream.aclose()
        raise
