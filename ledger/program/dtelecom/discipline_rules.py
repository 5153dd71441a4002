"""The tables of what a violation costs, and of what is staked.

Source: seed 003; rule ids and readings: docs/rules-dtelecom.md. Units: US dollars; shares are parts
of 1; uptime, loss and rates are percents. A reading that the code knows one way of is a parameter
with one value, so that the hash commits to it.
"""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ibp_chain.validation import Strict
from ledger.program.dtelecom.fields import Month, Percent, PositiveAmount, Share, ShareRange
from ledger.program.fields import Count

# --- Violations ---------------------------------------------------------------------------


class MinorRules(Strict):
    """P1 to P5: what a minor violation takes off the reward, and the time to remedy it."""

    from_month: Month
    uptime_low: Percent
    uptime_high: Percent
    uptime_reduction: Share
    slow_at_ms: PositiveAmount
    slow_reduction: Share
    outdated_reduction: Share
    configuration_reduction: Share
    reductions: Literal["multiply", "add"]
    reduce: Literal["service"]
    grace_hours: Annotated[int, Field(ge=24, le=72)]
    unreported: Literal["late"]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.uptime_low >= self.uptime_high:
            raise ValueError("uptime_low must be below uptime_high")
        return self


class MajorViolation(ShareRange):
    """The share of the stake that a violation costs (D6)."""

    review: bool
    """D26: not executed without a review."""


class MajorRules(Strict):
    """P6 to P10."""

    uptime: MajorViolation
    malicious: MajorViolation
    breach: MajorViolation
    protocol: MajorViolation
    double_signing: MajorViolation


class LadderRules(Strict):
    """L1 to L5 and the terms of the process, P11."""

    reduction: Share
    reduction_days: Annotated[int, Field(gt=0)]
    slash: ShareRange
    removal_slash: ShareRange
    removal_review: bool
    lookback_days: Annotated[int, Field(gt=0)]
    with_table: Literal["max"]
    counted_by: Literal["node"]
    reversal: Literal["own-case"]
    dispute_hours: Annotated[int, Field(gt=0)]
    appeal_days: Annotated[int, Field(gt=0)]


# --- Staking ------------------------------------------------------------------------------


class StakingRate(Strict):
    """R4: the yearly rate of a stake that is locked for at least so long (D30)."""

    lock_days: Count
    apy: Share


def _rising(rates: tuple[StakingRate, ...]) -> tuple[StakingRate, ...]:
    if rates[0].lock_days:
        raise ValueError("the first rate is that of a stake without a lock")
    for shorter, longer in pairwise(rates):
        if shorter.lock_days >= longer.lock_days or shorter.apy > longer.apy:
            raise ValueError("longer locks come later and earn no less")
    return rates


class StakingRules(Strict):
    """S1 to S5."""

    standard_usd: PositiveAmount
    unbonding_days: Annotated[int, Field(gt=0)]
    valued: Literal["deposit"]
    interest: Literal["simple"]
    slash_base: Literal["offence"]
    slash_order: Literal["bonded-first"]
    rates: Annotated[
        tuple[StakingRate, ...], Field(strict=False, min_length=1), AfterValidator(_rising)
    ]
    cumulative_cap: Share
    hold_open_cases: bool
