"""Gates between oracles and what they talk to: TCP proxies that can be closed, all in one thread.

A closed gate refuses new connections and cuts those that stand: the network is gone, not slow.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

_CHUNK = 65_536


@dataclass
class Gate:
    """One way, from a port of this machine to another."""

    to: int
    port: int = 0
    shut: bool = False
    open_connections: set[asyncio.StreamWriter] = field(default_factory=set)

    async def pass_through(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.shut:
            writer.transport.abort()
            return
        self.open_connections.add(writer)
        try:
            behind, ahead = await asyncio.open_connection("127.0.0.1", self.to)
            try:
                await asyncio.gather(_shift(reader, ahead), _shift(behind, writer))
            finally:
                ahead.transport.abort()
        except OSError:
            return  # nobody listens, or one end left: the other is closed below
        finally:
            self.open_connections.discard(writer)
            writer.transport.abort()


@dataclass
class Gates:
    """All gates of a network. Methods may be called from any thread."""

    loop: asyncio.AbstractEventLoop
    _gates: dict[tuple[str, str], Gate] = field(default_factory=dict)

    def open(self, who: str, whom: str, to: int) -> int:
        """A new gate by which `who` reaches the local port `to` of `whom`; its own port."""
        gate = self._gates[who, whom] = Gate(to)
        made = asyncio.run_coroutine_threadsafe(_listen(gate), self.loop)
        gate.port = made.result()
        return gate.port

    def cut(self, who: str) -> None:
        """`who` reaches nobody any more, and nobody reaches it."""
        self.loop.call_soon_threadsafe(partial(self._set, who, shut=True))

    def mend(self, who: str) -> None:
        self.loop.call_soon_threadsafe(partial(self._set, who, shut=False))

    def _set(self, who: str, *, shut: bool) -> None:
        for ends, gate in self._gates.items():
            if who in ends:
                gate.shut = shut
                for writer in tuple(gate.open_connections) if shut else ():
                    writer.transport.abort()


@contextmanager
def gates() -> Iterator[Gates]:
    """A thread with gates until the context ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="gates")
    thread.start()
    try:
        yield Gates(loop)
    finally:
        asyncio.run_coroutine_threadsafe(_end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(gate: Gate) -> int:
    server = await asyncio.start_server(gate.pass_through, "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


async def _end() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _shift(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
