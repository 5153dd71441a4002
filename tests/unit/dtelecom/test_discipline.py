"""Seed 003, section 2.3: the ladder and the process, each step with its reason and moment."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.derivation import explain
from ledger.program.dtelecom import staking
from ledger.program.dtelecom.discipline import (
    DisciplineError,
    Penalty,
    Phase,
    Record,
    Rung,
    appeal,
    detect,
    dismiss,
    dispute,
    execute,
    explain_case,
    may_slash,
    needs_review,
    reduced_seconds,
    remedy,
    reverse,
    review,
    slash_range,
    uphold,
    withdraw,
)
from ledger.program.dtelecom.penalties import DAY, HOUR, Major, Minor
from ledger.program.dtelecom.rules import Law
from tests.support.dtelecom import LAW, law

FRESH = Record(staking.deposit(staking.Stake(), 1000, Decimal(10_000)))
DUE = 72 * HOUR + 1
"""From the first second behind grace and dispute."""


def offend(
    record: Record, kind: Minor | Major, at: int, *, reviewed: bool = True, rules: Law = LAW
) -> Record:
    """Detected at `at`, reviewed where the rules or the rung ask for it, executed when due."""
    index = len(record.cases)
    record = detect(record, kind, at, "seen")
    if reviewed:
        record = review(record, index, at + 1, "voted")
    return execute(rules, record, index, at + DUE, "due")


def penalty(record: Record, index: int = -1) -> Penalty:
    found = record.cases[index].penalty
    assert found is not None
    return found


def four_offences() -> Record:
    record = FRESH
    for day in range(4):
        record = offend(record, Minor.SLOW, day * 40 * DAY)
    return record


# --- The ladder ---------------------------------------------------------------------------


def test_the_first_offence_is_a_warning() -> None:
    """2.3 "First Offense: Warning + Education"."""
    record = offend(FRESH, Minor.SLOW, 0, reviewed=False)
    found = penalty(record)
    assert found.rung is Rung.WARNING
    assert (found.taken.amount, found.reduced_until) == (0, None)
    assert record.stake == FRESH.stake


def test_the_second_offence_reduces_rewards_for_thirty_days() -> None:
    """2.3 "Second Offense: Reward reduction (30 days)"."""
    record = offend(offend(FRESH, Minor.SLOW, 0), Minor.SLOW, 40 * DAY)
    found = penalty(record)
    assert found.rung is Rung.REDUCTION
    assert found.reduced_until == found.at + 30 * DAY
    assert record.stake == FRESH.stake


def test_the_third_offence_slashes_five_percent() -> None:
    """2.3 "Third Offense: Stake slash (5-10%)": the lower bound (D6)."""
    record = FRESH
    for day in (0, 40, 80):
        record = offend(record, Minor.SLOW, day * DAY)
    assert penalty(record).rung is Rung.SLASH
    assert record.stake.slashed == 50


def test_a_review_may_slash_up_to_ten_percent_for_the_third_offence() -> None:
    """2.3 "Stake slash (5-10%)" (D6)."""
    record = offend(offend(FRESH, Minor.SLOW, 0), Minor.SLOW, 40 * DAY)
    record = review(detect(record, Minor.SLOW, 80 * DAY, "seen"), 2, 80 * DAY, "voted 10 %")
    assert execute(LAW, record, 2, 84 * DAY, "voted", Fraction("0.1")).stake.slashed == 100
    with pytest.raises(DisciplineError, match=r"0\.11 is not from 0\.05 to 0\.1"):
        execute(LAW, record, 2, 84 * DAY, "voted", Fraction("0.11"))


def test_the_fourth_offence_removes_the_node_and_slashes_what_remains() -> None:
    """2.3 "Fourth Offense: Node removal + remaining slash" (D22)."""
    record = four_offences()
    assert penalty(record).rung is Rung.REMOVAL
    assert record.removed
    assert (record.stake.held, record.stake.slashed) == (0, 1000)


def test_a_removed_node_offends_no_more() -> None:
    """2.3 "Node removal"."""
    with pytest.raises(DisciplineError, match="removed"):
        detect(four_offences(), Minor.SLOW, 900 * DAY, "seen")


def test_removal_waits_for_a_review() -> None:
    """2.3 "3. Community/governance review (major cases)" (D26)."""
    record = FRESH
    for day in (0, 40, 80):
        record = offend(record, Minor.SLOW, day * DAY)
    with pytest.raises(DisciplineError, match="removal needs a review"):
        offend(record, Minor.SLOW, 120 * DAY, reviewed=False)


@pytest.mark.parametrize(("days", "rung"), [(364, Rung.REDUCTION), (365, Rung.WARNING)])
def test_an_offence_is_forgotten_after_a_year(days: int, rung: Rung) -> None:
    """D6: look-back of 365 days; the seed is silent."""
    record = offend(offend(FRESH, Minor.SLOW, 0), Minor.SLOW, days * DAY)
    assert penalty(record).rung is rung


def test_the_ladder_counts_offences_of_every_kind() -> None:
    """2.3 "Violation Escalation"."""
    record = offend(offend(FRESH, Minor.OUTDATED, 0), Major.UPTIME, 40 * DAY)
    assert penalty(record).rung is Rung.REDUCTION


# --- Ladder and table ---------------------------------------------------------------------


def test_a_major_first_offence_is_slashed_at_once_and_counts() -> None:
    """2.3 "Uptime <95%: 1-5% stake slash" against "First Offense: Warning" (D5)."""
    record = offend(FRESH, Major.UPTIME, 0, reviewed=False)
    assert penalty(record).rung is Rung.WARNING
    assert record.stake.slashed == 10
    assert penalty(offend(record, Minor.SLOW, 40 * DAY)).rung is Rung.REDUCTION


@pytest.mark.parametrize(
    ("kind", "rung", "low", "high"),
    [
        (Minor.SLOW, Rung.WARNING, "0", "0"), (Minor.SLOW, Rung.REDUCTION, "0", "0"),
        (Minor.SLOW, Rung.SLASH, "0.05", "0.1"), (Minor.SLOW, Rung.REMOVAL, "1", "1"),
        (Major.UPTIME, Rung.WARNING, "0.01", "0.05"), (Major.UPTIME, Rung.SLASH, "0.05", "0.1"),
        (Major.MALICIOUS, Rung.WARNING, "0.1", "0.5"), (Major.MALICIOUS, Rung.SLASH, "0.1", "0.5"),
        (Major.BREACH, Rung.REDUCTION, "0.25", "1"), (Major.PROTOCOL, Rung.SLASH, "0.05", "0.2"),
        (Major.DOUBLE_SIGNING, Rung.WARNING, "0.5", "0.5"),
        (Major.DOUBLE_SIGNING, Rung.REMOVAL, "1", "1"),
    ],
)  # fmt: skip
def test_of_table_and_ladder_the_greater_slash_holds_and_never_both(
    kind: Minor | Major, rung: Rung, low: str, high: str
) -> None:
    """2.3 "Major Violations" and "Progressive Discipline" (D5)."""
    assert slash_range(LAW, kind, rung) == (Fraction(low), Fraction(high))


def test_more_than_the_lower_bound_needs_a_review() -> None:
    """D6: raised within the range by a vote."""
    record = detect(FRESH, Major.UPTIME, 0, "seen")
    with pytest.raises(DisciplineError, match=r"more than 0\.01 needs a review"):
        execute(LAW, record, 0, DUE, "due", Fraction("0.05"))
    record = review(record, 0, 1, "voted")
    assert execute(LAW, record, 0, 2, "voted", Fraction("0.05")).stake.slashed == 50
    for share in ("0.009", "0.051"):
        with pytest.raises(DisciplineError, match="is not from"):
            execute(LAW, record, 0, 2, "voted", Fraction(share))


def test_the_base_is_the_stake_at_the_offence_with_what_is_unbonding() -> None:
    """D5."""
    leaving = replace(FRESH, stake=staking.unbond(LAW.staking, FRESH.stake, 900, 0))
    record = detect(leaving, Major.DOUBLE_SIGNING, 0, "seen")
    richer = replace(record, stake=staking.deposit(record.stake, 5000, Decimal(1)))
    done = execute(LAW, review(richer, 0, 1, "voted"), 0, 2, "voted")
    assert done.stake.slashed == 500


# --- The process --------------------------------------------------------------------------


def test_every_transition_is_logged_with_its_moment_and_reason() -> None:
    """2.3 "Process": detection, investigation, review, execution, appeal."""
    record = detect(FRESH, Major.BREACH, 0, "keys were published")
    record = dispute(LAW, record, 0, 10, "they were old keys")
    record = review(record, 0, 20, "put to the vote")
    record = execute(LAW, record, 0, 30, "voted", Fraction("0.4"))
    record = appeal(LAW, record, 0, 40, "the vote was short")
    record = uphold(record, 0, 50, "it was not")
    assert [(line.at, line.case, line.phase, line.reason) for line in record.log] == [
        (0, 0, Phase.DETECTED, "keys were published"),
        (10, 0, Phase.INVESTIGATION, "they were old keys"),
        (20, 0, Phase.REVIEW, "put to the vote"),
        (30, 0, Phase.EXECUTED, "voted"),
        (40, 0, Phase.APPEALED, "the vote was short"),
        (50, 0, Phase.UPHELD, "it was not"),
    ]
    assert record.stake.slashed == 400


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_done_without_a_reason(reason: str) -> None:
    with pytest.raises(DisciplineError, match="reason"):
        detect(FRESH, Minor.SLOW, 0, reason)


def test_time_never_goes_back() -> None:
    record = detect(FRESH, Minor.SLOW, 10, "seen")
    with pytest.raises(DisciplineError, match="9 is before 10"):
        dispute(LAW, record, 0, 9, "no")
    with pytest.raises(DisciplineError, match="9 is before 10"):
        withdraw(LAW, record, 9)


def test_a_minor_violation_fixed_in_time_is_no_offence() -> None:
    """2.3 "Remedy: Fix within grace period (24-72 hours)"."""
    record = remedy(LAW, detect(FRESH, Minor.SLOW, 0, "seen"), 0, 72 * HOUR, "faster disk")
    assert record.cases[0].phase is Phase.REMEDIED
    assert penalty(offend(record, Minor.SLOW, 10 * DAY)).rung is Rung.WARNING


def test_after_the_grace_period_it_is_too_late() -> None:
    """2.3 "Remedy: Fix within grace period (24-72 hours)"."""
    with pytest.raises(DisciplineError, match="1 s ago"):
        remedy(LAW, detect(FRESH, Minor.SLOW, 0, "seen"), 0, DUE, "faster disk")


def test_a_major_violation_has_no_grace() -> None:
    """2.3 "Remedy" stands under minor violations only."""
    with pytest.raises(DisciplineError, match="no grace"):
        remedy(LAW, detect(FRESH, Major.UPTIME, 0, "seen"), 0, 1, "up again")


def test_nothing_is_executed_while_it_can_be_remedied_or_disputed() -> None:
    """2.3 "grace period", "2. Investigation period (if disputed)"."""
    for kind in (Minor.SLOW, Major.UPTIME):
        record = detect(FRESH, kind, 0, "seen")
        with pytest.raises(DisciplineError, match="can be disputed or remedied"):
            execute(LAW, record, 0, DUE - 1, "hurry")


def test_an_investigation_ends_the_time_to_dispute_but_not_the_grace() -> None:
    """2.3 "2. Investigation period (if disputed)"."""
    major = dispute(LAW, detect(FRESH, Major.UPTIME, 0, "seen"), 0, 1, "no")
    assert execute(LAW, major, 0, 2, "found so").cases[0].phase is Phase.EXECUTED
    minor = dispute(LAW, detect(FRESH, Minor.SLOW, 0, "seen"), 0, 1, "no")
    with pytest.raises(DisciplineError, match="remedied"):
        execute(LAW, minor, 0, 2, "found so")


def test_not_even_a_review_takes_the_grace_away() -> None:
    """2.3 "Remedy: Fix within grace period (24-72 hours)"."""
    record = review(detect(FRESH, Minor.SLOW, 0, "seen"), 0, 1, "put to the vote")
    with pytest.raises(DisciplineError, match="remedied until"):
        execute(LAW, record, 0, DUE - 1, "voted")
    assert remedy(LAW, record, 0, DUE - 1, "faster disk").cases[0].phase is Phase.REMEDIED


def test_a_reviewed_major_case_is_executed_without_waiting() -> None:
    """2.3 "4. Execution of penalty" (D5): at once."""
    record = review(detect(FRESH, Major.BREACH, 0, "seen"), 0, 0, "voted")
    assert execute(LAW, record, 0, 0, "voted").stake.slashed == 250


def test_a_dispute_comes_in_time_or_never() -> None:
    """D29."""
    with pytest.raises(DisciplineError, match="could be disputed until"):
        dispute(LAW, detect(FRESH, Minor.SLOW, 0, "seen"), 0, DUE, "no")


@pytest.mark.parametrize(
    "kind", [Major.MALICIOUS, Major.BREACH, Major.PROTOCOL, Major.DOUBLE_SIGNING]
)
def test_major_cases_wait_for_a_review(kind: Major) -> None:
    """2.3 "3. Community/governance review (major cases)" (D26)."""
    assert needs_review(LAW, kind, Rung.WARNING)
    with pytest.raises(DisciplineError, match="needs a review first"):
        execute(LAW, detect(FRESH, kind, 0, "seen"), 0, DUE, "due")


def test_an_undisputed_uptime_violation_needs_none() -> None:
    """2.3 "1. Automated detection" suffices (D26)."""
    assert not needs_review(LAW, Major.UPTIME, Rung.WARNING)


def test_a_dismissed_case_costs_nothing_and_does_not_count() -> None:
    """2.3 "2. Investigation period (if disputed)"."""
    record = dispute(LAW, detect(FRESH, Major.BREACH, 0, "seen"), 0, 1, "no")
    record = dismiss(record, 0, 2, "nothing found")
    assert record.stake == FRESH.stake
    assert penalty(offend(record, Minor.SLOW, DAY)).rung is Rung.WARNING


def test_a_reversed_penalty_is_given_back_exactly_and_counts_no_more() -> None:
    """2.3 "5. Appeal process available"."""
    record = offend(FRESH, Major.MALICIOUS, 0)
    assert record.stake.held == 900
    record = reverse(appeal(LAW, record, 0, 4 * DAY, "no"), 0, 5 * DAY, "right")
    assert record.stake.held == record.stake.bonded == 1000
    assert penalty(offend(record, Minor.SLOW, 6 * DAY)).rung is Rung.WARNING


def test_a_reversed_removal_brings_the_node_back() -> None:
    """2.3 "5. Appeal process available"."""
    record = four_offences()
    at = record.log[-1].at
    record = reverse(appeal(LAW, record, 3, at + 1, "no"), 3, at + 2, "right")
    assert not record.removed
    assert record.stake.held == 950


def test_a_reversal_leaves_later_rungs_as_they_are() -> None:
    """D27."""
    record = offend(offend(FRESH, Minor.SLOW, 0), Minor.SLOW, 5 * DAY)
    record = reverse(appeal(LAW, record, 0, 9 * DAY, "no"), 0, 10 * DAY, "right")
    assert penalty(record, 1).rung is Rung.REDUCTION


def test_an_appeal_comes_in_time_and_once() -> None:
    """D29."""
    record = offend(FRESH, Major.UPTIME, 0)
    with pytest.raises(DisciplineError, match="could be appealed until"):
        appeal(LAW, record, 0, DUE + 30 * DAY + 1, "late")
    upheld = uphold(appeal(LAW, record, 0, DUE + 30 * DAY, "in time"), 0, DUE + 31 * DAY, "no")
    with pytest.raises(DisciplineError, match="is upheld"):
        appeal(LAW, upheld, 0, DUE + 31 * DAY, "again")


def test_no_case_is_executed_or_reversed_twice() -> None:
    record = offend(FRESH, Major.UPTIME, 0)
    with pytest.raises(DisciplineError, match="is executed"):
        execute(LAW, record, 0, 9 * DAY, "again")
    reversed_ = reverse(appeal(LAW, record, 0, 9 * DAY, "no"), 0, 9 * DAY, "right")
    with pytest.raises(DisciplineError, match="is reversed"):
        reverse(reversed_, 0, 9 * DAY, "again")


@pytest.mark.parametrize("index", [1, -1])
def test_a_case_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(DisciplineError, match=f"no case {index}"):
        review(detect(FRESH, Minor.SLOW, 0, "seen"), index, 1, "voted")


def test_a_violation_that_goes_on_is_one_case() -> None:
    record = detect(FRESH, Minor.SLOW, 0, "seen")
    with pytest.raises(DisciplineError, match="open already"):
        detect(record, Minor.SLOW, DAY, "still")
    assert len(detect(record, Minor.OUTDATED, DAY, "seen").cases) == 2


def test_stake_cannot_flee_from_an_open_case() -> None:
    """D21: against "Withdrawal: 7-day unbonding period"."""
    leaving = replace(FRESH, stake=staking.unbond(LAW.staking, FRESH.stake, 1000, 0))
    record = detect(leaving, Major.BREACH, 0, "seen")
    assert may_slash(LAW, record)
    with pytest.raises(DisciplineError, match="held"):
        withdraw(LAW, record, 8 * DAY)
    closed = dismiss(review(record, 0, 8 * DAY, "put to the vote"), 0, 8 * DAY, "voted down")
    assert withdraw(LAW, closed, 8 * DAY)[1] == 1000
    free = law(("hold_open_cases = true", "hold_open_cases = false"))
    assert withdraw(free, record, 8 * DAY)[1] == 1000


def test_a_case_that_can_only_warn_holds_nothing() -> None:
    """D21."""
    leaving = replace(FRESH, stake=staking.unbond(LAW.staking, FRESH.stake, 1000, 0))
    assert withdraw(LAW, detect(leaving, Minor.SLOW, 0, "seen"), 8 * DAY)[1] == 1000


def test_the_cap_holds_over_several_slashes() -> None:
    """D5: cumulative."""
    half = law(('cumulative_cap = "1.00"', 'cumulative_cap = "0.60"'))
    record = offend(FRESH, Major.DOUBLE_SIGNING, 0, rules=half)
    record = offend(record, Major.DOUBLE_SIGNING, 9 * DAY, rules=half)
    assert record.stake.slashed == 600


def test_what_was_given_back_leaves_room_under_the_cap() -> None:
    """D5: cumulative over what stands."""
    half = law(('cumulative_cap = "1.00"', 'cumulative_cap = "0.50"'))
    record = offend(FRESH, Major.DOUBLE_SIGNING, 0, rules=half)
    record = reverse(appeal(half, record, 0, 4 * DAY, "no"), 0, 5 * DAY, "right")
    record = offend(record, Major.DOUBLE_SIGNING, 9 * DAY, rules=half)
    assert record.stake.held == 500


def test_a_major_second_offence_is_slashed_and_reduces_rewards() -> None:
    """2.3 "Second Offense: Reward reduction (30 days)" (D5): a reduction is no slash."""
    record = offend(offend(FRESH, Minor.SLOW, 0), Major.PROTOCOL, 40 * DAY)
    found = penalty(record)
    assert (found.taken.amount, found.reduced_until) == (50, found.at + 30 * DAY)


def test_a_low_score_goes_up_the_ladder_as_any_minor_violation() -> None:
    """2.2 "Score <60: Warning, potential removal" (D3)."""
    record = FRESH
    for day in (0, 40, 80, 120):
        record = offend(record, Minor.QUALITY, day * DAY)
    assert record.removed


def test_reduced_time_is_counted_once_and_only_within_the_month() -> None:
    """2.3 "Reward reduction (30 days)"."""
    record = offend(offend(FRESH, Minor.SLOW, 0), Minor.SLOW, 10 * DAY)
    start = penalty(record).at
    assert reduced_seconds(record, 0, 365 * DAY) == 30 * DAY
    assert reduced_seconds(record, start + DAY, start + 3 * DAY) == 2 * DAY
    assert reduced_seconds(record, 0, start) == 0
    doubled = replace(record, cases=(*record.cases, record.cases[-1]))
    assert reduced_seconds(doubled, 0, 365 * DAY) == 30 * DAY
    reversed_ = reverse(appeal(LAW, record, 1, start + 1, "no"), 1, start + 2, "right")
    assert reduced_seconds(reversed_, 0, 365 * DAY) == 0


def test_a_case_tells_why_it_cost_what_it_cost() -> None:
    lines = explain(explain_case(offend(FRESH, Major.UPTIME, 0).cases[0]))
    assert lines == (
        "P6  uptime detected at 0, stake then = 1000",
        "L1  uptime: offence 1 within the look-back = 1",
        "S3  0.01 * 1000 at the offence, rounded down = 10",
    )
