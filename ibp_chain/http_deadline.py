"""One deadline for a whole HTTP exchange: httpx's own timeouts begin anew with every byte.

Contract: one exchange at a time. What `expired` raises ends it, in whatever it waits.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx

_ATTENTION_SECONDS = 0.2
_WRITTEN_AT_ONCE = 65_536


class Deadline:
    """Told when an exchange begins; `expired` is asked from time to time, and raises."""

    def __init__(self, seconds: float, expired: Callable[[bool], None]) -> None:
        self._seconds, self._expired = seconds, expired
        self._ends = 0.0

    def begin(self) -> None:
        self._ends = time.monotonic() + self._seconds

    def slice(self) -> float:
        """Seconds that may be waited for until this is asked again."""
        remaining = self._ends - time.monotonic()
        self._expired(remaining <= 0)
        return min(remaining, _ATTENTION_SECONDS)

    def remaining(self) -> float:
        """Seconds until the end."""
        self.slice()
        return max(self._ends - time.monotonic(), 0.001)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # ours instead
        while True:
            try:
                return self._inner.read(max_bytes, self._deadline.slice())
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # ours instead
        for start in range(0, len(buffer), _WRITTEN_AT_ONCE):
            part = buffer[start : start + _WRITTEN_AT_ONCE]
            self._inner.write(part, self._deadline.remaining())

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *given: Any, **options: Any) -> httpcore.NetworkStream:
        options["timeout"] = self._deadline.remaining()
        return _Stream(self._inner.start_tls(*given, **options), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # ours instead
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(
            host, port, self._deadline.remaining(), local_address, socket_options
        )
        return _Stream(stream, self._deadline)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


def hold_to(client: httpx.Client, deadline: Deadline) -> None:
    """Every connection of `client`, proxied ones too, keeps to `deadline`."""
    # httpx has no setting for what httpcore calls its network backend
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001
            pool._network_backend = _Backend(pool._network_backend, deadline)  # noqa: SLF001
