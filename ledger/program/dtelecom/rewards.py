"""What a node's month earns: factors, their cap, reductions, staking yield and bonuses.

Source: seed 003, sections 2.2 and "Operator Economics"; readings D7, D11, D12, D13, D18, D19.
The formula (D7): base * min(quality * tier * best incentive, cap) * reductions, and what is added.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from ibp_chain.errors import InputError
from ledger.program.derivation import Derived, Exact, Step, plain
from ledger.program.dtelecom.discipline_rules import StakingRules
from ledger.program.dtelecom.fields import Range
from ledger.program.dtelecom.reward_rules import RewardRules

MONTHS = 12


class RewardError(InputError):
    """A month that the rules do not allow to be paid."""


def quality_factor(rules: RewardRules, score: Fraction) -> Step:
    """Seed: "Reward Multipliers": by the score's band, nothing below them (D2, D3)."""
    for band in rules.multipliers:
        if score >= band.at_least:
            text = f"score {plain(score)} is at least {plain(band.at_least)}"
            return Step("R1", text, Fraction(band.times))
    text = f"score {plain(score)} is below every band; a warning"
    return Step("R1", text, Fraction(rules.below_bands))


def incentive_factor(rules: RewardRules, incentives: Sequence[Step]) -> Derived:
    """The best of region, genesis and node type, or their product (D7); 1 where there is none."""
    if not incentives:
        return Derived.by("R2", "no incentive", 1)
    shown = ", ".join(plain(step.value) for step in incentives)
    values = [Fraction(step.value) for step in incentives]
    if rules.incentives == "best":
        return Derived.by("R2", f"best of {shown}", max(values), *incentives)
    product = Fraction(1)
    for value in values:
        product *= value
    return Derived.by("R2", f"all of {shown}", product, *incentives)


def multiplier(rules: RewardRules, quality: Exact, tier: Exact, incentive: Exact) -> Derived:
    """Quality, tier and incentive together, at most the cap (D7)."""
    product = Fraction(quality) * Fraction(tier) * Fraction(incentive)
    capped = min(product, Fraction(rules.multiplier_cap))
    text = f"quality {plain(quality)} * tier {plain(tier)} * incentive {plain(incentive)}"
    if capped != product:
        text += f" = {plain(product)}, capped"
    return Derived.by("R2", text, capped)


def staking_reward(rules: StakingRules, stake_usd: Exact, lock_days: int) -> Derived:
    """Seed: "Staking rewards (10% APY): $83/month": a twelfth of the year's, simple (D13).

    "Flexible (higher rewards for longer locks)": the highest rate whose lock is kept (D30).
    """
    rate = [rate for rate in rules.rates if rate.lock_days <= lock_days][-1]
    text = f"{plain(stake_usd)} * {plain(rate.apy)} / {MONTHS}"
    if rate.lock_days:
        text += f", locked for at least {rate.lock_days} days"
    return Derived.by("R4", text, Fraction(stake_usd) * Fraction(rate.apy) / MONTHS)


def bonus(bounds: Range, what: str, amount: Decimal) -> Derived:
    """Seed: "Bonuses": nothing, or an amount within the range (D19). Raises `RewardError`."""
    if amount and not bounds.low <= amount <= bounds.high:
        raise RewardError(
            f"a {what} bonus of {plain(amount)} USD is not from "
            f"{plain(bounds.low)} to {plain(bounds.high)}"
        )
    return Derived.by("R5", f"{what} bonus as awarded", amount)


def rounded(unit: Decimal, exact: Derived) -> Derived:
    """An amount in whole `unit`s, rounded down (D12): rounding never creates money."""
    step = Fraction(unit)
    value = exact.value // step * step
    if value == exact.value:
        return exact
    text = f"{plain(exact.value)} rounded down to {plain(unit)} USD"
    return Derived.by("R6", text, value, *exact.steps)
