"""An operator's month, a node and its measures: good ones, with what a test changes."""

import json
from dataclasses import replace
from decimal import Decimal
from importlib import resources
from typing import Any

from ledger.program.dtelecom.document import OperatorMonth, parse_month
from ledger.program.dtelecom.quality import Measures
from ledger.program.dtelecom.rules import Law, load_rules, parse_rules

RAW = (resources.files("ledger.program") / "dtelecom.toml").read_bytes()
LAW = load_rules().law
PERFECT = Measures(
    uptime=Decimal(100),
    latency_ms=Decimal(20),
    bandwidth_mbps=Decimal(1000),
    loss=Decimal(0),
    connection_success=Decimal(100),
    error_rate=Decimal(0),
    recovery_s=Decimal(0),
    connections=Decimal(1000),
    resources=Decimal(50),
    version_current=True,
    patches_current=True,
    policy_kept=True,
)


def with_(old: str, new: str) -> bytes:
    """The rules file with one change."""
    assert RAW.count(old.encode()) == 1, old
    return RAW.replace(old.encode(), new.encode())


def law(*changes: tuple[str, str]) -> Law:
    """The law with changes of its text."""
    raw = RAW
    for old, new in changes:
        assert raw.count(old.encode()) == 1, old
        raw = raw.replace(old.encode(), new.encode())
    return parse_rules(raw, "mine.toml").law


def measured(**changes: str | bool) -> Measures:
    """A perfect month but for `changes`."""
    values: dict[str, Any] = {
        name: value if isinstance(value, bool) else Decimal(value)
        for name, value in changes.items()
    }
    return replace(PERFECT, **values)


def measures_part(**changes: str | bool) -> dict[str, Any]:
    found = measured(**changes)
    return {
        name: value if isinstance(value, bool) else f"{value:f}"
        for name in PERFECT.__dataclass_fields__
        for value in [getattr(found, name)]
    }


def node(name: str = "node-1", **changes: Any) -> dict[str, Any]:
    """A node of a document: 500 USD of fees, the standard stake, a score of 100."""
    good = {
        "id": name,
        "region": "north-america",
        "base_usd": "500",
        "stake_usd": "10000",
        "measures": measures_part(),
    }
    return good | changes


def month_document(*nodes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    good = {
        "format": "dtelecom-month",
        "version": 1,
        "operator": "acme",
        "month": "2026-01",
        "programme_month": 13,
        "nodes": list(nodes or [node()]),
    }
    return good | changes


def month(*nodes: dict[str, Any], **changes: Any) -> OperatorMonth:
    return parse_month(json.dumps(month_document(*nodes, **changes)).encode(), "month.json")


SCORE_87 = measures_part(
    uptime="99.6", loss="0.2", connection_success="99", error_rate="0.2", connections="600",
    resources="20",
)  # fmt: skip
"""A score of 87: the quality multiplier of the seed's example, 1.5."""


def example(base: str, geographic: str, uptime: str, traffic: str) -> OperatorMonth:
    """The seed's "Monthly Revenue Example", one end of its ranges."""
    bonuses = {"geographic": geographic, "uptime": uptime, "traffic": traffic}
    return month(node(base_usd=base, bonuses=bonuses, measures=SCORE_87))


LOW = ("500", "100", "50", "100")
HIGH = ("2000", "500", "200", "1000")
