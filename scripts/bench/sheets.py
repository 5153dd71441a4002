"""Which figures are measured, and the tables that they make."""

from collections.abc import Sequence

from ledger.dispatch import WATCHED_PALLETS
from scripts.bench import ours
from scripts.bench.inputs import Chain, Input
from scripts.bench.peers import Running
from scripts.bench.report import Sheet, number, rate
from scripts.bench.timing import in_turns, turn

_PEERS = """\
`ratio` is the time taken over that of our full decoding; `hashing` the speed as a share of \
blake2b-256 over the same bytes. scalecodec and cyscale give accounts as hex here, without the \
cost of SS58. @polkadot/api is its codec, @polkadot/types. cyscale has no value decoder for \
`pallet_conviction_voting::vote::Vote`, and so none for relay chain events; for the row of its \
value decoders that type is read as the metadata has it, a number."""
_WHOLE = """\
{blocks:,} blocks with {extrinsics:,} extrinsics. No peer verifies anything, and the Python ones \
give accounts in SS58 here. substrate-interface reads each block by `get_block` and `get_events`, \
as its users do, from a transport that answers from memory, without network or JSON, its metadata \
loaded and every block read once before; it decodes the header's digest too. The row of \
scalecodec, with which it decodes, is that of the codec alone, called for each extrinsic and for \
the events. What the ledger reads leaves out the calls and events of pallets that it does not look \
at, and the values of a few events of which the name says it all."""
_FIRST_USE = """\
First use is what decoding takes more the first time than later, over blocks that have every event \
and call of the input: decoders are compiled when something first needs them."""
_STREAMED = """\
A process of its own that reads, verifies and decodes; the interpreter and all it loads are \
counted."""


def events(given: Input, peers: Sequence[Running], rounds: int) -> Sheet:
    """Decoding events: ours, the peers', and hashing."""
    full, hashing = "ours, full", "blake2b-256 alone"
    watched = f"ours, what the ledger reads ({given.count(WATCHED_PALLETS):,} chosen)"
    chosen = 0 if ours.GOVERNANCE.pallets is None else given.count(ours.GOVERNANCE.pallets)
    governance = f"ours, ConvictionVoting and Referenda ({chosen:,} chosen)"
    contestants = {
        full: turn(ours.events(given)),
        watched: turn(ours.events(given, ours.WATCHED)),
        governance: turn(ours.events(given, ours.GOVERNANCE)),
        **{peer.title: peer.events for peer in peers if not peer.whole_only},
        hashing: turn(ours.hashing(given)),
    }
    results = in_turns(contestants, rounds)
    sizes = (
        f"{len(given.samples):,} blocks, {given.events:,} events in {given.event_bytes:,} bytes. "
        "Rates count all events of the blocks, those of the pallets that are chosen as well as "
        "those that are passed over."
    )
    return Sheet(
        given.title,
        ("", "events/s", "blocks/s", "MB/s", "events/s by the clock", "ratio", "hashing"),
        tuple(
            (
                name,
                rate(given.events, taken.cpu),
                rate(len(given.samples), taken.cpu),
                number(given.event_bytes / taken.cpu / 1e6),
                rate(given.events, taken.wall),
                number(taken.cpu / results[full].cpu),
                f"{number(100 * results[hashing].cpu / taken.cpu)} %",
            )
            for name, taken in results.items()
        ),
        (sizes, _PEERS) if peers else (sizes,),
    )


def whole_blocks(chain: Chain, peers: Sequence[Running], rounds: int) -> Sheet:
    """Events and extrinsics of each block, ours verified too."""
    blocks = len(chain.blocks)
    verified = "ours, with extrinsics root, header and its hash verified"
    contestants = {
        verified: turn(ours.verifying_too(chain)),
        "ours, verified, decoded as far as the ledger reads": turn(
            ours.verifying_and_choosing(chain)
        ),
        "ours, unverified": turn(ours.decoding(chain)),
        **{peer.title: peer.whole for peer in peers},
    }
    results = in_turns(contestants, rounds)
    return Sheet(
        "Whole blocks of the test chain",
        ("events and extrinsics", "blocks/s", "blocks/s by the clock", "ratio"),
        tuple(
            (
                name,
                rate(blocks, taken.cpu),
                rate(blocks, taken.wall),
                number(taken.cpu / results[verified].cpu),
            )
            for name, taken in results.items()
        ),
        (_WHOLE.format(blocks=blocks, extrinsics=chain.input.extrinsics),),
    )


def metadata(inputs: Sequence[Input], rounds: int) -> Sheet:
    """What a new runtime costs, once for each."""
    rows = []
    for given in inputs:
        for key, raw in given.metadata.items():
            load, first = ours.loading(given, key, rounds)
            name = given.runtimes[key.spec_version].spec_name
            rows.append(
                (
                    f"{name} {key.spec_version}, V{key.version}",
                    f"{len(raw):,}",
                    number(1e3 * load.cpu),
                    number(1e3 * first.cpu),
                    number(1e3 * (load.cpu + first.cpu)),
                )
            )
    return Sheet(
        "Metadata",
        ("runtime", "bytes", "load, ms", "first use, ms", "both, ms"),
        tuple(rows),
        (_FIRST_USE,),
    )


def peers_metadata(given: Input, peers: Sequence[Running]) -> str:
    """A sentence on what the peers take to read the metadata."""
    times = ", ".join(f"{peer.name} {number(1e3 * peer.loaded)} ms" for peer in peers)
    versions = ", ".join(map(str, given.runtimes))
    return f"{given.title}, metadata V14 of {versions} read by the peers: {times}."


def ledger(chain: Chain, rounds: int) -> Sheet:
    """From the archive to the ledger."""
    blocks = len(chain.blocks)
    contestants = {
        "verify the archive": turn(ours.verifying(chain)),
        "fold blocks that are in memory": turn(ours.folding(chain)),
        "replay: read, verify, fold": turn(ours.replaying(chain)),
        "replay into SQLite": turn(ours.replaying_into_sqlite(chain)),
    }
    return Sheet(
        "From the archive to the ledger",
        ("", "blocks/s", "blocks/s by the clock"),
        tuple(
            (name, rate(blocks, taken.cpu), rate(blocks, taken.wall))
            for name, taken in in_turns(contestants, rounds).items()
        ),
        (f"{blocks:,} blocks of the test chain. A replay reads its metadata anew each time.",),
    )


def memory(chain: Chain) -> Sheet:
    """Peak memory over a quarter of the archive, and over all of it."""
    quarter = max(1, len(chain.blocks) // 4)
    rows = []
    for count in (quarter, len(chain.blocks)):
        first, last = chain.blocks[0].header.number, chain.blocks[count - 1].header.number
        peak = ours.peak_memory(chain.folder, first, last)
        rows.append((f"{count:,}", "not known" if peak is None else number(peak / 2**20)))
    return Sheet(
        "Memory while an archive streams",
        ("blocks", "peak, MiB"),
        tuple(rows),
        (_STREAMED,),
    )
