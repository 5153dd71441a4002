"""Seed 000, requirement by requirement: what a milestone asks for, and what shows it."""

from dataclasses import replace

import pytest

from ibp_chain.types import TrackId
from ledger.locks import Cover, CoverKind, Promise
from ledger.pallets.membership import MilestoneRecord
from ledger.program.evidence import Evidence, Item, Verdict
from ledger.program.lock_terms import LockFact
from ledger.program.milestone_rules import (
    ByCapacity,
    ByChains,
    ByEach,
    ByLink,
    ByLock,
    ByValue,
    Requirement,
)
from ledger.program.milestones import Outcome, assess, next_milestone
from ledger.program.places import pool_room
from ledger.program.ranks import ranks
from tests.support.law import (
    ACTIVE_SET,
    BLOCK,
    LAW,
    MEMBER,
    assessed,
    check,
    days_of,
    decided,
    dot,
    everything,
    facts,
    granted,
    lock,
    missing,
    with_items,
    without,
)

NUMBERS = range(1, 9)
REQUIREMENTS = [(n, each) for n in NUMBERS for each in LAW.milestones[n].requirements]
SHOWN = [
    (n, each) for n, each in REQUIREMENTS if not isinstance(each, ByLink | ByLock | ByCapacity)
]
IDS = [f"M{n}.{each.id}" for n, each in SHOWN]


# --- What holds for every one ---------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_whoever_shows_everything_may_be_granted_the_milestone(number: int) -> None:
    found = assessed(number)
    assert (missing(number), found.may_be_granted) == ([], True)
    assert all(each.outcome is Outcome.MET for each in found.checks)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_milestone_asks_for_the_one_before(number: int) -> None:
    if number > 1:
        lacking = granted(*range(1, number - 1))
        assert missing(number, granted=lacking) == [f"M{number}.milestones"]
    else:
        assert not LAW.milestones[1].needs


@pytest.mark.parametrize(("number", "requirement"), SHOWN, ids=IDS)
def test_a_requirement_is_missing_without_its_evidence(
    number: int, requirement: Requirement
) -> None:
    name = requirement.id
    shown = without(everything(number), name)
    found = assessed(number, evidence={number: shown})
    assert [each.id for each in found.missing] == [f"M{number}.{name}"]
    assert not found.may_be_granted


@pytest.mark.parametrize(("number", "requirement"), SHOWN, ids=IDS)
@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.ACCEPTED])
def test_only_accepted_evidence_shows_anything(
    number: int, requirement: Requirement, verdict: Verdict
) -> None:
    name = requirement.id
    document = everything(number)
    items = tuple(
        item.model_copy(update={"verdict": verdict}) if item.requirement == name else item
        for item in document.items
    )
    shown = document.model_copy(update={"items": items})
    assert missing(number, evidence={number: shown}) == [f"M{number}.{name}"]


@pytest.mark.parametrize(("number", "requirement"), SHOWN, ids=IDS)
def test_a_waiver_lifts_a_requirement_and_no_other(number: int, requirement: Requirement) -> None:
    name = f"M{number}.{requirement.id}"
    nothing = Evidence(member=MEMBER, milestone=number, items=())
    before = missing(number, evidence={number: nothing})
    waived = {"evidence": {number: nothing}, "decisions": decided((name, "waive"))}
    assert missing(number, **waived) == [each for each in before if each != name]
    found = check(number, name, **waived)
    assert found.outcome is Outcome.WAIVED
    assert found.steps[-1].rule == "F13"
    assert "block 1" in found.steps[-1].text


@pytest.mark.parametrize(("number", "requirement"), SHOWN, ids=IDS)
def test_one_less_than_is_asked_for_is_missing(number: int, requirement: Requirement) -> None:
    match requirement:
        case ByValue(id=name, least=least) | ByEach(id=name, least=least):
            shown = with_items(number, name, {"value": least - 1})
        case ByChains(id=name, chains=chains):
            chain = next(iter(chains))
            items = [
                {"chain": other, "value": least - (other == chain), "link": f"file://{other}"}
                for other, least in chains.items()
            ]
            shown = with_items(number, name, *items)
        case _:
            return
    assert missing(number, evidence={number: shown}) == [f"M{number}.{name}"]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_check_says_how_it_came_about(number: int) -> None:
    for found in (assessed(number), assessed(number, evidence={}, ranks=None, locks=())):
        assert all(each.steps for each in found.checks)
        assert found.steps == tuple(step for each in found.checks for step in each.steps)


