"""The JSON-RPC client against servers that behave, misbehave, and are not there."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request as Request11
from websockets.server import ServerProtocol
from websockets.sync.server import ServerConnection

from ibp_chain.errors import SourceError
from ibp_chain.rpc import Request, RpcClient, RpcRefusal, Unreachable, hex_bytes
from ibp_chain.rpc_transport import KEPT_BYTES
from tests.support.ports import reserved_port
from tests.support.rpc_server import RpcFault, http_node, raw_http, reply, ws_node

_PATIENCE_SECONDS = 60.0
"""For what comes at once on a machine that has time."""


def _client(url: str, **options: Any) -> RpcClient:
    return RpcClient(url, timeout=_PATIENCE_SECONDS, sleep=lambda _: None, **options)


def _echo(method: str, params: list[Any]) -> Any:
    return [method, *params]


def test_a_call_returns_the_nodes_result() -> None:
    with http_node(_echo) as url, _client(url) as client:
        assert client.call("system_chain", 1) == ["system_chain", 1]


def test_a_batch_keeps_the_order_of_its_calls_however_long() -> None:
    calls = [Request("m", (i,)) for i in range(150)]
    with http_node(_echo) as url, _client(url, batch_size=64) as client:
        assert client.batch(calls) == [["m", i] for i in range(150)]


def test_replies_in_another_order_are_put_right() -> None:
    def respond(body: bytes) -> tuple[int, bytes]:
        return 200, json.dumps(reply(_echo, json.loads(body))[::-1]).encode()

    with raw_http(respond) as url, _client(url) as client:
        assert client.batch([Request("a"), Request("b")]) == [["a"], ["b"]]


def test_a_refusal_names_the_method_and_is_not_tried_again() -> None:
    asked = []

    def answer(method: str, _params: list[Any]) -> Any:
        asked.append(method)
        raise RpcFault(1010, "Invalid Transaction")

    refused = pytest.raises(RpcRefusal, match="refused author_x: Invalid Transaction")
    with http_node(answer) as url, _client(url) as client, refused:
        client.call("author_x")
    assert asked == ["author_x"]


def test_a_node_that_refuses_batches_is_asked_one_by_one() -> None:
    def respond(body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        if isinstance(request, list):
            error = {"code": -32005, "message": "batches are not supported"}
            return 200, json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
        return 200, json.dumps(reply(_echo, request)).encode()

    with raw_http(respond) as url, _client(url) as client:
        assert client.batch([Request("a"), Request("b"), Request("c")]) == [["a"], ["b"], ["c"]]


def test_no_node_is_one_clear_line() -> None:
    with reserved_port() as port:
        for scheme in ("http", "ws"):
            with _client(f"{scheme}://127.0.0.1:{port}", attempts=2) as client:
                with pytest.raises(SourceError, match="no answer after 2 attempts") as caught:
                    client.call("system_chain")
                assert "is the node running" in str(caught.value)


def test_a_busy_node_is_tried_again() -> None:
    attempts = []

    def respond(body: bytes) -> tuple[int, bytes]:
        attempts.append(body)
        if len(attempts) < 3:
            return 503, b""
        return 200, json.dumps(reply(_echo, json.loads(body))).encode()

    with raw_http(respond) as url, _client(url) as client:
        assert client.call("m") == ["m"]
    assert len(attempts) == 3


def test_a_submission_is_never_sent_twice() -> None:
    attempts = []

    def respond(body: bytes) -> tuple[int, bytes]:
        attempts.append(body)
        return 503, b""

    with raw_http(respond) as url, _client(url) as client, pytest.raises(SourceError):
        client.call_once("author_submitExtrinsic", "0x00")
    assert len(attempts) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>hello</html>", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "did not answer"),
        (b"5", "not asked for"),
        (b'{"jsonrpc":"2.0","id":999,"result":1}', "not asked for"),
        (b'{"jsonrpc":"2.0","id":1}', "did not answer"),
        (b'{"jsonrpc":"2.0","id":1,"error":"no"}', "malformed error"),
        (b'{"jsonrpc":"2.0","id":true,"result":1}', "not asked for"),
        (b'[{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","id":1,"result":2}]', "twice"),
    ],
)
def test_nonsense_is_one_clear_line_that_names_the_node(content: bytes, said: str) -> None:
    with raw_http(lambda _: (200, content)) as url, _client(url) as client:
        with pytest.raises(SourceError, match=said) as caught:
            client.call("system_chain")
        assert url in str(caught.value)
        assert "\n" not in str(caught.value)


def test_other_schemes_are_refused() -> None:
    with pytest.raises(SourceError, match="starts with http"):
        RpcClient("ftp://node.example")


def test_a_url_is_shown_without_its_secrets() -> None:
    client = RpcClient("wss://user:secret@node.example:443/path?key=secret")
    assert client.url == "wss://node.example:443"


def test_a_subscription_yields_news_and_silence_and_goes_on_after_a_lost_connection() -> None:
    connections = []

    def talk(connection: ServerConnection) -> None:
        connections.append(connection)
        request = json.loads(connection.recv())
        connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "sub"}))
        note = {"subscription": "sub", "result": len(connections)}
        connection.send(json.dumps({"jsonrpc": "2.0", "method": "x", "params": note}))
        if len(connections) > 1:
            connection.recv()  # until the client leaves

    with ws_node(talk) as url, _client(url) as client:
        # silence is told apart from the loss: nothing here takes as long
        news = client.subscribe("sub_it", "unsub_it", idle_seconds=_PATIENCE_SECONDS)
        seen = [next(news) for _ in range(3)]
        assert seen == [1, None, 2]
        client.close()
        silent = client.subscribe("sub_it", "unsub_it", idle_seconds=0.5)
        assert None in (next(silent), next(silent))
        client.close()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "no 0x hex"),
        ("00", "no 0x hex"),
        ("0x0", "no 0x hex"),
        ("0xzz", "no 0x hex"),
        ("0x00 00", "white space"),
        ("0x0000", "2 bytes instead of 1"),
    ],
)
def test_hex_of_a_node_is_read_strictly(value: Any, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        hex_bytes(value, "the answer", 1)


@contextmanager
def _dripping(head: bytes, drip: bytes) -> Iterator[str]:
    """An HTTP node that sends `head` and then `drip` for ever; yields its URL."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65_536)
                connection.sendall(head)
                while not over.wait(0.1):
                    connection.sendall(drip)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


_LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "drip"),
    [(_LONG, b" "), (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")],
    ids=["body", "headers"],
)
def test_an_answer_that_comes_in_drips_ends_with_the_attempt(head: bytes, drip: bytes) -> None:
    began = time.monotonic()
    with (
        _dripping(head, drip) as url,
        RpcClient(url, timeout=1.0, attempts=1) as client,
        pytest.raises(Unreachable, match="within 1 seconds"),
    ):
        client.call("system_chain")
    assert time.monotonic() - began < _PATIENCE_SECONDS  # it would drip for ever


@pytest.mark.parametrize(
    ("head", "drip"),
    [(_LONG, b" "), (_LONG, b""), (b"", b"")],
    ids=["dripping", "silent", "mute"],
)
def test_nobody_waits_over_http_once_interrupted(head: bytes, drip: bytes) -> None:
    began = time.monotonic()
    with (
        _dripping(head, drip) as url,
        RpcClient(
            url, timeout=300.0, attempts=1, interrupted=lambda: time.monotonic() > began + 0.5
        ) as client,
        pytest.raises(Unreachable, match="interrupted"),
    ):
        client.call("system_chain")
    assert time.monotonic() - began < _PATIENCE_SECONDS


def _shakes_hands_and_takes_nothing(listener: socket.socket, over: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        asked = connection.recv(65_536).decode()
        key = next(
            line[19:] for line in asked.split("\r\n") if line.startswith("Sec-WebSocket-Key")
        )
        accepted = ServerProtocol()
        response = accepted.accept(
            Request11(
                "/",
                Headers(
                    [
                        ("Host", "node"),
                        ("Upgrade", "websocket"),
                        ("Connection", "Upgrade"),
                        ("Sec-WebSocket-Version", "13"),
                        ("Sec-WebSocket-Key", key),
                    ]
                ),
            )
        )
        connection.sendall(response.serialize())
        over.wait(2 * _PATIENCE_SECONDS)


def test_a_node_that_takes_nothing_ends_the_attempt_over_ws() -> None:
    over, began = threading.Event(), time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_shakes_hands_and_takes_nothing, args=(listener, over))
        thread.start()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        with RpcClient(url, timeout=2.0, attempts=1) as client, pytest.raises(Unreachable):
            client.call("author_submitExtrinsic", "0x" + "00" * 15_000_000)
        assert time.monotonic() - began < _PATIENCE_SECONDS
        over.set()
        thread.join()


def test_notifications_that_nobody_asked_for_are_not_kept() -> None:
    def talk(connection: ServerConnection) -> None:
        for message in connection:
            request = json.loads(message)
            unasked = {"method": "x", "params": {"subscription": "z", "result": "A" * 1_000_000}}
            for _ in range(5):
                connection.send(json.dumps(unasked))
            connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": 1}))

    with ws_node(talk) as url, _client(url) as client:
        assert client.call("system_chain") == 1
        assert client._transport._kept_bytes == 0  # type: ignore[attr-defined]  # the bound


def test_notifications_are_kept_up_to_a_bound() -> None:
    def talk(connection: ServerConnection) -> None:
        for message in connection:
            request = json.loads(message)
            connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "s"}))
            if request["method"] == "flood":
                news = {"method": "x", "params": {"subscription": "s", "result": "A" * 3_000_000}}
                for _ in range(8):
                    connection.send(json.dumps(news))

    with ws_node(talk) as url, _client(url) as client:
        news = client.subscribe("subscribe", "unsubscribe", idle_seconds=0.05)
        assert next(news) is None
        client.call("flood")
        for _ in range(3):
            client.call("system_chain")
        assert client._transport._kept_bytes <= KEPT_BYTES  # type: ignore[attr-defined]  # the bound
