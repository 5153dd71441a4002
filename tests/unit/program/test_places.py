"""Where members stand: endpoints at a point of presence, regions, pools: F9, F10, F16."""

import pytest

from ibp_chain.types import BlockNumber
from ledger.program.places import (
    Applicant,
    Priority,
    RegionError,
    can_be_onboarded,
    in_turn,
    pool_capacity,
    pool_room,
    priority,
    redundancy,
)
from tests.support.law import LAW

RELAYS = ("polkadot", "kusama", "westend")


def shortfalls(**online: int) -> list[tuple[str, int, int]]:
    found = redundancy({"zurich": online}, RELAYS, LAW.redundancy)
    return [(each.chain, each.found, each.least) for each in found]


# --- Redundancy -----------------------------------------------------------------------------------


def test_two_endpoints_of_each_chain_are_enough_at_a_point_of_presence() -> None:
    assert shortfalls(polkadot=2, kusama=2, westend=2) == []


def test_fewer_than_two_endpoints_of_a_chain_fall_short() -> None:
    assert shortfalls(polkadot=2, kusama=1, westend=2) == [("kusama", 1, 2)]
    assert shortfalls(polkadot=2, westend=2) == [("kusama", 0, 2)]


def test_westend_needs_one() -> None:
    """F9: seed 000 asks for one node of it in milestone 3, and for two of every chain later."""
    assert shortfalls(polkadot=2, kusama=2, westend=1) == []
    assert shortfalls(polkadot=2, kusama=2) == [("westend", 0, 1)]


def test_endpoints_at_another_point_of_presence_do_not_help() -> None:
    pops = {"zurich": {"polkadot": 1}, "porto": {"polkadot": 3}}
    (found,) = redundancy(pops, ["polkadot"], LAW.redundancy)
    assert str(found) == "zurich has 1 endpoints of polkadot, 2 are required"
    assert (found.step.rule, found.step.value) == ("F9", 1)


def test_one_backend_of_each_network_is_enough_for_the_pools() -> None:
    """Seed 002, P3: amforc was added with 2, 1 and 1, and falls short of a payable POP."""
    amforc = {"polkadot": 2, "kusama": 1, "westend": 1}
    assert can_be_onboarded(amforc, RELAYS, LAW.redundancy)
    assert shortfalls(**amforc) == [("kusama", 1, 2)]


def test_a_network_without_a_backend_keeps_out_of_the_pools() -> None:
    assert not can_be_onboarded({"polkadot": 9, "kusama": 9}, RELAYS, LAW.redundancy)


# --- Regions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["africa", "asia", "middle-east", "oceania", "south-america"])
def test_high_priority_regions(region: str) -> None:
    assert priority(region, LAW.regions) is Priority.HIGH


@pytest.mark.parametrize("region", ["europe", "north-america"])
def test_low_priority_regions(region: str) -> None:
    assert priority(region, LAW.regions) is Priority.LOW


def test_central_america_is_a_high_priority_region() -> None:
    """F10: in neither list of seed 000; a member of seed 002 is there."""
    assert priority("central-america", LAW.regions) is Priority.HIGH


def test_a_region_of_neither_list_is_refused() -> None:
    with pytest.raises(RegionError, match="do not know the region 'antarctica'"):
        priority("antarctica", LAW.regions)


def test_high_priority_comes_first_then_who_came_first() -> None:
    def applicant(member: str, region: str, block: int) -> Applicant:
        return Applicant(member, region, BlockNumber(block))

    europe, late, early = (
        applicant("a", "europe", 1), applicant("b", "africa", 9), applicant("c", "asia", 5),
    )  # fmt: skip
    assert in_turn([europe, late, early], LAW.regions) == (early, late, europe)


# --- Pools ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("active", "capacity"), [(1, 2), (297, 2), (593, 2), (594, 4), (1_000, 4)])
def test_there_is_room_for_two_pools_and_for_four_in_a_doubled_set(
    active: int, capacity: int
) -> None:
    assert pool_capacity(active, LAW.pools) == capacity


def test_room_shrinks_below_zero_with_the_set() -> None:
    step = pool_room(3, 297, LAW.pools)
    assert (step.rule, step.value) == ("F16", -1)
    assert step.text == "pools: 2 for an active set of 297 - 3 taken"
