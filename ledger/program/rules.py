"""A rules file: the whole law of a programme as data. Read once, hashed as it is.

The tables that oracles, statements and locks are made from are here; `ledger.program.law` and
`ledger.program.milestone_rules` have the others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import Slug
from ibp_chain.types import Hash, Planck
from ibp_chain.validation import Strict, parse_toml
from ledger.program.fields import Amount, Numbered, Positive, PpmValue
from ledger.program.law import (
    BudgetRules,
    LumpRules,
    MembershipRules,
    PoolRules,
    RankRules,
    RedundancyRules,
    RegionRules,
    SnapshotRules,
    ToolRules,
)
from ledger.program.milestone_rules import TASKS_OF, MilestoneRules

__all__ = ["Amount", "LockRules", "PayoutRules", "PpmValue", "Rules", "SlaTable"]
__all__ += ["load_rules", "parse_rules"]

LockedNetworks = Annotated[tuple[Literal["polkadot", "kusama", "paseo"], ...], Field(strict=False)]


class LockRules(Strict):
    """What a member keeps locked, in whole tokens by network name (F7)."""

    conviction: Literal["Locked6x"]
    polkadot: Amount
    kusama: Amount
    paseo: Amount
    together: Annotated[tuple[LockedNetworks, ...], Field(strict=False)]
    """Networks whose locks make up one promise, each network in one group."""
    capped_networks: LockedNetworks
    """Where who was accepted on good intentions locks all that it has, up to the amount."""
    periods: Positive
    period_days: Positive

    @model_validator(mode="after")
    def _groups_each_network_once(self) -> Self:
        if sorted(chain.from_iterable(self.together)) != ["kusama", "paseo", "polkadot"]:
            raise ValueError("together: each network belongs to one group")
        return self

    def required(self, network: str) -> Decimal | None:
        """Tokens required on `network`, its Asset Hub counting as the network; None: nothing."""
        amounts = {"polkadot": self.polkadot, "kusama": self.kusama, "paseo": self.paseo}
        return amounts.get(network.removesuffix("-asset-hub"))

    def networks_with(self, network: str) -> tuple[str, ...]:
        """The networks on which a member of a programme on `network` keeps locks."""
        base = network.removesuffix("-asset-hub")
        return next((group for group in self.together if base in group), ())

    def required_planck(self, network: Network) -> Planck:
        """`required` in the network's smallest unit; nothing for other networks."""
        return network.planck(self.required(network.name) or 0)


class SlaTable(Strict):
    """Scoring parameters (F1 to F6); `oracles.rules.SlaRules` gives them their meaning."""

    slow_at_us: Annotated[int, Field(gt=0)]
    slots_per_charge: Annotated[int, Field(gt=0)]
    failed_charge: Annotated[int, Field(ge=0)]
    slow_charge: Annotated[int, Field(ge=0)]
    window: Literal["runs", "aligned"]
    clean_day: Annotated[int, Field(ge=0)]
    clean_day_known_ppm: PpmValue
    chain_fault_members: Annotated[int, Field(gt=0)]


class PayoutRules(Strict):
    """What service is worth: one item, a flat amount for each month, by served days."""

    item: Slug
    usd_per_month: Amount
    served_day_ppm: PpmValue


class _RulesFile(Strict):
    version: Literal[1]
    name: str
    lock: LockRules
    sla: SlaTable
    payout: PayoutRules
    membership: MembershipRules
    rank: RankRules
    lumps: LumpRules
    redundancy: RedundancyRules
    regions: RegionRules
    pools: PoolRules
    snapshots: SnapshotRules
    tools: ToolRules
    budget: BudgetRules
    milestones: Annotated[dict[int, MilestoneRules], Numbered]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for problem in _contradictions(self):
            raise ValueError(problem)
        return self


@dataclass(frozen=True, slots=True)
class Rules:
    """A rules file and the hash of its bytes, which the `program` remark carries."""

    hash: Hash
    name: str
    lock: LockRules
    sla: SlaTable
    payout: PayoutRules
    membership: MembershipRules
    rank: RankRules
    lumps: LumpRules
    redundancy: RedundancyRules
    regions: RegionRules
    pools: PoolRules
    snapshots: SnapshotRules
    tools: ToolRules
    budget: BudgetRules
    milestones: Mapping[int, MilestoneRules]
    """1 to 8, each needing earlier ones only."""


def parse_rules(raw: bytes, where: str) -> Rules:
    """The rules in `raw`. Raises `ConfigError` naming `where` and the field."""
    table = parse_toml(_RulesFile, raw, where)
    fields = {name: getattr(table, name) for name in _RulesFile.model_fields if name != "version"}
    return Rules(blake2_256(raw), **fields)


def load_rules(path: Path | None = None) -> Rules:
    """The rules at `path`, by default those of the IBP that come with this package.

    Raises `ConfigError`.
    """
    if path is None:
        bundled = resources.files("ledger.program") / "ibp.toml"
        return parse_rules(bundled.read_bytes(), "ibp.toml")
    try:
        return parse_rules(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"rules file {path}: {error.strerror}") from error


# --- Internals ----------------------------------------------------------------------


def _contradictions(table: _RulesFile) -> Iterator[str]:
    """What one table says against another."""
    if sorted(table.milestones) != list(range(1, 9)):
        yield "milestones: 1 to 8 are expected"
        return
    paid = {table.payout.item: "payout.item"}
    for number, milestone in table.milestones.items():
        where = f"milestones.{number}"
        if any(earlier >= number for earlier in milestone.needs):
            yield f"{where}.needs: a milestone needs earlier ones only"
        if milestone.rank is not None and milestone.rank.of not in table.rank.milestones:
            yield f"{where}.rank: no rank is counted in milestone {milestone.rank.of}"
        if milestone.sla.response_below_us not in {None, table.sla.slow_at_us}:
            yield f"{where}.sla: a poll is slow from sla.slow_at_us on, not from another time"
        if (milestone.reward.once_usd is None) == (number in table.lumps.bound_by):
            yield f"{where}.reward: lumps.bound_by tells of each lump sum, and of no other"
        if milestone.reward.item is not None:
            paid[milestone.reward.item] = f"{where}.reward.item"
        paid |= {task: f"{where}.tasks.{task}" for task in milestone.tasks}
    tasks = table.milestones[TASKS_OF].tasks
    for task, where in ((table.snapshots.task, "snapshots"), (table.tools.task, "tools")):
        if task not in tasks:
            yield f"{where}.task: milestone {TASKS_OF} has no task {task}"
    for item, where in paid.items():
        if item not in table.budget.line_of:
            yield f"{where}: no line of the budget pays {item}"
