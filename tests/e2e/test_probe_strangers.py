"""Probes of servers that lie, stall, flood or break the protocol: real sockets, bounded harm."""

import asyncio
import base64
import datetime as dt
import gzip
import hashlib
import json
import select
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request as UpgradeRequest
from websockets.http11 import Response as UpgradeResponse

from oracles.probes.outcomes import Doubt, Failed, Outcome, Reason, Result, Unknown
from oracles.probes.targets import Kind, Scheme
from oracles.probes.wire import Limits
from tests.support.ports import reserved_port
from tests.support.probed import (
    HOST,
    NEVER_LATE,
    Authority,
    Handler,
    Node,
    Request,
    Respond,
    http_node,
    http_server,
    poll,
    read_request,
    response,
    target,
    tcp,
    until,
    web_socket,
    ws_node,
)

PATIENCE = Limits(seconds=60.0, reply_bytes=1 << 16)
PLAIN = (Scheme.WS, Scheme.HTTP)
SECURE = (Scheme.WSS, Scheme.HTTPS)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


async def polled(port: int, scheme: Scheme, kind: Kind = Kind.RPC) -> Outcome:
    """Of a poll that the target ends."""
    return (await poll(target(port, scheme, kind), limits=PATIENCE)).outcome


async def waited_out(port: int, scheme: Scheme, kind: Kind = Kind.RPC) -> Outcome:
    """Of a poll that nothing but the end of its time may end: enough of it to be connected."""
    for seconds in (0.4, 4.0, 40.0):
        limits = replace(PATIENCE, seconds=seconds)
        result = await poll(target(port, scheme, kind), limits=limits, watched=NEVER_LATE)
        if result.facts.connected:
            break
    return result.outcome


def expect(outcome: Outcome, *reasons: Reason) -> None:
    assert isinstance(outcome, Failed), outcome
    assert outcome.reason in reasons, outcome
    assert outcome.text.isprintable()
    assert len(outcome.text) < 400


# -- connections ------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [*PLAIN, *SECURE, Scheme.TCP])
def test_a_closed_port_is_refused(scheme: Scheme) -> None:
    with reserved_port() as port:
        kind = Kind.BOOT if scheme is Scheme.TCP else Kind.RPC
        expect(asyncio.run(polled(port, scheme, kind)), Reason.REFUSED)


@asynccontextmanager
async def full_backlog() -> AsyncIterator[int]:
    """A port that no longer completes handshakes."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            _, connected, _ = select.select([], waiting, [], 60)
            assert connected
            yield port
        finally:
            for one in waiting:
                one.close()


@pytest.mark.parametrize("scheme", PLAIN)
def test_a_host_that_swallows_packets_gives_no_connection(scheme: Scheme) -> None:
    async def run() -> Result:
        async with full_backlog() as port:
            return await poll(
                target(port, scheme), limits=replace(PATIENCE, seconds=0.4), watched=NEVER_LATE
            )

    result = asyncio.run(run())
    expect(result.outcome, Reason.NO_CONNECTION)
    assert not result.facts.connected


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(1 << 16):
        pass


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset_after_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.transport.abort()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A reply that never ends, a byte at a time."""
    await reader.read(1 << 16)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n" + b"X-Slow: loris\r\n" * 1_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Headers without end."""
    await reader.read(1 << 16)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Flood: " + b"f" * 1_000 + b"\r\n")
        await writer.drain()


async def junk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1 << 16)
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\x00\xff\xfe\r\n\r\n" + b"j" * 200)
    await writer.drain()
    await reader.read(1 << 16)


