"""The eight Member Milestones as a rules file has them: what is shown, paid, borne and promised.

Source: seed 000. Amounts are USD. An id such as `M3.geodns-pools` names a requirement everywhere:
in evidence, in waivers, in docs/rules.md.
"""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ibp_chain.remark_bodies import Slug
from ibp_chain.validation import Strict
from ledger.program import usd
from ledger.program.fields import Amount, Count, MilestoneNumber, Positive, PpmValue
from ledger.program.law import Milestones

TASKS_OF = 7
"""The milestone that is made of tasks."""
Words = Annotated[str, Field(min_length=1, max_length=200)]
Span = Annotated[tuple[Amount, Amount], Field(strict=False)]
"""From, to."""


class _Requirement(Strict):
    id: Slug
    text: Words
    evidence: Words
    """What shows it."""


class ByEvidence(_Requirement):
    """Shown by an accepted item of evidence."""

    by: Literal["evidence"]


class ByValue(_Requirement):
    """Shown by accepted items whose values come to so much together; one without counts 1."""

    by: Literal["value"]
    least: Positive


class ByEach(_Requirement):
    """Shown by accepted items, one at least, each with a value of so much at least."""

    by: Literal["each"]
    least: Positive


class ByChains(_Requirement):
    """Shown by accepted items for each chain, values coming to so many."""

    by: Literal["chains"]
    chains: dict[Slug, Positive]


class ByLink(_Requirement):
    """Shown by an account that was linked to the member ('Sign & Verify')."""

    by: Literal["link"]


class ByLock(_Requirement):
    """Shown by the member's locks on chain, on every network of `[lock]` that was looked at."""

    by: Literal["lock"]


class ByCapacity(_Requirement):
    """Met while there is room for one more."""

    by: Literal["capacity"]


Requirement = Annotated[
    ByEvidence | ByValue | ByEach | ByChains | ByLink | ByLock | ByCapacity,
    Field(discriminator="by"),
]


class Gate(Strict):
    """The rank that must have been reached in a milestone before this one."""

    of: MilestoneNumber
    least: Positive


class Reward(Strict):
    """What a milestone brings. Validator points are claims on another programme (F12)."""

    validator_points: Count = 0
    validators: Count = 0
    """Additional ones on Polkadot."""
    once_usd: Amount | None = None
    monthly_usd: Span | None = None
    item: Slug | None = None
    """What its payment is called in a payout."""

    @model_validator(mode="after")
    def _names_what_it_pays(self) -> Self:
        if (self.item is None) != (self.once_usd is None and self.monthly_usd is None):
            raise ValueError("an item is named where something is paid, and only there")
        return self


class Cost(Strict):
    """What the member bears; nothing here is computed with."""

    adds_to: MilestoneNumber | None = None
    once_usd: Amount | None = None
    monthly_usd: Span | None = None


class Sla(Strict):
    """What the member promises from then on."""

    uptime_ppm: PpmValue | None = None
    response_below_us: Positive | None = None
    poll_minutes: Positive | None = None
    clauses: Annotated[tuple[Words, ...], Field(strict=False)] = ()
    """Beside what is polled."""


class Task(Strict):
    """One of milestone 7's tasks. USD for each month."""

    text: Words
    man_hours_usd: Amount
    other_usd: Amount
    validator_points: Count

    @property
    def monthly_usd(self) -> Decimal:
        return usd.total((self.man_hours_usd, self.other_usd))


class MilestoneRules(Strict):
    """One Member Milestone."""

    title: Words
    needs: Milestones
    rank: Gate | None = None
    tasks_least: Count = 0
    requirements: Annotated[tuple[Requirement, ...], Field(strict=False)]
    tasks: dict[Slug, Task] = Field(default_factory=dict)
    reward: Reward = Reward()
    cost: Cost = Cost()
    sla: Sla = Sla()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        ids = [requirement.id for requirement in self.requirements]
        if len(set(ids)) != len(ids):
            raise ValueError("a requirement is listed twice")
        if reserved := {"milestones", "rank", "tasks"} & set(ids):
            raise ValueError(f"{min(reserved)} names another kind of requirement")
        if self.tasks_least > len(self.tasks):
            raise ValueError("more tasks are asked for than there are")
        return self
