"""The programme's law beside milestones, as a rules file has it: what each table may say.

Source: seeds 000 and 001 in the readings F1 to F17 of `docs/rules.md`. Amounts are USD. A reading
that the code knows one way of is a parameter with one value, so that the hash commits to it.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ibp_chain.remark_bodies import Slug
from ibp_chain.validation import Strict
from ledger.program import usd
from ledger.program.fields import Amount, Count, MilestoneNumber, Numbered, Positive


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("something is listed twice")
    return values


Slugs = Annotated[tuple[Slug, ...], Field(strict=False), AfterValidator(_distinct)]
Milestones = Annotated[tuple[MilestoneNumber, ...], Field(strict=False)]


class MembershipRules(Strict):
    """Who is a member, and what curators may decide (F13, F14)."""

    member_from: MilestoneNumber
    waivable: bool
    override: bool


class RankRules(Strict):
    """How points add up to a rank (F4, F5)."""

    floor: Count
    clamp: Literal["daily"]
    gate: Literal["event"]
    milestones: Milestones


class LumpRules(Strict):
    """When a lump sum is returned, and its receipts are due (F8, F15)."""

    return_days: Positive
    rounding: Literal["down"]
    bound_by: Annotated[dict[int, Milestones], Numbered]
    receipts_days: Positive


class RedundancyRules(Strict):
    """Endpoints for each chain at each point of presence (F9)."""

    endpoints_per_chain: Positive
    exempt_chains: Slugs
    onboard_per_chain: Positive


class RegionRules(Strict):
    """Which regions are prioritised over which (F10)."""

    high: Slugs
    low: Slugs

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if both := set(self.high) & set(self.low):
            raise ValueError(f"{min(both)} is both high and low")
        return self


class PoolRules(Strict):
    """How many members can run a nomination pool for the treasury (F16)."""

    capacity: Count
    active_set: Positive
    capacity_doubled: Count


class SnapshotRules(Strict):
    """Which requirement whoever hosts a snapshot service has met (F10)."""

    task: Slug
    hosting_meets: Annotated[str, Field(pattern=r"^M[1-8]\.[a-z0-9-]{1,32}$")]


class ToolRules(Strict):
    """The task of milestone 7 that is paid by the hour."""

    task: Slug
    usd_per_hour: Amount


class BudgetLine(Strict):
    """One line of the treasury's budget, and the payout items that are paid from it."""

    title: Annotated[str, Field(min_length=1, max_length=64)]
    usd: Amount
    items: Slugs


class BudgetRules(Strict):
    """Seed 001: the lines add up to the total, and no item is paid from two."""

    total_usd: Amount
    multisig_threshold: Positive
    multisig_signatories: Positive
    lines: dict[Slug, BudgetLine]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = usd.total(line.usd for line in self.lines.values())
        if total != self.total_usd:
            raise ValueError(f"the lines add up to {total} USD, not {self.total_usd}")
        items = tuple(chain.from_iterable(line.items for line in self.lines.values()))
        if len(set(items)) != len(items):
            raise ValueError("an item is paid from two lines")
        if self.multisig_threshold > self.multisig_signatories:
            raise ValueError("the threshold is above the number of signatories")
        return self

    @property
    def line_of(self) -> Mapping[str, str]:
        """Payout item to the line that it is paid from."""
        return {item: name for name, line in self.lines.items() for item in line.items}
