"""A bundle's operations beside the blocks of an archive: what each cost, moved and contradicts.

The events come from an archive, which is the only thing that is read here; what they mean is in
`multisig.block_trace`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ibp_chain.accounts import ss58_decode
from ibp_chain.archive import ArchiveSource
from ibp_chain.errors import ArchiveError
from ibp_chain.runtimes import runtimes
from ibp_chain.types import AccountId, BlockNumber, Planck
from multisig.block_trace import PALLETS, Trace, TracedBlock, disagreements, expected, trace
from multisig.bundle import Bundle
from multisig.decode import Reading
from multisig.reconcile import Reconciliation


@dataclass(frozen=True, slots=True)
class BundleTrace:
    """What the blocks show of a bundle."""

    attempts: tuple[Trace, ...]
    """One for each of the reconciliation's attempts, in their order."""
    contradictions: tuple[str, ...]
    """Where they say otherwise than the ledger or the lines do, a sentence each."""


def trace_bundle(
    bundle: Bundle, reading: Reading, result: Reconciliation, archive: ArchiveSource
) -> BundleTrace:
    """`result` is the bundle's by the ledger. Raises as reading an archive does."""
    blocks = read_blocks(archive, (at.block for each in result.attempts for at in each.positions))
    traces = tuple(trace(bundle, attempt, blocks) for attempt in result.attempts)
    return BundleTrace(traces, tuple(_contradictions(bundle, reading, result, traces)))


def read_blocks(
    archive: ArchiveSource, numbers: Iterable[BlockNumber]
) -> Mapping[BlockNumber, TracedBlock]:
    """The blocks at `numbers` with their events. Raises as reading an archive does."""
    runtime_of = runtimes(archive)
    found = {}
    for number in sorted(set(numbers)):
        block = next(archive.blocks(number, number), None)
        if block is None:
            raise ArchiveError(f"{archive.folder} has no block {number}, the ledger has")
        runtime = runtime_of(block.spec_version)
        events = runtime.decode_events(block.events, pallets=PALLETS)
        found[number] = TracedBlock(block.ref, events, runtime)
    return found


def _contradictions(
    bundle: Bundle, reading: Reading, result: Reconciliation, traces: Iterable[Trace]
) -> Iterator[str]:
    payees, names = expected(bundle, reading, _awarded(result)), _names(bundle)
    for each in traces:
        yield from disagreements(each, payees, names, bundle)


def _awarded(result: Reconciliation) -> Mapping[AccountId, Planck]:
    """What the lines' child bounties were awarded with, by payee."""
    found: Counter[AccountId] = Counter()
    for each in result.lines:
        if each.paid is not None:
            found[each.paid.payee] += each.paid.amount
    return {account: Planck(amount) for account, amount in found.items()}


def _names(bundle: Bundle) -> Mapping[AccountId, str]:
    """Whom the statement's payees belong to, for people."""
    prefix = bundle.network.ss58_prefix
    return {
        ss58_decode(line.payee, prefix): f"{line.member} ({line.payee})"
        for line in bundle.statement.lines
    }
