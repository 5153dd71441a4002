"""Incentives: genesis operators, underserved regions, specialised nodes.

Source: seed 003, sections 1.1, 3.1 and 4.2; readings D9, D10, D16, D32.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from ledger.program.derivation import Derived, Step, plain
from ledger.program.dtelecom.reward_rules import GenesisRules, RegionRules, SpecialisedRules


class Region(StrEnum):
    """Section 3.1, "Priority Regions", and what its lists leave out."""

    NORTH_AMERICA = "north-america"
    WESTERN_EUROPE = "western-europe"
    EAST_ASIA = "east-asia"
    SOUTHEAST_ASIA = "southeast-asia"
    SOUTH_AMERICA = "south-america"
    EASTERN_EUROPE = "eastern-europe"
    OCEANIA = "oceania"
    MIDDLE_EAST = "middle-east"
    AFRICA = "africa"
    ELSEWHERE = "elsewhere"
    """South and Central Asia, Central America: no target, no bonus (D9)."""


class NodeType(StrEnum):
    """Section 4.2, "Specialized Nodes"."""

    STANDARD = "standard"
    HUB = "hub"
    EDGE = "edge"
    RECORDING = "recording"
    TRANSCRIPTION = "transcription"
    ARCHIVE = "archive"


NODE_RULE = {
    NodeType.HUB: "I4", NodeType.EDGE: "I5", NodeType.RECORDING: "I6",
    NodeType.TRANSCRIPTION: "I7", NodeType.ARCHIVE: "I8",
}  # fmt: skip


def genesis_open(rules: GenesisRules, admitted: int) -> bool:
    """Seed: "Initial Operators (10-20 nodes)" (I1): whether another one may still be admitted."""
    return admitted < rules.operators


def genesis_factor(rules: GenesisRules, months_since: int) -> Step | None:
    """Seed: "2x base rewards (first 6 months)", counted from the operator's activation (I1).

    `months_since`: calendar months since that of the activation, which is 0.
    """
    if not 0 <= months_since < rules.months:
        return None
    text = f"genesis operator, month {months_since + 1} of {rules.months}"
    return Step("I1", text, Fraction(rules.times))


def stake_required(rules: GenesisRules, standard_usd: Decimal, *, genesis: bool) -> Derived:
    """Seed: "~$10,000 worth of $DTEL"; "Reduced staking requirements (initial)" (D16)."""
    standard = Fraction(standard_usd)
    if not genesis:
        return Derived.by("S1", "a node's stake", standard)
    text = f"a genesis node's stake: {plain(standard)} * {plain(rules.stake_share)}"
    return Derived.by("I1", text, standard * Fraction(rules.stake_share))


def region_factor(
    rules: RegionRules, region: Region, nodes: Mapping[Region, int], month: int
) -> Step | None:
    """Seed: "Underserved region bonuses (1.5-2x rewards)" (I3, D9).

    Growth areas always; medium priority while its share of `nodes`, the network's, is below target.
    """
    if month < rules.from_month:
        return None
    if region.value in rules.growth.model_dump(by_alias=True):
        return Step("I3", f"growth area {region}", Fraction(rules.growth_times))
    if region.value not in rules.medium.model_dump(by_alias=True):
        return None
    share, target = region_share(nodes, region), rules.targets[region]
    if share >= target:
        return None
    text = f"{region} has {plain(share)} of the nodes, below {plain(target)}"
    return Step("I3", text, Fraction(rules.medium_times))


def region_share(nodes: Mapping[Region, int], region: Region) -> Fraction:
    """A region's share of the network's nodes, to hold against its target (I2); 0 of none."""
    total = sum(nodes.values())
    return Fraction(nodes.get(region, 0), total) if total else Fraction()


def node_factor(rules: SpecialisedRules, kind: NodeType, month: int) -> Step | None:
    """Seed: "Regional Hubs: 2x rewards", "Edge Nodes: 1.5x rewards" (I4, I5)."""
    times = {NodeType.HUB: rules.hub_times, NodeType.EDGE: rules.edge_times}.get(kind)
    if times is None or month < rules.from_month:
        return None
    return Step(NODE_RULE[kind], f"{kind} node", Fraction(times))


def usage_reward(rules: SpecialisedRules, kind: NodeType, used: Decimal, month: int) -> Step | None:
    """Seed: "Storage-based rewards", "Processing-based rewards", "Storage rewards" (I6 to I8).

    `used`: GB-months stored, or GPU hours. USD by a rate that the seed leaves open (D32).
    """
    rate = {
        NodeType.RECORDING: rules.recording_gb_month_usd,
        NodeType.TRANSCRIPTION: rules.transcription_gpu_hour_usd,
        NodeType.ARCHIVE: rules.archive_gb_month_usd,
    }.get(kind)
    if rate is None or month < rules.from_month:
        return None
    unit = "GPU hours" if kind is NodeType.TRANSCRIPTION else "GB-months"
    text = f"{kind} node: {plain(used)} {unit} * {plain(rate)} USD"
    return Step(NODE_RULE[kind], text, Fraction(used) * Fraction(rate))
