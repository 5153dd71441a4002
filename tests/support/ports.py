"""Ports that nobody else gets."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """Of loopback: who is told of it may listen there, and whoever connects before is refused.

    Bound and not listened at, it is nobody's by chance: not for port 0, not for a connection.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server of ours does
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        yield port
