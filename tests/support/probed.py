"""Members' endpoints on loopback: nodes that behave, and strangers that do not."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any

import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ibp_chain.types import Micros
from oracles.probes.outcomes import Result
from oracles.probes.prober import probe
from oracles.probes.targets import Chain, Endpoint, Kind, Scheme, StatePoint, Target
from oracles.probes.timing import LoopWatch
from oracles.probes.wire import Limits, Tools

HOST = "rpc.ibp.example"
GENESIS = bytes.fromhex("91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3")
POINT = StatePoint(block=b"\x11" * 32, key=b"\x26\xaa", value=b"\x01\x02")
POLKADOT = Chain("polkadot", genesis=GENESIS, eth_chain_id=420_420_419, archive=(POINT,))
SLOW_AT = Micros(100_000)
NEVER_SLOW = Micros(2**32 - 1)
"""For who asks whether a poll is well: here its time is this machine's, too."""
NOW = 1_800_000_000

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Refused(Exception):
    """What a node answers as a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        self.body = {"code": code, "message": message}
        super().__init__(message)


@dataclass
class Node:
    """A Substrate node with Ethereum's RPC; `answers` overrides, `delay` is before an answer."""

    answers: dict[str, Any] = field(default_factory=dict)
    delay: float = 0.0
    delayed: frozenset[str] | None = None
    """The calls that `delay` is for; None: all."""
    head: int = 1_000
    asked: list[str] = field(default_factory=list)
    hosts: list[str | None] = field(default_factory=list)
    """The `Host` of each connection or request."""

    async def reply(self, raw: bytes | str) -> str:
        request = json.loads(raw)
        self.asked.append(request["method"])
        if self.delay and (self.delayed is None or request["method"] in self.delayed):
            await asyncio.sleep(self.delay)
        body = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return json.dumps(body | {"result": self._result(request["method"], request["params"])})
        except Refused as refusal:
            return json.dumps(body | {"error": refusal.body})

    def _result(self, method: str, params: list[Any]) -> Any:
        if method in self.answers:
            found = self.answers[method]
            if isinstance(found, Refused):
                raise found
            return found
        match method, params:
            case "chain_getBlockHash", [0]:
                return "0x" + GENESIS.hex()
            case "chain_getHeader", []:
                return {"number": hex(self.head), "parentHash": "0x" + "22" * 32}
            case "system_health", []:
                return {"isSyncing": False, "peers": 40, "shouldHavePeers": True}
            case "system_version", []:
                return "1.19.0-abcdef"
            case "state_getRuntimeVersion", []:
                return {"specName": "polkadot", "specVersion": 1_006_001}
            case "state_getStorage", ["0x26aa", block] if block == "0x" + "11" * 32:
                return "0x0102"
            case "eth_chainId", []:
                return hex(420_420_419)
            case "eth_blockNumber", []:
                return hex(self.head)
            case "eth_syncing", []:
                return False
            case _:
                raise Refused(-32_601, "Method not found")


@asynccontextmanager
async def web_socket(
    talk: Callable[[ServerConnection], Awaitable[None]],
    *,
    address: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> AsyncIterator[int]:
    """A WebSocket server; yields its port."""

    async def handle(connection: ServerConnection) -> None:
        try:
            await talk(connection)
        except ConnectionClosed:
            return

    async with serve(handle, address, 0, ssl=tls, close_timeout=0.1, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def ws_node(node: Node, **options: Any) -> AsyncIterator[int]:
    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        node.hosts.append(connection.request.headers.get("Host"))
        async for message in connection:
            await connection.send(await node.reply(message))

    async with web_socket(talk, **options) as port:
        yield port


@asynccontextmanager
async def tcp(
    handle: Handler, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A TCP or TLS server that runs `handle` for each connection; yields its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the prober left, or the test is over
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(connection, address, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {}
    for line in head[1:-2]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


def response(status: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}"]
    fields = {"Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


Respond = Callable[[Request], Awaitable[bytes]]


@asynccontextmanager
async def http_server(respond: Respond, **options: Any) -> AsyncIterator[int]:
    """Keep-alive HTTP; `respond` writes whole responses."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(await respond(await read_request(reader)))
            await writer.drain()

    async with tcp(handle, **options) as port:
        yield port


@asynccontextmanager
async def http_node(node: Node, **options: Any) -> AsyncIterator[int]:
    async def respond(request: Request) -> bytes:
        node.hosts.append(request.headers.get("host"))
        assert request.method == "POST"
        return response("200 OK", (await node.reply(request.body)).encode())

    async with http_server(respond, **options) as port:
        yield port


@asynccontextmanager
async def delayed(port: int, seconds: float, *, address: str = "127.0.0.1") -> AsyncIterator[int]:
    """A TCP proxy: every chunk arrives `seconds` later in either direction, in order."""

    async def shift(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        pending: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, chunk = await pending.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not chunk:
                    writer.close()
                    return
                writer.write(chunk)

        async with asyncio.TaskGroup() as group:
            group.create_task(deliver())
            while True:
                chunk = await reader.read(65_536)
                pending.put_nowait((loop.time() + seconds, chunk))
                if not chunk:
                    break

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection(address, port)
        try:
            await asyncio.gather(shift(reader, ahead), shift(behind, writer))
        except* ConnectionError:
            pass  # one end left: the finally closes the other
        finally:
            ahead.transport.abort()

    async with tcp(handle, address=address) as listening:
        yield listening


class Authority:
    """A certificate authority of one test run."""

    def __init__(self) -> None:
        self.ca = trustme.CA()

    def server(self, *names: str, **dates: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*(names or (HOST,)), **dates).configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca.configure_trust(context)
        return context


def target(
    port: int,
    scheme: Scheme = Scheme.WS,
    kind: Kind = Kind.RPC,
    *,
    member: str = "gatotech",
    service: str = "polkadot",
    address: str = "127.0.0.1",
    host: str = HOST,
    path: str = "/",
    archive: bool = False,
    chain: Chain = POLKADOT,
) -> Target:
    endpoint = Endpoint(scheme, host, ip_address(address), port, path)
    return Target(member, service, kind, chain, endpoint, archive)


@cache
def _trusts_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


NEVER_LATE = LoopWatch(time.perf_counter_ns)
"""Not begun, it sees no delay: for who asks what a target did, not how busy this process is."""
AMPLE = Limits(seconds=60.0)
"""Time for a poll that a target ends: how slow this machine is says nothing of the target."""


@asynccontextmanager
async def tools(
    client: ssl.SSLContext | None = None,
    *,
    limits: Limits = AMPLE,
    slow_at: Micros = SLOW_AT,
    watched: LoopWatch | None = None,
    **other: Any,
) -> AsyncIterator[Tools]:
    """`watched` instead of a watch of this loop."""
    async with LoopWatch(time.perf_counter_ns) as watch:
        yield Tools(
            clock=time.perf_counter_ns,
            watch=watched or watch,
            tls=client or _trusts_nobody(),
            slow_at=slow_at,
            unix_seconds=NOW,
            limits=limits,
            **other,
        )


async def poll(
    one: Target,
    client: ssl.SSLContext | None = None,
    **other: Any,
) -> Result:
    """One poll with tools of its own."""
    async with tools(client, **other) as given:
        return await probe(one, given)


async def until(
    condition: Callable[[Result], bool], polled: Callable[[], Awaitable[Result]]
) -> Result:
    """The first poll of which `condition` holds, the last one where none comes within a minute.

    For times: what else runs on this machine only ever adds to them.
    """
    ends = time.monotonic() + 60
    while not condition(result := await polled()) and time.monotonic() < ends:
        pass
    return result
