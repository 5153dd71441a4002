"""What several oracles agree on: votes per slot, medians, chain faults, and rows that count."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from ibp_chain.remark_bodies import Observe
from ibp_chain.types import Hash, Micros
from oracles.consensus import Commitment, Observation, admit, consensus, majority, median
from oracles.errors import ObservationRefused
from oracles.report import Verdict
from oracles.rules import Roster, Service
from oracles.samples import OBSERVATION, ObservationRow, Status
from tests.support.scores import (
    DAY,
    ORACLES,
    PROGRAM,
    ROSTER,
    RULES,
    SERVICES,
    SLOTS,
    admitted,
    agreed,
    observed,
    row_of,
    series,
    verdicts,
)

OK, FAILED, SLOW, UNKNOWN = Status
YESTERDAY = DAY - timedelta(days=1)


def saw(oracle: int, *heads: str, fast: int = 20_000) -> Observation:
    """`oracle` saw alpha's, then beta's Polkadot endpoint so."""
    members = ("alpha", "beta")
    rows = (observed(oracle, series(head), members[i], fast=fast) for i, head in enumerate(heads))
    return admitted(oracle, *rows)


# --- Votes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "quorum", "verdict"),
    [
        ((OK, OK, OK), 2, Verdict.OK),
        ((OK, OK, FAILED), 2, Verdict.OK),
        ((OK, FAILED, FAILED), 2, Verdict.FAILED),
        ((SLOW, SLOW, FAILED), 2, Verdict.SLOW),
        ((FAILED, FAILED, UNKNOWN), 2, Verdict.FAILED),
        ((OK, FAILED, UNKNOWN), 2, Verdict.UNKNOWN),  # half is no majority
        ((OK, FAILED, SLOW), 2, Verdict.UNKNOWN),
        ((OK, UNKNOWN, UNKNOWN), 2, Verdict.UNKNOWN),  # one is no quorum
        ((OK, OK, UNKNOWN, UNKNOWN), 2, Verdict.OK),  # who knows nothing has no vote
        ((OK, OK), 3, Verdict.UNKNOWN),
        ((UNKNOWN, UNKNOWN, UNKNOWN), 2, Verdict.UNKNOWN),
        ((), 1, Verdict.UNKNOWN),
        ((FAILED,), 1, Verdict.FAILED),
        ((OK, OK, FAILED, FAILED, SLOW), 3, Verdict.UNKNOWN),  # the largest group is no majority
        ((OK, OK, OK, FAILED, SLOW), 3, Verdict.OK),
        ((OK, OK, OK, FAILED, FAILED), 4, Verdict.UNKNOWN),  # more than half, but no quorum
        # two liars of five, where two of the honest could not tell: no charge
        ((OK, FAILED, FAILED, UNKNOWN, UNKNOWN), 3, Verdict.UNKNOWN),
        ((OK, OK, FAILED), 1, Verdict.OK),  # a quorum that is no majority: more than half decide
        ((OK, FAILED), 1, Verdict.UNKNOWN),
    ],
)
def test_a_verdict_is_what_a_quorum_says(
    statuses: tuple[Status, ...], quorum: int, verdict: Verdict
) -> None:
    assert majority(statuses, quorum) is verdict


def test_each_slot_is_voted_on_alone() -> None:
    result = agreed(saw(0, "..FFS?"), saw(1, ".FF.S?"), saw(2, "F.FSS."))
    assert verdicts(result) == "..F?S?" + "." * 282


def test_a_minority_that_lies_about_everything_changes_nothing() -> None:
    honest = saw(0, "FFS."), saw(1, "FFS.")
    lies = admitted(2, observed(2, series("...", "F")))
    assert agreed(*honest, lies).rows == agreed(*honest).rows


def test_an_endpoint_that_nobody_looked_at_is_unknown_all_day() -> None:
    row = row_of(agreed(saw(0, ""), saw(1, "")), "beta")
    assert row.verdicts == bytes([Verdict.UNKNOWN]) * SLOTS
    assert row.times == ()


def test_without_observations_nothing_is_known() -> None:
    result = agreed()
    assert {verdicts(result, member) for member in ("alpha", "beta")} == {"?" * SLOTS}
    assert result.observes == ()


def test_one_row_for_each_endpoint_of_the_roster_ascending() -> None:
    roster = Roster(SERVICES, {"beta": frozenset({"polkadot", "kusama"}), "alpha": frozenset()})
    rows = agreed(saw(0, "", ""), saw(1, "", ""), roster=roster).rows
    assert [(row.member, row.service) for row in rows] == [("beta", "kusama"), ("beta", "polkadot")]


def test_rows_about_endpoints_off_the_roster_do_not_count() -> None:
    strangers = [admitted(i, observed(i, series("F"), "stranger")) for i in range(2)]
    assert {row.member for row in agreed(*strangers).rows} == {"alpha", "beta"}


def test_the_observations_are_listed_by_root() -> None:
    three = [saw(i, "") for i in range(3)]
    roots = sorted(observation.commitment.root for observation in three)
    for order in permutations(three):
        assert agreed(*order).observes == tuple(roots)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_oracles_is_nothing(order: tuple[int, ...]) -> None:
    three = [saw(0, "..F", "F.", fast=1), saw(1, ".FF", "FS", fast=2), saw(2, "S.F", fast=3)]
    assert agreed(*(three[i] for i in order)) == agreed(*three)


# --- Times ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "middle"), [((7,), 7), ((9, 1), 1), ((3, 1, 2), 2), ((4, 3, 2, 1), 2)]
)
def test_the_median_is_a_measured_time_the_lower_of_two(
    times: tuple[int, ...], middle: int
) -> None:
    assert median([Micros(time) for time in times]) == middle


def test_a_slot_has_the_median_time_of_those_who_got_an_answer() -> None:
    row = row_of(agreed(saw(0, "F", fast=10), saw(1, "", fast=30), saw(2, "", fast=20)))
    assert row.times == (20,) * SLOTS  # in slot 0 the lower of 20 and 30, then of three


def test_failed_and_unknown_slots_have_no_time() -> None:
    row = row_of(agreed(saw(0, "F?."), saw(1, "F?.")))
    assert len(row.times) == SLOTS - 2


def test_the_time_of_a_slow_slot_is_slow_and_of_a_good_one_is_not() -> None:
    row = row_of(agreed(saw(0, "S.", fast=1), saw(1, "S.", fast=2), saw(2, ".S", fast=3)))
    assert row.times[0] >= RULES.slow_at
    assert row.times[1] < RULES.slow_at


# --- Faults of the chain itself -------------------------------------------------------


def test_a_slot_in_which_every_member_fails_a_chain_is_excluded() -> None:
    result = agreed(*(saw(i, ".F.", ".F.") for i in range(2)))
    assert verdicts(result, "alpha") == verdicts(result, "beta") == ".x" + "." * 286


@pytest.mark.parametrize("other", [".", "S"])
def test_one_member_that_answers_keeps_the_charge(other: str) -> None:
    result = agreed(*(saw(i, "F", other) for i in range(2)))
    assert verdicts(result)[0] == "F"


def test_a_member_that_is_unknown_neither_saves_nor_excludes() -> None:
    result = agreed(*(saw(i, "F", "?") for i in range(2)))
    assert (verdicts(result)[0], verdicts(result, "beta")[0]) == ("F", "?")


def test_a_third_member_that_is_unknown_is_excluded_with_the_failing_two() -> None:
    roster = Roster(SERVICES, dict.fromkeys(("alpha", "beta", "gamma"), frozenset({"polkadot"})))
    result = agreed(*(saw(i, "F", "F") for i in range(2)), roster=roster)
    assert [verdicts(result, member)[0] for member in roster.assigned] == ["x", "x", "x"]


def test_a_chain_that_one_member_serves_is_its_own_to_keep_up() -> None:
    roster = Roster(SERVICES, {"alpha": frozenset({"polkadot"})})
    assert verdicts(agreed(saw(0, "F"), saw(1, "F"), roster=roster))[0] == "F"
    lenient = replace(RULES, chain_fault_members=1)
    assert verdicts(agreed(saw(0, "F"), saw(1, "F"), roster=roster, rules=lenient))[0] == "x"


def test_another_chain_is_another_matter() -> None:
    roster = Roster(SERVICES, {"alpha": frozenset({"polkadot"}), "beta": frozenset({"kusama"})})
    both = [
        admitted(i, observed(i, series("F")), observed(i, series("F"), "beta", "kusama"))
        for i in range(2)
    ]
    result = agreed(*both, roster=roster)
    assert (verdicts(result)[0], verdicts(result, "beta", "kusama")[0]) == ("F", "F")


def test_services_of_one_chain_share_its_faults() -> None:
    services = (Service("rpc", "asset-hub", 5), Service("eth-rpc", "asset-hub", 5))
    roster = Roster(services, dict.fromkeys(("alpha", "beta"), frozenset({"rpc", "eth-rpc"})))

    def seen(oracle: int, alpha_eth: str) -> Observation:
        ends = [("alpha", "rpc", "FF"), ("alpha", "eth-rpc", alpha_eth),
                ("beta", "rpc", "FF"), ("beta", "eth-rpc", "FF")]  # fmt: skip
        rows = [observed(oracle, series(head), member, name) for member, name, head in ends]
        return admitted(oracle, *rows)

    result = agreed(seen(0, "F."), seen(1, "F."), roster=roster)
    # in slot 1 alpha still answers on one endpoint: the chain is up, the others are charged
    assert verdicts(result, "alpha", "rpc")[:2] == "xF"
    assert verdicts(result, "beta", "eth-rpc")[:2] == "xF"
    assert verdicts(result, "alpha", "eth-rpc")[:2] == "x."


def test_excluded_slots_have_no_time() -> None:
    result = agreed(*(saw(i, "F", "F") for i in range(2)))
    assert len(row_of(result).times) == SLOTS - 1


# --- Rows that count --------------------------------------------------------------------


def commitment(rows: tuple[ObservationRow, ...], oracle: int = 0) -> Commitment:
    return Commitment(ORACLES[oracle], DAY, OBSERVATION.root(rows), len(rows))


ROWS = OBSERVATION.canonical(observed(0, series("FS?"), member) for member in ("alpha", "beta"))
GOOD = commitment(ROWS)


def test_rows_that_their_oracle_committed_to_count() -> None:
    assert admit(GOOD, ROWS, RULES.slow_at) == Observation(GOOD, ROWS)


def test_a_commitment_is_what_the_remark_says() -> None:
    body = Observe(
        program=PROGRAM, oracle=ORACLES[0], day="2026-01-29", root=GOOD.root, rows=2,
        previous=Hash(bytes(32)), sig=bytes(64),
    )  # fmt: skip
    assert Commitment.of(body) == GOOD


def test_nobody_counts_who_committed_to_other_rows() -> None:
    other = ROWS[0], observed(0, series("F.?"), "beta")
    with pytest.raises(ObservationRefused, match=r"2026-01-29 by 0x.*the rows hash to 0x"):
        admit(GOOD, other, RULES.slow_at)


@pytest.mark.parametrize("rows", [ROWS[:1], (), (*ROWS, observed(0, series(""), "gamma"))])
def test_a_row_too_few_or_too_many_refuses_all(rows: tuple[ObservationRow, ...]) -> None:
    with pytest.raises(ObservationRefused, match="committed to 2"):
        admit(GOOD, rows, RULES.slow_at)


def test_reordered_rows_are_refused() -> None:
    with pytest.raises(ObservationRefused, match="out of order"):
        admit(GOOD, ROWS[::-1], RULES.slow_at)


def test_a_row_said_twice_is_refused() -> None:
    with pytest.raises(ObservationRefused, match="two rows about alpha/polkadot"):
        admit(GOOD, (ROWS[0], ROWS[0]), RULES.slow_at)


def test_another_oracles_rows_are_not_ones_own() -> None:
    copied = commitment(ROWS, oracle=1)
    with pytest.raises(ObservationRefused, match="a row names oracle"):
        admit(copied, ROWS, RULES.slow_at)


def test_yesterdays_rows_are_not_todays() -> None:
    old = (observed(0, series(""), day=YESTERDAY),)
    with pytest.raises(ObservationRefused, match="and day 2026-01-28"):
        admit(commitment(old), old, RULES.slow_at)


def test_a_status_against_its_own_time_refuses_all() -> None:
    slow_called_good = (observed(0, series(""), fast=RULES.slow_at),)
    with pytest.raises(ObservationRefused, match="alpha/polkadot has a status that contradicts"):
        admit(commitment(slow_called_good), slow_called_good, RULES.slow_at)
    stricter = (observed(0, series("S")),)
    with pytest.raises(ObservationRefused, match="contradicts"):
        admit(commitment(stricter), stricter, Micros(200_000))


# --- Defects of the caller ---------------------------------------------------------------


def test_an_observation_of_another_day_is_a_defect() -> None:
    with pytest.raises(ValueError, match="not of 2026-01-28"):
        consensus([saw(0, "")], day=YESTERDAY, roster=ROSTER, rules=RULES, quorum=1)


def test_an_oracle_has_one_observation() -> None:
    with pytest.raises(ValueError, match="two observations"):
        agreed(saw(0, ""), saw(0, "F"))


def test_a_quorum_of_nobody_is_a_defect() -> None:
    with pytest.raises(ValueError, match="quorum 0"):
        agreed(saw(0, ""), quorum=0)
