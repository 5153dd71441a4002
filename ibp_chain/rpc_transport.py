"""How JSON-RPC messages travel: one POST per batch over http(s), pipelined over ws(s).

Contract: a transport never tries twice. It raises `ConnectionFailed` where another attempt may
help and `BadReply` where none would; `ibp_chain.rpc` turns both into a `SourceError`.
"""

import json
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any, NoReturn, Protocol

import httpx
from websockets.exceptions import InvalidProxy, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from ibp_chain.http_deadline import Deadline, hold_to

MAX_REPLY_BYTES = 256 * 2**20
_KEPT_NOTIFICATIONS = 4_096
KEPT_BYTES = 16 * 2**20
"""Of notifications that wait to be taken."""
_WAITING_FRAMES = 2
"""That a connection reads before the last message was taken: each may be as long as a reply."""
_ATTENTION_SECONDS = 0.2
"""How long a wait may go on after it was interrupted."""
_CLOSE_SECONDS = 2.0
"""How long a node may take to say goodbye."""
_INVALID = "its URL is invalid"
"""All that is said of it: what a library says quotes it, with its secrets."""
_TOO_LATE = "no whole answer within {:g} seconds"
_TRY_LATER = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


class ConnectionFailed(Exception):
    """Worth another attempt."""


class BadReply(Exception):
    """No attempt would make this an answer."""


class Interrupted(Exception):
    """Nobody waits for the answer any more."""


class Transport(Protocol):
    def exchange(self, messages: list[dict[str, Any]]) -> list[Any]:
        """All replies, in any order, or the one by which the node refuses the whole batch."""

    def close(self) -> None:
        """Frees the connection; the next exchange opens another."""


class Http:
    """Batches in one POST each."""

    def __init__(
        self, url: str, timeout: float, interrupted: Callable[[], bool] = lambda: False
    ) -> None:
        self._url, self._timeout, self._interrupted = url, timeout, interrupted
        self._client = httpx.Client(timeout=timeout)
        self._deadline = Deadline(timeout, self._expired)
        hold_to(self._client, self._deadline)

    def exchange(self, messages: list[dict[str, Any]]) -> list[Any]:
        body = messages if len(messages) > 1 else messages[0]
        raw = bytearray()
        self._deadline.begin()
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                if response.status_code in _TRY_LATER:
                    raise ConnectionFailed(f"HTTP status {response.status_code}")
                for chunk in response.iter_bytes():
                    raw += chunk
                    if len(raw) > MAX_REPLY_BYTES:
                        raise BadReply(f"its answer is longer than {MAX_REPLY_BYTES} bytes")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
            raise BadReply(_INVALID) from error
        except httpx.DecodingError as error:
            raise BadReply(str(error)) from error
        except httpx.TransportError as error:
            raise ConnectionFailed(str(error) or type(error).__name__) from error
        if not response.is_success and not raw.lstrip().startswith((b"{", b"[")):
            raise BadReply(f"HTTP status {response.status_code}")
        answer = _parse(raw)
        return answer if isinstance(answer, list) else [answer]

    def close(self) -> None:
        self._client.close()

    def _expired(self, over: bool) -> None:  # noqa: FBT001  # of a callback
        if self._interrupted():
            raise Interrupted
        if over:
            raise ConnectionFailed(_TOO_LATE.format(self._timeout))


