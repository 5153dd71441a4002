"""The quality score of a node, 0 to 100, with all its parts (seed 003, section 2.2).

Exact: a score is a fraction, never rounded, so that a band begins exactly at its bound (D2).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from ledger.program.derivation import Step, plain
from ledger.program.dtelecom.reward_rules import Curve, QualityRules


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of a node in a month. Raises `ValueError` outside the ranges named."""

    uptime: Decimal
    """Percent, 0 to 100, as the others that are percents."""
    latency_ms: Decimal
    """p95 to the major hubs, as all below at least 0."""
    bandwidth_mbps: Decimal
    loss: Decimal
    """Percent of packets."""
    connection_success: Decimal
    """Percent of attempts."""
    error_rate: Decimal
    """Percent of requests."""
    recovery_s: Decimal
    """Mean seconds from a failure to service; 0 where nothing failed."""
    connections: Decimal
    """Concurrent connections that it sustained."""
    resources: Decimal
    """Percent free of the scarcest of CPU, memory and disk."""
    version_current: bool
    patches_current: bool
    policy_kept: bool

    def __post_init__(self) -> None:
        percents = ("uptime", "loss", "connection_success", "error_rate", "resources")
        for name in (*percents, "latency_ms", "bandwidth_mbps", "recovery_s", "connections"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value < 0 or (name in percents and value > 100):
                raise ValueError(f"{name} is {value}: out of its range")


@dataclass(frozen=True, slots=True)
class Score:
    """The parts, in the seed's order, and their sum."""

    parts: tuple[Step, ...]
    total: Fraction

    @property
    def steps(self) -> tuple[Step, ...]:
        return (
            *self.parts,
            Step("Q13", " + ".join(plain(p.value) for p in self.parts), self.total),
        )


def score(rules: QualityRules, measured: Measures) -> Score:
    """Section 2.2, "Quality Score Calculation (0-100)"."""
    parts = tuple(_parts(rules, measured))
    return Score(parts, sum((Fraction(part.value) for part in parts), Fraction()))


def uptime_points(rules: QualityRules, uptime: Decimal) -> Step:
    """Section 2.2, "Uptime (30%)": 30, 25 or 20 by band, below them 0 to 15 (D1)."""
    for band in rules.uptime_bands:
        if uptime >= band.at_least:
            text = f"uptime {plain(uptime)} % is at least {plain(band.at_least)} %"
            return Step("Q1", text, Fraction(band.points))
    return curve_points("Q1", "uptime", rules.uptime_below, uptime)


def curve_points(rule: str, what: str, curve: Curve, value: Decimal) -> Step:
    """`points` * (value - zero) / (full - zero), kept within 0 and `points` (D1, D4)."""
    text = (
        f"{what}: {plain(curve.points)} * ({plain(value)} - {plain(curve.zero)}) / "
        f"({plain(curve.full)} - {plain(curve.zero)})"
    )
    if min(curve.full, curve.zero) <= value <= max(curve.full, curve.zero):
        return Step(rule, text, curve.slope * (Fraction(value) - Fraction(curve.zero)))
    full = (value > curve.full) is (curve.full > curve.zero)
    text += f", kept within 0 and {plain(curve.points)}"
    return Step(rule, text, Fraction(curve.points) if full else Fraction())


# --- Internals ----------------------------------------------------------------------


def _parts(rules: QualityRules, measured: Measures) -> Iterator[Step]:
    yield uptime_points(rules, measured.uptime)
    for rule, what, curve, value in (
        ("Q2", "latency", rules.latency, measured.latency_ms),
        ("Q3", "bandwidth", rules.bandwidth, measured.bandwidth_mbps),
        ("Q4", "packet loss", rules.loss, measured.loss),
        ("Q5", "connection success", rules.connection_success, measured.connection_success),
        ("Q6", "error rate", rules.error_rate, measured.error_rate),
        ("Q7", "recovery time", rules.recovery, measured.recovery_s),
        ("Q8", "concurrent connections", rules.connections, measured.connections),
        ("Q9", "free resources", rules.resources, measured.resources),
    ):
        yield curve_points(rule, what, curve, value)
    for rule, what, points, kept in (
        ("Q10", "software version current", rules.version_points, measured.version_current),
        ("Q11", "security patches current", rules.patches_points, measured.patches_current),
        ("Q12", "policy kept", rules.policy_points, measured.policy_kept),
    ):
        answer = "yes" if kept else "no"
        yield Step(rule, f"{what}: {answer}", Fraction(points) if kept else Fraction())
