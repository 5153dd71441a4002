"""Seed 003, sections 3.2 and 4.1: operator tiers."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.dtelecom.tiers import (
    Standing,
    Tier,
    shortfalls,
    tier_factor,
    tier_of,
    uptime_of,
)
from tests.support.dtelecom import LAW, law

TIERS = LAW.tiers
STANDARD = Fraction(10_000)


def standing(
    nodes: int,
    uptime: str = "99.99",
    *,
    regions: int = 5,
    stake: int | None = None,
    sla: bool = True,
    certified: bool = True,
    score: int = 100,
) -> Standing:
    return Standing(
        uptimes=(Decimal(uptime),) * nodes,
        scores=(Fraction(score),) * nodes,
        regions=regions,
        stake_usd=Fraction(10_000 * nodes if stake is None else stake),
        sla_signed=sla,
        certifications=frozenset({"SOC 2", "ISO 27001"} if certified else ()),
    )


def tier(found: Standing, month: int = 30) -> Tier:
    return tier_of(TIERS, STANDARD, found, month)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (1, Tier.HOBBYIST), (2, Tier.HOBBYIST), (3, Tier.PROFESSIONAL), (9, Tier.PROFESSIONAL),
        (10, Tier.ENTERPRISE), (49, Tier.ENTERPRISE), (50, Tier.INSTITUTIONAL),
    ],
)  # fmt: skip
def test_the_number_of_nodes_makes_the_tier(nodes: int, expected: Tier) -> None:
    """3.2 "Nodes: 1", "3-10", "10+"; 4.1 "50+". Two nodes are Hobbyist (D8)."""
    assert tier(standing(nodes)) is expected


def test_ten_nodes_are_enterprise_only_with_uptime_and_sla() -> None:
    """3.2 "Nodes: 3-10" and "10+" overlap (D8)."""
    assert tier(standing(10)) is Tier.ENTERPRISE
    assert tier(standing(10, sla=False)) is Tier.PROFESSIONAL
    assert tier(standing(10, "99.9")) is Tier.PROFESSIONAL


def test_many_nodes_without_an_sla_are_professional() -> None:
    """3.2 "SLA commitment"; D8."""
    assert tier(standing(60, sla=False)) is Tier.PROFESSIONAL


@pytest.mark.parametrize(
    ("nodes", "uptime", "expected"),
    [
        (3, "99.5", Tier.HOBBYIST), (3, "99.50001", Tier.PROFESSIONAL),
        (12, "99.9", Tier.PROFESSIONAL), (12, "99.90001", Tier.ENTERPRISE),
        (50, "99.95", Tier.INSTITUTIONAL), (50, "99.94999", Tier.ENTERPRISE),
    ],
)  # fmt: skip
def test_uptime_must_be_above_what_the_tier_asks(nodes: int, uptime: str, expected: Tier) -> None:
    """3.2 "Uptime: >99.5%", ">99.9%"; 4.1 "Uptime SLA: 99.95%" is met by 99.95."""
    assert tier(standing(nodes, uptime)) is expected


def test_each_node_needs_the_standard_stake() -> None:
    """3.2 "Stake: 3-10x standard", "10x+ standard"."""
    assert tier(standing(3, stake=30_000)) is Tier.PROFESSIONAL
    assert tier(standing(3, stake=29_999)) is Tier.HOBBYIST
    assert tier(standing(12, stake=119_999)) is Tier.HOBBYIST


def test_the_worst_node_decides_unless_the_rules_take_the_mean() -> None:
    """D31."""
    uptimes = [Decimal(100), Decimal(100), Decimal(97)]
    assert uptime_of(TIERS, uptimes) == 97
    mean = law(('uptime_of = "worst"', 'uptime_of = "mean"')).tiers
    assert uptime_of(mean, uptimes) == 99


def test_tiers_begin_with_their_phase() -> None:
    """Phase 3, "Months 13-24"; Phase 4, "Months 25-36" (D17)."""
    assert tier(standing(60), 12) is Tier.HOBBYIST
    assert tier(standing(60), 13) is Tier.ENTERPRISE
    assert tier(standing(60), 25) is Tier.INSTITUTIONAL


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (standing(49, stake=500_000), "49 of 50 nodes"),
        (standing(50, regions=4), "4 of 5 regions"),
        (standing(50, "99.9"), "uptime 99.9 % is below 99.95 %"),
        (standing(50, stake=499_999), "stake 499999 of 500000 USD"),
        (standing(50, certified=False), "not certified: ISO 27001, SOC 2"),
        (standing(50, sla=False), "no SLA commitment"),
    ],
)  # fmt: skip
def test_the_institutional_programme_names_what_is_missing(found: Standing, missing: str) -> None:
    """4.1 "Minimum Requirements"."""
    uptime = uptime_of(TIERS, found.uptimes)
    assert shortfalls(TIERS.institutional, uptime, found, 25) == (missing,)


@pytest.mark.parametrize(
    ("name", "nodes", "times"),
    [(Tier.HOBBYIST, 1, "1"), (Tier.PROFESSIONAL, 3, "1.25"), (Tier.ENTERPRISE, 10, "1.5")],
)
def test_each_tier_has_its_multiplier(name: Tier, nodes: int, times: str) -> None:
    """3.2 "Base rewards", "1.25x multiplier", "1.5x multiplier"."""
    assert tier_factor(TIERS, name, standing(nodes)).value == Fraction(times)


@pytest.mark.parametrize(
    ("nodes", "score", "times"),
    [
        (50, 89, "1.5"), (150, 89, "2"), (250, 89, "2.5"), (9000, 89, "2.5"),
        (50, 90, "1.875"), (250, 90, "3.125"),
    ],
)  # fmt: skip
def test_volume_raises_the_base_and_performance_adds_a_quarter(
    nodes: int, score: int, times: str
) -> None:
    """4.1 "Base: 1.5x", "Volume Bonuses: Up to 2.5x", "Performance: Additional 25%" (D15)."""
    found = tier_factor(TIERS, Tier.INSTITUTIONAL, standing(nodes, score=score))
    assert found.value == Fraction(times)


def test_one_poor_node_costs_the_performance_bonus() -> None:
    """4.1 "Performance Bonuses: Additional 25%" (D15): on every node."""
    good = standing(50)
    poor = replace(good, scores=(*good.scores[1:], Fraction(89)))
    assert tier_factor(TIERS, Tier.INSTITUTIONAL, poor).value == Fraction("1.5")


def test_an_operator_without_nodes_has_no_standing() -> None:
    with pytest.raises(ValueError, match="at least one node"):
        standing(0)
