"""An HTTP server on loopback, in threads of the test's own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Quiet(BaseHTTPRequestHandler):
    """For handlers that a test defines."""

    def log_message(self, *_: object) -> None:  # tests keep stderr clean
        return


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    """Who finds no room, where this thread is late to accept, asks again after a second or more."""


@contextmanager
def http_server(handler: type[Quiet]) -> Iterator[str]:
    """Its URL, without a slash at the end; nobody is let in after the block."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
