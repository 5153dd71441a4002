"""Hypothesis takes every draw from its own dice; nothing else may throw them meanwhile."""

import threading

import pytest


@pytest.fixture(scope="module", autouse=True)
def alone() -> None:
    """A connection that another test left open pings from a thread, with a random number each."""
    left = [thread.name for thread in threading.enumerate() if "keepalive" in thread.name]
    assert not left, f"a test before this one left connections open: {left}"
