"""Hypothesis takes every draw from its own dice; nothing else may throw them meanwhile."""

import threading
import time

import pytest

from tests.support.patience import PATIENCE_SECONDS


@pytest.fixture(scope="module", autouse=True)
def alone() -> None:
    """A connection that another test left open pings from a thread, with a random number each."""
    # one of a connection that was closed just now ends a moment later
    deadline = time.monotonic() + PATIENCE_SECONDS
    for thread in threading.enumerate():
        if "keepalive" in thread.name:
            thread.join(max(deadline - time.monotonic(), 0.0))
    left = [thread.name for thread in threading.enumerate() if "keepalive" in thread.name]
    assert not left, f"a test before this one left connections open: {left}"
