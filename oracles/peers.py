"""Fetches committed rows from other oracles, of whom any may be hostile.

Rows are addressed by their root, so it does not matter who hands them over. What does matter is how
long a peer may take and how much it may send: both are bounded for an exchange as a whole.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx

from ibp_chain.errors import ConfigError
from ibp_chain.types import AccountId, Hash
from oracles.errors import RowsAltered, RowsError
from oracles.probes.outcomes import shown
from oracles.rowfiles import MAX_SIZE
from oracles.rows import Layout
from oracles.shelf import Shelf
from oracles.web import exchange

MAX_ROW = 2_048
"""Bytes: more than the longest row of either layout, which has 288 times of 4 bytes."""
_MAX_COUNT = 8
"""Bytes: more than the count in front of the rows."""


class Reason(StrEnum):
    """Why a peer's answer is of no use."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    MISSING = "missing"
    """404: it has no such rows, or does not show them yet."""
    STATUS = "status"
    """Another status than 200 and 404; redirects are not followed."""
    ENCODED = "encoded"
    """Compressed, though it was asked not to: nothing is unpacked."""
    TOO_LONG = "too-long"
    BROKEN = "broken"
    """The exchange broke off or was no HTTP."""
    MALFORMED = "malformed"
    """No canonical rows."""
    WRONG_ROWS = "wrong-rows"
    """Rows of another root, or more or fewer than the digest says."""
    OWN_FAULT = "own-fault"
    """A mistake in this program."""


class FetchRefused(Exception):
    """A peer's answer is of no use; `str()` is for the log and shows no stranger's bytes raw."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason = reason
        super().__init__(shown(text))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may cost. Raises `ConfigError`."""

    seconds: float = 30.0
    """For one exchange as a whole, from the dial to the last byte."""
    stagger_seconds: float = 5.0
    """How long a peer is waited for before the next is asked as well."""
    concurrency: int = 8
    per_peer: int = 2
    """So that a slow one does not take all places."""
    size: int = MAX_SIZE
    """Bytes of one answer, where its row count does not bound it further."""

    def __post_init__(self) -> None:
        numbers = self.concurrency, self.per_peer, self.size
        if min(self.seconds, self.stagger_seconds) <= 0 or min(numbers) < 1:
            raise ConfigError("fetching rows: times and numbers must be above zero")


