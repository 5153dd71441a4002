"""Rates on the bundled recording, ours beside scalecodec's in the same run.

    make bench

Prints, asserts nothing: a machine is fast or slow. Each rate is the best of `ROUNDS`.
"""

import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from importlib import resources
from pathlib import Path

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.blocks import Block
from ibp_chain.cli.output import console, row, table
from ibp_chain.networks import network_of_spec
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.runtimes import runtimes
from ledger.replay import apply_block
from ledger.state import State

ROUNDS = 5


def main() -> None:
    with resources.as_file(resources.files("ibp_chain") / "data" / "demo" / "archive") as folder:
        _run(folder)


def _run(folder: Path) -> None:
    source = ArchiveSource(folder)
    blocks, runtime_of = list(source.blocks(source.first())), runtimes(source)
    (spec_version,) = {block.spec_version for block in blocks}
    runtime, peer = runtime_of(spec_version), PeerCodec(source.metadata_v14(spec_version))
    events = sum(len(runtime.decode_events(block.events)) for block in blocks)
    size = sum(len(block.events) for block in blocks)

    def fold() -> None:
        state = State(network_of_spec(runtime.spec_name))
        for block in blocks:
            apply_block(state, block, runtime)

    ours = best(lambda: each(blocks, lambda block: runtime.decode_events(block.events)))
    theirs = best(lambda: each(blocks, lambda block: peer.decode_events(block.events)))
    hashing = best(lambda: each(blocks, lambda block: blake2b(block.events).digest()))
    view = table(
        f"{len(blocks)} blocks, {events} events in {size:,} bytes; best of {ROUNDS}",
        "what", "seconds", "per second", "ratio",
        right=("seconds", "per second", "ratio"),
    )  # fmt: skip
    row(view, "events, ours", f"{ours:.4f}", f"{events / ours:,.0f}", f"{theirs / ours:.1f}")
    row(view, "events, scalecodec", f"{theirs:.4f}", f"{events / theirs:,.0f}", "1.0")
    row(view, "same bytes, blake2b", f"{hashing:.4f}", "", f"{theirs / hashing:.0f}")
    checked, folded = best(lambda: verify(folder)), best(fold)
    row(view, "blocks verified", f"{checked:.4f}", f"{len(blocks) / checked:,.0f}", "")
    row(view, "blocks replayed", f"{folded:.4f}", f"{len(blocks) / folded:,.0f}", "")
    console.print(view)


def each(blocks: Iterable[Block], do: Callable[[Block], object]) -> None:
    for block in blocks:
        do(block)


def best(do: Callable[[], object]) -> float:
    """Seconds of the fastest of `ROUNDS` runs."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        do()
        taken.append(time.perf_counter() - started)
    return min(taken)


if __name__ == "__main__":
    main()
