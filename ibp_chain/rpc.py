"""A JSON-RPC 2.0 client over http(s) or ws(s), chosen by the URL.

Connections that fail are tried again with back-off; an error that the node replies with is an
answer and is not. Whatever a hostile or broken node sends ends as a `SourceError` that names the
node and says what to do.

Contract: one client serves one thread.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Self

import tenacity

from ibp_chain.errors import SourceError
from ibp_chain.rpc_transport import (
    BadReply,
    ConnectionFailed,
    Http,
    Interrupted,
    Transport,
    WebSocket,
)
from ibp_chain.urls import public_url

_RESUBSCRIBE_SECONDS = 1.0


class Request(NamedTuple):
    """One call of a batch."""

    method: str
    params: tuple[Any, ...] = ()


class Unreachable(SourceError):
    """There was no connection, or no answer in time; another node may be reached."""


class RpcRefusal(SourceError):
    """The node understood the call and replied with an error; asking again would not help."""

    def __init__(self, url: str, method: str, code: int, message: str, data: Any) -> None:
        self.code, self.message, self.data = code, message, data
        detail = f" ({data})" if isinstance(data, str) and data else ""
        super().__init__(f"{url} refused {method}: {message}{detail} [code {code}]")


class RpcClient:
    """A connection to one node; opened by its first call, closed by `close` or `with`.

    `timeout` is in seconds and holds for each attempt; `attempts` is how often a connection is
    tried; `batch_size` is how many calls travel together. Once `interrupted` says so, a wait for an
    answer ends with `Unreachable`, at once.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        attempts: int = 5,
        batch_size: int = 64,
        sleep: Callable[[float], None] = time.sleep,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.url = public_url(url)
        scheme = url.partition("://")[0].lower()
        if scheme not in ("http", "https", "ws", "wss"):
            raise SourceError(f"{self.url}: a node's URL starts with http(s):// or ws(s)://")
        self.can_subscribe = scheme in ("ws", "wss")
        self._transport: Transport = (
            WebSocket(url, timeout, interrupted)
            if self.can_subscribe
            else Http(url, timeout, interrupted)
        )
        self._attempts, self._batch_size, self._sleep = attempts, batch_size, sleep
        self._last_id = 0

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call. Raises `SourceError`, as `RpcRefusal` if the node refuses."""
        return self.batch([Request(method, params)])[0]

    def call_once(self, method: str, *params: Any) -> Any:
        """As `call`, never sent twice: for calls whose repetition means something else."""
        return self._results([Request(method, params)], attempts=1)[0]

    def batch(self, calls: Sequence[Request]) -> list[Any]:
        """The results in the order of `calls`; the first refusal among them is raised."""
        results: list[Any] = []
        for start in range(0, len(calls), self._batch_size):
            results += self._results(calls[start : start + self._batch_size], self._attempts)
        return results

    def subscribe(
        self,
        method: str,
        unsubscribe: str,
        *params: Any,
        idle_seconds: float,
        resubscribe: bool = True,
    ) -> Iterator[Any | None]:
        """What the node notifies of, and None whenever `idle_seconds` pass without news.

        After a lost connection it yields None and subscribes anew: notifications in between are
        lost, catch up by asking. Without `resubscribe` a lost connection is a `SourceError`.
        """
        transport = self._transport
        if not isinstance(transport, WebSocket):
            raise SourceError(f"{self.url}: {method} needs a ws:// or wss:// URL")
        while True:
            subscription = self.call(method, *params)
            if not isinstance(subscription, str | int):
                raise SourceError(f"{self.url}: {method} returned no subscription id")
            try:
                while True:
                    yield transport.notification(subscription, idle_seconds)
            except ConnectionFailed as error:
                if not resubscribe:
                    raise Unreachable(
                        f"{self.url}: lost while watching {method}: {error}"
                    ) from error
                self._sleep(_RESUBSCRIBE_SECONDS)
                yield None
            except Interrupted as error:
                raise Unreachable(f"{self.url}: {method}: interrupted") from error
            except BadReply as error:
                transport.close()
                raise SourceError(f"{self.url}: {method}: {error}") from error
            except GeneratorExit:
                self._leave(unsubscribe, subscription)
                raise

    def finalised_heads(self, poll_seconds: float) -> Iterator[None]:
        """Yields whenever a new finalised head may exist: at once, when told, when time passes.

        Over ws the node's subscription wakes us, over http the clock does. What the head is has
        to be asked: a notification is a hint, no evidence.
        """
        yield None
        if self.can_subscribe:
            for _ in self.subscribe(
                "chain_subscribeFinalizedHeads",
                "chain_unsubscribeFinalizedHeads",
                idle_seconds=poll_seconds,
            ):
                yield None
        while True:
            self._sleep(poll_seconds)
            yield None

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _leave(self, unsubscribe: str, subscription: str | int) -> None:
        try:
            self.call_once(unsubscribe, subscription)
        except SourceError:
            # the node ends the subscriptions of a closed connection
            self._transport.close()

    def _results(self, calls: Sequence[Request], attempts: int) -> list[Any]:
        """Splits the calls where the node finds them too many or their answer too long."""
        pending, results = [calls], list[Any]()
        while pending:
            part = pending.pop()
            replies = self._exchange(part, attempts)
            if replies is None:
                half = len(part) // 2
                pending += [part[half:], part[:half]]
            else:
                results += replies
        return results

    def _exchange(self, calls: Sequence[Request], attempts: int) -> list[Any] | None:
        """Results in order, or None if the node refused the batch as a batch."""
        first = self._last_id + 1
        self._last_id += len(calls)
        messages = [
            {"jsonrpc": "2.0", "id": first + i, "method": call.method, "params": list(call.params)}
            for i, call in enumerate(calls)
        ]
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_exponential(multiplier=0.25, max=8),
            retry=tenacity.retry_if_exception_type(ConnectionFailed),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            replies = retrying(self._transport.exchange, messages)
        except ConnectionFailed as error:
            times = f" after {attempts} attempts" if attempts > 1 else ""
            raise Unreachable(
                f"{self.url}: no answer{times}: {error}; "
                "is the node running, and is this its RPC address?"
            ) from error
        except Interrupted as error:
            raise Unreachable(f"{self.url}: interrupted") from error
        except BadReply as error:
            raise SourceError(
                f"{self.url}: {error}; is this a JSON-RPC endpoint of a Substrate node?"
            ) from error
        if len(calls) > 1 and len(replies) == 1 and _is_refusal_of_all(replies[0]):
            return None
        return self._in_order(calls, first, replies)

    def _in_order(self, calls: Sequence[Request], first: int, replies: list[Any]) -> list[Any]:
        by_id: dict[int, dict[str, Any]] = {}
        for reply in replies:
            if len(calls) == 1 and _is_refusal_of_all(reply):
                self._raise_refusal(calls[0], reply["error"])
            identity = reply.get("id") if isinstance(reply, dict) else None
            if type(identity) is not int or not first <= identity < first + len(calls):
                raise SourceError(f"{self.url}: answered with an id that was not asked for")
            if identity in by_id:
                raise SourceError(f"{self.url}: answered twice to one id")
            by_id[identity] = reply
        results = []
        for identity, call in enumerate(calls, first):
            reply = by_id.get(identity, {})
            if "error" in reply:
                self._raise_refusal(call, reply["error"])
            if "result" not in reply:
                raise SourceError(f"{self.url}: did not answer {call.method}")
            results.append(reply["result"])
        return results

    def _raise_refusal(self, call: Request, error: Any) -> NoReturn:
        match error:
            case {"code": int(code), "message": str(message)}:
                raise RpcRefusal(self.url, call.method, code, message, error.get("data"))
            case _:
                raise SourceError(f"{self.url}: refused {call.method} with a malformed error")


def hex_bytes(value: Any, what: str, size: int | None = None) -> bytes:
    """`0x` hex as a node writes it. Raises `SourceError`, saying `what` is wrong and how."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise SourceError(f"{what} is no 0x hex text")
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError as error:
        raise SourceError(f"{what} is no 0x hex text: {error}") from error
    if 2 * len(raw) != len(value) - 2:  # fromhex skips white space
        raise SourceError(f"{what} is no 0x hex text: it has white space")
    if size is not None and len(raw) != size:
        raise SourceError(f"{what} has {len(raw)} bytes instead of {size}")
    return raw


def _is_refusal_of_all(reply: Any) -> bool:
    match reply:
        case {"id": None, "error": {}}:
            return True
        case _:
            return False
