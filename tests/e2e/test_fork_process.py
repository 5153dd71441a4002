"""A fork's program that is gone is told as an error of a source, whenever that is found out."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ibp_chain.errors import SourceError
from ibp_chain.rpc import RpcClient
from ibp_chain.types import Hash
from scripts.fork_process import ForkProcess, start_fork

SOMEWHERE = Hash(bytes(32))


def _dies(fork: ForkProcess) -> None:
    os.kill(fork._process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, fork._process.pid, os.WEXITED | os.WNOWAIT)


@contextmanager
def _dead() -> Iterator[ForkProcess]:
    with RpcClient("http://127.0.0.1:9") as nobody, start_fork(nobody) as fork:
        _dies(fork)
        yield fork


@pytest.mark.parametrize("asked", [lambda fork: fork.open(SOMEWHERE), lambda fork: fork.build(b"")])
def test_a_program_that_died_before_it_is_asked_is_said_so(
    asked: Callable[[ForkProcess], object],
) -> None:
    with pytest.raises(SourceError, match="the fork ended with code -9"), _dead() as fork:
        asked(fork)


def test_a_program_that_dies_while_it_is_asked_is_said_so() -> None:
    class Client(RpcClient):
        def call(self, method: str, *params: object) -> None:
            del method, params
            _dies(fork)

    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(SourceError, match="the fork ended with code -9"),
        start_fork(client) as fork,
    ):
        fork.open(SOMEWHERE)
