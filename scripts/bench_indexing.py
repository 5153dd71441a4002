"""How fast a chain becomes a ledger: from a node and from an archive, beside block explorers' way.

    make bench-indexing
    python -m scripts.bench_indexing [--blocks 1000] [--chain FOLDER] [--long 100000]

The chain is a folder that `scripts.record_long_chain` made, else the programme's play. Prints
tables and rewrites their section of docs/benchmarks.md. It asserts that all ledgers have one state
root and both sides the same counts, and no time.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zstandard

from ibp_chain.archive_record import record
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber
from scripts.bench.indexing_run import MARKS, WAYS, Chain
from scripts.bench.parts import Part, write_part
from scripts.bench.report import Sheet, number, show
from scripts.devnet_process import Devnet, start_devnet
from scripts.faults.stage import SNAPSHOT
from scripts.scenario.play import devnet_options, load_cast
from tests.support.postgres import Postgres, postgres

_ROOT = Path(__file__).parents[1]
_DOCUMENT = _ROOT / "docs" / "benchmarks.md"
_LONG_CHAIN = _ROOT / "var" / "long-chain"
_MIB = 2**20
PEER = "substrate-interface, live from the node"
_ABOUT = """\
`make bench-indexing` measures what follows and rewrites it; the others leave it as it is. Each row
is a process of its own into a new database, once, one after the other. The node is the test chain
on the same machine, and takes its share of it, as PostgreSQL does. The machine has {cores} cores,
for which {busy:.1f} processes of others were waiting or running when it began. It asserts that all
ledgers have one state root and that both sides have counted the same, and no time.
"""


# --- All of them --------------------------------------------------------------------------


def measure(
    chain: Chain, server: Postgres, folder: Path, ways: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """By database and way; the peer is in SQLite. Asserts that everybody has the same."""
    counts, found = chain.counts(), dict[tuple[str, str], dict[str, Any]]()
    _tell("substrate-interface, sqlite")
    found["sqlite", PEER] = peer(chain, folder / "peer.db")
    assert {name: found["sqlite", PEER][name] for name in counts} == counts
    for way in ways:
        for database in ("sqlite", "postgresql"):
            _tell(f"{way}, {database}")
            name = f"{way}.db".replace(" ", "-").replace(",", "")
            url = f"sqlite:///{folder / name}" if database == "sqlite" else None
            made = url or server.url(server.create())
            told = _alone("--run", way, "--into", made, *_of(chain))
            assert (told["block"], told["extrinsic"]) == (counts["block"], counts["extrinsic"])
            found[database, way] = {**told, "event": counts["event"]}
    (_,) = {told["root"] for (_, way), told in found.items() if way != PEER}
    return found


def peer(chain: Chain, file: Path) -> dict[str, Any]:
    """substrate-interface in a process of its own, which is told which heights there are."""
    job = {"url": chain.node_url, "file": str(file), "heights": chain.heights()}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench.indexing_peer"],
        input=json.dumps(job) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _of(chain: Chain) -> tuple[str, ...]:
    return "--node", chain.node_url, "--archive", str(chain.archive), "--last", str(chain.last)


def _alone(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "scripts.bench.indexing_run", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def sheet_of(found: Mapping[tuple[str, str], Mapping[str, Any]]) -> Sheet:
    """The peer first; ratios are to it."""
    theirs = found["sqlite", PEER]
    rows = [_row(PEER, "SQLite", theirs, theirs)]
    for (database, way), told in found.items():
        if way != PEER:
            name = "SQLite" if database == "sqlite" else "PostgreSQL"
            rows.append(_row(WAYS[way], name, told, theirs))
    columns = ("", "into", "blocks/s", "ratio", "blocks/s of CPU", "ratio of CPU", "peak, MiB")
    ours = (
        f"The blocks have {theirs['extrinsic']:,} extrinsics and {theirs['event']:,} events. CPU "
        "and peak are of all processes of ours, workers included, and of neither the node nor "
        "PostgreSQL; starting workers is left out."
    )
    other = (
        f"Peer: substrate-interface {theirs['version']}, `get_block` and `get_events` of each "
        "block, a row with JSON for each extrinsic and event, a commit every 200 blocks. It "
        "verifies nothing. Ours checks hashes, links and extrinsics roots, folds the blocks into "
        "the state and keeps its history. Ratio: how many times as fast as the peer."
    )
    return Sheet(
        f"Indexing: {theirs['block']:,} blocks of the test chain",
        columns,
        tuple(rows),
        (ours, other),
    )


def _row(
    name: str, into: str, told: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[str, ...]:
    return (
        name,
        into,
        number(told["block"] / told["seconds"]),
        number(theirs["seconds"] / told["seconds"]),
        number(told["block"] / told["cpu"]),
        number(theirs["cpu"] / told["cpu"]),
        f"{told['peak'] / _MIB:.0f}",
    )


def memory_sheet(blocks: int, told: Mapping[str, Any]) -> Sheet:
    mark = blocks // MARKS
    rows = [
        (f"{mark * nth:,}", f"{resident / _MIB:.0f}")
        for nth, resident in enumerate(told["resident"], 1)
    ]
    note = (
        "A replay into SQLite of the test chain's blocks over and over, each with the header that "
        f"makes it follow the one before; {number(blocks / told['seconds'])} blocks/s. What grows "
        "is SQLite's page cache, up to 64 MiB."
    )
    return Sheet(
        f"Indexing: memory over {blocks:,} blocks",
        ("behind block", "resident, MiB"),
        tuple(rows),
        (note,),
    )


@contextmanager
def prepared(folder: Path, snapshot: bytes, blocks: int | None) -> Iterator[Chain]:
    """A node with the chain of a snapshot, and an archive of its first blocks."""
    path = folder / "snapshot"
    path.write_bytes(snapshot)
    with start_devnet(**devnet_options(load_cast()), load=path) as devnet:
        yield recorded(devnet, folder, blocks)


def recorded(devnet: Devnet, folder: Path, blocks: int | None) -> Chain:
    """An archive of the chain's first `blocks`, default all."""
    with NodeSource(devnet.url) as node:
        last = node.head().number if blocks is None else min(blocks, node.head().number)
        manifest = record(node, folder / "archive", last=BlockNumber(last))
    return Chain(devnet.url, folder / "archive", manifest.last)


def main() -> None:
    given = _arguments()
    busy = os.getloadavg()[0]
    long = given.chain / "snapshot"
    snapshot = long.read_bytes() if long.is_file() else zstandard.decompress(SNAPSHOT.read_bytes())
    blocks = given.blocks if long.is_file() else None
    with TemporaryDirectory(prefix="ibp-bench-") as name, postgres() as server:
        with prepared(Path(name), snapshot, blocks) as chain:
            found = measure(chain, server, Path(name), list(WAYS))
        sheets = [sheet_of(found)]
    if long.is_file() and given.long:
        _tell(f"memory over {given.long} blocks")
        archive = given.chain / "archive"
        told = _alone("--remember", str(given.long), "--archive", str(archive))
        sheets.append(memory_sheet(given.long, told))
    show(sheets)
    cores = os.cpu_count() or 1
    about = _ABOUT.format(cores=cores, busy=busy)
    write_part(given.out, Part.INDEXING, about, sheets, datetime.now(UTC).date())


def _tell(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench_indexing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--blocks", type=int, default=1_000)
    parser.add_argument("--chain", type=Path, default=_LONG_CHAIN)
    parser.add_argument("--long", type=int, default=100_000, help="blocks for memory; 0 for none")
    parser.add_argument("--out", type=Path, default=_DOCUMENT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
