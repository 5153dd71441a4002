"""Seeds 000 and 001, number by number: what the IBP's rules file says of each clause."""

from decimal import Decimal

import pytest

from ibp_chain.errors import ConfigError
from ledger.program.milestone_rules import ByChains, ByEach, ByValue
from ledger.program.rules import parse_rules
from oracles.rules import sla_rules
from tests.support.law import LAW
from tests.unit.ledger.test_rules import RAW, reason, with_

M = LAW.milestones


def usd(*amounts: int) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, amounts))


def least(number: int, name: str) -> int:
    (found,) = (r for r in M[number].requirements if r.id == name)
    assert isinstance(found, ByValue | ByEach)
    return found.least


def chains(number: int, name: str) -> dict[str, int]:
    (found,) = (r for r in M[number].requirements if r.id == name)
    assert isinstance(found, ByChains)
    return found.chains


# --- 000: rewards -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "points"), [(1, 30), (2, 0), (3, 30), (4, 0), (5, 30), (6, 15), (7, 0), (8, 100)]
)
def test_validator_points_of_each_milestone(number: int, points: int) -> None:
    assert M[number].reward.validator_points == points


@pytest.mark.parametrize("number", [2, 4])
def test_milestones_2_and_4_bring_15000_once(number: int) -> None:
    assert M[number].reward.once_usd == 15_000
    assert LAW.budget.line_of[M[number].reward.item or ""] == "one-time"


@pytest.mark.parametrize("number", [1, 3, 5, 6, 7, 8])
def test_no_other_milestone_brings_a_lump_sum(number: int) -> None:
    assert M[number].reward.once_usd is None


@pytest.mark.parametrize("number", [3, 5])
def test_rpc_brings_2500_to_10000_a_month(number: int) -> None:
    assert M[number].reward.monthly_usd == usd(2_500, 10_000)
    assert LAW.budget.line_of[M[number].reward.item or ""] == "rpc"


def test_snapshots_bring_800_a_month() -> None:
    assert M[6].reward.monthly_usd == usd(800, 800)
    assert LAW.budget.line_of[M[6].reward.item or ""] == "snapshot"


def test_milestone_8_brings_one_validator() -> None:
    assert M[8].reward.validators == 1


# --- 000: costs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "adds_to", "monthly", "once"),
    [
        (1, None, usd(600, 3_000), Decimal(5_000)),
        (2, 1, None, None),
        (3, 2, None, Decimal(50_000)),
        (4, 3, usd(200, 500), None),
        (5, 4, usd(200, 500), None),
        (6, 5, usd(200, 400), None),
    ],
)
def test_what_each_milestone_costs(
    number: int, adds_to: int | None, monthly: tuple[Decimal, ...] | None, once: Decimal | None
) -> None:
    cost = M[number].cost
    assert (cost.adds_to, cost.monthly_usd, cost.once_usd) == (adds_to, monthly, once)


# --- 000: requirements that are numbers -----------------------------------------------------------


def test_milestone_1_asks_for_rank_25_in_the_1000_validators_programme() -> None:
    assert least(1, "kv-rank") == 25


def test_milestone_1_asks_for_a_boot_node_on_each_relay_chain() -> None:
    assert chains(1, "boot-nodes") == {"westend": 1, "kusama": 1, "polkadot": 1}


def test_milestone_1_asks_for_250000_iops_per_terabyte() -> None:
    assert least(1, "storage") == 250_000


@pytest.mark.parametrize("years", ["sysadmin-years", "network-years", "devops-years"])
def test_milestone_2_asks_for_six_years_of_each(years: str) -> None:
    assert least(2, years) == 6


def test_milestone_2_asks_for_two_resumes() -> None:
    assert least(2, "resumes") == 2


def test_milestone_2_asks_for_5000_dot_and_20_ksm_at_maximum_conviction() -> None:
    lock = LAW.lock
    assert [lock.polkadot, lock.kusama] == [5_000, 20]
    assert lock.conviction == "Locked6x"
    assert lock.periods * lock.period_days == 224
    assert lock.networks_with("polkadot") == lock.networks_with("kusama-asset-hub")


def test_milestone_3_asks_for_two_archive_nodes_on_polkadot_and_kusama_and_one_on_westend() -> None:
    assert chains(3, "archive-nodes") == {"polkadot": 2, "kusama": 2, "westend": 1}


@pytest.mark.parametrize("number", [3, 5])
@pytest.mark.parametrize("pools", ["geodns-pools", "anycast-pools"])
def test_rpc_asks_for_two_pools_of_each_kind(number: int, pools: str) -> None:
    assert least(number, pools) == 2


@pytest.mark.parametrize("number", [4, 5])
def test_the_common_good_parachains_are_the_five_that_seed_001_names(number: int) -> None:
    name = {4: "boot-nodes", 5: "archive-nodes"}[number]
    named = {"westmint", "statemine", "statemint", "encointer", "collectives"}
    assert chains(number, name) == dict.fromkeys(named, 1)


def test_milestone_7_asks_for_two_of_five_tasks() -> None:
    assert (M[7].tasks_least, len(M[7].tasks)) == (2, 5)


# --- 000: SLA -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_services_are_promised_up_99_9_percent_and_polled_every_five_minutes(number: int) -> None:
    sla = M[number].sla
    assert (sla.uptime_ppm, sla.poll_minutes) == (999_000, 5)
    assert "node telemetry exported to endpoints" in sla.clauses


