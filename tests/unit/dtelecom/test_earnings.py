"""A month as a whole: the seed's example to the dollar, and how the clauses meet."""

import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from ledger.program.derivation import explain
from ledger.program.dtelecom.document import OperatorMonth
from ledger.program.dtelecom.earnings import Earnings, Item, earnings
from ledger.program.dtelecom.rewards import RewardError
from ledger.program.dtelecom.tiers import Tier
from tests.support.dtelecom import (
    HIGH,
    LAW,
    LOW,
    SCORE_87,
    example,
    law,
    measures_part,
    month,
    node,
)


def paid(found: Earnings) -> dict[str, int]:
    """Of an operator with one node."""
    return {line.item.value: int(line.usd) for line in found.lines}


def service(found: OperatorMonth) -> Fraction:
    """What the first node's service earned, exactly."""
    (line, *_) = (line for line in earnings(LAW, found).lines if line.item is Item.SERVICE)
    return line.exact


def test_the_lower_end_of_the_seeds_example_is_1083() -> None:
    """Operator Economics: 500 x 1.5 = 750, + 83 + 100 + 50 + 100 = 1,083."""
    found = earnings(LAW, example(*LOW))
    assert paid(found) == {
        "service": 750, "staking": 83, "geographic": 100, "uptime": 50, "traffic": 100,
    }  # fmt: skip
    assert found.total == 1083
    assert found.tier is Tier.HOBBYIST


def test_the_upper_end_of_the_seeds_example_is_4783() -> None:
    """Operator Economics: 2,000 x 1.5 = 3,000, + 83 + 500 + 200 + 1,000 = 4,783."""
    found = earnings(LAW, example(*HIGH))
    assert paid(found) == {
        "service": 3000, "staking": 83, "geographic": 500, "uptime": 200, "traffic": 1000,
    }  # fmt: skip
    assert found.total == 4783


@pytest.mark.parametrize(("end", "total"), [(LOW, "1083.33"), (HIGH, "4783.33")])
def test_in_cents_the_example_has_the_third_of_a_dollar_that_the_seed_left_out(
    end: tuple[str, str, str, str], total: str
) -> None:
    """D12: the unit is a parameter."""
    cents = law(('unit_usd = "1"', 'unit_usd = "0.01"'))
    assert earnings(cents, example(*end)).total == Decimal(total)


def test_what_rounding_left_is_named() -> None:
    """D12: rounding never creates money, and loses none unseen."""
    found = earnings(LAW, example(*LOW))
    assert found.remainder == Fraction(1, 3)
    exact = sum(line.exact for line in found.lines)
    assert exact == Fraction(found.total) + found.remainder


def test_every_number_of_the_example_is_explained() -> None:
    found = earnings(LAW, example(*LOW))
    lines = [text for line in found.lines for text in explain(line.steps)]
    for expected in (
        "R1   score 87 is at least 80 = 1.5",
        "R2   quality 1.5 * tier 1 * incentive 1 = 1.5",
        "R0   base 500 * 1.5 = 750",
        "R4  10000 * 0.1 / 12 = 250/3",
        "R6  250/3 rounded down to 1 USD = 83",
    ):
        assert expected in lines
    assert explain([found.total_step]) == ("R6  750 + 83 + 100 + 50 + 100 = 1083",)


def test_every_line_ends_in_the_amount_that_is_paid() -> None:
    for line in earnings(LAW, month(node(base_usd="333.33"), node("node-2"))).lines:
        assert line.steps[-1].value == line.usd


def test_a_professional_operator_earns_a_quarter_more() -> None:
    """3.2 "1.25x multiplier", on top of quality (D7)."""
    three = [node(f"node-{k}", measures=SCORE_87) for k in range(3)]
    found = earnings(LAW, month(*three))
    assert found.tier is Tier.PROFESSIONAL
    assert found.lines[0].exact == 500 * Fraction("1.5") * Fraction("1.25")


@pytest.mark.parametrize(
    ("changes", "document", "times"),
    [
        ({"region": "africa"}, {}, "2"),
        ({}, {"genesis_since": "2026-01", "programme_month": 1}, "2"),
        ({}, {"genesis_since": "2025-07"}, "1"),
        ({"region": "africa"}, {"genesis_since": "2026-01"}, "2"),
        ({"type": "hub"}, {"programme_month": 25}, "2"),
        ({"type": "edge", "region": "africa"}, {"programme_month": 25}, "2"),
        ({"type": "edge", "region": "oceania"}, {"programme_month": 25}, "1.5"),
    ],
)  # fmt: skip
def test_of_region_genesis_and_node_type_the_best_counts(
    changes: dict[str, Any], document: dict[str, Any], times: str
) -> None:
    """1.1 "2x", 3.1 "1.5-2x", 4.2 "2x", "1.5x" (D7)."""
    middling = node(measures=measures_part(uptime="98", latency_ms="90", loss="1"), **changes)
    found = earnings(law(('uptime_reduction = "0.10"', 'uptime_reduction = "0.00"')),
                     month(middling, **document))  # fmt: skip
    quality = 1
    assert 70 <= found.scores["node-1"].total < 80
    assert found.lines[0].exact == 500 * quality * Fraction(times)


def test_all_multipliers_together_are_capped_at_four() -> None:
    """D7: 2 * 1.5 * 2 would be 6."""
    ten = [node(f"node-{k}", region="africa") for k in range(10)]
    found = earnings(LAW, month(*ten, sla_signed=True))
    assert found.tier is Tier.ENTERPRISE
    assert found.lines[0].exact == 500 * 4


