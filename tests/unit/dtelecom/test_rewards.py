"""Seed 003: reward multipliers, stacking, staking yield, bonuses, rounding."""

from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.derivation import Derived, Step
from ledger.program.dtelecom.rewards import (
    RewardError,
    bonus,
    incentive_factor,
    multiplier,
    quality_factor,
    rounded,
    staking_reward,
)
from tests.support.dtelecom import LAW, law

REWARDS = LAW.rewards


@pytest.mark.parametrize(
    ("score", "times"),
    [
        ("100", "2"), ("90", "2"), ("89.999999", "1.5"), ("89.5", "1.5"), ("80", "1.5"),
        ("79.9", "1"), ("70", "1"), ("69.9", "0.5"), ("60", "0.5"), ("59.999", "0"), ("0", "0"),
    ],
)  # fmt: skip
def test_the_score_multiplies_the_reward_by_its_band(score: str, times: str) -> None:
    """2.2 "Reward Multipliers": 2.0x, 1.5x, 1.0x, 0.5x, "<60: Warning" (D2, D3)."""
    assert quality_factor(REWARDS, Fraction(score)).value == Fraction(times)


def test_a_score_between_two_whole_numbers_belongs_to_the_lower_band() -> None:
    """2.2 "Score 80-89": 89.5 is in it (D2)."""
    assert quality_factor(REWARDS, Fraction(179, 2)).value == Fraction("1.5")
    assert quality_factor(REWARDS, Fraction(90) - Fraction(1, 10**30)).value == Fraction("1.5")


def test_only_the_best_of_several_incentives_counts() -> None:
    """D7: region, genesis and node type do not stack."""
    steps = [Step("I1", "", Fraction(2)), Step("I3", "", Fraction(3, 2))]
    assert incentive_factor(REWARDS, steps).value == 2
    assert incentive_factor(REWARDS, []).value == 1


def test_incentives_stack_where_the_rules_say_so() -> None:
    """D7 is a parameter."""
    stacking = law(('incentives = "best"', 'incentives = "all"')).rewards
    steps = [Step("I1", "", Fraction(2)), Step("I3", "", Fraction(3, 2))]
    assert incentive_factor(stacking, steps).value == 3


def test_the_product_of_all_multipliers_is_capped() -> None:
    """D7: 2 * 1.5 * 2 = 6 is more than the cap of 4."""
    capped = multiplier(REWARDS, 2, Fraction(3, 2), 2)
    assert capped.value == 4
    assert "capped" in capped.steps[-1].text
    assert multiplier(REWARDS, Fraction(3, 2), 1, 2).value == 3


def test_the_naive_product_of_24_is_never_paid() -> None:
    """D7: 2 * 1.5 * 2 * 2 * 2."""
    assert multiplier(REWARDS, 2, Fraction(3, 2), 8).value == 4


def test_ten_percent_a_year_on_ten_thousand_is_83_a_month() -> None:
    """Operator Economics, "Staking rewards (10% APY): $83/month": simple interest (D13)."""
    yielded = staking_reward(LAW.staking, 10_000, 0)
    assert yielded.value == Fraction(250, 3)
    assert rounded(Decimal(1), yielded).value == 83


def test_a_longer_lock_earns_the_rate_that_the_rules_give_it() -> None:
    """Staking, "Lock Period: Flexible (higher rewards for longer locks)"; D30."""
    rates = 'rates = [ { lock_days = 0, apy = "0.10" } ]'
    staking = law((rates, rates.replace(" ]", ', { lock_days = 90, apy = "0.12" } ]'))).staking
    assert staking_reward(staking, 10_000, 89).value == Fraction(250, 3)
    assert staking_reward(staking, 10_000, 90).value == 100


def test_without_a_rate_for_it_a_longer_lock_earns_no_more() -> None:
    """D30: the seed names no higher rate."""
    assert staking_reward(LAW.staking, 1200, 3650).value == 10


@pytest.mark.parametrize(
    ("what", "low", "high"),
    [("geographic", "100", "500"), ("uptime", "50", "200"), ("traffic", "100", "1000")],
)
def test_a_bonus_is_nothing_or_within_its_range(what: str, low: str, high: str) -> None:
    """Operator Economics, "Bonuses": $100-500, $50-200, $100-1,000 (D19)."""
    bounds = getattr(REWARDS, f"{what}_bonus")
    for amount in (Decimal(0), Decimal(low), Decimal(high)):
        assert bonus(bounds, what, amount).value == amount
    for amount in (Decimal(low) - Decimal("0.01"), Decimal(high) + Decimal("0.01")):
        with pytest.raises(RewardError, match=what):
            bonus(bounds, what, amount)


def test_an_amount_is_rounded_down_to_whole_units_and_the_step_is_named() -> None:
    """D12."""
    exact = Derived.by("R4", "x", Fraction(250, 3))
    assert rounded(Decimal("0.01"), exact).value == Fraction("83.33")
    assert rounded(Decimal(1), exact).steps[-1].rule == "R6"
    assert rounded(Decimal(1), Derived.by("R5", "x", 50)).steps[-1].rule == "R5"