def test_evidence_is_named_by_its_hash() -> None:
    document = everything(1)
    assert document.hash.hex() in check(1, "M1.application").steps[0].text


def test_no_evidence_at_all_is_missing_and_says_so() -> None:
    found = check(1, "M1.application", evidence={})
    assert found.outcome is Outcome.MISSING
    assert "no evidence was given" in found.steps[0].text


def test_values_of_several_items_add_up() -> None:
    shown = with_items(2, "devops-years", {"value": 4}, {"value": 2, "link": "file://y"})
    assert missing(2, evidence={2: shown}) == []


def test_each_storage_must_be_fast_enough() -> None:
    shown = with_items(1, "storage", {"value": 400_000}, {"value": 249_999, "link": "file://y"})
    assert missing(1, evidence={1: shown}) == ["M1.storage"]


def test_an_item_without_a_value_counts_one_in_a_sum_and_nothing_in_each() -> None:
    pools = with_items(3, "geodns-pools", {}, {"link": "file://y"})
    assert missing(3, evidence={3: pools}) == []
    assert missing(1, evidence={1: with_items(1, "storage", {})}) == ["M1.storage"]


# --- Evidence of what was granted -------------------------------------------------------------


def test_what_was_granted_on_evidence_that_nobody_brought_is_not_known() -> None:
    found = check(1, "M1.application", granted=granted(1), evidence={})
    assert found.outcome is Outcome.UNKNOWN
    assert granted(1)[1].evidence.hex() in found.steps[0].text


def test_another_document_than_the_grant_was_given_for_shows_nothing() -> None:
    assert check(1, "M1.application", granted=granted(1)).outcome is Outcome.UNKNOWN
    record = MilestoneRecord(everything(1).hash, BLOCK)
    assert check(1, "M1.application", granted={1: record}).outcome is Outcome.MET


# --- Ranks: F4, F5 ----------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "of"), [(4, 3), (6, 5)])
def test_milestones_4_and_6_ask_for_rank_180_in_3_and_5(number: int, of: int) -> None:
    gate = LAW.milestones[number].rank
    assert gate is not None
    assert (gate.of, gate.least) == (of, 180)
    short = {m: rank for (_, m), rank in ranks(days_of(*[1] * 179, milestone=of), LAW.rank).items()}
    assert missing(number, ranks=short) == [f"M{number}.rank"]


def test_a_rank_in_the_other_milestone_does_not_open_a_gate() -> None:
    only = {5: ranks(days_of(*[1] * 180, milestone=5), LAW.rank)[MEMBER, 5]}
    found = check(4, "M4.rank", ranks=only)
    assert (found.outcome, found.steps[0].rule) == (Outcome.MISSING, "F5")


def test_a_gate_that_was_passed_stays_open() -> None:
    fallen = ranks(days_of(*[1] * 180, -672), LAW.rank)[MEMBER, 3]
    assert fallen.value == 0
    assert missing(4, ranks={3: fallen}) == []


def test_a_rank_that_nobody_brought_rows_of_is_not_known() -> None:
    assert check(4, "M4.rank", ranks=None).outcome is Outcome.UNKNOWN
    assert not assessed(4, ranks=None).may_be_granted


# --- Locks: F7 --------------------------------------------------------------------------------


def test_milestone_2_asks_for_both_locks() -> None:
    short = (lock("polkadot", "4999.9999999999"), lock("kusama", 20))
    assert missing(2, locks=short) == ["M2.lock"]
    assert missing(2, locks=(lock("polkadot", 5_000), lock("kusama", "19.9"))) == ["M2.lock"]


