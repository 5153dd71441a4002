"""The `ibp` command as a person runs it: a process of its own, real files, an exit code."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import ibp_chain

ROOT = Path(ibp_chain.__file__).parents[1]
DEMO = Path(ibp_chain.__file__).parent / "data" / "demo"


def ibp(
    *arguments: object, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`env` is added to this process's own."""
    return subprocess.run(
        [sys.executable, "-m", "ibp_chain.cli.app", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=120,
    )


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
