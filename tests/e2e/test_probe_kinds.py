"""Probes of boot nodes and snapshots against real servers on loopback."""

import asyncio
from email.utils import formatdate
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from oracles.probes.outcomes import Doubt, Failed, Ok, Outcome, Reason, Result, Unknown
from oracles.probes.targets import Kind, Scheme
from tests.support.boot_node import HEADER, NOT_AVAILABLE, boot_node, web_boot_node
from tests.support.probed import (
    NEVER_SLOW,
    NOW,
    Authority,
    Request,
    http_server,
    poll,
    response,
    target,
    tcp,
    web_socket,
)

SIZE = 3_000_000_000
DAY = 86_400


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_a_boot_node_that_agrees_on_noise_is_up() -> None:
    async def run() -> Result:
        async with boot_node() as port:
            return await poll(target(port, Scheme.TCP, Kind.BOOT), slow_at=NEVER_SLOW)

    result = asyncio.run(run())
    assert isinstance(result.outcome, Ok)
    assert result.facts.connected
    assert result.facts.round_trip_us is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_boot_node_behind_a_web_socket_is_up(authority: Authority, address: str) -> None:
    async def run() -> Result:
        async with web_boot_node(tls=authority.server(), address=address) as port:
            one = target(port, Scheme.WSS, Kind.BOOT, address=address)
            return await poll(one, authority.client(), slow_at=NEVER_SLOW)

    result = asyncio.run(run())
    assert isinstance(result.outcome, Ok)
    assert result.facts.certificate_expires is not None


def test_a_boot_node_without_noise_fails() -> None:
    async def run() -> Result:
        async with boot_node(protocols=("/plaintext/2.0.0",)) as port:
            return await poll(target(port, Scheme.TCP, Kind.BOOT))

    outcome = asyncio.run(run()).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.NO_NOISE


@pytest.mark.parametrize(
    "told",
    [
        b"\x13/multistream/2.0.0\n",
        b"\x00",
        b"\xff\xff\xff\xff\xff\xff",
        b"\xff\x7f" + b"x" * 20_000,
        b"\x03nak",
        HEADER + HEADER,
        HEADER + b"\x20/ibp-oracle/round-trip/1 is fine\n",
    ],
)
def test_what_is_no_multistream_fails(told: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(told)
        await reader.read()

    async def run() -> Result:
        async with tcp(handle) as port:
            return await poll(target(port, Scheme.TCP, Kind.BOOT))

    outcome = asyncio.run(run()).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.MALFORMED, outcome


def test_a_boot_node_that_refuses_for_ever_or_leaves_in_between_fails() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEADER + 3 * NOT_AVAILABLE)
        await reader.readuntil(b"/noise\n")

    async def run() -> Result:
        async with tcp(refuse) as port:
            return await poll(target(port, Scheme.TCP, Kind.BOOT))

    outcome = asyncio.run(run()).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.CLOSED, outcome


def test_a_boot_node_that_speaks_text_messages_fails() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(HEADER.decode())
        await connection.wait_closed()

    async def run() -> Result:
        async with web_socket(talk) as port:
            return await poll(target(port, Scheme.WS, Kind.BOOT))

    outcome = asyncio.run(run()).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.MALFORMED


class Store:
    """An object store with one snapshot; `changed` headers override, None leaves one out."""

    def __init__(self, age: int = DAY, *, ranges: bool = True, **changed: str | None) -> None:
        self.headers: dict[str, str] = {
            "Content-Length": str(SIZE),
            "Accept-Ranges": "bytes",
            "Last-Modified": formatdate(NOW - age, usegmt=True),
        }
        for name, value in changed.items():
            self.headers.pop(name.replace("_", "-"), None)
            if value is not None:
                self.headers[name.replace("_", "-")] = value
        self.ranges = ranges
        self.asked: list[Request] = []

    async def respond(self, request: Request) -> bytes:
        self.asked.append(request)
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        if request.method == "HEAD":
            return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()
        if not self.ranges:
            return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + b"s" * 100_000
        assert request.headers["range"] == "bytes=0-0"
        told = f"bytes 0-0/{SIZE}"
        return response("206 Partial Content", b"s", Content_Range=told)