def test_a_lock_on_a_chain_that_nobody_read_is_not_known() -> None:
    found = check(2, "M2.lock", locks=(lock("polkadot", 5_000),))
    assert found.outcome is Outcome.UNKNOWN
    assert "kusama: no ledger of it was read" in found.steps[-1].text


def test_a_lock_that_falls_short_is_missing_though_another_chain_was_not_read() -> None:
    assert check(2, "M2.lock", locks=(lock("polkadot", 1),)).outcome is Outcome.MISSING


def test_an_asset_hubs_ledger_tells_of_its_relay_chains_lock() -> None:
    after = (lock("polkadot-asset-hub", 5_000), lock("kusama-asset-hub", 20))
    assert missing(2, locks=after) == []


def test_good_intentions_lock_all_that_one_has() -> None:
    """000 M2: self bond under 5,000 DOT at acceptance."""
    made = decided(("lock polkadot 3200", "override"))
    locks = lock("polkadot", 3_200, made), lock("kusama", 20, made)
    assert missing(2, locks=locks, decisions=made) == []
    short = lock("polkadot", "3199.99", made), lock("kusama", 20, made)
    assert missing(2, locks=short, decisions=made) == ["M2.lock"]


def test_more_than_5000_need_not_be_locked() -> None:
    """000 M2: 'Only a maximum of 5,000 DOT need to be locked'."""
    made = decided(("lock polkadot 9000", "override"))
    assert lock("polkadot", 0, made).terms.required == dot(5_000)


def test_a_member_without_an_account_on_the_chain_has_nothing_locked_there() -> None:
    nothing = LockFact(lock("kusama", 20).network, lock("kusama", 20).terms, None, BLOCK)
    assert not nothing.kept
    assert missing(2, locks=(lock("polkadot", 5_000), nothing)) == ["M2.lock"]


def test_a_delegation_counts_and_is_flagged() -> None:
    base = lock("polkadot", 5_000)
    cover = Cover(TrackId(0), CoverKind.DELEGATION, dot(5_000), None, None)
    lent = replace(base, promise=Promise(dot(5_000), (cover,)))
    assert lent.kept
    assert "by a delegation only" in lent.steps[-1].text


# --- Sign & verify ----------------------------------------------------------------------------


def test_sign_and_verify_is_a_linked_account() -> None:
    assert missing(2, links=0) == ["M2.sign-verify"]


# --- Milestones 3 and 5: F9, F10, F11 -----------------------------------------------------------


def test_milestone_3_is_complete_with_2_polkadot_2_kusama_and_1_westend() -> None:
    """Seed 002: amforc had 2, 1 and 1 backends: in the pools, not complete."""
    amforc = with_items(
        3,
        "archive-nodes",
        {"chain": "polkadot", "value": 2},
        {"chain": "kusama", "value": 1},
        {"chain": "westend", "value": 1},
    )
    assert missing(3, evidence={3: amforc}) == ["M3.archive-nodes"]
    assert [step.value for step in check(3, "M3.archive-nodes", evidence={3: amforc}).steps] == [
        2, 1, 1,
    ]  # fmt: skip


def test_anycast_which_nobody_ever_delivered_is_waived() -> None:
    """F11: N/A in seed 002."""
    shown = without(everything(3), "anycast-pools")
    made = decided(("M3.anycast-pools", "waive"))
    found = assessed(3, evidence={3: shown}, decisions=made)
    assert found.may_be_granted
    assert check(3, "M3.anycast-pools", evidence={3: shown}, decisions=made).outcome is (
        Outcome.WAIVED
    )


def test_milestone_5_asks_for_five_archive_nodes_at_least() -> None:
    (nodes,) = (r for r in LAW.milestones[5].requirements if isinstance(r, ByChains))
    assert sum(nodes.chains.values()) == 5


# --- Milestone 6 and 7: F10 -------------------------------------------------------------------


