"""What an operator's machine must have, and what the network is to reach.

Source: seed 003, "Technical Requirements" and "Success Metrics".
"""

from dataclasses import dataclass
from decimal import Decimal

from ledger.program.derivation import plain
from ledger.program.dtelecom.rules import HardwareRules, Machine, Stage


@dataclass(frozen=True, slots=True)
class Offer:
    """A machine that somebody wants to run a node on."""

    cores: int
    ghz: Decimal
    ram_gb: int
    ssd_gb: int
    mbps: int
    """The slower of both directions: "symmetric"."""
    system: str
    """Name of the distribution, lower case."""
    release: str
    """Such as 22.04."""
    static_ip: bool
    ddns: bool
    ports_forwarded: bool
    behind_cgnat: bool


def machine_shortfalls(asked: Machine, offer: Offer) -> tuple[str, ...]:
    """Seed: "Hardware" (N1), minimum or recommended: what the machine lacks of `asked`."""
    wanted = (
        ("cores", offer.cores, asked.cores),
        ("GHz", offer.ghz, asked.ghz),
        ("GB of RAM", offer.ram_gb, asked.ram_gb),
        ("GB of SSD", offer.ssd_gb, asked.ssd_gb),
        ("Mbps", offer.mbps, asked.mbps),
    )
    return tuple(
        f"{plain(has)} of {plain(needs)} {what}" for what, has, needs in wanted if has < needs
    )


def network_shortfalls(offer: Offer) -> tuple[str, ...]:
    """Seed: "Network Requirements" (N3)."""
    unmet = {
        "neither a static address nor DDNS": not (offer.static_ip or offer.ddns),
        "no port forwarding": not offer.ports_forwarded,
        "behind CGNAT": offer.behind_cgnat,
    }
    return tuple(text for text, holds in unmet.items() if holds)


def system_supported(rules: HardwareRules, offer: Offer) -> bool:
    """Seed: "Operating System" (N2): True for a named release or later.

    Other distributions run with the community's support: False, and no shortfall.
    """
    least = rules.systems.model_dump().get(offer.system)
    return least is not None and _release(offer.release) >= _release(least)


@dataclass(frozen=True, slots=True)
class Network:
    """What was reached; None where nobody asked."""

    nodes: int
    regions: int
    countries: int
    uptime: Decimal
    """Percent, average."""
    satisfaction: Decimal | None
    """Of 5."""
    churn: Decimal | None
    """Share of operators that left in a month."""
    enterprise: int


def stage_of(stages: tuple[Stage, ...], month: int) -> Stage:
    """The stage that month of the programme belongs to (M1); the first one before its beginning."""
    begun = [stage for stage in stages if stage.from_month <= month]
    return begun[-1] if begun else stages[0]


def stage_shortfalls(stage: Stage, reached: Network) -> tuple[str, ...]:
    """Seed: "Success Metrics" (M1): what the network lacks of a stage's lower bounds."""
    unmet = {
        "nodes": reached.nodes < stage.nodes,
        "regions": reached.regions < stage.regions,
        "countries": reached.countries < stage.countries,
        "uptime": reached.uptime < stage.uptime_least,
        "satisfaction": stage.satisfaction_least is not None
        and (reached.satisfaction is None or reached.satisfaction < stage.satisfaction_least),
        "churn": stage.churn_below is not None
        and (reached.churn is None or reached.churn >= stage.churn_below),
        "enterprise operators": reached.enterprise < stage.enterprise,
    }
    return tuple(what for what, holds in unmet.items() if holds)


# --- Internals ----------------------------------------------------------------------


def _release(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)
