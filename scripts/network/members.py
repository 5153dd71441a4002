"""The members' endpoints, one asyncio process for all: nodes that behave, and such that do not.

    python -m scripts.network.members FOLDER

writes its authority to FOLDER/ca.pem and one line of JSON with everybody's addresses and URLs, then
reads one with the machine's times of outages, and serves until its input ends.

Heads count the machine's time: the probes compare them within one poll, which a leap of the
programme's time must not tear apart.
"""

import argparse
import asyncio
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.support.probed import GENESIS, HOST, Authority, Node, http_node, tcp

GENESIS_HEX = "0x" + GENESIS.hex()
HEAD_SECONDS = 0.3
BLOCK_MILLIS = 100
"""What the target file says of the chain: heads of one poll are this far apart at most."""
SLOW_SECONDS = 0.15
_MEASURED = frozenset({"chain_getHeader"})
_OTHER_GENESIS = "0x" + "ab" * 32
_START_SECONDS = 60.0
_END_SECONDS = 5.0


class Role(StrEnum):
    """What is the matter with a member."""

    HEALTHY = "healthy"
    OUTAGE = "outage"
    """Healthy, but for the outages that it is told of."""
    SLOW = "slow"
    DEAD = "dead"
    LYING = "lying"
    """Serves another chain."""
    STUCK = "stuck"
    SYNCING = "syncing"
    HALF_OPEN = "half-open"
    """Accepts connections, and that is all."""
    IPV6_BROKEN = "ipv6-broken"
    """Fine over IPv4, refused over IPv6."""


@dataclass(frozen=True, slots=True)
class Member:
    """How a member is set up."""

    id: str
    role: Role
    scheme: str = "wss"
    ipv6: bool = False


MEMBERS = (
    Member("amforc", Role.HEALTHY),
    Member("dwellir", Role.HEALTHY, ipv6=True),
    Member("gatotech", Role.HEALTHY, "https"),
    Member("helikon", Role.HEALTHY),
    Member("metaspan", Role.HEALTHY),
    Member("polkadotters", Role.OUTAGE),
    Member("radiumblock", Role.SLOW),
    Member("rotko", Role.DEAD),
    Member("stake-plus", Role.LYING),
    Member("stkd", Role.STUCK),
    Member("turboflakes", Role.SYNCING, "ws"),
    Member("ajuna", Role.HALF_OPEN),
    Member("lunarnodes", Role.IPV6_BROKEN, ipv6=True),
)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a member is found."""

    addresses: tuple[str, ...]
    url: str


Outages = Mapping[str, Sequence[tuple[float, float]]]
"""By member: from when to when its port is closed, by the machine's clock."""


@dataclass
class Endpoints:
    """The process, from outside."""

    process: "subprocess.Popen[str]"
    authority: Path
    members: Mapping[str, Listening]

    def tell(self, outages: Outages) -> None:
        """Once, when the timetable is known."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(outages) + "\n")
        self.process.stdin.flush()


@contextmanager
def start_members(folder: Path) -> Iterator[Endpoints]:
    """The members' process until the context ends; what it says goes to `folder`/members.log."""
    command = [sys.executable, "-m", "scripts.network.members", str(folder)]
    with (
        (folder / "members.log").open("w") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            found = json.loads(process.stdout.readline())
            members = {
                member: Listening(tuple(addresses), url)
                for member, (addresses, url) in found.items()
            }
            yield Endpoints(process, folder / "ca.pem", members)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


# --- Inside ---------------------------------------------------------------------------


@dataclass
class _Hosts:
    """All servers; `stack` closes them."""

    stack: AsyncExitStack
    tls: ssl.SSLContext
    nodes: dict[str, Node] = field(default_factory=dict)
    closing: dict[str, "_Door"] = field(default_factory=dict)

    async def open(self, member: Member, address: str) -> Listening:
        tls = self.tls if member.scheme in ("wss", "https") else None
        node = self.nodes[member.id] = _node(member.role)
        addresses = (address, "::1") if member.ipv6 else (address,)
        enter = self.stack.enter_async_context
        if member.role is Role.DEAD:
            port = self.stack.enter_context(_taken(address))
        elif member.role is Role.HALF_OPEN:
            port = await enter(tcp(_say_nothing, address=address))
        elif member.scheme == "https":
            port = await enter(http_node(node, address=address, tls=tls))
        else:
            door = self.closing[member.id] = _Door(node, address, tls)
            port = await enter(door.opened())
            if member.ipv6 and member.role is not Role.IPV6_BROKEN:
                await enter(_Door(node, "::1", tls, port).opened())
        return Listening(addresses, f"{member.scheme}://{HOST}:{port}/")


@dataclass
class _Door:
    """A WebSocket server that can be closed for a while."""

    node: Node
    address: str
    tls: ssl.SSLContext | None
    port: int = 0
    _server: Server | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[int]:
        await self.open()
        try:
            yield self.port
        finally:
            await self.close()

    async def open(self) -> None:
        self._server = await serve(
            self._talk, self.address, self.port, ssl=self.tls, close_timeout=0.1
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _talk(self, connection: ServerConnection) -> None:
        try:
            async for message in connection:
                await connection.send(await self.node.reply(message))
        except ConnectionClosed:
            return


def _node(role: Role) -> Node:
    match role:
        case Role.LYING:
            return Node({"chain_getBlockHash": _OTHER_GENESIS})
        case Role.SYNCING:
            health = {"isSyncing": True, "peers": 12, "shouldHavePeers": True}
            return Node({"system_health": health})
        case Role.SLOW:
            return Node(delay=SLOW_SECONDS, delayed=_MEASURED)
    return Node()


@contextmanager
def _taken(address: str) -> Iterator[int]:
    """A port that nobody listens on, and nobody else can."""
    with socket.socket() as sock:
        sock.bind((address, 0))
        yield sock.getsockname()[1]


async def _say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass


async def _advance(nodes: Mapping[str, Node], stuck: frozenset[str]) -> None:
    """Everybody's heads, one block at a time."""
    while True:
        await asyncio.sleep(HEAD_SECONDS)
        for member, node in nodes.items():
            node.head += member not in stuck


async def _fail(door: _Door, outages: Sequence[tuple[float, float]]) -> None:
    for begins, ends in outages:
        await asyncio.sleep(begins - time.time())
        await door.close()
        await asyncio.sleep(ends - time.time())
        await door.open()


async def _serve(folder: Path) -> None:
    authority = Authority()
    authority.ca.cert_pem.write_to_path(folder / "ca.pem")
    stuck = frozenset(member.id for member in MEMBERS if member.role is Role.STUCK)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        hosts = _Hosts(stack, authority.server())
        found: dict[str, Any] = {}
        for position, member in enumerate(MEMBERS):
            listening = await hosts.open(member, f"127.0.0.{11 + position}")
            found[member.id] = listening.addresses, listening.url
        print(json.dumps(found), flush=True)
        tasks = [group.create_task(_advance(hosts.nodes, stuck))]
        while line := await asyncio.to_thread(sys.stdin.readline):
            tasks += [
                group.create_task(_fail(hosts.closing[member], [tuple(pair) for pair in times]))
                for member, times in json.loads(line).items()
            ]
        for task in tasks:
            task.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    asyncio.run(_serve(parser.parse_args().folder))


if __name__ == "__main__":
    main()
