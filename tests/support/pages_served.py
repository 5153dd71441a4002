"""The application on a port of this machine, from a thread of this process: for browsers."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from ibp_chain.web.app import create_app
from ibp_chain.web.site import Site

_SECONDS = 180


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Where `site` is, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            create_app(site), log_level="warning", ws="none", lifespan="off",
            timeout_keep_alive=3_600,  # else one may end just when it is asked again
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until = time.monotonic() + _SECONDS
        while not server.started:
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.01)
        try:
            yield f"http://localhost:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_SECONDS)
            assert not thread.is_alive()
