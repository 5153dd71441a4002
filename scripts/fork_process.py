"""A fork of a node's chain as a context manager: blocks in memory on top of one of its blocks.

    with start_fork(node.client) as fork:
        fork.open(block_hash)
        fork.build(extrinsic)

The program is `scripts/devnet/fork.mjs`. It has no network: whatever state its runtime asks for is
asked of the node here, with the client that everything else uses. See docs/simulation.md.
"""

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from ibp_chain.errors import ConfigError, SourceError
from ibp_chain.node import to_hex
from ibp_chain.rpc import RpcClient, hex_bytes
from ibp_chain.types import BlockNumber, Hash
from multisig.fork import Built
from scripts.devnet_node import (
    SERVER,
    complaints,
    exit_code,
    find_node,
    install_packages,
    running,
)

DEFAULT_PATIENCE = 300.0
"""Seconds for one block. Its state is read a key at a time, as the runtime asks for it."""
_CHUNK = 1 << 20
_REPORTED_CHARACTERS = 2_000
_ASKED = frozenset(
    {
        "chain_getBlock",
        "chain_getHeader",
        "state_getKeysPaged",
        "state_getMetadata",
        "state_getRuntimeVersion",
        "state_getStorage",
        "system_chain",
        "system_properties",
    }
)
"""What a fork may ask of the node: it reads, and nothing that it does can change anything there."""


class ForkProcess:
    """A running fork program; `multisig.fork.ForkedChain` once `open` has said where.

    Raises `SourceError` for what the node does not answer, for what the program cannot do, and
    when `patience` seconds pass first. After the first and the last of these start another.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stderr: IO[str],
        client: RpcClient,
        patience: float,
    ) -> None:
        self._process, self._stderr = process, stderr
        self._client, self._patience = client, patience
        self._received = bytearray()
        self._last = 0

    def open(self, block: Hash) -> None:
        """Fork the chain at `block`; what was built before is gone."""
        self._request("open", to_hex(block))

    def storage(self, keys: Sequence[bytes]) -> list[bytes | None]:
        values = self._request("storage", [to_hex(key) for key in keys])
        return [
            None if value is None else hex_bytes(value, "the fork: storage") for value in values
        ]

    def build(self, extrinsic: bytes) -> Built:
        match self._request("build", to_hex(extrinsic)):
            case {
                "number": int(number),
                "hash": str(digest),
                "index": None | int() as index,
                "refused": None | str() as refused,
                "full": bool(full),
            }:
                found = Hash(hex_bytes(digest, "the fork: block hash", 32))
                return Built(BlockNumber(number), found, index, refused, full)
            case other:
                raise SourceError(f"the fork built a block and says of it: {other!r}")

    # --- lines of JSON ---

    def _request(self, method: str, *params: Any) -> Any:
        self._last += 1
        self._send({"id": self._last, "method": method, "params": list(params)})
        deadline = time.monotonic() + self._patience
        while True:
            match self._line(deadline):
                case {"ask": int(ask), "method": str(asked), "params": list(given)}:
                    self._send({"ask": ask, "result": self._answer(asked, given)})
                case {"id": self._last, "result": result}:
                    return result
                case {"id": self._last, "error": str(error)}:
                    raise SourceError(f"the fork cannot {method}: {error}")
                case other:
                    raise SourceError(f"the fork says something unexpected: {other!r:.200}")

    def _answer(self, method: str, params: list[Any]) -> Any:
        if method not in _ASKED:
            raise SourceError(f"the fork asks for {method}, which it must not")
        return self._client.call(method, *params)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error

    def _line(self, deadline: float) -> Any:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise SourceError(
                    f"the fork did not answer within {self._patience:g} seconds: the node may be "
                    "slow; try again, or another node"
                )
            chunk = os.read(descriptor, _CHUNK)
            if not chunk:
                raise self._ended()
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        try:
            return json.loads(line)
        except ValueError as error:
            raise SourceError(f"the fork says what is no JSON: {line[:200]!r}") from error

    def _ended(self) -> SourceError:
        said = complaints(self._stderr)[-_REPORTED_CHARACTERS:]
        return SourceError(f"the fork ended with code {exit_code(self._process)}: {said}")


@contextmanager
def start_fork(client: RpcClient, *, patience: float = DEFAULT_PATIENCE) -> Iterator[ForkProcess]:
    """Run the program until the context ends; `client` asks the node whose chain is forked.

    Raises `ConfigError` when Node or its packages are missing.
    """
    node = find_node()
    install_packages(node)
    program = SERVER / "fork.mjs"
    if not program.is_file():
        raise ConfigError(f"{program} is missing: this is no whole source checkout")
    with (
        tempfile.TemporaryFile("w+", prefix="ibp-fork-") as stderr,
        running([str(node), str(program)], stderr) as process,
    ):
        yield ForkProcess(process, stderr, client, patience)