@pytest.mark.parametrize("scheme", [*PLAIN, *SECURE, Scheme.TCP])
@pytest.mark.parametrize(
    ("handle", "reasons"),
    [
        (silent, {Reason.TIMEOUT}),
        (hang_up, {Reason.CLOSED}),
        (reset_after_reading, {Reason.CLOSED}),
        (drip, {Reason.TIMEOUT, Reason.TLS, Reason.MALFORMED}),
        (flood, {Reason.TIMEOUT, Reason.TLS, Reason.MALFORMED}),
        (junk, {Reason.MALFORMED, Reason.TLS}),
    ],
)
def test_what_is_no_server_of_the_kind_fails_in_time(
    scheme: Scheme, handle: Handler, reasons: set[Reason]
) -> None:
    kind = Kind.BOOT if scheme is Scheme.TCP else Kind.RPC

    async def run() -> Outcome:
        loop = asyncio.get_running_loop()
        async with tcp(handle) as port:
            start = loop.time()
            ask = waited_out if Reason.TIMEOUT in reasons else polled
            outcome = await ask(port, scheme, kind)
            assert loop.time() - start < 120  # the drip takes twelve minutes, others never end
        return outcome

    expect(asyncio.run(run()), *reasons)


# -- TLS --------------------------------------------------------------------------------------


def outcome_over_tls(scheme: Scheme, server: ssl.SSLContext, client: ssl.SSLContext) -> Outcome:
    async def run() -> Outcome:
        serving: Any = ws_node if scheme.web_socket else http_node
        async with serving(Node(), tls=server) as port:
            return (await poll(target(port, scheme), client, limits=PATIENCE)).outcome

    return asyncio.run(run())


@pytest.mark.parametrize("scheme", SECURE)
def test_a_certificate_for_another_name_fails(authority: Authority, scheme: Scheme) -> None:
    server = authority.server("another.example")
    expect(outcome_over_tls(scheme, server, authority.client()), Reason.CERTIFICATE_NAME)


@pytest.mark.parametrize("scheme", SECURE)
def test_a_certificate_for_the_address_alone_fails(authority: Authority, scheme: Scheme) -> None:
    server = authority.server("127.0.0.1")
    expect(outcome_over_tls(scheme, server, authority.client()), Reason.CERTIFICATE_NAME)


@pytest.mark.parametrize("scheme", SECURE)
def test_a_certificate_that_nobody_vouches_for_fails(authority: Authority, scheme: Scheme) -> None:
    expect(
        outcome_over_tls(scheme, Authority().server(), authority.client()),
        Reason.CERTIFICATE_UNTRUSTED,
    )


@pytest.mark.parametrize("scheme", SECURE)
def test_an_expired_certificate_fails_unless_our_clock_may_be_wrong(
    authority: Authority, scheme: Scheme
) -> None:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    server = authority.server(HOST, not_before=past, not_after=past + dt.timedelta(days=1))
    expect(outcome_over_tls(scheme, server, authority.client()), Reason.CERTIFICATE_EXPIRED)

    async def unsure() -> Outcome:
        serving: Any = ws_node if scheme.web_socket else http_node
        async with serving(Node(), tls=server) as port:
            one = target(port, scheme)
            return (await poll(one, authority.client(), limits=PATIENCE, clock_sound=False)).outcome

    outcome = asyncio.run(unsure())
    assert isinstance(outcome, Unknown)
    assert outcome.doubt is Doubt.OWN_CLOCK


@pytest.mark.parametrize("scheme", SECURE)
def test_old_tls_fails(authority: Authority, scheme: Scheme) -> None:
    client, server = authority.client(), authority.server()
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    expect(outcome_over_tls(scheme, server, client), Reason.TLS, Reason.CLOSED)


# -- HTTP -------------------------------------------------------------------------------------


def outcome_of(respond: Respond, kind: Kind = Kind.RPC) -> Outcome:
    async def run() -> Outcome:
        async with http_server(respond) as port:
            return await polled(port, Scheme.HTTP, kind)

    return asyncio.run(run())


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Oops", "503 Busy", "404 No"])
@pytest.mark.parametrize("scheme", PLAIN)
def test_an_http_error_fails(status: str, scheme: Scheme) -> None:
    async def respond(_: Request) -> bytes:
        return response(status, b"<html>" + b"x" * 100_000)

    async def run() -> Outcome:
        async with http_server(respond) as port:
            return await polled(port, scheme)

    outcome = asyncio.run(run())
    expect(outcome, Reason.HTTP_STATUS)
    assert isinstance(outcome, Failed)
    assert status[:3] in outcome.text


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("scheme", PLAIN)
def test_a_redirect_is_not_followed(status: str, scheme: Scheme) -> None:
    elsewhere = Node()

    async def run() -> Outcome:
        serving: Any = ws_node if scheme.web_socket else http_node
        async with serving(elsewhere) as other:

            async def respond(request: Request) -> bytes:
                where = f"{scheme}://{request.headers['host'].split(':')[0]}:{other}/"
                return response(status, Location=where)

            async with http_server(respond) as port:
                return await polled(port, scheme)

    expect(asyncio.run(run()), Reason.REDIRECT)
    assert elsewhere.asked == []


