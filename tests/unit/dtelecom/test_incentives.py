"""Seed 003, sections 1.1, 3.1 and 4.2: genesis, regions, specialised nodes."""

from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.dtelecom.incentives import (
    NodeType,
    Region,
    genesis_factor,
    genesis_open,
    node_factor,
    region_factor,
    region_share,
    stake_required,
    usage_reward,
)
from tests.support.dtelecom import LAW, law

NETWORK = {Region.NORTH_AMERICA: 90, Region.SOUTH_AMERICA: 4, Region.EASTERN_EUROPE: 6}


@pytest.mark.parametrize(("since", "holds"), [(0, True), (5, True), (6, False), (-1, False)])
def test_genesis_operators_earn_double_in_their_first_six_months(
    since: int, *, holds: bool
) -> None:
    """1.1 "2x base rewards (first 6 months)"."""
    step = genesis_factor(LAW.genesis, since)
    assert (step is not None and step.value == 2) is holds


def test_there_are_at_most_twenty_genesis_operators() -> None:
    """1.1 "Initial Operators (10-20 nodes)"."""
    assert genesis_open(LAW.genesis, 19)
    assert not genesis_open(LAW.genesis, 20)


def test_a_genesis_stake_is_reduced_by_what_the_rules_say_and_by_nothing_unsaid() -> None:
    """1.1 "Reduced staking requirements (initial)" (D16); Staking, "~$10,000"."""
    standard = LAW.staking.standard_usd
    assert stake_required(LAW.genesis, standard, genesis=False).value == 10_000
    assert stake_required(LAW.genesis, standard, genesis=True).value == 10_000
    half = law(('stake_share = "1.00"', 'stake_share = "0.50"')).genesis
    assert stake_required(half, standard, genesis=True).value == 5_000


def test_the_regional_targets_are_the_seeds_and_whole() -> None:
    """3.1 "Target Distribution": 25, 25, 20, 15, 5, 5, 3, 1, 1."""
    targets = LAW.regions.targets
    assert [share * 100 for share in targets.values()] == [25, 25, 20, 15, 5, 5, 3, 1, 1]
    assert sum(targets.values()) == 1
    assert set(targets) == {*Region} - {Region.ELSEWHERE}


@pytest.mark.parametrize(
    ("region", "times"),
    [
        (Region.NORTH_AMERICA, None), (Region.WESTERN_EUROPE, None), (Region.EAST_ASIA, None),
        (Region.SOUTHEAST_ASIA, None), (Region.SOUTH_AMERICA, "1.5"), (Region.OCEANIA, "1.5"),
        (Region.EASTERN_EUROPE, None), (Region.MIDDLE_EAST, "2"), (Region.AFRICA, "2"),
        (Region.ELSEWHERE, None),
    ],
)  # fmt: skip
def test_underserved_regions_earn_more(region: Region, times: str | None) -> None:
    """3.1 "Underserved region bonuses (1.5-2x rewards)": tier 3, and tier 2 below target (D9)."""
    step = region_factor(LAW.regions, region, NETWORK, 13)
    assert (step and step.value) == (times and Fraction(times))


def test_a_region_exactly_at_its_target_is_not_underserved() -> None:
    """3.1 "South America (5%)"."""
    at_target = {Region.NORTH_AMERICA: 95, Region.SOUTH_AMERICA: 5}
    assert region_share(at_target, Region.SOUTH_AMERICA) == Fraction(1, 20)
    assert region_factor(LAW.regions, Region.SOUTH_AMERICA, at_target, 13) is None


def test_an_empty_network_serves_no_region() -> None:
    assert region_share({}, Region.OCEANIA) == 0
    assert region_factor(LAW.regions, Region.OCEANIA, {}, 13) is not None


@pytest.mark.parametrize(
    ("kind", "times"), [(NodeType.HUB, "2"), (NodeType.EDGE, "1.5"), (NodeType.STANDARD, None)]
)
def test_hubs_earn_double_and_edges_half_more(kind: NodeType, times: str | None) -> None:
    """4.2 "Regional Hubs: 2x rewards", "Edge Nodes: 1.5x rewards"."""
    step = node_factor(LAW.specialised, kind, 25)
    assert (step and step.value) == (times and Fraction(times))


def test_regions_and_node_types_begin_with_their_phase() -> None:
    """Phase 3, "Months 13-24"; Phase 4, "Months 25-36" (D17)."""
    assert region_factor(LAW.regions, Region.AFRICA, NETWORK, 12) is None
    assert node_factor(LAW.specialised, NodeType.HUB, 24) is None
    assert usage_reward(LAW.specialised, NodeType.ARCHIVE, Decimal(1), 24) is None


@pytest.mark.parametrize(
    ("kind", "parameter"),
    [
        (NodeType.RECORDING, "recording_gb_month_usd"),
        (NodeType.TRANSCRIPTION, "transcription_gpu_hour_usd"),
        (NodeType.ARCHIVE, "archive_gb_month_usd"),
    ],
)
def test_specialised_nodes_are_paid_by_use_once_a_rate_is_set(
    kind: NodeType, parameter: str
) -> None:
    """4.2 "Storage-based rewards", "Processing-based rewards", "Storage rewards" (D32)."""
    unset = usage_reward(LAW.specialised, kind, Decimal(300), 25)
    assert unset is not None
    assert unset.value == 0
    rated = law((f'{parameter} = "0.00"', f'{parameter} = "0.02"')).specialised
    step = usage_reward(rated, kind, Decimal(300), 25)
    assert step is not None
    assert step.value == 6


def test_other_nodes_are_not_paid_by_use() -> None:
    """4.2 "Node Types"."""
    assert usage_reward(LAW.specialised, NodeType.HUB, Decimal(300), 25) is None
