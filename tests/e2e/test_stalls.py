"""Processes that are made to stand still at random: all go on, and the command's end is its own."""

import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scripts.stalls import Stalls, stalled
from tests.support.patience import until


@pytest.fixture
def sleeper() -> Iterator[psutil.Popen]:
    with psutil.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        with suppress(psutil.NoSuchProcess):
            process.kill()


def stopped(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


def test_a_process_stands_still_for_its_time_and_goes_on(sleeper: psutil.Popen) -> None:
    stalls = Stalls(random.Random(1))
    stalls.step([sleeper], now=0.0)
    until(lambda: stopped(sleeper), sleeper.status)
    stalls.step([], now=2.0)
    until(lambda: not stopped(sleeper), sleeper.status)
    assert stalls.count == 1


def test_who_was_stopped_by_another_is_not_woken(sleeper: psutil.Popen) -> None:
    sleeper.suspend()
    until(lambda: stopped(sleeper), sleeper.status)
    stalls = Stalls(random.Random(1))
    stalls.step([sleeper], now=0.0)
    stalls.end()
    time.sleep(0.1)
    assert stopped(sleeper)
    assert stalls.count == 0


def test_who_has_ended_is_passed_over(sleeper: psutil.Popen) -> None:
    stalls = Stalls(random.Random(1))
    stalls.step([sleeper], now=0.0)
    sleeper.kill()
    sleeper.wait()
    stalls.step([sleeper], now=9.0)
    stalls.end()
    assert stalls.count == 1


def test_a_command_ends_as_it_would_have_and_leaves_nobody_standing(tmp_path: Path) -> None:
    enough = tmp_path / "enough"
    stalls = Stalls(random.Random(1))

    def tell() -> None:
        until(lambda: stalls.count >= 3, lambda: stalls.count)
        enough.touch()

    child = f"import os, time\nwhile not os.path.exists({str(enough)!r}): time.sleep(0.01)"
    parent = (
        "import subprocess, sys\n"
        f"sys.exit(42 + subprocess.run([sys.executable, '-c', {child!r}]).returncode)"
    )
    teller = threading.Thread(target=tell)
    teller.start()
    assert stalled([sys.executable, "-c", parent], stalls) == 42
    teller.join()
