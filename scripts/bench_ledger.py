"""A ledger over 100,000 blocks: time, memory and disk on either database, and of its backup.

    make bench-ledger BENCH="--archive FOLDER --blocks 100000"

The archive is one that `scripts.record_long_chain` made, in which nothing refers to a height. Its
blocks are taken one pass after the other, each with the header that makes it follow the one
before: what is measured is a long ledger of blocks like these, not a chain. Asserts that
what is restored has the same root, and no time.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import Block, BlockRef
from ibp_chain.node import ChainInfo
from ibp_chain.runtimes import network_of, runtimes
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger.backup import back_up, restore
from ledger.check import check
from ledger.indexer import replay_into
from ledger.replay import BlockReport
from ledger.store import Identity, Store
from tests.support.postgres import postgres

_MARKS = 10
_MIB = 2**20


@dataclass(frozen=True)
class Repeated:
    """The blocks of an archive, over and over, as one chain."""

    source: ArchiveSource
    total: int

    @property
    def genesis_hash(self) -> Hash:
        return self.source.genesis_hash

    def chain(self) -> ChainInfo:
        return self.source.chain()

    def head(self) -> BlockRef:
        return BlockRef(BlockNumber(self.total), Hash(bytes(32)))

    def first(self) -> BlockNumber:
        return BlockNumber(1)

    def metadata(self, spec_version: SpecVersion) -> bytes:
        return self.source.metadata(spec_version)

    def metadata_v14(self, spec_version: SpecVersion) -> bytes:
        return self.source.metadata_v14(spec_version)

    def blocks(self, first: BlockNumber, last: BlockNumber | None = None) -> Iterator[Block]:
        assert first == 1, "a ledger that is new"
        number, parent, end = 0, self.genesis_hash, last or self.total
        while True:
            for block in self.source.blocks(self.source.first()):
                number += 1
                header = replace(block.header, parent_hash=parent, number=BlockNumber(number))
                parent = header.hash
                yield replace(block, header=header, hash=parent)
                if number == end:
                    return


@dataclass(frozen=True)
class Taken:
    """How long something took."""

    what: str
    seconds: float
    cpu: float

    def __str__(self) -> str:
        return f"| {self.what} | {self.seconds:.1f} | {self.cpu:.1f} |"


def timed(what: str, work: Callable[[], object]) -> Taken:
    clock, cpu = time.monotonic(), time.process_time()
    work()
    return Taken(what, time.monotonic() - clock, time.process_time() - cpu)


def measure(source: Repeated, url: str, folder: Path, empty: str) -> Iterator[Taken | str]:
    """Replay, check, backup and restore; then what the memory was along the way."""
    rss: list[int] = []
    mark = source.total // _MARKS

    def heard(report: BlockReport) -> None:
        if report.ref.number % mark == 0:
            rss.append(_resident())

    def fill() -> None:
        runtime_of = runtimes(source)
        identity = Identity(network_of(source.source, runtime_of).name, source.genesis_hash)
        with Store(url, identity) as store:
            replay_into(store, source, runtime_of, heard=heard)

    path = folder / "ledger.backup"
    yield timed("replay", fill)
    yield timed("check", lambda: check(url))
    yield timed("backup", lambda: back_up(url, path))
    yield timed("restore, with its check", lambda: restore(path, empty))
    assert check(url) == check(empty), "what was restored is the same"
    yield f"backup: {path.stat().st_size / source.total:.0f} bytes a block"
    yield f"resident at each tenth, MiB: {', '.join(map(str, rss))}"
    path.unlink()


def _resident() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (each for each in status if each.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 // _MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--blocks", type=int, default=100_000)
    arguments = parser.parse_args()
    source = Repeated(ArchiveSource(arguments.archive), arguments.blocks)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ibp-bench-")))
        file, other = folder / "ledger.db", folder / "restored.db"
        print("\n| SQLite | seconds | of them CPU of the process |\n|---|---:|---:|")
        for line in measure(source, f"sqlite:///{file}", folder, f"sqlite:///{other}"):
            print(line, flush=True)
        print(f"disk: {file.stat().st_size / source.total:.0f} bytes a block")
        server = stack.enter_context(postgres())
        name, restored = server.create(), server.create()
        print("\n| PostgreSQL | seconds | of them CPU of the process |\n|---|---:|---:|")
        for line in measure(source, server.url(name), folder, server.url(restored)):
            print(line, flush=True)
        with server.connect(name) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            empty = connection.execute(
                "SELECT pg_database_size(oid) FROM pg_database WHERE datname = 'template0'"
            ).fetchone()
        assert row is not None
        assert empty is not None
        print(f"disk: {(row[0] - empty[0]) / source.total:.0f} bytes a block")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\npeak of the process: {peak} MiB")


if __name__ == "__main__":
    main()