@pytest.mark.parametrize("number", [3, 5])
def test_rpc_is_promised_to_answer_in_less_than_100_ms(number: int) -> None:
    """F1: milestone 5 has the formula the other way round; both are scored alike."""
    assert M[number].sla.response_below_us == 100_000 == sla_rules(LAW.sla).slow_at


@pytest.mark.parametrize("number", [2, 4])
def test_lump_sums_are_promised_to_be_spent_on_infrastructure_with_receipts(number: int) -> None:
    clauses = " ".join(M[number].sla.clauses)
    assert "spent on infrastructure" in clauses
    assert "receipts and proof of installation" in clauses
    assert "renewable" in clauses


def test_milestone_1_is_hosted_on_owned_hardware() -> None:
    assert "colocation on owned hardware with NVMe disks" in M[1].sla.clauses


def test_nomination_pools_elect_1000_validators_members_and_are_polled() -> None:
    assert M[8].sla.poll_minutes == 5
    assert "1,000 Validators members only" in " ".join(M[8].sla.clauses)


def test_charges_are_7_and_1_for_15_minutes_and_a_clean_day_is_worth_1() -> None:
    sla = LAW.sla
    assert (sla.failed_charge, sla.slow_charge, sla.clean_day) == (7, 1, 1)
    assert {sla.slots_per_charge * (M[n].sla.poll_minutes or 0) for n in (3, 5)} == {15}


# --- 001: the budget ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "cap"),
    [
        ("one-time", 300_000),
        ("rpc", 500_000),
        ("snapshot", 100_000),
        ("monitoring", 75_000),
        ("advisors", 45_000),
        ("curators", 26_000),
        ("software", 254_000),
    ],
)
def test_each_line_of_the_budget_has_the_cap_of_seed_001(line: str, cap: int) -> None:
    assert LAW.budget.lines[line].usd == cap


def test_the_seven_lines_add_up_to_1300000() -> None:
    assert len(LAW.budget.lines) == 7
    assert sum(line.usd for line in LAW.budget.lines.values()) == LAW.budget.total_usd == 1_300_000


def test_the_lump_sums_of_ten_members_fill_the_line_of_one_time_payments() -> None:
    lumps = sum(m.reward.once_usd for m in M.values() if m.reward.once_usd is not None)
    assert 10 * lumps == LAW.budget.lines["one-time"].usd


def test_funds_are_held_by_three_of_five_curators() -> None:
    assert (LAW.budget.multisig_threshold, LAW.budget.multisig_signatories) == (3, 5)


# --- What no file may say -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('usd = "254000"', 'usd = "254001"', "add up to 1300001 USD, not 1300000"),
        ('items = ["curator"]', 'items = ["curator", "tools"]', "paid from two lines"),
        ('items = ["snapshot-m6", "snapshot-host"]', "items = []", "no line of the budget pays"),
        ("multisig_threshold = 3", "multisig_threshold = 6", "above the number of signatories"),
        ("needs = [7]", "needs = [8]", "milestones.8.needs: a milestone needs earlier ones"),
        ("rank = { of = 3, least = 180 }", "rank = { of = 2, least = 180 }", "no rank is counted"),
        ("slow_at_us = 100_000", "slow_at_us = 100_001", "sla.slow_at_us"),
        ("bound_by = { 2 = [1], 4 = [4] }", "bound_by = { 2 = [1] }", "lumps.bound_by"),
        ("bound_by = { 2 = [1], 4 = [4] }", "bound_by = { 0 = [1] }", "keys are numbers"),
        ("tasks_least = 2 ", "tasks_least = 6 ", "more tasks are asked for"),
        ('item = "snapshot-m6"', "", "an item is named where something is paid"),
        ('low = ["europe",', 'low = ["europe", "africa",', "africa is both high and low"),
        ('exempt_chains = ["westend"]', 'exempt_chains = ["a", "a"]', "listed twice"),
        ('task = "tools"', 'task = "toys"', "milestone 7 has no task toys"),
        ('id = "interview"', 'id = "website"', "a requirement is listed twice"),
        ('id = "interview"', 'id = "rank"', "names another kind of requirement"),
        ('clamp = "daily"', 'clamp = "hourly"', "rank.clamp"),
        ('[["polkadot", "kusama"], ["paseo"]]', '[["polkadot", "kusama"]]', "each network"),
        ('by = "link"', 'by = "faith"', "milestones"),
        ("[milestones.8]", "[milestones.9]", "milestones"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(old: str, new: str, told: str) -> None:
    raw = RAW.replace(b"[milestones.8.", b"[milestones.9.") if new == "[milestones.9]" else RAW
    assert raw.count(old.encode()) == 1
    assert told in reason(raw.replace(old.encode(), new.encode()))


def test_a_changed_number_is_another_law() -> None:
    changed = parse_rules(with_("return_days = 730", "return_days = 731"), "mine.toml")
    assert changed.hash != LAW.hash
    assert changed.lumps.return_days == 731


def test_a_milestone_less_is_refused() -> None:
    without = RAW[: RAW.index(b"[milestones.8]")]
    with pytest.raises(ConfigError, match="milestones: 1 to 8 are expected"):
        parse_rules(without, "mine.toml")
