"""The npm packages that wallets are made of, as one process that answers questions."""

import atexit
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from scripts.devnet_node import find_node, install_packages
from tests.support.command_line import ROOT

FOLDER = ROOT / "tests" / "peers"


class PeerRefusal(Exception):
    """A peer threw; its own words."""


class Peers:
    """A running `tests/peers/peers.mjs`. Bytes go and come as 0x hex."""

    def __init__(self) -> None:
        node = find_node()
        install_packages(node, FOLDER)
        self._process = subprocess.Popen(
            [str(node), str(FOLDER / "peers.mjs")],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # they warn of being loaded as modules of both kinds
            text=True,
        )

    def ask(self, question: str, **given: Any) -> Any:
        """The answer. Raises `PeerRefusal`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"ask": question, **_sent(given)}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the peers ended with {self._process.poll()}"
        answer = json.loads(line)
        if "error" in answer:
            raise PeerRefusal(answer["error"])
        return answer["ok"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


@cache
def peers() -> Peers:
    """Started once for all tests of this process, and ended with it."""
    running = Peers()
    atexit.register(running.close)
    return running


def octets(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _sent(value: Any) -> Any:
    match value:
        case bytes():
            return "0x" + value.hex()
        case Path():
            return str(value)
        case Mapping():
            return {key: _sent(item) for key, item in value.items()}
        case list() | tuple():
            return [_sent(item) for item in value]
    return value
