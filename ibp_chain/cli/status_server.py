"""A follower's `/healthz` and `/metrics`, served beside it, and its word to systemd."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Annotated

import typer

from ibp_chain.errors import ConfigError
from ibp_chain.http_server import host_and_port, operators, serving
from ibp_chain.supervisor import ALIVE, READY, STOPPING, Supervisor, of_this_process
from ledger.metrics import FollowMetrics
from ledger.progress import Event, Meter, Observer, Progress

StatusOption = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="Serve /healthz and /metrics at this HOST:PORT, which is not for strangers.",
        show_default=False,
    ),
]
_LONGEST_PAUSE_SECONDS = 10.0
"""Between two words to systemd, which are to come twice as often as it waits."""


@contextmanager
def serving_status(
    address: str | None, metrics: FollowMetrics, supervisor: Supervisor | None = None
) -> Iterator[str | None]:
    """Serves at `address`, `HOST:PORT`, in a thread of its own; yields where, None for nowhere.

    Port 0 is a free one. systemd, where it started us, hears that we are ready, and then that we
    are alive for as long as there is no use in a restart. Raises `ConfigError` for an address that
    is none or cannot be listened on.
    """
    listen = None if address is None else host_and_port(address)
    thread = _Thread(listen, metrics, supervisor or of_this_process())
    thread.start()
    try:
        yield thread.wait_ready()
    finally:
        thread.end()


@contextmanager
def attended(
    nodes: Mapping[str, Sequence[str]], status: str | None, clock: Callable[[], float] = time.time
) -> Iterator[Mapping[str, Observer]]:
    """Keeps the progress of each chain that is followed, and serves it at `status`, if anywhere.

    `nodes` are each chain's, by their URLs as events name them. Yields who is to hear the events
    of each chain. Raises `ConfigError` as `serving_status`.
    """
    meters = {chain: Meter(chain, tuple(urls), clock) for chain, urls in nodes.items()}
    metrics = FollowMetrics([_reader(meter) for meter in meters.values()], clock)
    with serving_status(status, metrics):
        yield {chain: both(meter, metrics.observer(chain)) for chain, meter in meters.items()}


def both(*observers: Observer) -> Observer:
    """One observer for several, told in this order."""

    def observe(event: Event) -> None:
        for each in observers:
            each(event)

    return observe


def _reader(meter: Meter) -> Callable[[], Progress]:
    return lambda: meter.progress


class _Thread:
    """An event loop beside the follower's thread, which blocks."""

    def __init__(
        self, listen: tuple[str, int] | None, metrics: FollowMetrics, supervisor: Supervisor
    ) -> None:
        self._listen, self._metrics, self._supervisor = listen, metrics, supervisor
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._served: str | None = None
        self._error: ConfigError | None = None
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_ready(self) -> str | None:
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return self._served

    def end(self) -> None:
        with suppress(RuntimeError):  # it has ended by itself, maybe just now
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except ConfigError as error:
            self._error = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            if self._listen is not None:
                host, _ = self._listen
                app = operators(self._metrics.health, self._metrics.registry)
                port = await stack.enter_async_context(serving(app, *self._listen))
                self._served = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self._supervisor.tell(READY)
            self._ready.set()
            await self._until_ended()
            self._supervisor.tell(STOPPING)

    async def _until_ended(self) -> None:
        waits = self._supervisor.watchdog_seconds
        pause = _LONGEST_PAUSE_SECONDS if waits is None else min(waits / 2, _LONGEST_PAUSE_SECONDS)
        while True:
            # no restart helps where the nodes or the chain stand still
            if not any(found.stuck for _, found in self._metrics.assess()):
                self._supervisor.tell(ALIVE)
            try:
                await asyncio.wait_for(self._ended.wait(), pause)
            except TimeoutError:
                continue
            return
