"""Runs a command while its processes stand still at random, as on a machine that has other work.

    python -m scripts.stalls --seed 3 -- python -m pytest tests/e2e -n 3 --dist loadfile

A race between processes that needs one of them to be late for a moment is met within minutes. Where
a test stops a process itself, the campaign may wake it: such a failure, and only such, is the
campaign's own.
"""

import argparse
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

_MOST_AT_ONCE = 3
_LONGEST_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 2.0)
"""Of one standstill; most are short, since what is late by a little is what races are lost by."""
_PAUSE_SECONDS = 0.2
_LOOK_SECONDS = 1.0
"""Between two looks for processes that have begun."""


class Stalls:
    """Processes that stand still, and until when by `time.monotonic`."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self._until: dict[psutil.Process, float] = {}
        self.count = 0
        """Standstills so far."""

    def step(self, processes: Sequence[psutil.Process], now: float) -> None:
        """Let go of those whose time is over; maybe stop one more of `processes`."""
        self._go_on([each for each, until in self._until.items() if until <= now])
        if not processes or len(self._until) == _MOST_AT_ONCE:
            return
        process = self.dice.choice(processes)
        seconds = self.dice.choice(_LONGEST_SECONDS) * self.dice.random()
        with suppress(psutil.Error):  # it has ended
            if process not in self._until and process.status() != psutil.STATUS_STOPPED:
                process.suspend()
                self._until[process] = now + seconds
                self.count += 1

    def end(self) -> None:
        """Nobody stands still any more."""
        self._go_on(list(self._until))

    def _go_on(self, processes: Sequence[psutil.Process]) -> None:
        for process in processes:
            del self._until[process]
            with suppress(psutil.Error):
                process.resume()


def stalled(command: Sequence[str], stalls: Stalls) -> int:
    """Runs the command; its exit code. Its descendants are stopped, itself is not."""
    processes: list[psutil.Process] = []
    looked = 0.0
    with subprocess.Popen(command) as running:
        tree = psutil.Process(running.pid)
        try:
            while running.poll() is None:
                now = time.monotonic()
                if now - looked > _LOOK_SECONDS:
                    with suppress(psutil.Error):
                        processes, looked = tree.children(recursive=True), now
                stalls.step(processes, now)
                time.sleep(_PAUSE_SECONDS * stalls.dice.random())
        except KeyboardInterrupt:
            running.send_signal(signal.SIGINT)
        finally:
            stalls.end()
    return running.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr)
    stalls = Stalls(random.Random(given.seed))  # noqa: S311
    code = stalled(given.command, stalls)
    print(f"seed {given.seed}: {stalls.count:,} standstills, exit code {code}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