def snapshot(store: Store, **given: Any) -> Result:
    async def run() -> Result:
        async with http_server(store.respond) as port:
            one = target(port, Scheme.HTTP, Kind.SNAPSHOT, path="/polkadot.tar.lz4?v=1")
            return await poll(one, slow_at=NEVER_SLOW, **given)

    return asyncio.run(run())


def reason(outcome: Outcome) -> Reason:
    assert isinstance(outcome, Failed), outcome
    return outcome.reason


def test_a_snapshot_that_can_be_resumed_is_up() -> None:
    store = Store()
    result = snapshot(store)
    assert isinstance(result.outcome, Ok)
    assert (result.facts.size, result.facts.modified) == (SIZE, NOW - DAY)
    assert {request.path for request in store.asked} == {"/polkadot.tar.lz4?v=1"}


def test_a_snapshot_over_tls_is_asked_for_under_its_name(authority: Authority) -> None:
    store = Store()

    async def run() -> Result:
        async with http_server(store.respond, tls=authority.server()) as port:
            one = target(port, Scheme.HTTPS, Kind.SNAPSHOT)
            return await poll(one, authority.client(), slow_at=NEVER_SLOW)

    assert isinstance(asyncio.run(run()).outcome, Ok)


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (Store(age=15 * DAY), Reason.STALE),
        (Store(Last_Modified=None), Reason.STALE),
        (Store(Last_Modified="yesterday"), Reason.MALFORMED),
        (Store(Last_Modified="Thu, 01 Jan 99999 00:00:00 GMT"), Reason.MALFORMED),
        (Store(Accept_Ranges="none"), Reason.NO_RANGE),
        (Store(Accept_Ranges=None), Reason.NO_RANGE),
        (Store(ranges=False), Reason.NO_RANGE),
        (Store(Content_Length="0"), Reason.MALFORMED),
        (Store(Content_Length=str(SIZE + 1)), Reason.NO_RANGE),
    ],
)
def test_a_snapshot_that_cannot_be_used_fails(store: Store, expected: Reason) -> None:
    assert reason(snapshot(store).outcome) is expected


def test_an_old_snapshot_is_unknown_where_our_clock_may_be_wrong() -> None:
    outcome = snapshot(Store(age=15 * DAY), clock_sound=False).outcome
    assert isinstance(outcome, Unknown)
    assert outcome.doubt is Doubt.OWN_CLOCK


@pytest.mark.parametrize("told", ["bytes 1-1/3000000000", "bytes 0-0/*", "bytes 0-0/1", ""])
def test_a_partial_answer_of_something_else_fails(told: str) -> None:
    class Confused(Store):
        async def respond(self, request: Request) -> bytes:
            if request.method == "GET":
                return response("206 Partial Content", b"s", Content_Range=told)
            return await super().respond(request)

    assert reason(snapshot(Confused()).outcome) is Reason.NO_RANGE


@pytest.mark.parametrize("body", [b"", b"sn"])
def test_a_partial_answer_of_another_length_fails(body: bytes) -> None:
    class Generous(Store):
        async def respond(self, request: Request) -> bytes:
            if request.method == "GET":
                return response("206 Partial Content", body, Content_Range=f"bytes 0-0/{SIZE}")
            return await super().respond(request)

    assert reason(snapshot(Generous()).outcome) is Reason.NO_RANGE


def test_a_partial_answer_without_end_is_left() -> None:
    class Endless(Store):
        async def respond(self, request: Request) -> bytes:
            if request.method == "GET":
                told = f"bytes 0-0/{SIZE}"
                return response("206 Partial Content", b"s" * 1_000_000, Content_Range=told)
            return await super().respond(request)

    assert reason(snapshot(Endless()).outcome) is Reason.TOO_LONG


@pytest.mark.parametrize(
    ("status", "expected"), [("404 No", Reason.HTTP_STATUS), ("302 Found", Reason.REDIRECT)]
)
def test_a_snapshot_that_is_elsewhere_fails(status: str, expected: Reason) -> None:
    class Gone(Store):
        async def respond(self, _: Request) -> bytes:
            return response(status, Location="http://127.0.0.1:1/")

    assert reason(snapshot(Gone()).outcome) is expected
