"""Fill a ledger from far behind: blocks become facts anywhere, and are applied in one place.

Workers read, verify and decode ranges (`ledger.backfill_ranges`); one applier takes their facts
over in order, checks that each block names the one before as its parent, and commits in batches,
as `ledger.indexer` does. So the same blocks give the same rows, however many workers there were
and whatever became of them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from ibp_chain.errors import IbpError, InputError, SourceError
from ibp_chain.runtimes import check_version, runtimes
from ibp_chain.state_excerpt import Excerpt
from ibp_chain.types import BlockNumber, SpecVersion
from ledger.backfill_ranges import (
    BadRange,
    Gathered,
    Quarry,
    Range,
    Refusal,
    gather_range,
    versions,
)
from ledger.facts import unpack
from ledger.indexer import replay_into
from ledger.replay import BlockReport, apply_facts
from ledger.state import State
from ledger.store import Store

DEFAULT_BATCH = 500
Crew: TypeAlias = Callable[[Iterable[Range]], Iterator[Gathered]]
"""Does ranges, and hands out what came of them in their order; raises what `refused` makes."""


def alone(network_name: str) -> Crew:
    """Does one range after the other, in this process."""
    mine = versions()

    def crew(parts: Iterable[Range]) -> Iterator[Gathered]:
        for part in parts:
            result = gather_range(part, network_name, mine)
            if isinstance(result, Refusal):
                raise refused(result)
            yield result

    return crew


def refused(refusal: Refusal) -> IbpError:
    """The error that a refusal is to whoever runs the backfill."""
    if refusal.again:
        return SourceError(refusal.message)
    bad = refusal.exit_code == BadRange.exit_code
    return BadRange(refusal.message) if bad else InputError(refusal.message)


def backfill(
    store: Store,
    quarry: Quarry,
    crew: Crew,
    *,
    last: BlockNumber | None = None,
    batch: int = DEFAULT_BATCH,
    heard: Callable[[BlockReport], object] = lambda _: None,
    start: Excerpt | None = None,
) -> State:
    """Bring `store` from where it stands up to block `last` of the quarry, default its head.

    As `ledger.indexer.replay_into`, with the same result and the same errors, and `BadRange` where
    a range does not hold up. What was before a range that fails is committed, nothing behind it.
    """
    source = quarry.source
    runtime_of, met = runtimes(source), set[SpecVersion]()
    # begins an empty ledger and checks that these blocks go on with the one that is there
    state = replay_into(store, source, runtime_of, start=start, stop=lambda: True)
    head = store.head()
    first = source.first() if head is None else BlockNumber(max(head.number + 1, source.first()))
    end = source.head().number if last is None else last
    for gathered in _committed_first(store, crew(quarry.ranges(first, end))):
        for facts in unpack(gathered.packed):
            if facts.spec_version not in met:
                quarry.met(facts)
                met.add(facts.spec_version)
            report = apply_facts(state, facts, runtime_of(facts.spec_version))
            if not store.knows(facts.spec_version):
                version = facts.spec_version
                metadata = source.metadata_v14(version), source.metadata(version)
                for raw in metadata:
                    check_version(raw, version, "the source's metadata")
                store.collect_runtime(version, metadata)
            store.collect(state, report)
            if store.collected >= batch:
                store.commit()
            heard(report)
    store.commit()
    return state


def _committed_first(store: Store, results: Iterator[Gathered]) -> Iterator[Gathered]:
    """`results`; where they end with an error, what was applied is whole blocks, and is kept."""
    try:
        yield from results
    except IbpError:
        store.commit()
        raise
