"""The typed table of `dtelecom.toml`: what each number is. What it does is in the other modules.

Source: seed 003; rule ids and readings: docs/rules-dtelecom.md. Units: US dollars; shares are parts
of 1; uptime, loss and rates are percents. A reading that the code knows one way of is a parameter
with one value, so that the hash commits to it.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ibp_chain.types import Hash
from ibp_chain.validation import Strict, parse_toml
from ledger.program.dtelecom.discipline_rules import (
    LadderRules,
    MajorRules,
    MinorRules,
    StakingRules,
)
from ledger.program.dtelecom.fields import Month, Percent, Range, Share
from ledger.program.dtelecom.reward_rules import (
    GenesisRules,
    QualityRules,
    RegionRules,
    RewardRules,
    SpecialisedRules,
    TierRules,
)
from ledger.program.fields import Amount, Count

# --- Requirements and aims ----------------------------------------------------------------


class Machine(Strict):
    cores: Count
    ghz: Amount
    ram_gb: Count
    ssd_gb: Count
    mbps: Count


class CloudCosts(Strict):
    """R9, USD a month."""

    hosting: Range
    bandwidth: Range
    storage: Range
    monitoring: Range


class MetalCosts(Strict):
    """R9, USD a month, and `hardware` once."""

    electricity: Range
    internet: Range
    maintenance: Range
    hardware: Range


class CostRules(Strict):
    """R8 and R9: what the seed expects a node to cost; nothing is paid by it."""

    cloud: CloudCosts
    metal: MetalCosts


Release = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4})?$")]


class Systems(Strict):
    """The least release of each; other Linux distributions have the community's support."""

    ubuntu: Release
    debian: Release
    centos: Release


class HardwareRules(Strict):
    """N1 and N2."""

    minimum: Machine
    recommended: Machine
    systems: Systems


class Stage(Strict):
    """M1: what the network is to have reached; 0 or absent: nothing is asked."""

    name: str
    from_month: Month
    nodes: Count
    regions: Count
    countries: Count
    uptime_least: Percent
    satisfaction_least: Amount | None = None
    churn_below: Share | None = None
    enterprise: Count


class Law(Strict):
    """The whole file."""

    version: Annotated[int, Field(ge=1, le=1)]
    name: str
    quality: QualityRules
    rewards: RewardRules
    minor: MinorRules
    major: MajorRules
    ladder: LadderRules
    staking: StakingRules
    tiers: TierRules
    genesis: GenesisRules
    regions: RegionRules
    specialised: SpecialisedRules
    hardware: HardwareRules
    costs: CostRules
    stages: Annotated[tuple[Stage, ...], Field(strict=False, min_length=1)]


@dataclass(frozen=True, slots=True)
class DtelecomRules:
    """The rules and the hash of their bytes."""

    hash: Hash
    law: Law


def parse_rules(raw: bytes, where: str) -> DtelecomRules:
    """The rules in `raw`. Raises `ConfigError` naming `where` and the field."""
    return DtelecomRules(blake2_256(raw), parse_toml(Law, raw, where))


def load_rules(path: Path | None = None) -> DtelecomRules:
    """The rules at `path`, by default those that come with this package. Raises `ConfigError`."""
    if path is None:
        bundled = resources.files("ledger.program") / "dtelecom.toml"
        return parse_rules(bundled.read_bytes(), "dtelecom.toml")
    try:
        return parse_rules(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"rules file {path}: {error.strerror}") from error
