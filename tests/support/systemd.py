"""systemd's half of sd_notify(3). It hears at once: a socket keeps no more than ten datagrams."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Thread

from tests.support.patience import PATIENCE_SECONDS


@dataclass(frozen=True)
class Heard:
    """What was told, in order."""

    _words: Queue[str] = field(default_factory=Queue)

    def next(self) -> str:
        """Waits for it; raises `queue.Empty` where nothing comes."""
        return self._words.get(timeout=PATIENCE_SECONDS)

    def last(self) -> str:
        """The first that is not about being alive."""
        while (word := self.next()) == "WATCHDOG=1":
            pass
        return word


@contextmanager
def listening(path: Path | str) -> Iterator[tuple[str, Heard]]:
    """At a socket's path, or at an abstract name that is free where it is ""; yields where."""
    heard = Heard()
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ear:
        ear.bind(str(path))
        name = ear.getsockname()
        where = "@" + name[1:].decode() if isinstance(name, bytes) else name

        def hear() -> None:
            while word := ear.recv(4096):  # an empty one is ours
                heard._words.put(word.decode())

        thread = Thread(target=hear, name="systemd")
        thread.start()
        try:
            yield where, heard
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
                ours.sendto(b"", name)
            thread.join()