def test_a_score_below_sixty_earns_no_service_and_warns() -> None:
    """2.2 "Score <60: Warning, potential removal" (D3)."""
    poor = measures_part(uptime="97", latency_ms="400", loss="5", bandwidth_mbps="100")
    found = earnings(LAW, month(node(measures=poor)))
    assert found.lines[0].usd == 0
    assert paid(found)["staking"] == 83
    assert any("a case is due (R1" in warning for warning in found.warnings)


def test_reductions_of_several_violations_multiply() -> None:
    """2.3 "10%", "5%", "20%" (D11)."""
    bad = measures_part(uptime="98.99", latency_ms="100", patches_current=False)
    assert service(month(node(base_usd="1000", measures=bad))) == Fraction(
        1000 * Fraction("1.5") * Fraction("0.684")
    )


def test_reductions_touch_the_service_and_nothing_else() -> None:
    """2.3 "reward reduction" (D18)."""
    slow = node(measures=measures_part(latency_ms="100"), bonuses={"uptime": "50"})
    assert paid(earnings(LAW, month(slow))) == {"service": 950, "staking": 83, "uptime": 50}


@pytest.mark.parametrize(
    ("remedied", "service_usd"),
    [("2026-01-13T00:00:00Z", 1000), ("2026-01-13T00:00:01Z", 950), (None, 950)],
)
def test_a_violation_fixed_in_time_costs_nothing(remedied: str | None, service_usd: int) -> None:
    """2.3 "Remedy: Fix within grace period (24-72 hours)"."""
    report = {"kind": "slow", "detected": "2026-01-10T00:00:00Z"}
    if remedied:
        report["remedied"] = remedied
    slow = node(measures=measures_part(latency_ms="100"), violations=[report])
    assert service(month(slow)) == service_usd


def test_one_late_remedy_of_two_costs() -> None:
    """2.3 "Remedy: Fix within grace period (24-72 hours)"."""
    reports = [
        {"kind": "slow", "detected": "2026-01-02T00:00:00Z", "remedied": "2026-01-03T00:00:00Z"},
        {"kind": "slow", "detected": "2026-01-10T00:00:00Z", "remedied": "2026-01-20T00:00:00Z"},
    ]
    assert service(month(node(violations=reports[:1]))) == 1000
    assert service(month(node(violations=reports))) == 950


def test_a_violation_of_the_last_days_is_within_its_grace_still() -> None:
    """2.3 "grace period (24-72 hours)"."""
    report = {"kind": "outdated", "detected": "2026-01-30T00:00:00Z"}
    assert service(month(node(violations=[report]))) == 1000


def test_a_wrong_configuration_is_only_a_warning() -> None:
    """2.3 "Minor configuration issues: Warning"."""
    report = {"kind": "configuration", "detected": "2026-01-01T00:00:00Z"}
    found = earnings(LAW, month(node(violations=[report])))
    assert found.lines[0].exact == 1000
    assert found.warnings == ("node-1: configuration: minor violation (P4)",)


def test_uptime_below_95_calls_for_a_case() -> None:
    """2.3 "Uptime <95%: 1-5% stake slash"."""
    found = earnings(LAW, month(node(measures=measures_part(uptime="94"))))
    assert found.warnings == ("node-1: uptime 94 %: a case is due that may slash (P6)",)


def test_days_of_a_reward_reduction_cost_their_share() -> None:
    """2.3 "Reward reduction (30 days)" (D28)."""
    assert service(month(node(reduced_days=31))) == 800
    assert service(month(node(reduced_days=1))) == 1000 * (1 - Fraction(1, 5) / 31)


def test_a_genesis_operators_reduced_stake_is_enough_while_it_is_one() -> None:
    """1.1 "Reduced staking requirements (initial)" (D16)."""
    half = law(('stake_share = "1.00"', 'stake_share = "0.50"'))
    assert earnings(half, month(node(stake_usd="5000"), genesis_since="2026-01")).warnings == ()
    late = earnings(half, month(node(stake_usd="5000"), genesis_since="2025-07"))
    assert late.warnings == ("node-1: stake 5000 of 10000 USD (S1)",)


def test_a_stake_below_the_standard_is_noted() -> None:
    """Staking, "~$10,000 worth of $DTEL"."""
    found = earnings(LAW, month(node(stake_usd="9999")))
    assert found.warnings == ("node-1: stake 9999 of 10000 USD (S1)",)


def test_before_quality_control_begins_nothing_is_scored_or_reduced() -> None:
    """Phase 2, "Months 7-12" (D17)."""
    bad = node(measures=measures_part(uptime="96", latency_ms="500"))
    found = earnings(LAW, month(bad, programme_month=6))
    assert found.lines[0].exact == 500
    assert found.warnings == ()


def test_use_of_a_specialised_node_is_a_line_of_its_own() -> None:
    """4.2 "Storage-based rewards" (D32)."""
    rated = law(('recording_gb_month_usd = "0.00"', 'recording_gb_month_usd = "0.02"'))
    found = earnings(rated, month(node(type="recording", used="5000"), programme_month=25))
    assert paid(found) == {"service": 1000, "staking": 83, "usage": 100}


def test_a_bonus_out_of_its_range_is_refused() -> None:
    """Operator Economics, "Geographic bonus: $100-500" (D19)."""
    with pytest.raises(RewardError, match="geographic bonus of 501"):
        earnings(LAW, month(node(bonuses={"geographic": "501"})))


def test_the_order_of_nodes_changes_nothing() -> None:
    nodes = [node(f"node-{k}", base_usd=str(100 + k)) for k in range(12)]
    shuffled = nodes[:]
    random.Random(3).shuffle(shuffled)
    assert earnings(LAW, month(*nodes)) == earnings(LAW, month(*shuffled))
