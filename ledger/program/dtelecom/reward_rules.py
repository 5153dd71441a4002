"""The tables of what a node earns: quality, rewards, tiers, incentives.

Source: seed 003; rule ids and readings: docs/rules-dtelecom.md. Units: US dollars; shares are parts
of 1; uptime, loss and rates are percents. A reading that the code knows one way of is a parameter
with one value, so that the hash commits to it.
"""

from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ibp_chain.validation import Strict
from ledger.program.derivation import plain
from ledger.program.dtelecom.fields import Month, Percent, PositiveAmount, Range, Share, Times
from ledger.program.fields import Amount, Count

# --- Quality ------------------------------------------------------------------------------


class Curve(Strict):
    """Points along a line: all of them from `full` on, none from `zero` on (D1, D4)."""

    points: PositiveAmount
    full: Amount
    zero: Amount

    @model_validator(mode="after")
    def _slopes(self) -> Self:
        if self.full == self.zero:
            raise ValueError("full and zero must differ")
        return self

    @cached_property
    def slope(self) -> Fraction:
        """Points to a unit of what is measured."""
        return Fraction(self.points) / (Fraction(self.full) - Fraction(self.zero))


def _falling(bands: "tuple[_Band, ...]") -> "tuple[_Band, ...]":
    for higher, lower in pairwise(bands):
        if higher.at_least <= lower.at_least or higher.worth < lower.worth:
            raise ValueError(
                "bands go from the highest bound down, and so does what they are worth"
            )
    return bands


class _Band(Strict):
    at_least: Percent

    @property
    def worth(self) -> Decimal:
        raise NotImplementedError


class PointBand(_Band):
    """Q1: `points` from `at_least` percent of uptime on."""

    points: Amount

    @property
    def worth(self) -> Decimal:
        return self.points


class MultiplierBand(_Band):
    """R1: a factor from a score of `at_least` on (D2)."""

    times: Times

    @property
    def worth(self) -> Decimal:
        return self.times


class QualityRules(Strict):
    """Q1 to Q12: what each part of the score is worth; together 100."""

    from_month: Month
    uptime_bands: Annotated[
        tuple[PointBand, ...], Field(strict=False, min_length=1), AfterValidator(_falling)
    ]
    uptime_below: Curve
    latency: Curve
    bandwidth: Curve
    loss: Curve
    connection_success: Curve
    error_rate: Curve
    recovery: Curve
    connections: Curve
    resources: Curve
    version_points: Amount
    patches_points: Amount
    policy_points: Amount
    measured: Literal["month"]

    @model_validator(mode="after")
    def _hundred(self) -> Self:
        curves = (
            self.latency, self.bandwidth, self.loss, self.connection_success, self.error_rate,
            self.recovery, self.connections, self.resources,
        )  # fmt: skip
        parts = (
            self.uptime_bands[0].points, self.version_points, self.patches_points,
            self.policy_points, *(curve.points for curve in curves),
        )  # fmt: skip
        if (most := sum(map(Fraction, parts))) != 100:
            raise ValueError(f"the parts of the score make {plain(most)} points, not 100")
        below = self.uptime_below
        if below.points > self.uptime_bands[-1].points or below.full < below.zero:
            raise ValueError("below its bands uptime must be worth less, and more is better")
        return self


# --- Rewards ------------------------------------------------------------------------------


class RewardRules(Strict):
    """R1, R2, R5, R6: factors, their cap, additive bonuses, rounding."""

    multipliers: Annotated[
        tuple[MultiplierBand, ...], Field(strict=False, min_length=1), AfterValidator(_falling)
    ]
    below_bands: Times
    bands: Literal["from-bound"]
    multiplier_cap: PositiveAmount
    incentives: Literal["best", "all"]
    unit_usd: PositiveAmount
    geographic_bonus: Range
    uptime_bonus: Range
    traffic_bonus: Range

    @model_validator(mode="after")
    def _nothing_gains_by_falling(self) -> Self:
        if self.below_bands > self.multipliers[-1].times:
            raise ValueError("below the bands a score must not be worth more than in them")
        return self


# --- Tiers and incentives -----------------------------------------------------------------


class BasicTier(Strict):
    nodes: Annotated[int, Field(gt=0)]
    """From so many on; where the next tier begins its own count matters (D8)."""
    times: Times


class UptimeTier(BasicTier):
    uptime_above: Percent


class InstitutionalTier(Strict):
    """T4, section 4.1."""

    from_month: Month
    nodes: Annotated[int, Field(gt=0)]
    regions: Annotated[int, Field(gt=0)]
    uptime_least: Percent
    stake_usd: Amount
    certifications: Annotated[tuple[str, ...], Field(strict=False)]
    times: Times
    volume_times: Times
    volume_nodes: Annotated[int, Field(gt=0)]
    performance: Share
    performance_score: Percent

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.volume_nodes <= self.nodes or self.volume_times < self.times:
            raise ValueError("the volume bonus must rise from `times` at `nodes`")
        return self


class TierRules(Strict):
    """T1 to T4."""

    from_month: Month
    uptime_of: Literal["worst", "mean"]
    between: Literal["lower"]
    hobbyist: BasicTier
    professional: UptimeTier
    enterprise: UptimeTier
    institutional: InstitutionalTier


class GenesisRules(Strict):
    """I1."""

    months: Annotated[int, Field(gt=0)]
    times: Times
    operators: Count
    stake_share: Share


class HighRegions(Strict):
    north_america: Share = Field(alias="north-america")
    western_europe: Share = Field(alias="western-europe")
    east_asia: Share = Field(alias="east-asia")
    southeast_asia: Share = Field(alias="southeast-asia")


class MediumRegions(Strict):
    south_america: Share = Field(alias="south-america")
    eastern_europe: Share = Field(alias="eastern-europe")
    oceania: Share


class GrowthRegions(Strict):
    middle_east: Share = Field(alias="middle-east")
    africa: Share


class RegionRules(Strict):
    """I2 and I3: the share of the network's nodes that each region is to have."""

    from_month: Month
    growth_times: Times
    medium_times: Times
    high: HighRegions
    medium: MediumRegions
    growth: GrowthRegions

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (total := sum(map(Fraction, self.targets.values()))) != 1:
            raise ValueError(f"the regions' targets make {plain(total)}, not 1")
        return self

    @property
    def targets(self) -> dict[str, Decimal]:
        tiers = (self.high, self.medium, self.growth)
        return {
            name: share for tier in tiers for name, share in tier.model_dump(by_alias=True).items()
        }


class SpecialisedRules(Strict):
    """I4 to I8."""

    from_month: Month
    hub_times: Times
    edge_times: Times
    recording_gb_month_usd: Amount
    transcription_gpu_hour_usd: Amount
    archive_gb_month_usd: Amount
