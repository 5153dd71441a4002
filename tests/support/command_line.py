"""The `ibp` command as a person runs it: a process of its own, real files, an exit code.

Its processes are forked from one that has imported the command already: importing takes a second
or two, which hundreds of times would be most of what these tests take.
"""

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory

import ibp_chain
from ibp_chain import cli
from ibp_chain.cli.app import main

ROOT = Path(ibp_chain.__file__).parents[1]
DEMO = Path(ibp_chain.__file__).parent / "data" / "demo"
_SECONDS = 300
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [__name__, *(each.name for each in iter_modules(cli.__path__, f"{cli.__name__}."))]
)


def ibp(
    *arguments: object, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`env` is added to this process's own."""
    command = ["ibp", *map(str, arguments)]
    environment = {**os.environ, **(env or {})}
    with TemporaryDirectory(prefix="ibp-command-") as folder:
        said = Path(folder, "stdout"), Path(folder, "stderr")
        process = _PROCESSES.Process(target=_run, args=(command, cwd, environment, said))
        process.start()
        process.join(_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, _SECONDS, *(each.read_text() for each in said))
        code = process.exitcode
        return subprocess.CompletedProcess(command, code, *(each.read_text() for each in said))


@dataclass(frozen=True)
class Started:
    """A command while it runs."""

    process: BaseProcess
    said: tuple[Path, Path]

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def stdout(self) -> str:
        """So far."""
        return self._so_far(0)

    @property
    def stderr(self) -> str:
        return self._so_far(1)

    def _so_far(self, which: int) -> str:
        """It may end in the middle of a character."""
        path = self.said[which]
        return path.read_text(errors="replace") if path.exists() else ""

    def wait(self) -> int:
        """Its exit code; a signal's number with a minus sign."""
        self.process.join(_SECONDS)
        assert self.process.exitcode is not None, "it does not end"
        return self.process.exitcode


@contextmanager
def started(*arguments: object, cwd: Path = ROOT) -> Iterator[Started]:
    """`ibp`, for who ends or kills it; killed at the end of the block if it is still there."""
    with TemporaryDirectory(prefix="ibp-command-") as folder:
        said = Path(folder, "stdout"), Path(folder, "stderr")
        command = ["ibp", *map(str, arguments)]
        process = _PROCESSES.Process(target=_run, args=(command, cwd, {**os.environ}, said))
        process.start()
        try:
            yield Started(process, said)
        finally:
            process.kill()
            process.join()


def _run(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], said: tuple[Path, Path]
) -> None:
    """What the forked process does; `main` ends it with its exit code."""
    for number, path in enumerate(said, 1):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [*command]
    sys.stdin = io.StringIO()
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2)
    )
    main()


def assert_done(done: subprocess.CompletedProcess[str]) -> str:
    """What it printed; it must have ended with 0."""
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def assert_one_clear_line(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """It ended with `code`, and its error is one line that holds everything in `said`."""
    assert done.returncode == code, done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("ibp: ")
    for text in said:
        assert text in lines[0]
    assert "Traceback" not in done.stderr + done.stdout
