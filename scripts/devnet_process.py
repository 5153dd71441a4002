"""The test chain as a context manager: a real runtime behind a node's JSON-RPC, on loopback.

    with start_devnet("paseo-2024") as devnet, NodeSource(devnet.url) as node:
        devnet.new_block()

Blocks are made only when somebody asks for them. See docs/devnet.md.
"""

import json
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ibp_chain.errors import ConfigError, SourceError
from ibp_chain.rpc import RpcClient, hex_bytes
from ibp_chain.types import Hash
from scripts.devnet_node import (
    SERVER,
    complaints,
    exit_code,
    find_node,
    install_packages,
    running,
)
from scripts.public_data import chain_spec

DEFAULT_SPEC = "paseo-2024"
_START_SECONDS = 180.0
_LOAD_SECONDS = 600.0
"""With a snapshot, which grows with the chain."""
_REPLY_SECONDS = 300.0
_REPORTED_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Devnet:
    """A running test chain. Raw storage is 0x hex, as its JSON-RPC has it."""

    port: int
    genesis_hash: Hash
    spec_version: int
    process_id: int
    client: RpcClient

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of one JSON-RPC call. Raises `SourceError`, as `RpcRefusal` if refused."""
        return self.client.call_once(method, *params)

    def new_block(self, to_height: int | None = None, count: int = 1) -> Hash:
        """Make `count` blocks of what waits in the pool; the hash of the last.

        With `to_height` the first of them has that height, and as much time passes as the blocks
        up to there would have taken.
        """
        options: dict[str, int] = {"count": count}
        if to_height is not None:
            options["unsafeBlockHeight"] = to_height
        return _hash(self.rpc("dev_newBlock", options))

    def time_travel(self, timestamp_ms: int) -> None:
        """Set the clock, in milliseconds since 1970: the next block is stamped one slot later."""
        self.rpc("dev_timeTravel", timestamp_ms)

    def set_storage(
        self, pairs: Mapping[str, str | None] | Sequence[tuple[str, str | None]]
    ) -> None:
        """Override raw storage of the head; None removes a key.

        The next block's state root commits to it, the head's own does not.
        """
        items = pairs.items() if isinstance(pairs, Mapping) else pairs
        self.rpc("dev_setStorage", [list(pair) for pair in items])

    def set_items(self, pallets: Mapping[str, Any]) -> None:
        """As `set_storage`, in names and values: `{"Sudo": {"Key": address}}`."""
        self.rpc("dev_setStorage", dict(pallets))

    def head_hash(self) -> Hash:
        """The hash of the best block."""
        return _hash(self.rpc("chain_getBlockHash"))

    def finalized_hash(self) -> Hash:
        return _hash(self.rpc("chain_getFinalizedHead"))

    def reorg(self, depth: int, *, blocks: int | None = None, resubmit: bool = False) -> Hash:
        """Replace the last `depth` blocks by `blocks` others, default one more; the new head.

        The abandoned blocks' extrinsics are gone, or go into the new ones with `resubmit`. Raises
        `RpcRefusal` where that would revert a finalised block.
        """
        options: dict[str, Any] = {"depth": depth, "resubmit": resubmit}
        if blocks is not None:
            options["blocks"] = blocks
        return _hash(self.rpc("dev_reorg", options))

    def save(self, path: Path) -> None:
        """Write the chain up to its head to a file that `start_devnet(load=path)` goes on from."""
        self.rpc("dev_save", str(path.resolve()))


@contextmanager
def start_devnet(
    spec: str = DEFAULT_SPEC,
    *,
    port: int = 0,
    genesis_storage: Mapping[str, str | None] | None = None,
    timestamp_ms: int | None = None,
    finality_lag: int = 0,
    height: int | None = None,
    mode: str = "Manual",
    load: Path | None = None,
    executor: str | None = None,
) -> Iterator[Devnet]:
    """Run a test chain from genesis, with block 1 made, until the context ends.

    `spec` is a name that `public_data.chain_spec` knows; `port` 0 takes a free one.
    `genesis_storage` overrides raw entries of block 0. `timestamp_ms` is the clock before block 1,
    by default a fixed instant. Finality trails the head by `finality_lag` blocks. `height` is the
    height of block 2. `mode` is Manual, Instant or Batch. `load` goes on from a snapshot, made with
    the same `spec` and `genesis_storage`. `executor` runs the runtime: `v8`, the default, or
    `chopsticks`, which that one is held against.

    Raises `ConfigError` when Node, its packages or the specification are missing, and when the
    server does not start, with what it said.
    """
    specification = chain_spec(spec)
    node = find_node()
    install_packages(node)
    with tempfile.TemporaryDirectory(prefix="ibp-devnet-") as folder:
        options: dict[str, object] = {
            "--spec": specification,
            "--port": port,
            "--lag": finality_lag,
            "--mode": mode,
            "--timestamp": timestamp_ms,
            "--height": height,
            "--load": None if load is None else load.resolve(),
            "--executor": executor,
            "--storage": _written(Path(folder) / "storage.json", genesis_storage),
        }
        given = [str(part) for pair in options.items() if pair[1] is not None for part in pair]
        command = [str(node), str(SERVER / "main.mjs"), "--lifeline", *given]
        with (Path(folder) / "stderr").open("w+") as stderr, running(command, stderr) as server:
            patience = _START_SECONDS if load is None else _LOAD_SECONDS
            ready = _wait_until_ready(server, stderr, patience)
            url = f"ws://127.0.0.1:{ready['port']}"
            client = RpcClient(url, timeout=_REPLY_SECONDS, attempts=1)
            try:
                yield Devnet(
                    ready["port"], _hash(ready["genesis"]), ready["specVersion"], server.pid, client
                )
            finally:
                client.close()


def _written(path: Path, storage: Mapping[str, str | None] | None) -> Path | None:
    if storage is None:
        return None
    path.write_text(json.dumps(dict(storage)))
    return path


def _wait_until_ready(
    server: subprocess.Popen[bytes], stderr: IO[str], seconds: float
) -> dict[str, Any]:
    """The server's line about itself. Raises `ConfigError` with what it said instead."""
    assert server.stdout is not None
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([server.stdout], [], [], left)[0]:
            break
        line = server.stdout.readline()
        if not line:
            code = exit_code(server)
            raise ConfigError(f"the test chain ended with code {code}: {_said(stderr)}")
        ready = json.loads(line)
        if not isinstance(ready, dict) or ready.get("ready") is not True:
            raise SourceError(
                f"the test chain's first words are unexpected: {line.decode().strip()}"
            )
        return ready
    raise ConfigError(f"the test chain did not start within {seconds:g} seconds: {_said(stderr)}")


def _hash(text: Any) -> Hash:
    return Hash(hex_bytes(text, "the test chain: block hash", 32))


def _said(stderr: IO[str]) -> str:
    return complaints(stderr)[:_REPORTED_CHARACTERS]