_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Peer:
    """An oracle and where it publishes. Raises `ConfigError` for what is no plain http(s) URL."""

    oracle: AccountId
    url: str

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError) as error:
            raise ConfigError(f"{self.url!r} is no URL of a peer: {error}") from error
        if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
            raise ConfigError(f"{self.url!r} is no URL of a peer: http(s)://host[:port][/path]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows that an oracle committed to."""

    oracle: AccountId
    root: Hash
    size: int
    layout: Layout[Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One peer's useless answer, for the log."""

    peer: Peer
    root: Hash
    reason: Reason
    text: str

    def __str__(self) -> str:
        return f"rows 0x{self.root.hex()} from {self.peer.url}: {self.reason}: {self.text}"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of one round."""

    kept: Mapping[Hash, Peer]
    """Who gave what is new on the shelf."""
    missing: tuple[Wanted, ...]
    refusals: tuple[Refusal, ...]


async def fetch(
    client: httpx.AsyncClient,
    base_url: str,
    root: Hash,
    size: int,
    layout: Layout[Any],
    limits: Limits = _LIMITS,
) -> bytes:
    """The published rows of `root` from the oracle at `base_url`, checked by root and row count.

    `client` is one of `oracles.web.opened`: another might unpack, or keep cookies.
    Raises `FetchRefused` for whatever a peer may do.
    """
    try:
        async with asyncio.timeout(limits.seconds):
            most = min(MAX_SIZE, limits.size, _MAX_COUNT + size * MAX_ROW)
            url = f"{base_url.rstrip('/')}/rows/{root.hex()}"
            async with exchange(client, "GET", url) as response:
                data = await _read(response, most)
        # in a thread: this loop times other people's endpoints
        await asyncio.to_thread(layout.unpack, data, root=root, size=size)
    except TimeoutError as error:
        raise FetchRefused(Reason.TIMEOUT, f"not whole in {limits.seconds:g} s") from error
    except Exception as error:
        raise _refused(error) from error
    return data


async def gather(
    wanted: Iterable[Wanted],
    peers: Sequence[Peer],
    shelf: Shelf,
    client: httpx.AsyncClient,
    limits: Limits = _LIMITS,
) -> Gathered:
    """Fetches what is not whole on `shelf` already, and keeps it there, revealed.

    Each root is asked of its own oracle first, then of all others, one more whenever one fails or
    lets the others wait; the first right answer ends it. What was kept stays when this is
    cancelled. Raises `OSError` where the shelf cannot be written.
    """
    groups: dict[tuple[Hash, int], list[Wanted]] = {}
    for one in wanted:
        groups.setdefault((one.root, one.size), []).append(one)
    round_ = _Round(client, shelf, limits)
    tasks = {
        asyncio.create_task(round_.get(group[0], _order(group, peers))): group
        for group in groups.values()
    }
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()  # raises
    finally:
        await _end(tasks)
    missing = (one for task, group in tasks.items() if not task.result() for one in group)
    return Gathered(round_.kept, tuple(missing), tuple(round_.refusals))


class _Round:
    """One call of `gather`."""

    def __init__(self, client: httpx.AsyncClient, shelf: Shelf, limits: Limits) -> None:
        self._client, self._shelf, self._limits = client, shelf, limits
        self._places = asyncio.Semaphore(limits.concurrency)
        self._of_peer: dict[Peer, asyncio.Semaphore] = {}
        self.kept: dict[Hash, Peer] = {}
        self.refusals: list[Refusal] = []

    async def get(self, want: Wanted, order: Iterable[Peer]) -> bool:
        """Whether the rows are on the shelf afterwards."""
        if await asyncio.to_thread(self._has, want):
            return True
        waiting, running = deque(order), dict[asyncio.Task[bytes | None], Peer]()
        try:
            while waiting or running:
                if waiting:
                    peer = waiting.popleft()
                    running[asyncio.create_task(self._ask(peer, want))] = peer
                done, _ = await asyncio.wait(
                    running,
                    timeout=self._limits.stagger_seconds if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    peer = running.pop(task)
                    if (data := task.result()) is not None:
                        await asyncio.to_thread(self._keep, want, data)
                        self.kept[want.root] = peer
                        return True
        finally:
            await _end(running)
        return False

    async def _ask(self, peer: Peer, want: Wanted) -> bytes | None:
        own = self._of_peer.setdefault(peer, asyncio.Semaphore(self._limits.per_peer))
        async with own, self._places:
            try:
                return await fetch(
                    self._client, peer.url, want.root, want.size, want.layout, self._limits
                )
            except FetchRefused as error:
                self.refusals.append(Refusal(peer, want.root, error.reason, str(error)))
                return None

    def _has(self, want: Wanted) -> bool:
        try:
            self._shelf.get(want.root, want.layout, want.size)
        except (RowsError, RowsAltered):
            return False
        return True

    def _keep(self, want: Wanted, data: bytes) -> None:
        self._shelf.put_raw(want.layout, data, root=want.root, size=want.size)


def _order(group: Sequence[Wanted], peers: Sequence[Peer]) -> list[Peer]:
    """Who committed to the rows, then the others; begun elsewhere for each root: load is shared."""
    start = int.from_bytes(group[0].root[:8]) % len(peers) if peers else 0
    turned = [*peers[start:], *peers[:start]]
    owners = {one.oracle for one in group}
    return sorted(turned, key=lambda peer: peer.oracle not in owners)


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    remaining = list(tasks)
    for task in remaining:
        task.cancel()
    await asyncio.gather(*remaining, return_exceptions=True)


async def _read(response: httpx.Response, limit: int) -> bytes:
    if response.status_code != 200:
        reason = Reason.MISSING if response.status_code == 404 else Reason.STATUS
        raise FetchRefused(reason, f"HTTP status {response.status_code}")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise FetchRefused(Reason.ENCODED, f"encoded as {encoding}")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > limit:
            raise FetchRefused(Reason.TOO_LONG, f"longer than {limit} bytes")
    return bytes(data)


def _refused(error: Exception) -> FetchRefused:
    text = str(error) or type(error).__name__
    match error:
        case FetchRefused():
            return error
        case RowsAltered():
            return FetchRefused(Reason.WRONG_ROWS, text)
        case RowsError():
            return FetchRefused(Reason.MALFORMED, text)
        case httpx.ConnectError() | OSError():
            return FetchRefused(Reason.UNREACHABLE, text)
        case httpx.HTTPError():
            return FetchRefused(Reason.BROKEN, text)
        case _:
            # one peer never takes the others along
            return FetchRefused(Reason.OWN_FAULT, f"{type(error).__name__}: {error}")
