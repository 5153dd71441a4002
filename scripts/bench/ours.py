"""Our own rates: decoding, verifying, replaying; each what a user's command runs."""

import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.blocks import Block, blake2_256
from ibp_chain.errors import CheckFailed
from ibp_chain.headers import decode_header, first_fault
from ibp_chain.networks import Network, network_of_spec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ledger.dispatch import READ_PALLETS, UNREAD_EVENTS, WATCHED_PALLETS
from ledger.indexer import replay_into
from ledger.replay import Runtimes, apply_block
from ledger.state import State
from ledger.store import Identity, Store
from scripts.bench.inputs import Chain, Format, Input
from scripts.bench.timing import Seconds, best, once, turn


class Selected(NamedTuple):
    """Which events are decoded."""

    pallets: frozenset[str] | None = None
    unread: frozenset[str] = frozenset()


EVERYTHING = Selected()
WATCHED = Selected(WATCHED_PALLETS, UNREAD_EVENTS)
"""What the ledger reads."""
GOVERNANCE = Selected(frozenset({"ConvictionVoting", "Referenda"}))

Work = Callable[[], None]
"""One pass over all of the input."""


def hashing(given: Input) -> Work:
    """blake2b-256 of each block's events: what the same bytes cost to read but once."""
    values = [sample.events for sample in given.samples]

    def run() -> None:
        for raw in values:
            blake2_256(raw)

    return run


def events(given: Input, selected: Selected = EVERYTHING) -> Work:
    """Decode every event, or those that are selected."""
    work = [(given.runtimes[sample.spec_version], sample.events) for sample in given.samples]

    def run() -> None:
        for runtime, raw in work:
            runtime.decode_events(raw, pallets=selected.pallets, unread=selected.unread)

    run()
    return run


def decoding(chain: Chain) -> Work:
    """Decode events and extrinsics of each block."""
    return lambda: _decode(chain, EVERYTHING, None)


def verifying_too(chain: Chain) -> Work:
    """`decoding`, and each header decoded and hashed and the extrinsics root recomputed.

    The work raises `CheckFailed` for a block whose hashes do not hold.
    """
    headers = _headers(chain)

    def run() -> None:
        _decode(chain, EVERYTHING, None)
        _verify(chain, headers)

    return run


def verifying_and_choosing(chain: Chain) -> Work:
    """`verifying_too`, decoded as far as the ledger reads."""
    headers = _headers(chain)

    def run() -> None:
        _decode(chain, WATCHED, READ_PALLETS)
        _verify(chain, headers)

    return run


def _headers(chain: Chain) -> list[bytes]:
    return [block.header.encoded for block in chain.blocks]


def _decode(chain: Chain, events: Selected, calls: frozenset[str] | None) -> None:
    of_spec = chain.input.runtimes
    for block in chain.blocks:
        runtime = of_spec[block.spec_version]
        runtime.decode_events(block.events, pallets=events.pallets, unread=events.unread)
        for raw in block.extrinsics:
            runtime.decode_extrinsic(raw, pallets=calls)


def _verify(chain: Chain, headers: Sequence[bytes]) -> None:
    for block, raw in zip(chain.blocks, headers, strict=True):
        header = decode_header(raw)
        anew = Block(block.hash, header, block.extrinsics, block.events, block.spec_version)
        if first_fault(anew, None) is not None:
            raise CheckFailed(f"block {block.header.number} does not hold up")


class Loading(NamedTuple):
    """What a runtime costs before its decoders run at full speed."""

    load: Seconds
    """Metadata into a runtime."""
    first: Seconds
    """What decoding takes more the first time than later: compiling what it needs."""


def loading(given: Input, key: Format, rounds: int) -> Loading:
    """First use is measured on the fewest blocks that have every event and call there is."""
    raw = given.metadata[key]
    work = given.varied(key.spec_version)
    loads, firsts, laters = [], [], []
    for _ in range(rounds):
        made: list[Runtime] = []

        def load(into: list[Runtime] = made) -> None:
            into.append(Runtime.from_metadata(raw))

        gc.collect()
        loads.append(once(load))

        def run(runtime: Runtime = made[0]) -> None:
            for sample in work:
                runtime.decode_events(sample.events)
                for extrinsic in sample.extrinsics:
                    runtime.decode_extrinsic(extrinsic)

        firsts.append(once(run))
        laters.append(turn(run)())
    first, later = best(firsts), best(laters)
    return Loading(best(loads), Seconds(first.cpu - later.cpu, first.wall - later.wall))


def verifying(chain: Chain) -> Work:
    """`ibp archive verify`."""

    def run() -> None:
        verify(chain.folder)

    return run


def folding(chain: Chain) -> Work:
    """The ledger's state from blocks that are in memory and verified."""
    of_spec = chain.input.runtimes.__getitem__
    return lambda: _fold(chain.blocks, of_spec, _network(chain))


def replaying(chain: Chain) -> Work:
    """The ledger's state in memory, from the archive's files: read, verified, folded."""

    def run() -> None:
        source = ArchiveSource(chain.folder)
        _fold(source.blocks(source.first()), runtimes(source), _network(chain))

    return run


def replaying_into_sqlite(chain: Chain) -> Work:
    """`ibp ledger replay`: the archive's files into a new database in a temporary folder."""
    identity = Identity(_network(chain).name, chain.source.genesis_hash)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = ArchiveSource(chain.folder)
            with Store(f"sqlite:///{folder}/ledger.sqlite", identity) as store:
                replay_into(store, source, runtimes(source))

    return run


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