def test_a_redirect_to_the_same_place_is_not_followed_either() -> None:
    asked = []

    async def respond(request: Request) -> bytes:
        asked.append(request.path)
        return response("302 Found", Location="/elsewhere")

    async def run() -> Outcome:
        async with http_server(respond) as port:
            return await polled(port, Scheme.WS)

    expect(asyncio.run(run()), Reason.REDIRECT)
    assert asked == ["/"]


def test_a_server_that_closes_after_each_answer_is_dialled_anew_and_timed_all_the_same() -> None:
    node = Node()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = await node.reply((await read_request(reader)).body)
        writer.write(response("200 OK", reply.encode(), Connection="close"))
        await writer.drain()

    async def run() -> Result:
        async with tcp(handle) as port:
            return await until(
                lambda result: (result.facts.response_us or 0) < 50_000,
                lambda: poll(target(port, Scheme.HTTP)),
            )

    result = asyncio.run(run())
    assert result.facts.head == 1_000
    assert result.facts.response_us is not None
    assert result.facts.response_us < 50_000


def test_a_body_without_end_is_left() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"[" * 0x1000 + b"\r\n")
            await writer.drain()

    async def run() -> Outcome:
        async with tcp(handle) as port:
            return await polled(port, Scheme.HTTP)

    expect(asyncio.run(run()), Reason.TOO_LONG)


def test_a_compressed_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 5_000_000)

    async def respond(_: Request) -> bytes:
        return response("200 OK", bomb, Content_Encoding="gzip")

    expect(outcome_of(respond), Reason.MALFORMED)


def test_a_body_that_ends_early_is_closed() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
        await writer.drain()

    async def run() -> Outcome:
        async with tcp(handle) as port:
            return await polled(port, Scheme.HTTP)

    expect(asyncio.run(run()), Reason.CLOSED, Reason.MALFORMED)


BAD_BODIES = [
    (b"", Reason.MALFORMED),
    (b"\xff\xfe", Reason.MALFORMED),
    (b"<html>", Reason.MALFORMED),
    (b"[" * 20_000, Reason.MALFORMED),
    (b'{"jsonrpc":"2.0","id":1,"result":' + b"9" * 5_000 + b"}", Reason.MALFORMED),
    (b"[]", Reason.MALFORMED),
    (b"null", Reason.MALFORMED),
    (b'{"jsonrpc":"2.0","id":1}', Reason.MALFORMED),
    (b'{"jsonrpc":"2.0","id":1,"error":"no"}', Reason.MALFORMED),
    (b'{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":2}}', Reason.MALFORMED),
    (b'{"jsonrpc":"2.0","id":1,"result":1,"error":null}', Reason.MALFORMED),
    (b'{"jsonrpc":"2.0","id":2,"result":"0x00"}', Reason.WRONG_ID),
    (b'{"jsonrpc":"2.0","id":"1","result":"0x00"}', Reason.WRONG_ID),
    (b'{"jsonrpc":"2.0","id":true,"result":"0x00"}', Reason.WRONG_ID),
    (b'{"jsonrpc":"2.0","id":1.0,"result":"0x00"}', Reason.WRONG_ID),
    (b'{"jsonrpc":"2.0","method":"x","params":{"subscription":1}}', Reason.MALFORMED),
    (b'{"id":null,"error":{"code":-32700,"message":"\\u001b[31mParse\\u0000"}}', Reason.RPC_ERROR),
    (b'{"jsonrpc":"2.0","id":1,"result":"' + b"x" * 10_000 + b'"}', Reason.WRONG_CHAIN),
    (b'{"jsonrpc":"2.0","id":1,"result":{"a":[1]}}', Reason.WRONG_CHAIN),
]


