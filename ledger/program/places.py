"""Where members stand: redundancy at a point of presence, priority of regions, room for pools.

Source: seed 000 (milestones 2 and 8, and the paragraphs behind them), seed 002 (P3). Readings F9,
F10 and F16. Backends are counted by chain: the endpoints that a member has online for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from ibp_chain.errors import InputError
from ibp_chain.types import BlockNumber
from ledger.program.derivation import Step
from ledger.program.law import PoolRules, RedundancyRules, RegionRules


class RegionError(InputError):
    """A region that the rules say nothing of."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A chain of which a point of presence has fewer endpoints than it must."""

    pop: str
    chain: str
    found: int
    least: int

    def __str__(self) -> str:
        return f"{self.pop} has {self.found} endpoints of {self.chain}, {self.least} are required"

    @property
    def step(self) -> Step:
        text = f"{self.pop}, {self.chain}: {self.least} required - {self.found} online"
        return Step("F9", text, self.least - self.found)


def redundancy(
    pops: Mapping[str, Mapping[str, int]], chains: Iterable[str], rules: RedundancyRules
) -> tuple[Shortfall, ...]:
    """What keeps points of presence from being payable: fewer than 2 endpoints of a chain.

    `pops`: endpoints online, by point of presence and chain; a chain that is not there has none.
    Exempt chains need one (F9).
    """
    wanted = sorted(set(chains))
    return tuple(
        Shortfall(pop, chain, found, least)
        for pop, online in sorted(pops.items())
        for chain in wanted
        if (found := online.get(chain, 0)) < (least := least_endpoints(chain, rules))
    )


def least_endpoints(chain: str, rules: RedundancyRules) -> int:
    exempt = chain in rules.exempt_chains
    return rules.onboard_per_chain if exempt else rules.endpoints_per_chain


def can_be_onboarded(
    online: Mapping[str, int], chains: Iterable[str], rules: RedundancyRules
) -> bool:
    """Seed 002: at least one backend server in each and every network."""
    return all(online.get(chain, 0) >= rules.onboard_per_chain for chain in chains)


class Priority(IntEnum):
    """The lower, the sooner."""

    HIGH = 0
    LOW = 1


def priority(region: str, rules: RegionRules) -> Priority:
    """Raises `RegionError` for a region that is in neither list."""
    if region in rules.high:
        return Priority.HIGH
    if region in rules.low:
        return Priority.LOW
    known = ", ".join(sorted((*rules.high, *rules.low)))
    raise RegionError(f"the rules do not know the region {region!r}; they know {known}")


@dataclass(frozen=True, slots=True)
class Applicant:
    member: str
    region: str
    registered_at: BlockNumber


def in_turn(applicants: Iterable[Applicant], rules: RegionRules) -> tuple[Applicant, ...]:
    """Who is looked at first: high-priority regions, then who came first.

    Raises `RegionError`.
    """
    return tuple(
        sorted(applicants, key=lambda a: (priority(a.region, rules), a.registered_at, a.member))
    )


def pool_capacity(active_set: int, rules: PoolRules) -> int:
    """How many members may run a nomination pool, with so many validators in the active set."""
    doubled = active_set >= 2 * rules.active_set
    return rules.capacity_doubled if doubled else rules.capacity


def pool_room(taken: int, active_set: int, rules: PoolRules) -> Step:
    """How many more may; below zero where the set has shrunk."""
    capacity = pool_capacity(active_set, rules)
    return Step("F16", f"pools: {capacity} for an active set of {active_set} - {taken} taken",
                capacity - taken)  # fmt: skip
