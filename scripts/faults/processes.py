"""The `ibp` command as processes that run beside this one and can be killed at any moment.

They are forked from one that has imported the command: hundreds are started.
"""

import os
import resource
import signal
import sys
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from ibp_chain.cli.app import main
from tests.support.command_line import ROOT

_PATIENCE_SECONDS = 240.0
_CONTEXT = get_context("forkserver")
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Running:
    """One of them, and where its words go."""

    process: BaseProcess
    stdout: Path
    stderr: Path

    @property
    def ended(self) -> bool:
        return self.process.exitcode is not None

    def kill(self) -> int:
        """By SIGKILL; its exit code, which is another if it had ended before."""
        self.process.kill()
        return self.wait()

    def terminate(self) -> int:
        self.process.terminate()
        return self.wait()

    def wait(self, seconds: float = _PATIENCE_SECONDS) -> int:
        """Its exit code. Raises `TimeoutError`, having killed it."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"a process did not end within {seconds:g} s: {self.said()}")
        return self.process.exitcode

    def blocks(self) -> int:
        """How many it has told of."""
        return self.stdout.read_bytes().count(b"block ") if self.stdout.exists() else 0

    def said(self) -> str:
        """The end of its stderr."""
        if not self.stderr.exists():
            return ""
        return self.stderr.read_text(errors="replace").strip()[-2_000:]


def start(folder: Path, *arguments: object, file_bytes: int | None = None) -> Running:
    """`ibp` with `arguments`. No file that it writes can become longer than `file_bytes`."""
    name = str(next(_NUMBERS))
    stdout, stderr = folder / f"{name}.stdout", folder / f"{name}.stderr"
    command = ["ibp", *map(str, arguments)]
    process = _CONTEXT.Process(target=_run, args=(command, stdout, stderr, file_bytes), daemon=True)
    process.start()
    return Running(process, stdout, stderr)


def _run(command: list[str], stdout: Path, stderr: Path, file_bytes: int | None) -> None:
    """What the forked process does; `main` ends it with its exit code."""
    for number, path in enumerate((stdout, stderr), 1):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    os.chdir(ROOT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it
    if file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    sys.argv = command
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2)
    )
    main()
