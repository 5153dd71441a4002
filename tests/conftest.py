"""Fixtures that start the real runtime. Without Node they fail; they never skip."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from scripts import devnet_process
from scripts.devnet_process import Devnet

StartDevnet = Callable[..., AbstractContextManager[Devnet]]


@pytest.fixture
def devnet() -> Iterator[Devnet]:
    """A chain of this test's own, with the default specification."""
    with devnet_process.start_devnet() as running:
        yield running


@pytest.fixture(scope="session")
def start_devnet() -> StartDevnet:
    """A function to start chains with options; each runs as long as its `with` block."""
    return devnet_process.start_devnet