class WebSocket:
    """Every message alone, all before the first answer: no limit on batches applies."""

    def __init__(self, url: str, timeout: float, interrupted: Callable[[], bool]) -> None:
        self._url, self._timeout, self._interrupted = url, timeout, interrupted
        self._connection: ClientConnection | None = None
        self._cleanup = ExitStack()
        self._asked_for: set[Any] = set()
        """Subscriptions of this connection."""
        self._notifications: list[tuple[Any, Any, int]] = []
        """Subscription, result and bytes of each that nobody took yet."""
        self._kept_bytes = self._size = 0
        """Of all of them, and of the last message."""

    def exchange(self, messages: list[dict[str, Any]]) -> list[Any]:
        waiting = {message["id"] for message in messages}
        replies: list[Any] = []
        deadline = time.monotonic() + self._timeout
        connection = self._open()
        try:
            for message in messages:
                connection.send(json.dumps(message))
        except (OSError, WebSocketException) as error:
            self._lose(error)
        while waiting:
            reply = self._receive(deadline)
            if reply is None:
                self.close()  # a late answer must not meet a later question
                raise ConnectionFailed(_TOO_LATE.format(self._timeout))
            if self._keep_notification(reply):
                continue
            replies.append(reply)
            identity = reply.get("id") if isinstance(reply, dict) else None
            if type(identity) is not int or identity not in waiting:
                self.close()
                break  # the client refuses it by its id
            waiting.remove(identity)
        return replies

    def notification(self, subscription: str | int, seconds: float) -> Any | None:
        """The next notification for `subscription`, or None after `seconds` without one."""
        deadline = time.monotonic() + seconds
        self._asked_for.add(subscription)
        while True:
            for position, (identity, result, size) in enumerate(self._notifications):
                if identity == subscription:
                    del self._notifications[position]
                    self._kept_bytes -= size
                    return result
            message = self._receive(deadline)
            if message is None:
                return None
            self._keep_notification(message)

    def close(self) -> None:
        self._connection = None
        self._cleanup.close()

    def _open(self) -> ClientConnection:
        if self._connection is None:
            self._notifications.clear()
            self._asked_for.clear()
            self._kept_bytes = 0
            try:
                self._connection = self._cleanup.enter_context(
                    connect(
                        self._url,
                        open_timeout=self._timeout,
                        close_timeout=_CLOSE_SECONDS,
                        max_size=MAX_REPLY_BYTES,
                        max_queue=_WAITING_FRAMES,
                    )
                )
                _limit_sending(self._connection.socket, self._timeout)
            except InvalidProxy as error:
                raise BadReply("the proxy of the environment has no valid URL") from error
            except (InvalidURI, ValueError) as error:
                raise BadReply(_INVALID) from error
            except (OSError, WebSocketException) as error:
                self._lose(error)
        return self._connection

    def _receive(self, deadline: float) -> Any | None:
        """The next message, or None when the deadline passes. Raises `Interrupted`."""
        if self._connection is None:
            raise ConnectionFailed("the connection is closed")
        while (remaining := deadline - time.monotonic()) > 0:
            if self._interrupted():
                self.close()  # a late answer must not meet a later question
                raise Interrupted
            try:
                raw = self._connection.recv(timeout=min(remaining, _ATTENTION_SECONDS))
                self._size = len(raw)
                return _parse(raw)
            except TimeoutError:
                continue
            except (OSError, WebSocketException) as error:
                self._lose(error)
        return None

    def _lose(self, error: Exception) -> NoReturn:
        self.close()
        raise ConnectionFailed(str(error) or type(error).__name__) from error

    def _keep_notification(self, message: Any) -> bool:
        """Whether it is one; those that nobody asked for, or has room for, are left out."""
        match message:
            case {"method": str(), "params": {"subscription": str() | int() as identity, **rest}}:
                kept = len(self._notifications) < _KEPT_NOTIFICATIONS
                fits = self._kept_bytes + self._size <= KEPT_BYTES
                if identity in self._asked_for and kept and fits:
                    self._notifications.append((identity, rest.get("result"), self._size))
                    self._kept_bytes += self._size
                return True
            case _:
                return False


def _limit_sending(connection: socket.socket, seconds: float) -> None:
    """Without it a send to a peer that takes nothing waits without end."""
    whole = int(seconds)
    limit = struct.pack("ll", whole, int((seconds - whole) * 1e6) or 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _parse(raw: str | bytes | bytearray) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadReply(f"its answer is no JSON: {error}") from error
