"""How JSON-RPC messages travel: one POST per batch over http(s), pipelined over ws(s).

Contract: a transport never tries twice. It raises `ConnectionFailed` where another attempt may
help and `BadReply` where none would; `ibp_chain.rpc` turns both into a `SourceError`.
"""

import json
import time
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any, NoReturn, Protocol

import httpx
from websockets.exceptions import InvalidProxy, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

MAX_REPLY_BYTES = 256 * 2**20
_KEPT_NOTIFICATIONS = 4_096
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


class Transport(Protocol):
    def exchange(self, messages: list[dict[str, Any]]) -> list[Any]:
        """All replies, in any order, or the one by which the node refuses the whole batch."""

    def close(self) -> None:
        """Frees the connection; the next exchange opens another."""


class Http:
    """Batches in one POST each."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._client = url, httpx.Client(timeout=timeout)

    def exchange(self, messages: list[dict[str, Any]]) -> list[Any]:
        body = messages if len(messages) > 1 else messages[0]
        raw = bytearray()
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                if response.status_code in _TRY_LATER:
                    raise ConnectionFailed(f"HTTP status {response.status_code}")
                for chunk in response.iter_bytes():
                    raw += chunk
                    if len(raw) > MAX_REPLY_BYTES:
                        raise BadReply(f"its answer is longer than {MAX_REPLY_BYTES} bytes")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.DecodingError) as error:
            raise BadReply(str(error)) from error
        except httpx.TransportError as error:
            raise ConnectionFailed(str(error) or type(error).__name__) from error
        if not response.is_success and not raw.lstrip().startswith((b"{", b"[")):
            raise BadReply(f"HTTP status {response.status_code}")
        answer = _parse(raw)
        return answer if isinstance(answer, list) else [answer]

    def close(self) -> None:
        self._client.close()


class WebSocket:
    """Every message alone, all before the first answer: no limit on batches applies."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._timeout = url, timeout
        self._connection: ClientConnection | None = None
        self._cleanup = ExitStack()
        self._notifications: list[tuple[Any, Any]] = []

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
                raise ConnectionFailed(f"no answer within {self._timeout:g} seconds")
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
        while True:
            for position, (identity, result) in enumerate(self._notifications):
                if identity == subscription:
                    del self._notifications[position]
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
            try:
                self._connection = self._cleanup.enter_context(
                    connect(self._url, open_timeout=self._timeout, max_size=MAX_REPLY_BYTES)
                )
            except (InvalidURI, InvalidProxy) as error:
                raise BadReply(str(error)) from error
            except (OSError, WebSocketException) as error:
                self._lose(error)
        return self._connection

    def _receive(self, deadline: float) -> Any | None:
        """The next message, or None when the deadline passes."""
        if self._connection is None:
            raise ConnectionFailed("the connection is closed")
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return None
        try:
            raw = self._connection.recv(timeout=remaining)
        except TimeoutError:
            return None
        except (OSError, WebSocketException) as error:
            self._lose(error)
        return _parse(raw)

    def _lose(self, error: Exception) -> NoReturn:
        self.close()
        raise ConnectionFailed(str(error) or type(error).__name__) from error

    def _keep_notification(self, message: Any) -> bool:
        match message:
            case {"method": str(), "params": {"subscription": str() | int() as identity, **rest}}:
                if len(self._notifications) < _KEPT_NOTIFICATIONS:
                    self._notifications.append((identity, rest.get("result")))
                return True
            case _:
                return False


def _parse(raw: str | bytes | bytearray) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadReply(f"its answer is no JSON: {error}") from error
