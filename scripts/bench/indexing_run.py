"""One way of making a ledger of blocks, in a process of its own; prints as JSON what that took.

`scripts.bench_indexing` starts these, and says where the blocks are.
"""

import argparse
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ibp_chain.archive import ArchiveSource
from ibp_chain.node_windows import Fetching
from ibp_chain.nodes import Nodes
from ibp_chain.runtimes import network_of, runtimes
from ibp_chain.source import BlockSource, NodeSource
from ibp_chain.types import BlockNumber
from ledger.backfill import alone, backfill
from ledger.backfill_ranges import ArchiveQuarry, NodeQuarry
from ledger.indexer import replay_into
from ledger.replay import BlockReport
from ledger.store import Identity, Store
from scripts.bench_backfill import crew, peak
from scripts.bench_ledger import Repeated

MARKS = 10
"""How often memory is looked at."""
WAYS = {
    "node, proven": "live from the node, events proven",
    "node": "live from the node",
    "node 1": "backfill from the node, 1 worker",
    "node 2": "backfill from the node, 2 workers",
    "archive": "replay of an archive",
    "archive 1": "backfill from an archive, 1 worker",
    "archive 2": "backfill from an archive, 2 workers",
}
"""What is measured, and what the table calls it."""


@dataclass(frozen=True)
class Chain:
    """Blocks that a node and an archive both have."""

    node_url: str
    archive: Path
    last: int

    def counts(self) -> dict[str, int]:
        """Of blocks, extrinsics and events, by our own decoder."""
        source = ArchiveSource(self.archive)
        runtime_of = runtimes(source)
        found = {"block": 0, "extrinsic": 0, "event": 0}
        for block in source.blocks(source.first()):
            found["block"] += 1
            found["extrinsic"] += len(block.extrinsics)
            found["event"] += len(runtime_of(block.spec_version).decode_events(block.events))
        return found

    def heights(self) -> list[int]:
        source = ArchiveSource(self.archive)
        return [block.header.number for block in source.blocks(source.first())]


def index(way: str, chain: Chain, url: str) -> dict[str, Any]:
    """Fill the database at `url`; what that took, workers counted."""
    place, _, how = way.replace(",", "").partition(" ")
    last, workers = BlockNumber(chain.last), dict[str, float]()
    with ExitStack() as stack:
        source: BlockSource
        if place == "archive":
            source = archive = ArchiveSource(chain.archive)
            quarry: ArchiveQuarry | NodeQuarry = ArchiveQuarry(str(chain.archive), archive)
        elif how.isdigit():
            source = node = stack.enter_context(NodeSource(chain.node_url))
            quarry = NodeQuarry(chain.node_url, node, 128)
        else:
            fetching = Fetching(proofs=how == "proven")
            source = stack.enter_context(Nodes((chain.node_url,), fetching=fetching))
        network = network_of(source, runtimes(source))
        identity = Identity(network.name, source.genesis_hash)
        store = stack.enter_context(Store(url, identity))
        hands = alone(network.name)
        if how.isdigit():
            hands = stack.enter_context(crew(network.name, int(how), workers))
        began, cpu = time.monotonic(), time.process_time()
        if how.isdigit():
            state = backfill(store, quarry, hands, last=last)
        else:
            state = replay_into(store, source, runtimes(source), last=last)
        took = time.monotonic() - began, time.process_time() - cpu
        root, blocks, extrinsics = state.root().hex(), *_stored(store)
    return {
        "root": root,
        "block": blocks,
        "extrinsic": extrinsics,
        "seconds": took[0],
        "cpu": took[1] + workers.get("cpu", 0.0),
        "peak": peak() + int(workers.get("peak", 0)),
    }


def _stored(store: Store) -> tuple[int, int]:
    with store.session() as session:
        connection = session.connection()
        found = connection.exec_driver_sql("SELECT count(*), sum(extrinsics) FROM block").one()
    return int(found[0]), int(found[1])


def remember(archive: Path, blocks: int) -> dict[str, Any]:
    """A replay of an archive over and over, up to `blocks`: how much it holds at each tenth."""
    source, resident = Repeated(ArchiveSource(archive), blocks), list[int]()
    mark = blocks // MARKS

    def heard(report: BlockReport) -> None:
        if report.ref.number % mark == 0:
            resident.append(_resident())

    with TemporaryDirectory(prefix="ibp-bench-") as folder:
        runtime_of = runtimes(source)
        identity = Identity(network_of(source.source, runtime_of).name, source.genesis_hash)
        with Store(f"sqlite:///{folder}/ledger.db", identity) as store:
            began = time.monotonic()
            replay_into(store, source, runtime_of, heard=heard)
            seconds = time.monotonic() - began
    return {"resident": resident, "seconds": seconds}


def _resident() -> int:
    (line,) = (
        each
        for each in Path("/proc/self/status").read_text().splitlines()
        if each.startswith("VmRSS")
    )
    return int(line.split()[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", choices=list(WAYS))
    parser.add_argument("--remember", type=int)
    parser.add_argument("--into")
    parser.add_argument("--node")
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--last", type=int)
    given = parser.parse_args()
    if given.remember is not None:
        told = remember(given.archive, given.remember)
    else:
        told = index(given.run, Chain(given.node, given.archive, given.last), given.into)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