def test_hosting_a_snapshot_service_counts_as_joining_one() -> None:
    nothing = Evidence(member=MEMBER, milestone=6, items=())
    hosts = Evidence(
        member=MEMBER, milestone=7, items=(Item(requirement="snapshot-host", link="file://s"),)
    )
    assert missing(6, evidence={6: nothing}) == ["M6.snapshot-mirror"]
    assert missing(6, evidence={6: nothing, 7: hosts}) == []
    assert check(6, "M6.snapshot-mirror", evidence={6: nothing, 7: hosts}).steps[-1].rule == "F10"


def test_milestone_7_asks_for_any_two_tasks() -> None:
    def done(*tasks: str) -> list[str]:
        items = tuple(Item(requirement=task, link=f"file://{task}") for task in tasks)
        return missing(7, evidence={7: Evidence(member=MEMBER, milestone=7, items=items)})

    assert done() == done("tools") == done("tools", "juggling") == ["M7.tasks"]
    assert done("tools", "telemetry-host") == done("geodns-host", "anycast-host", "tools") == []


def test_one_task_shown_twice_is_one_task() -> None:
    items = tuple(Item(requirement="tools", link=f"file://{n}") for n in range(2))
    shown = Evidence(member=MEMBER, milestone=7, items=items)
    assert missing(7, evidence={7: shown}) == ["M7.tasks"]


# --- Milestone 8: F16 -------------------------------------------------------------------------


def test_milestone_8_asks_for_room_among_the_pools() -> None:
    assert missing(8, pool_room=pool_room(1, ACTIVE_SET, LAW.pools)) == []
    assert missing(8, pool_room=pool_room(2, ACTIVE_SET, LAW.pools)) == ["M8.pool-room"]
    assert missing(8, pool_room=pool_room(3, 2 * ACTIVE_SET, LAW.pools)) == []


def test_who_runs_a_pool_needs_no_other_room() -> None:
    record = MilestoneRecord(everything(8).hash, BLOCK)
    held = {**granted(*range(1, 8)), 8: record}
    assert missing(8, granted=held, pool_room=pool_room(2, ACTIVE_SET, LAW.pools)) == []


def test_room_that_nobody_told_of_is_not_known() -> None:
    assert check(8, "M8.pool-room", pool_room=None).outcome is Outcome.UNKNOWN


# --- Curators decide: F13 -----------------------------------------------------------------------


def test_an_override_promotes_whatever_is_missing_and_hides_nothing() -> None:
    early = assessed(4, ranks={}, decisions=decided(("M4", "override")))
    assert early.may_be_granted
    assert [each.id for each in early.missing] == ["M4.rank"]
    assert early.promotion is not None
    assert "block 1" in str(early.promotion)


@pytest.mark.parametrize("outcome", ["waive", "uphold", "overturn"])
def test_nothing_but_an_override_promotes(outcome: str) -> None:
    assert not assessed(4, ranks={}, decisions=decided(("M4", outcome))).may_be_granted


def test_a_waiver_that_was_taken_back_lifts_nothing() -> None:
    taken_back = decided(("M1.storage", "waive"), ("M1.storage", "uphold"))
    shown = without(everything(1), "storage")
    assert missing(1, evidence={1: shown}, decisions=taken_back) == ["M1.storage"]


def test_rules_can_forbid_waivers_and_overrides() -> None:
    strict = replace(
        LAW, membership=LAW.membership.model_copy(update={"waivable": False, "override": False})
    )
    shown = without(everything(1), "storage")
    made = decided(("M1.storage", "waive"), ("M1", "override"))
    found = assess(strict, 1, facts(1, evidence={1: shown}, decisions=made))
    assert not found.may_be_granted
    assert [each.id for each in found.missing] == ["M1.storage"]


def test_a_waiver_of_what_is_met_changes_nothing() -> None:
    made = decided(("M1.storage", "waive"))
    assert check(1, "M1.storage", decisions=made).outcome is Outcome.MET


# --- Which is next ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "number"), [((), 1), ((1,), 2), ((1, 3), 2), (range(1, 8), 8), (NUMBERS, None)]
)
def test_the_next_milestone_is_the_lowest_that_is_lacking(held: range, number: int | None) -> None:
    assert next_milestone(held) == number
