"""Seed 003, section 2.3: minor violations, grace, and the slashing table."""

from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.dtelecom.penalties import (
    HOUR,
    Major,
    Minor,
    Violation,
    detected,
    in_grace,
    ladder_factor,
    minor_factor,
    table_entry,
    uptime_violation,
)
from tests.support.dtelecom import LAW, law, measured

MINOR = LAW.minor


@pytest.mark.parametrize(
    ("uptime", "violation"),
    [
        ("100", None), ("99", None), ("98.9999", Minor.UPTIME), ("95", Minor.UPTIME),
        ("94.9999", Major.UPTIME), ("0", Major.UPTIME),
    ],
)  # fmt: skip
def test_uptime_is_a_minor_violation_from_95_to_99_and_a_major_one_below(
    uptime: str, violation: Minor | Major | None
) -> None:
    """2.3 "Uptime 95-99%", "Uptime <95%"; requirement "99%+ uptime"."""
    assert uptime_violation(MINOR, Decimal(uptime)) is violation


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (Minor.UPTIME, "0.90"), (Minor.SLOW, "0.95"), (Minor.OUTDATED, "0.80"),
        (Minor.CONFIGURATION, "1"),
    ],
)  # fmt: skip
def test_each_minor_violation_takes_its_share(kind: Minor, left: str) -> None:
    """2.3 "10% reward reduction", "5% reduction", "Warning, then 20%", "Warning"."""
    assert minor_factor(MINOR, frozenset({kind})).value == Fraction(left)


def test_reductions_multiply() -> None:
    """D11: 0.9 * 0.95 * 0.8."""
    assert minor_factor(MINOR, frozenset(Minor)).value == Fraction("0.684")
    assert minor_factor(MINOR, frozenset()).value == 1


def test_reductions_add_where_the_rules_say_so() -> None:
    """D11 is a parameter; nothing below 0 is left."""
    added = law(('reductions = "multiply"', 'reductions = "add"')).minor
    assert minor_factor(added, frozenset(Minor)).value == Fraction("0.65")
    harsh = law(
        ('reductions = "multiply"', 'reductions = "add"'),
        ('slow_reduction = "0.05"', 'slow_reduction = "0.95"'),
    ).minor
    assert minor_factor(harsh, frozenset(Minor)).value == 0


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"uptime": "97"}, Minor.UPTIME), ({"latency_ms": "100"}, Minor.SLOW),
        ({"version_current": False}, Minor.OUTDATED), ({"patches_current": False}, Minor.OUTDATED),
    ],
)  # fmt: skip
def test_measures_show_minor_violations_by_themselves(
    changes: dict[str, str | bool], kind: Minor
) -> None:
    """2.3 "1. Automated detection"; "Slow response time": 100 ms is not below 100 ms."""
    assert detected(MINOR, measured(**changes)) == {kind}


def test_a_good_month_shows_none() -> None:
    """Technical requirements: "Low latency (<100ms to major hubs)", "Reliable uptime (>99%)"."""
    assert detected(MINOR, measured(uptime="99", latency_ms="99.999")) == frozenset()


def test_a_major_uptime_violation_is_not_a_minor_one_as_well() -> None:
    """D5: never both."""
    assert detected(MINOR, measured(uptime="94")) == frozenset()


@pytest.mark.parametrize(
    ("remedied", "now", "spared"),
    [
        (72 * HOUR, 999 * HOUR, True), (72 * HOUR + 1, 999 * HOUR, False),
        (None, 72 * HOUR, True), (None, 72 * HOUR + 1, False), (0, 0, True),
    ],
)  # fmt: skip
def test_what_is_fixed_within_the_grace_period_costs_nothing(
    remedied: int | None, now: int, spared: bool
) -> None:
    """2.3 "Remedy: Fix within grace period (24-72 hours)"."""
    assert in_grace(MINOR, Violation(Minor.SLOW, 0, remedied), now) is spared


def test_the_grace_period_is_a_parameter() -> None:
    """2.3 "24-72 hours"."""
    short = law(("grace_hours = 72", "grace_hours = 24")).minor
    assert not in_grace(short, Violation(Minor.SLOW, 0, 25 * HOUR), 25 * HOUR)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (Major.UPTIME, "0.01", "0.05"), (Major.MALICIOUS, "0.10", "0.50"),
        (Major.BREACH, "0.25", "1"), (Major.PROTOCOL, "0.05", "0.20"),
        (Major.DOUBLE_SIGNING, "0.5", "0.5"),
    ],
)  # fmt: skip
def test_the_slashing_table_is_the_seeds(kind: Major, low: str, high: str) -> None:
    """2.3 "1-5%", "10-50%", "25-100%", "5-20%", "50% slash"."""
    entry = table_entry(LAW.major, kind)
    assert (entry.low, entry.high) == (Decimal(low), Decimal(high))


def test_a_reward_reduction_takes_its_share_of_the_days_it_covers() -> None:
    """2.3 "Reward reduction (30 days)"; its share by D28."""
    assert ladder_factor(LAW.ladder, 30, 30).value == Fraction("0.8")
    assert ladder_factor(LAW.ladder, 15, 30).value == Fraction("0.9")
    assert ladder_factor(LAW.ladder, 0, 31).value == 1


@pytest.mark.parametrize(("days", "of"), [(-1, 30), (31, 30), (0, 0)])
def test_there_are_no_more_reduced_days_than_days(days: int, of: int) -> None:
    with pytest.raises(ValueError, match="days"):
        ladder_factor(LAW.ladder, days, of)
