"""How fast a follower catches up with a node, one window after the other and ahead.

    python -m scripts.bench_follow var/long-chain/archive --blocks 4000 --delay-ms 20

The node is a process of its own that serves the blocks of an archive over HTTP and takes the given
time for each answer, as a network does. Prints blocks a second, replayed into SQLite.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import Block
from ibp_chain.cli.output import console, row, table
from ibp_chain.node import to_hex
from ibp_chain.node_windows import Fetching
from ibp_chain.nodes import Nodes
from ibp_chain.runtimes import network_of, runtimes
from ibp_chain.source import BlockSource, NodeSource
from ibp_chain.types import BlockNumber
from ledger.indexer import replay_into
from ledger.store import Identity, Store


class ArchiveNode:
    """Answers what a follower without proofs asks, from an archive of one runtime."""

    def __init__(self, source: ArchiveSource, last: BlockNumber) -> None:
        blocks = list(source.blocks(source.first(), last))
        self._by_hash = {to_hex(block.hash): block for block in blocks}
        self._hashes = {block.header.number: to_hex(block.hash) for block in blocks}
        self._hashes[BlockNumber(0)] = to_hex(source.genesis_hash)
        self._head = to_hex(blocks[-1].hash)
        version = blocks[-1].spec_version
        self._metadata = to_hex(source.metadata_v14(version))
        self._version = {"specVersion": version, "apis": []}

    def answer(self, method: str, params: list[Any]) -> Any:
        match method:
            case "chain_getFinalizedHead":
                return self._head
            case "chain_getBlockHash":
                return self._hashes.get(params[0])
            case "chain_getHeader":
                return _header(self._by_hash[params[0]])
            case "chain_getBlock":
                block = self._by_hash[params[0]]
                body = [to_hex(raw) for raw in block.extrinsics]
                return {"block": {"header": _header(block), "extrinsics": body}}
            case "state_getStorage":
                return to_hex(self._by_hash[params[1]].events)
            case "state_getRuntimeVersion":
                return self._version
            case "state_getMetadata":
                return self._metadata
            case _:
                raise ValueError(f"{method} is not asked by a follower")


def _call(request: Any) -> tuple[str, list[Any]]:
    return request["method"], request["params"]


def _header(block: Block) -> dict[str, Any]:
    header = block.header
    return {
        "parentHash": to_hex(header.parent_hash),
        "number": hex(header.number),
        "stateRoot": to_hex(header.state_root),
        "extrinsicsRoot": to_hex(header.extrinsics_root),
        "digest": {"logs": [to_hex(item) for item in header.digest]},
    }


def serve(folder: Path, last: int, delay: float, ready: Connection) -> None:
    """Run the node until the process is ended; `ready` gets its port."""
    node = ArchiveNode(ArchiveSource(folder), BlockNumber(last))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(delay)
            several = asked if isinstance(asked, list) else [asked]
            told = [
                {
                    "jsonrpc": "2.0",
                    "id": one["id"],
                    "result": node.answer(one["method"], one["params"]),
                }
                for one in several
            ]
            content = json.dumps(told if isinstance(asked, list) else told[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        ready.send(server.server_port)
        server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--blocks", type=int, default=4_000)
    parser.add_argument("--delay-ms", type=int, nargs="+", default=[0, 20, 100])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args()
    view = table(
        "Blocks a second", "a reply takes", "one after the other", *map(str, given.workers)
    )
    for delay in given.delay_ms:
        ours, theirs = multiprocessing.Pipe()
        last = ArchiveSource(given.archive).first() + given.blocks - 1
        arguments = given.archive, last, delay / 1_000, theirs
        node = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
        node.start()
        try:
            url = f"http://127.0.0.1:{ours.recv()}"
            with NodeSource(url) as alone:
                rates = [_rate(alone, given.blocks)]
            for count in given.workers:
                fetching = Fetching(workers=count, ahead=count + 1)
                with Nodes((url,), fetching=fetching) as nodes:
                    rates.append(_rate(nodes, given.blocks))
        finally:
            node.terminate()
            node.join()
        row(view, f"{delay} ms", *(f"{rate:,.0f}" for rate in rates))
    console.print(view)


def _rate(source: BlockSource, blocks: int) -> float:
    runtime_of = runtimes(source)
    network = network_of(source, runtime_of)
    with tempfile.TemporaryDirectory() as folder:
        identity = Identity(network.name, source.genesis_hash)
        with Store(f"sqlite:///{folder}/ledger.db", identity) as store:
            began = time.perf_counter()
            replay_into(store, source, runtime_of)
            return blocks / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
