"""Sockets to pinned addresses, and what one poll of one target carries around."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ibp_chain.errors import ConfigError
from ibp_chain.types import Micros
from oracles.probes.outcomes import Facts, Outcome
from oracles.probes.targets import Endpoint
from oracles.probes.timing import Clock, LoopWatch

_HELLO_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Limits:
    """What a target may cost."""

    seconds: float = 10.0
    """For one poll of one target, all of it."""
    reply_bytes: int = 1 << 18
    """For one answer."""
    least_peers: int = 1
    snapshot_seconds: int = 14 * 86_400
    """How old a snapshot may be."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every poll is given from outside."""

    clock: Clock
    """Monotonic nanoseconds."""
    watch: LoopWatch
    tls: ssl.SSLContext
    slow_at: Micros
    unix_seconds: int
    """The time of the poll."""
    limits: Limits = Limits()
    clock_sound: bool = True
    """Whether `unix_seconds` is known to be right, as by the chain's own time."""
    turn: int = 0
    """Which piece of old state to ask for: the slot's number does."""


class Poll:
    """What has been seen of one target so far; survives whatever stops the poll."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.facts = Facts()
        self.outcome: Outcome | None = None
        """What was found, while the connection is still to be closed."""

    def saw(self, **facts: Any) -> None:
        """Adds to `facts`, by the names of `Facts`."""
        self.facts = replace(self.facts, **facts)

    def saw_certificate(self, tls: ssl.SSLObject | ssl.SSLSocket | None) -> None:
        """Notes when the certificate that was just verified expires."""
        certificate = tls.getpeercert() if tls is not None else None
        if certificate and isinstance(expires := certificate.get("notAfter"), str):
            self.saw(certificate_expires=int(ssl.cert_time_to_seconds(expires)))


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """The usual certificate authorities, and those in the PEM file `authorities`.

    Raises `ConfigError`.
    """
    context = ssl.create_default_context()
    if authorities is not None:
        try:
            context.load_verify_locations(cafile=authorities)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{authorities}: no certificates: {error}") from error
    return context


@asynccontextmanager
async def dialled(endpoint: Endpoint, poll: Poll) -> AsyncIterator[socket.socket]:
    """An open TCP connection to the pinned address, closed at the end. Raises `OSError`."""
    version = endpoint.address.version
    sock = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = poll.tools.clock()
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, (str(endpoint.address), endpoint.port))
        took = (poll.tools.clock() - start) // 1_000
        known = poll.facts.connect_us
        poll.saw(connected=True, connect_us=took if known is None else min(known, took))
        yield sock
    finally:
        sock.close()


async def connect_round_trip(endpoint: Endpoint, poll: Poll) -> int:
    """Nanoseconds of one TCP handshake: the round trip where there is no TLS (tests only)."""
    start = poll.tools.clock()
    async with dialled(endpoint, poll):
        return poll.tools.clock() - start


async def tls_round_trip(endpoint: Endpoint, poll: Poll) -> int:
    """Nanoseconds from a ClientHello to the first bytes of the answer: one round trip.

    A TLS terminator answers it without asking anybody; the handshake is left there. Raises
    `OSError`.
    """
    outgoing = ssl.MemoryBIO()
    tls = poll.tools.tls.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=endpoint.host)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read()
    loop, clock = asyncio.get_running_loop(), poll.tools.clock
    async with dialled(endpoint, poll) as sock:
        start = clock()
        await loop.sock_sendall(sock, hello)
        first = await loop.sock_recv(sock, _HELLO_BYTES)
        took = clock() - start
    if not first:
        raise ConnectionResetError("closed the connection instead of a TLS handshake")
    return took