@pytest.mark.parametrize("scheme", PLAIN)
@pytest.mark.parametrize(("body", "reason"), BAD_BODIES)
def test_an_answer_that_is_none_fails(scheme: Scheme, body: bytes, reason: Reason) -> None:
    async def respond(_: Request) -> bytes:
        return response("200 OK", body)

    async def talk(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.send(body)

    async def run() -> Outcome:
        serving: Any = web_socket(talk) if scheme.web_socket else http_server(respond)
        async with serving as port:
            return await polled(port, scheme)

    expect(asyncio.run(run()), reason)


# -- WebSockets -------------------------------------------------------------------------------


def outcome_of_talk(talk: Any, **options: Any) -> Outcome:
    async def run() -> Outcome:
        async with web_socket(talk, **options) as port:
            return await polled(port, Scheme.WS)

    return asyncio.run(run())


def test_a_message_that_is_too_long_is_left() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send("x" * (PATIENCE.reply_bytes + 1))
        await connection.wait_closed()

    expect(outcome_of_talk(talk), Reason.TOO_LONG)


def test_a_stream_of_notifications_is_no_answer() -> None:
    async def talk(connection: ServerConnection) -> None:
        while True:
            await connection.send('{"jsonrpc":"2.0","method":"flood","params":{}}')
            await asyncio.sleep(0)

    expect(outcome_of_talk(talk), Reason.MALFORMED)


def test_a_second_answer_to_one_question_is_not_taken_for_the_next() -> None:
    async def talk(connection: ServerConnection) -> None:
        node = Node()
        async for message in connection:
            told = await node.reply(message)
            await connection.send(told)
            await connection.send(told)

    expect(outcome_of_talk(talk), Reason.WRONG_ID)


def test_a_server_that_never_pongs_has_no_round_trip() -> None:
    """Whoever refuses the round trip cannot have its response time told from the network's."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b": ")[1]
            for line in head.split(b"\r\n")
            if b"sec-websocket-key" in line.lower()
        )
        magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key + magic).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        # one masked text frame: the question for the genesis hash
        _, length = await reader.readexactly(2)
        size = length & 0x7F
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2))
        mask = await reader.readexactly(4)
        masked = await reader.readexactly(size)
        told = await Node().reply(bytes(b ^ mask[i % 4] for i, b in enumerate(masked)))
        writer.write(b"\x81\x7e" + len(told).to_bytes(2) + told.encode())
        await silent(reader, writer)

    async def run() -> Outcome:
        async with tcp(handle) as port:
            return await waited_out(port, Scheme.WS)

    expect(asyncio.run(run()), Reason.TIMEOUT)


def test_a_subprotocol_that_nobody_asked_for_fails() -> None:
    def impose(
        _connection: ServerConnection, _request: UpgradeRequest, told: UpgradeResponse
    ) -> UpgradeResponse:
        told.headers["Sec-WebSocket-Protocol"] = "junk"
        return told

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()

    expect(outcome_of_talk(talk, process_response=impose), Reason.MALFORMED)


def test_a_frame_that_breaks_the_protocol_fails() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.write(b"\xff\xff\xff\xff\xff\xff")
        await connection.wait_closed()

    expect(outcome_of_talk(talk), Reason.MALFORMED)


def test_a_server_that_closes_in_between_fails() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(1013, "try again later")

    outcome = outcome_of_talk(talk)
    expect(outcome, Reason.CLOSED)
    assert isinstance(outcome, Failed)
    assert "try again later" in outcome.text


def test_a_hostile_texts_control_characters_are_not_shown() -> None:
    async def respond(request: Request) -> bytes:
        identity = json.loads(request.body)["id"]
        error = {"code": -1, "message": "\x1b[2J\u202e\n" + "x" * 10_000}
        return response("200 OK", json.dumps({"id": identity, "error": error}).encode())

    expect(outcome_of(respond), Reason.RPC_ERROR)
