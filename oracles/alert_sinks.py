"""Where alerts go: a webhook, a Matrix room. Nothing here ever blocks or ends polling.

Webhook URLs and tokens are secrets: no message and no log line of this module has them. (httpx
itself logs URLs at INFO; the daemon keeps its logger at WARNING.)
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from ibp_chain.errors import ConfigError
from oracles.alerts import Alert
from oracles.metrics import Delivery
from oracles.web import exchange

CAPACITY = 256
"""Alerts waiting at one sink; those that come when it is full are lost."""
_log = logging.getLogger(__name__)
_STOPPING = "the daemon is stopping"
_backoff = wait_exponential(multiplier=2, max=60)


class Undelivered(Exception):
    """A sink did not take an alert, and would not take it later."""


class TryLater(Undelivered):
    """It may take it later."""

    def __init__(self, text: str, after_seconds: float = 0.0) -> None:
        self.after_seconds = after_seconds
        super().__init__(text)


class Sink(Protocol):
    """One place that alerts are sent to."""

    @property
    def name(self) -> str:
        """For logs; no secret."""
        ...

    async def send(self, client: httpx.AsyncClient, sender: str, alert: Alert) -> None:
        """Sends once. Raises `TryLater` or `Undelivered`, and `httpx.HTTPError`."""
        ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """`POST` of one JSON object: `text` for people, the alert's fields, and `oracle`, who says so.

    Raises `ConfigError` for what is no http(s) URL.
    """

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_url(self.url, "a webhook")

    @property
    def name(self) -> str:
        return f"webhook {httpx.URL(self.url).host}"

    async def send(self, client: httpx.AsyncClient, sender: str, alert: Alert) -> None:
        body = alert.fields() | {"oracle": sender, "text": f"{sender}: {alert.text}"}
        # with the key, a receiver can tell a second attempt from a second alert
        await _exchange(client, "POST", self.url, body, {"Idempotency-Key": alert.id})


@dataclass(frozen=True, slots=True)
class Matrix:
    """A message in a room of a homeserver, by its client-server API; plain text, no mentions.

    The transaction id is the alert's: the homeserver takes each of them once from one access
    token. Raises `ConfigError` for what is no http(s) URL or no room id.
    """

    homeserver: str
    room: str
    """`!opaque:domain` or `!opaque`, not an alias."""
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_url(self.homeserver, "a homeserver")
        if not self.room.startswith("!"):
            raise ConfigError(f"{self.room!r} is no room id: it begins with '!', not with '#'")
        if not self.token.isascii() or not self.token.isprintable() or not self.token.strip():
            raise ConfigError("the access token of the Matrix account is empty or no plain text")

    @property
    def name(self) -> str:
        return f"matrix {httpx.URL(self.homeserver).host}"

    async def send(self, client: httpx.AsyncClient, sender: str, alert: Alert) -> None:
        url = (
            f"{self.homeserver.rstrip('/')}/_matrix/client/v3/rooms/{quote(self.room, safe='')}"
            f"/send/m.room.message/{alert.id}"
        )
        # an empty m.mentions says that "@room" in the text mentions nobody
        body = {"msgtype": "m.text", "body": f"{sender}: {alert.text}", "m.mentions": {}}
        await _exchange(client, "PUT", url, body, {"Authorization": f"Bearer {self.token}"})


@dataclass(frozen=True, slots=True)
class Persistence:
    """How hard it is tried."""

    attempts: int = 6
    seconds: float = 15.0
    """For one attempt as a whole."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Courier:
    """Takes alerts at once and delivers them in order, each sink on its own.

    `client` is one of `oracles.web.opened`; `sender` is this oracle's name for people; `count`
    hears what became of each alert at each sink.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        client: httpx.AsyncClient,
        sender: str,
        count: Callable[[Delivery], None],
        *,
        capacity: int = CAPACITY,
        persistence: Persistence = Persistence(),
    ) -> None:
        self._client, self._sender, self._count = client, sender, count
        self._persistence = persistence
        self._queues = [(sink, asyncio.Queue[Alert](capacity)) for sink in sinks]

    def post(self, alert: Alert) -> None:
        """Never waits and never raises: what does not fit is lost, logged and counted."""
        for sink, queue in self._queues:
            try:
                queue.put_nowait(alert)
            except asyncio.QueueFull:
                self._lost(sink, alert, f"{queue.maxsize} alerts are waiting already")

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for sink, queue in self._queues:
                group.create_task(self._serve(sink, queue))

    async def drain(self, seconds: float) -> None:
        """Waits, while `run` runs, until all is delivered or lost, at most so long; at shutdown."""
        try:
            async with asyncio.timeout(seconds):
                for _, queue in self._queues:
                    await queue.join()
        except TimeoutError:
            for sink, queue in self._queues:
                while not queue.empty():
                    self._lost(sink, queue.get_nowait(), _STOPPING)

    async def _serve(self, sink: Sink, queue: "asyncio.Queue[Alert]") -> None:
        while True:
            alert = await queue.get()
            try:
                await self._deliver(sink, alert)
            except asyncio.CancelledError:
                self._lost(sink, alert, _STOPPING)
                raise
            except Exception as error:  # noqa: BLE001 - no alert ends the others
                self._lost(sink, alert, _words(error))
            else:
                self._count(Delivery.SENT)
            finally:
                queue.task_done()

    async def _deliver(self, sink: Sink, alert: Alert) -> None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type((TryLater, httpx.TransportError, TimeoutError)),
            stop=stop_after_attempt(self._persistence.attempts),
            wait=_wait,
            sleep=self._persistence.sleep,
            reraise=True,
        ):
            with attempt:
                async with asyncio.timeout(self._persistence.seconds):
                    await sink.send(self._client, self._sender, alert)

    def _lost(self, sink: Sink, alert: Alert, why: str) -> None:
        self._count(Delivery.LOST)
        _log.error("alert lost at %s: %s (%s)", sink.name, alert.text, why)


async def _exchange(
    client: httpx.AsyncClient, method: str, url: str, body: Any, headers: Mapping[str, str]
) -> None:
    """One request; what is answered beside the status is not read."""
    async with exchange(client, method, url, json=body, headers=dict(headers)) as response:
        status = response.status_code
        if response.is_success:
            return
        if status in (408, 425, 429) or status >= 500:
            raise TryLater(f"HTTP status {status}", _retry_after(response))
        raise Undelivered(f"HTTP status {status}")


def _retry_after(response: httpx.Response) -> float:
    """What `Retry-After` says in seconds, at most five minutes; a date is not heeded."""
    text = response.headers.get("retry-after", "")
    return min(float(text), 300.0) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.after_seconds if isinstance(error, TryLater) else 0.0
    return max(asked, _backoff(state))


def _check_url(text: str, what: str) -> None:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError) as error:
        raise ConfigError(f"this is no URL of {what}: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"the URL of {what} has to begin with http:// or https:// and a host")


def _words(error: Exception) -> str:
    """What went wrong, without the URL that httpx's own texts may have."""
    if isinstance(error, Undelivered):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return type(error).__name__
