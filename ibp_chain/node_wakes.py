"""Wakes a follower when a node says that it has a new head; over http the clock does.

A notification is a hint and no evidence: what the head is will be asked, of every node.
"""

import time
from collections.abc import Callable, Sequence
from threading import Event, Thread

from ibp_chain.errors import SourceError
from ibp_chain.pipeline import ATTENTION_SECONDS
from ibp_chain.rpc import RpcClient
from ibp_chain.urls import public_url

_FINALISED = "chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads"
_NEW = "chain_subscribeNewHeads", "chain_unsubscribeNewHeads"
_TIMEOUT_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_IDLE_SECONDS = 3_600.0
_SHORTEST_SECONDS = 0.5
"""Between two times that news wake, however many there are."""


class Wakes:
    """Subscriptions to those of `urls` that allow it, in a thread each, until `leaving` or closed.

    `unfinalised` wakes for new heads that are not final, too.
    """

    def __init__(self, urls: Sequence[str], leaving: Event, *, unfinalised: bool) -> None:
        self._leaving, self._closed, self._news = leaving, Event(), Event()
        self._woken = -_SHORTEST_SECONDS
        kinds = (_FINALISED, _NEW) if unfinalised else (_FINALISED,)
        self._threads = [
            Thread(target=self._listen, args=(url, kind), name=f"heads of {public_url(url)}")
            for url in urls
            if url.startswith(("ws://", "wss://"))
            for kind in kinds
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closed.set()
        for thread in self._threads:
            thread.join()

    def wait(self, seconds: float, stop: Callable[[], bool]) -> None:
        """Until there are news, `seconds` have passed, or `stop` says so."""
        began = time.monotonic()
        deadline, earliest = began + seconds, self._woken + _SHORTEST_SECONDS
        while not stop() and not self._leaving.is_set():
            now = time.monotonic()
            if now >= deadline or (now >= earliest and self._news.is_set()):
                break
            if now < earliest:  # whatever comes now is for the next look
                self._leaving.wait(min(earliest - now, deadline - now, ATTENTION_SECONDS))
            else:
                self._news.wait(min(deadline - now, ATTENTION_SECONDS))
        self._news.clear()
        self._woken = time.monotonic()

    def _listen(self, url: str, kind: tuple[str, str]) -> None:
        """Failures are told by whoever asks the node: here they only mean to subscribe again."""
        pause = _FIRST_PAUSE
        while not self._over():
            client = RpcClient(
                url,
                timeout=_TIMEOUT_SECONDS,
                attempts=1,
                sleep=self._pause,
                interrupted=self._over,
            )
            with client:
                try:
                    for _ in client.subscribe(*kind, idle_seconds=_IDLE_SECONDS):
                        pause = _FIRST_PAUSE
                        self._news.set()
                except SourceError:
                    self._pause(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._over() and time.monotonic() < deadline:
            self._closed.wait(ATTENTION_SECONDS)

    def _over(self) -> bool:
        return self._closed.is_set() or self._leaving.is_set()
