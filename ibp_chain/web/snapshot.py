"""What every answer is made from: one ledger at one block, and what was published beside it.

A snapshot never changes, so that one page is of one block whatever the follower writes meanwhile.
`ibp_chain.web.loading` makes them; here nothing is read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from ibp_chain.blocks import blake2_256
from ibp_chain.networks import Network
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ibp_chain.web.audit_file import AuditResult
from ibp_chain.web.bundle_files import Bundles
from ibp_chain.web.owed import OwedMonths, owed_months
from ibp_chain.web.scores import Scores
from ibp_chain.web.traces import Traces
from ledger.mirrors import Constants
from ledger.pallets.scores import day_date
from ledger.program.dossier import decisions_about
from ledger.program.ranks import Rank, RankKey, ranks
from ledger.program.rules import Rules
from ledger.state import Head, State
from multisig.statement import Statement

T = TypeVar("T")


class BlockFacts(NamedTuple):
    """What is known of a block besides its state."""

    hash: Hash
    timestamp_ms: int


@dataclass(frozen=True)
class Chain:
    """One chain's ledger at its head. Its state is read, never written."""

    state: State
    constants: Constants
    genesis_hash: Hash
    spec_version: SpecVersion
    timestamp_ms: int
    """Of the head's block."""

    @property
    def network(self) -> Network:
        return self.state.network

    @property
    def head(self) -> Head:
        head = self.state.head.value
        assert head is not None, "a chain without blocks is not loaded"
        return head


@dataclass(frozen=True)
class Snapshot:
    """Everything as of one block of the ledger."""

    chain: Chain
    also: tuple[Chain, ...]
    """Ledgers of other chains, for the locks there."""
    state_root: Hash
    rules: Rules
    schema_version: int
    blocks: Mapping[BlockNumber, BlockFacts]
    """Of every block that the state speaks of."""
    runtimes: tuple[tuple[SpecVersion, BlockNumber | None, tuple[int, ...]], ...]
    """Spec version, its first block, the metadata versions that are kept."""
    pending_periods: frozenset[tuple[str, str, str]]
    """(period, member, item) that open operations would pay."""
    scores: Scores
    bundles: Bundles
    audit: AuditResult | None
    traces: Traces
    """What the archive's blocks show of the bundles."""

    @property
    def state(self) -> State:
        return self.chain.state

    @property
    def network(self) -> Network:
        return self.chain.network

    @property
    def chains(self) -> tuple[Chain, ...]:
        return (self.chain, *self.also)

    def time_of(self, block: BlockNumber) -> int | None:
        """Milliseconds since 1970; None for a block from before the ledger's first."""
        facts = self.blocks.get(block)
        return None if facts is None else facts.timestamp_ms

    @cached_property
    def version(self) -> str:
        """Changes with whatever an answer could change with: what ETags are made of."""
        parts = [
            self.state_root,
            self.rules.hash,
            *(each.state.head.value.hash for each in self.also if each.state.head.value),
            *(day.root for day in self.scores.days.values()),
            repr((sorted(self.scores.missing.items()), self.scores.waiting)).encode(),
            *(blake2_256(each.bundle.encoded) for each in self.bundles.files.values()),
            repr((self.bundles.refused, self.bundles.simulations, self.audit)).encode(),
            repr([(call, each.found, each.problem) for call, each in self.traces.items()]).encode(),
        ]
        return blake2_256(b"".join(map(blake2_256, parts))).hex()[:32]

    @cached_property
    def ranks(self) -> Mapping[RankKey, Rank]:
        """Of every member and milestone that the published rows tell of."""
        since = {}
        let_off = {}
        for member, record in self.state.membership.members.items():
            time_ms = self.time_of(record.registered_at)
            if time_ms is not None:
                since[member] = day_date(time_ms // 86_400_000)
            decisions = decisions_about(self.state, member)
            for number in self.rules.rank.milestones:
                let_off[member, number] = decisions.days_let_off(number)
        rows = (
            row for day in self.scores.days.values() for own in day.points.values() for row in own
        )
        return ranks(rows, self.rules.rank, let_off=let_off, since=since)

    @cached_property
    def owed(self) -> OwedMonths:
        """The last months with standing reports, as their statements would have them."""
        return owed_months(self.chain, self.rules, self.scores, self.pending_periods)

    @cached_property
    def statements(self) -> Mapping[Hash, Statement]:
        """Those in the given bundles, by hash."""
        return {
            each.bundle.statement.hash: each.bundle.statement
            for each in self.bundles.files.values()
        }

    @cached_property
    def _worked_out(self) -> dict[str, Any]:
        return {}

    def once(self, name: str, work: "Callable[[Snapshot], T]") -> T:
        """What `work` makes of this snapshot: the first time it is asked for, and kept."""
        if name not in self._worked_out:
            self._worked_out[name] = work(self)
        found: T = self._worked_out[name]
        return found

    def warm(self) -> "Snapshot":
        """With all that takes long worked out, so that no request waits for it."""
        _ = (self.version, self.ranks, self.owed, self.statements)
        return self
