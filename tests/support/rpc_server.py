"""A JSON-RPC server on loopback that says exactly what a test wants it to say."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.support.http_server import Quiet, http_server

Answer = Callable[[str, list[Any]], Any]
"""Method and params to a result; an `RpcFault` becomes an error."""


class RpcFault(Exception):
    def __init__(self, code: int, message: str) -> None:
        self.body = {"code": code, "message": message}
        super().__init__(message)


def reply(answer: Answer, request: Any) -> Any:
    if isinstance(request, list):
        return [reply(answer, one) for one in request]
    try:
        result = answer(request["method"], request["params"])
    except RpcFault as fault:
        return {"jsonrpc": "2.0", "id": request["id"], "error": fault.body}
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


@contextmanager
def raw_http(respond: Callable[[bytes], tuple[int, bytes]]) -> Iterator[str]:
    """An HTTP server that answers every POST body with a status and a body; yields its URL."""

    class Handler(Quiet):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # whoever asks was killed over it
                return
            status, content = respond(body)
            with suppress(BrokenPipeError, ConnectionResetError):  # who asked has gone
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

    with http_server(Handler) as url:
        yield url


@contextmanager
def http_node(answer: Answer) -> Iterator[str]:
    """A well-behaved HTTP node with scripted answers; yields its URL."""

    def respond(body: bytes) -> tuple[int, bytes]:
        return 200, json.dumps(reply(answer, json.loads(body))).encode()

    with raw_http(respond) as url:
        yield url


@contextmanager
def ws_node(talk: Callable[[ServerConnection], None]) -> Iterator[str]:
    """A WebSocket server that holds one conversation per connection; yields its URL."""

    def handle(connection: ServerConnection) -> None:
        try:
            talk(connection)
        except ConnectionClosed:
            return

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()
