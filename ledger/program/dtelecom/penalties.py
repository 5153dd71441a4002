"""Violations: what a minor one takes off the reward, what a major one costs of the stake.

Source: seed 003, section 2.3. When a penalty is due is the business of `discipline`.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from ledger.program.derivation import Derived, Step, plain
from ledger.program.dtelecom.discipline_rules import (
    LadderRules,
    MajorRules,
    MajorViolation,
    MinorRules,
)
from ledger.program.dtelecom.quality import Measures

HOUR = 3600
DAY = 24 * HOUR


class Minor(StrEnum):
    """Seed: "Minor Violations": a warning and reduced rewards."""

    UPTIME = "uptime"
    SLOW = "slow"
    OUTDATED = "outdated"
    CONFIGURATION = "configuration"
    QUALITY = "quality"
    """A score below every band: "Warning, potential removal", by the ladder (D3)."""


class Major(StrEnum):
    """Seed: "Major Violations": stake slashing."""

    UPTIME = "uptime"
    MALICIOUS = "malicious"
    BREACH = "breach"
    PROTOCOL = "protocol"
    DOUBLE_SIGNING = "double-signing"


MINOR_RULE = {
    Minor.UPTIME: "P1", Minor.SLOW: "P2", Minor.OUTDATED: "P3", Minor.CONFIGURATION: "P4",
    Minor.QUALITY: "R1",
}  # fmt: skip
MAJOR_RULE = {
    Major.UPTIME: "P6", Major.MALICIOUS: "P7", Major.BREACH: "P8", Major.PROTOCOL: "P9",
    Major.DOUBLE_SIGNING: "P10",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Violation:
    """A minor violation that was detected, in seconds since 1970."""

    kind: Minor
    detected: int
    remedied: int | None = None
    """None: it still is."""


def uptime_violation(rules: MinorRules, uptime: Decimal) -> Minor | Major | None:
    """Seed: "Uptime 95-99%" is minor, "<95%" major: [95, 99) and [0, 95)."""
    if uptime >= rules.uptime_high:
        return None
    return Minor.UPTIME if uptime >= rules.uptime_low else Major.UPTIME


def detected(rules: MinorRules, measured: Measures) -> frozenset[Minor]:
    """The minor violations that a month's measures show by themselves (process, step 1).

    A wrong configuration shows in no measure: people report it.
    """
    found = {
        Minor.SLOW: measured.latency_ms >= rules.slow_at_ms,
        Minor.OUTDATED: not (measured.version_current and measured.patches_current),
        Minor.UPTIME: uptime_violation(rules, measured.uptime) is Minor.UPTIME,
    }
    return frozenset(kind for kind, shown in found.items() if shown)


def in_grace(rules: MinorRules, violation: Violation, now: int) -> bool:
    """Seed: "Fix within grace period (24-72 hours)": remedied in it, or still within it at `now`.

    The last second belongs to the period.
    """
    until = violation.detected + rules.grace_hours * HOUR
    return (now if violation.remedied is None else violation.remedied) <= until


def reduction(rules: MinorRules, kind: Minor) -> Decimal:
    """Seed: "10% reward reduction", "5% reduction", "Warning, then 20% reduction", "Warning"."""
    return {
        Minor.UPTIME: rules.uptime_reduction,
        Minor.SLOW: rules.slow_reduction,
        Minor.OUTDATED: rules.outdated_reduction,
        Minor.CONFIGURATION: rules.configuration_reduction,
        Minor.QUALITY: Decimal(),  # the reward is nothing already
    }[kind]


def minor_factor(rules: MinorRules, kinds: frozenset[Minor]) -> Derived:
    """What is left of a reward: each kind once, reductions multiply or add (D11)."""
    steps, factor = [], Fraction(1)
    for kind in Minor:
        if kind in kinds:
            share = reduction(rules, kind)
            left = 1 - Fraction(share)
            text = f"{kind}, not remedied in {rules.grace_hours} h: 1 - {plain(share)}"
            steps.append(Step(MINOR_RULE[kind], text, left))
            factor *= left
    if rules.reductions == "add":
        taken = sum((1 - Fraction(step.value) for step in steps), Fraction())
        factor = max(1 - taken, Fraction())
    sign = " * " if rules.reductions == "multiply" else " and "
    text = sign.join(plain(step.value) for step in steps) or "no violation"
    return Derived.by("R3", text, factor, *steps)


def ladder_factor(rules: LadderRules, days: int, of_days: int) -> Derived:
    """Seed: "Reward reduction (30 days)": what `days` of it leave of a month's reward (L2).

    Raises `ValueError` unless 0 <= days <= of_days.
    """
    if not 0 <= days <= of_days or not of_days:
        raise ValueError(f"{days} of {of_days} days")
    text = f"second offence: 1 - {plain(rules.reduction)} * {days} / {of_days} days"
    return Derived.by("L2", text, 1 - Fraction(rules.reduction) * Fraction(days, of_days))


def table_entry(rules: MajorRules, kind: Major) -> MajorViolation:
    """The row of "Major Violations" for `kind`."""
    entry: MajorViolation = getattr(rules, kind.replace("-", "_"))
    return entry
