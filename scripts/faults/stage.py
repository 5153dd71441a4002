"""The chain that is followed: the programme's whole play, saved, and blocks made while it runs.

    python -m scripts.faults.stage

plays it again and writes the snapshot anew, which takes some minutes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from ibp_chain.files import write_whole
from ibp_chain.node import to_hex
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario.play import devnet_options, load_cast, play
from tests.support.delegators import Delegators

SNAPSHOT = Path(__file__).with_name("programme.snapshot.zst")
LAG = 2
"""Blocks between the best head and the finalised one."""


@dataclass(frozen=True)
class Stage:
    """A chain with members, votes and payouts, and people who go on voting."""

    devnet: Devnet
    node: NodeSource
    delegators: Delegators

    def busy_blocks(self, count: int) -> None:
        for _ in range(count):
            self.delegators.block()

    def final_hashes(self, known: list[str]) -> list[str]:
        """`known`, the first of them, and those that have become final since, 0x hex."""
        head = self.node.head()
        if known and known[-1] == to_hex(head.hash):
            return known
        after = 0
        if known:
            after = self.node.header(Hash(bytes.fromhex(known[-1][2:]))).number
        blocks = self.node.blocks(BlockNumber(after + 1), head.number)
        return [*known, *(to_hex(block.hash) for block in blocks)]

    def reorganise(self) -> None:
        """Everything that is not final is replaced, by fewer blocks than there were."""
        self.devnet.reorg(LAG, blocks=1)
        self.busy_blocks(2)


@contextmanager
def staged() -> Iterator[Stage]:
    """The chain, until the block ends; final up to `LAG` blocks below its head."""
    cast = load_cast()
    with TemporaryDirectory(prefix="ibp-stage-") as folder:
        path = Path(folder) / "snapshot"
        path.write_bytes(zstandard.decompress(SNAPSHOT.read_bytes()))
        with (
            start_devnet(**devnet_options(cast), finality_lag=LAG, load=path) as devnet,
            NodeSource(devnet.http_url) as node,
        ):
            signers = tuple(member.signer for member in cast.members)
            yield Stage(devnet, node, Delegators(devnet, node, signers))


def main() -> None:
    cast = load_cast()
    with TemporaryDirectory(prefix="ibp-stage-") as folder:
        path = Path(folder) / "snapshot"
        with start_devnet(**devnet_options(cast)) as devnet:
            play(devnet, cast, Path(folder), print)
            devnet.save(path)
        write_whole(SNAPSHOT, zstandard.compress(path.read_bytes(), 19))


if __name__ == "__main__":
    main()
