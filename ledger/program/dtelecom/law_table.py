"""The law in force as a table: every parameter, its value, and the rule that uses it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from ledger.program.derivation import plain
from ledger.program.dtelecom.rules import Law


class Entry(NamedTuple):
    rule: str
    """Ids of rules and readings, as in docs/rules-dtelecom.md."""
    parameter: str
    """Its path in the rules file; entries of a list are numbered from 0."""
    value: str


RULES = {
    "version": "-",
    "name": "-",
    "quality.from_month": "Q0 D17",
    "quality.uptime_bands": "Q1 D2",
    "quality.uptime_below": "Q1 D1",
    "quality.latency": "Q2 D4",
    "quality.bandwidth": "Q3 D4",
    "quality.loss": "Q4 D4",
    "quality.connection_success": "Q5 D4",
    "quality.error_rate": "Q6 D4",
    "quality.recovery": "Q7 D4",
    "quality.connections": "Q8 D4",
    "quality.resources": "Q9 D4",
    "quality.version_points": "Q10 D4",
    "quality.patches_points": "Q11 D4",
    "quality.policy_points": "Q12 D4",
    "quality.measured": "Q0 D23",
    "rewards.multipliers": "R1 D2",
    "rewards.below_bands": "R1 D3",
    "rewards.bands": "R1 D2",
    "rewards.multiplier_cap": "R2 D7",
    "rewards.incentives": "R2 D7",
    "rewards.unit_usd": "R6 D12",
    "rewards.geographic_bonus": "R5 D19",
    "rewards.uptime_bonus": "R5 D19",
    "rewards.traffic_bonus": "R5 D19",
    "minor.from_month": "P0 D17",
    "minor.uptime": "P1",
    "minor.slow": "P2",
    "minor.outdated": "P3 D24",
    "minor.configuration": "P4",
    "minor.reductions": "R3 D11",
    "minor.reduce": "R3 D18",
    "minor.grace_hours": "P5",
    "minor.unreported": "P5 D23",
    "major.uptime": "P6 D6",
    "major.malicious": "P7 D6",
    "major.breach": "P8 D6",
    "major.protocol": "P9 D6",
    "major.double_signing": "P10 D6",
    "ladder.reduction": "L2 D28",
    "ladder.slash": "L3 D6",
    "ladder.removal_slash": "L4 D22",
    "ladder.removal_review": "L4 D26",
    "ladder.lookback_days": "L5 D6",
    "ladder.with_table": "L0 D5",
    "ladder.counted_by": "L0 D25",
    "ladder.reversal": "P11 D27",
    "ladder.dispute_hours": "P11 D29",
    "ladder.appeal_days": "P11 D29",
    "staking.standard_usd": "S1 D10",
    "staking.unbonding_days": "S2",
    "staking.valued": "S1 D10",
    "staking.interest": "R4 D13",
    "staking.slash_base": "S3 D5",
    "staking.slash_order": "S3 D20",
    "staking.rates": "R4 D30",
    "staking.cumulative_cap": "S4 D5",
    "staking.hold_open_cases": "S5 D21",
    "tiers.from_month": "T0 D17",
    "tiers.uptime_of": "T0 D31",
    "tiers.between": "T0 D8",
    "tiers.hobbyist": "T1 D8",
    "tiers.professional": "T2 D8",
    "tiers.enterprise": "T3 D8",
    "tiers.institutional": "T4 D15",
    "genesis": "I1",
    "genesis.stake_share": "I1 D16",
    "regions": "I2",
    "regions.from_month": "I2 D17",
    "regions.growth_times": "I3 D9",
    "regions.medium_times": "I3 D9",
    "specialised.from_month": "I4 D17",
    "specialised.hub": "I4",
    "specialised.edge": "I5",
    "specialised.recording": "I6 D32",
    "specialised.transcription": "I7 D32",
    "specialised.archive": "I8 D32",
    "hardware": "N1",
    "hardware.systems": "N2",
    "costs": "R9",
    "stages": "M1",
}
"""By the beginning of a parameter's path; the longest one holds."""


def entries(law: Law) -> tuple[Entry, ...]:
    """Every parameter of `law`, in the file's order."""
    return tuple(
        Entry(rule_of(parameter), parameter, _text(value))
        for parameter, value in _flat(law.model_dump(by_alias=True, exclude_none=True), "")
    )


def rule_of(parameter: str) -> str:
    """Raises `KeyError` for a parameter that no rule uses."""
    found = [
        prefix
        for prefix in RULES
        if parameter == prefix or parameter.startswith((f"{prefix}.", f"{prefix}_"))
    ]
    if not found:
        raise KeyError(parameter)
    return RULES[max(found, key=len)]


# --- Internals ----------------------------------------------------------------------


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple) and not all(isinstance(part, str) for part in value):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{path}.{place}")
    else:
        yield path, value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return plain(value)
    return value if isinstance(value, str) else ", ".join(value)
