"""Our own rates: decoding, verifying, replaying; each what a user's command runs."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.blocks import Block, blake2_256
from ibp_chain.errors import CheckFailed
from ibp_chain.headers import decode_header, first_fault
from ibp_chain.networks import Network, network_of_spec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ledger.indexer import replay_into
from ledger.replay import Runtimes, apply_block
from ledger.state import State
from ledger.store import Identity, Store
from scripts.bench.inputs import Chain, Format, Input
from scripts.bench.timing import Seconds, best, measured, once

GOVERNANCE = frozenset({"ConvictionVoting", "Referenda"})


def hashing(given: Input, rounds: int) -> Seconds:
    """blake2b-256 of each block's events: what the same bytes cost to read but once."""
    values = [sample.events for sample in given.samples]

    def run() -> None:
        for raw in values:
            blake2_256(raw)

    return measured(run, rounds)


def events(given: Input, pallets: frozenset[str] | None, rounds: int) -> Seconds:
    """Decode every event, or those of `pallets` alone."""
    work = [(given.runtimes[sample.spec_version], sample.events) for sample in given.samples]

    def run() -> None:
        for runtime, raw in work:
            runtime.decode_events(raw, pallets=pallets)

    run()
    return measured(run, rounds)


def whole_blocks(chain: Chain, rounds: int) -> tuple[Seconds, Seconds]:
    """Decode events and extrinsics of each block; then the same, verified besides: the header
    decoded and hashed, the extrinsics root recomputed.
    """
    of_spec = chain.input.runtimes
    work = [(of_spec[block.spec_version], block, block.header.encoded) for block in chain.blocks]

    def unverified() -> None:
        for runtime, block, _ in work:
            _decode(runtime, block)

    def verified() -> None:
        for runtime, block, raw in work:
            _decode(runtime, block)
            again = Block(
                block.hash, decode_header(raw), block.extrinsics, block.events, block.spec_version
            )
            if first_fault(again, None) is not None:
                raise CheckFailed(f"block {block.header.number} does not hold up")

    return measured(unverified, rounds), measured(verified, rounds)


def _decode(runtime: Runtime, block: Block) -> None:
    runtime.decode_events(block.events)
    for raw in block.extrinsics:
        runtime.decode_extrinsic(raw)


def loading(given: Input, key: Format, rounds: int) -> tuple[Seconds, Seconds]:
    """Metadata into a runtime; and what the first pass over all its blocks takes more than a later
    one, which is compiling the decoders that they need.
    """
    raw = given.metadata[key]
    work = [sample for sample in given.samples if sample.spec_version == key.spec_version]
    loads, firsts = [], []
    for _ in range(max(rounds, 2)):
        made: list[Runtime] = []
        loads.append(once(lambda made=made: made.append(Runtime.from_metadata(raw))))

        def run(runtime: Runtime = made[0]) -> None:
            for sample in work:
                runtime.decode_events(sample.events)
                for extrinsic in sample.extrinsics:
                    runtime.decode_extrinsic(extrinsic)

        first, later = once(run), measured(run, 1)
        firsts.append(Seconds(max(first.cpu - later.cpu, 0), max(first.wall - later.wall, 0)))
    return best(loads), best(firsts)


def verifying(chain: Chain, rounds: int) -> Seconds:
    """`ibp archive verify`."""
    return measured(lambda: verify(chain.folder), rounds)


def folding(chain: Chain, rounds: int) -> Seconds:
    """The ledger's state from blocks that are in memory and verified."""
    of_spec = chain.input.runtimes.__getitem__
    return measured(lambda: _fold(chain.blocks, of_spec, _network(chain)), rounds)


def replaying(chain: Chain, rounds: int) -> Seconds:
    """The ledger's state in memory, from the archive's files: read, verified, folded."""

    def run() -> None:
        source = ArchiveSource(chain.folder)
        _fold(source.blocks(source.first()), runtimes(source), _network(chain))

    return measured(run, rounds)


def replaying_into_sqlite(chain: Chain, rounds: int) -> Seconds:
    """`ibp ledger replay`: the archive's files into a new database in a temporary folder."""
    identity = Identity(_network(chain).name, chain.source.genesis_hash)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = ArchiveSource(chain.folder)
            with Store(f"sqlite:///{folder}/ledger.sqlite", identity) as store:
                replay_into(store, source, runtimes(source))

    return measured(run, rounds)


def _fold(blocks: Iterable[Block], of_spec: Runtimes, network: Network) -> None:
    state = State(network)
    for block in blocks:
        apply_block(state, block, of_spec(block.spec_version))


def _network(chain: Chain) -> Network:
    (name,) = {runtime.spec_name for runtime in chain.input.runtimes.values()}
    return network_of_spec(name)


def peak_memory(folder: Path, first: int, last: int) -> int | None:
    """Bytes that a process of its own held at most to read, verify and decode these blocks.

    None where the system does not tell.
    """
    command = [sys.executable, "-m", "scripts.bench.stream", str(folder), str(first), str(last)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: int | None = json.loads(answer)
    return found
