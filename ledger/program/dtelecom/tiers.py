"""Operator tiers: what an operator's size, uptime and stake make of its rewards.

Source: seed 003, sections 3.2 and 4.1; readings D8, D15, D31.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from ledger.program.derivation import Derived, Step, plain
from ledger.program.dtelecom.reward_rules import InstitutionalTier, TierRules


class Tier(StrEnum):
    HOBBYIST = "hobbyist"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"
    INSTITUTIONAL = "institutional"
    """Section 4.1's "Enterprise Program", named apart from section 3.2's tier."""


RULE = {
    Tier.HOBBYIST: "T1", Tier.PROFESSIONAL: "T2", Tier.ENTERPRISE: "T3", Tier.INSTITUTIONAL: "T4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """What tiers ask of an operator; uptimes and scores one to a node.

    Raises `ValueError` without a node, or with other than one uptime to a score.
    """

    uptimes: tuple[Decimal, ...]
    """Percent."""
    scores: tuple[Fraction, ...]
    regions: int
    """How many different ones its nodes are in."""
    stake_usd: Fraction
    sla_signed: bool
    certifications: frozenset[str]

    def __post_init__(self) -> None:
        if not self.uptimes or len(self.uptimes) != len(self.scores):
            raise ValueError("an operator has at least one node, each with uptime and score")

    @property
    def nodes(self) -> int:
        return len(self.uptimes)


def uptime_of(rules: TierRules, uptimes: Sequence[Decimal]) -> Fraction:
    """An operator's uptime in percent: of its worst node, or the mean (D31)."""
    exact = [Fraction(value) for value in uptimes]
    return min(exact) if rules.uptime_of == "worst" else sum(exact, Fraction()) / len(exact)


def tier_of(rules: TierRules, node_stake_usd: Fraction, standing: Standing, month: int) -> Tier:
    """The highest tier whose every requirement is met in that month of the programme (D8).

    Two nodes are Hobbyist; ten and more without the uptime or the SLA of Enterprise, Professional.
    """
    if month < rules.from_month:
        return Tier.HOBBYIST
    uptime = uptime_of(rules, standing.uptimes)
    if not shortfalls(rules.institutional, uptime, standing, month):
        return Tier.INSTITUTIONAL
    staked = standing.stake_usd >= standing.nodes * node_stake_usd
    enterprise, professional = rules.enterprise, rules.professional
    if (
        staked and standing.sla_signed and standing.nodes >= enterprise.nodes
        and uptime > enterprise.uptime_above
    ):  # fmt: skip
        return Tier.ENTERPRISE
    if staked and standing.nodes >= professional.nodes and uptime > professional.uptime_above:
        return Tier.PROFESSIONAL
    return Tier.HOBBYIST


def shortfalls(
    rules: InstitutionalTier, uptime: Fraction, standing: Standing, month: int
) -> tuple[str, ...]:
    """Which of section 4.1's "Minimum Requirements" an operator does not meet."""
    missing = sorted(set(rules.certifications) - standing.certifications)
    unmet = {
        f"month {month} is before {rules.from_month}": month < rules.from_month,
        f"{standing.nodes} of {rules.nodes} nodes": standing.nodes < rules.nodes,
        f"{standing.regions} of {rules.regions} regions": standing.regions < rules.regions,
        f"uptime {plain(uptime)} % is below {plain(rules.uptime_least)} %": uptime
        < rules.uptime_least,
        f"stake {plain(standing.stake_usd)} of {plain(rules.stake_usd)} USD": standing.stake_usd
        < rules.stake_usd,
        f"not certified: {', '.join(missing)}": bool(missing),
        "no SLA commitment": not standing.sla_signed,
    }
    return tuple(text for text, holds in unmet.items() if holds)


def tier_factor(rules: TierRules, tier: Tier, standing: Standing) -> Derived:
    """Seed: "Base rewards", "1.25x multiplier", "1.5x multiplier"; section 4.1's compensation."""
    times = {
        Tier.HOBBYIST: rules.hobbyist.times,
        Tier.PROFESSIONAL: rules.professional.times,
        Tier.ENTERPRISE: rules.enterprise.times,
    }.get(tier)
    if times is None:
        return institutional_factor(rules.institutional, standing)
    return Derived.by(RULE[tier], f"tier {tier}", Fraction(times))


def institutional_factor(rules: InstitutionalTier, standing: Standing) -> Derived:
    """Seed: "Base: 1.5x", "Volume Bonuses: Up to 2.5x", "Performance Bonuses: Additional 25%".

    D15: volume raises the base towards its bound with the number of nodes; performance multiplies.
    """
    grown = Fraction(standing.nodes - rules.nodes, rules.volume_nodes - rules.nodes)
    grown = min(max(grown, Fraction()), Fraction(1))
    low, high = Fraction(rules.times), Fraction(rules.volume_times)
    volume = Step(
        "T4",
        f"{standing.nodes} nodes: {plain(low)} + {plain(high - low)} * {plain(grown)}",
        low + (high - low) * grown,
    )
    if min(standing.scores) < rules.performance_score:
        return Derived.by("T4", "tier institutional", volume.value, volume)
    bonus = 1 + Fraction(rules.performance)
    least = plain(rules.performance_score)
    text = f"every score at least {least}: {plain(volume.value)} * {plain(bonus)}"
    return Derived.by("T4", text, Fraction(volume.value) * bonus, volume)
