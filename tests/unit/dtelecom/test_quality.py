"""Seed 003, section 2.2, "Quality Scoring": each part, its bounds and its bands."""

from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.derivation import explain
from ledger.program.dtelecom.quality import Score, score, uptime_points
from tests.support.dtelecom import LAW, law, measured


def part(found: Score, rule: str) -> Fraction:
    (value,) = (step.value for step in found.parts if step.rule == rule)
    return Fraction(value)


def test_a_perfect_month_scores_one_hundred() -> None:
    """2.2 "Quality Score Calculation (0-100)"."""
    assert score(LAW.quality, measured()).total == 100


def test_the_worst_month_scores_nothing() -> None:
    """2.2 "Quality Score Calculation (0-100)"."""
    worst = measured(
        uptime="0", latency_ms="900", bandwidth_mbps="1", loss="100", connection_success="0",
        error_rate="100", recovery_s="86400", connections="0", resources="0",
        version_current=False, patches_current=False, policy_kept=False,
    )  # fmt: skip
    assert score(LAW.quality, worst).total == 0


def test_the_parts_weigh_thirty_thirty_twenty_ten_and_ten() -> None:
    """2.2 "Uptime (30%)", "Performance (30%)", "Reliability (20%)", "Capacity", "Compliance"."""
    perfect = score(LAW.quality, measured())
    groups = (
        ["Q1"], ["Q2", "Q3", "Q4"], ["Q5", "Q6", "Q7"], ["Q8", "Q9"], ["Q10", "Q11", "Q12"],
    )  # fmt: skip
    assert [sum(part(perfect, rule) for rule in group) for group in groups] == [30, 30, 20, 10, 10]
    assert [part(perfect, rule) for rule in ("Q2", "Q3", "Q4")] == [10, 10, 10]
    assert [part(perfect, rule) for rule in ("Q5", "Q6", "Q7")] == [10, 5, 5]


@pytest.mark.parametrize(
    ("uptime", "points"),
    [
        ("100", "30"), ("99.9", "30"), ("99.8999999999999999", "25"), ("99.5", "25"),
        ("99.4999999999999999", "20"), ("99.0", "20"), ("98", "11.25"), ("97", "7.5"),
        ("95", "0"), ("94.9", "0"), ("0", "0"),
    ],
)  # fmt: skip
def test_uptime_earns_30_25_20_or_0_to_15_points_by_its_band(uptime: str, points: str) -> None:
    """2.2 "99.9%+ → 30", "99.5-99.9% → 25", "99.0-99.5% → 20", "<99% → 0-15" (D1, D2)."""
    assert uptime_points(LAW.quality, Decimal(uptime)).value == Fraction(points)


def test_just_below_99_percent_is_almost_fifteen_points() -> None:
    """2.2 "<99% → 0-15 points"; D1."""
    found = uptime_points(LAW.quality, Decimal("98.9999"))
    assert Fraction("14.99") < Fraction(found.value) < 15


@pytest.mark.parametrize(
    ("change", "value", "rule", "points"),
    [
        ("latency_ms", "100", "Q2", "10"), ("latency_ms", "200", "Q2", "5"),
        ("latency_ms", "300", "Q2", "0"), ("latency_ms", "301", "Q2", "0"),
        ("bandwidth_mbps", "2000", "Q3", "10"), ("bandwidth_mbps", "550", "Q3", "5"),
        ("bandwidth_mbps", "100", "Q3", "0"), ("bandwidth_mbps", "99", "Q3", "0"),
        ("loss", "0.5", "Q4", "5"), ("loss", "1", "Q4", "0"),
        ("connection_success", "97.5", "Q5", "5"), ("connection_success", "95", "Q5", "0"),
        ("error_rate", "0.5", "Q6", "2.5"), ("error_rate", "1", "Q6", "0"),
        ("recovery_s", "60", "Q7", "5"), ("recovery_s", "1830", "Q7", "2.5"),
        ("recovery_s", "3600", "Q7", "0"),
        ("connections", "500", "Q8", "2.5"), ("connections", "5000", "Q8", "5"),
        ("resources", "12.5", "Q9", "2.5"), ("resources", "100", "Q9", "5"),
    ],
)  # fmt: skip
def test_each_sub_score_is_linear_between_its_bounds(
    change: str, value: str, rule: str, points: str
) -> None:
    """2.2 "Latency score (10%)", "Bandwidth score", "Packet loss score", ...; curves by D4."""
    assert part(score(LAW.quality, measured(**{change: value})), rule) == Fraction(points)


@pytest.mark.parametrize(
    ("kept", "rule", "points"),
    [("version_current", "Q10", 4), ("patches_current", "Q11", 4), ("policy_kept", "Q12", 2)],
)
def test_compliance_is_software_version_security_patches_and_policy(
    kept: str, rule: str, points: int
) -> None:
    """2.2 "Compliance (10%)"; split 4 + 4 + 2 by D4."""
    broken = score(LAW.quality, measured(**{kept: False}))
    assert part(broken, rule) == 0
    assert broken.total == 100 - points


def test_a_curve_is_a_parameter() -> None:
    """D4."""
    strict = law(
        ('points = "10", full = "100", zero = "300"', 'points = "10", full = "50", zero = "150"')
    )
    assert part(score(strict.quality, measured(latency_ms="100")), "Q2") == 5


def test_the_score_is_explained_part_by_part() -> None:
    lines = explain(score(LAW.quality, measured(latency_ms="150", uptime="98")).steps)
    assert lines[0] == "Q1   uptime: 15 * (98 - 95) / (99 - 95) = 11.25"
    assert lines[1] == "Q2   latency: 10 * (150 - 300) / (100 - 300) = 7.5"
    assert lines[-1].endswith(" = 78.75")
    assert len(lines) == 13


@pytest.mark.parametrize(
    ("name", "value"),
    [("uptime", "100.1"), ("uptime", "-1"), ("loss", "101"), ("latency_ms", "-1"),
     ("bandwidth_mbps", "NaN"), ("connections", "Infinity")],
)  # fmt: skip
def test_a_measure_that_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        measured(**{name: value})
