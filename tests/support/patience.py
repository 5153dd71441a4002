"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 120.0


def until(holds: Callable[[], object], said: Callable[[], object]) -> None:
    """Until `holds`. Where patience ends first, the failure is what `said` says then."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)
