"""Tells systemd how the process is: ready, alive, ending. Nothing where nobody listens.

The protocol is a datagram of `KEY=value` lines to the socket in `NOTIFY_SOCKET` (sd_notify(3));
with `WatchdogSec=` systemd restarts whom it has not heard `WATCHDOG=1` from for that long.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Who started the process and wants to hear of it."""

    address: str | None = None
    """A socket's path, or one that begins with `@` in Linux' own namespace; None is nobody."""
    watchdog_seconds: float | None = None
    """It waits this long at most for `ALIVE`; None where it does not."""

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Self:
        """As systemd tells it in the environment of the process `pid`."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        waits = int(microseconds) / _MICROSECONDS if microseconds.isdecimal() and ours else None
        return cls(environment.get("NOTIFY_SOCKET") or None, waits)

    def tell(self, *lines: str) -> None:
        """Says nothing where nobody listens (any more): the work does not depend on it."""
        if self.address is None:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
            speaking.setblocking(False)
            try:
                speaking.sendto("\n".join(lines).encode(), address)
            except OSError:
                return


def of_this_process() -> Supervisor:
    return Supervisor.of(os.environ, os.getpid())
