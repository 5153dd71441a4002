"""Everything that the rules say of one member, from a ledger that remarks and payouts made: Why."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.cli.why import milestone_days
from ibp_chain.errors import InputError
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Milestone, MilestoneAction
from ibp_chain.types import BlockNumber, Hash, RelayBlockNumber
from ledger.program.dossier import Brought, Dossier, blocks_asked, dossier
from ledger.program.evidence import Evidence
from ledger.program.lumps import MS_PER_DAY, Receipts
from ledger.program.milestones import Outcome
from ledger.program.places import Priority
from ledger.program.standing import Standing
from ledger.state import Head
from oracles.errors import RowsError
from oracles.report import REPORT, MilestoneDay
from oracles.rowfiles import write_rows
from tests.support.law import (
    ACTIVE_SET,
    FIRST_DAY,
    LAW,
    MEMBER,
    days_of,
    decision,
    everything,
    lock,
)
from tests.support.programme import (
    DAY,
    MULTISIG,
    PROGRAM,
    Stage,
    account,
    link_body,
    member_body,
    payout,
    payout_batch,
    registration,
    transfer,
)

START_MS = 1_767_225_600_000  # 2026-01-01


@pytest.fixture
def stage() -> Stage:
    """A programme with the member in block 1."""
    stage = Stage().found()
    stage.accept(registration(), MULTISIG)
    return stage


def grant(stage: Stage, number: int, evidence: Evidence | None = None) -> None:
    hash_ = Hash(bytes(32)) if evidence is None else evidence.hash
    said = Milestone(action=MilestoneAction.GRANT, member=MEMBER, milestone=number, evidence=hash_)
    stage.accept(said, MULTISIG)


def pay(stage: Stage, item: str, amount: int, period: str = "2026-01") -> BlockNumber:
    block = stage.next_block()
    body = payout((MEMBER, item), period=period)
    stage.dispatch(payout_batch(body, transfer(account(f"{MEMBER}-payee"), amount)))
    return block


def leave(stage: Stage) -> BlockNumber:
    block = stage.next_block()
    stage.accept(member_body("remove", reason="left"), MULTISIG)  # type: ignore[arg-type]  # a StrEnum
    return block


def look(stage: Stage, days: dict[int, int] | None = None, **brought: Any) -> Dossier:
    """The dossier after the present block; `days` are those of blocks since 2026-01-01."""
    number = stage.fold.number
    stage.state.head.put(Head(number, Hash(b"h" * 32), RelayBlockNumber(number)))
    times = {BlockNumber(1): START_MS} | {
        BlockNumber(block): START_MS + day * MS_PER_DAY for block, day in (days or {}).items()
    }
    now = max(times.values())
    complete = Brought(now_ms=now, times=times, active_set=ACTIVE_SET)
    return dossier(stage.state, LAW, MEMBER, replace(complete, **brought))


# --- Standing -----------------------------------------------------------------------------------


def test_a_registered_member_is_a_candidate_and_milestone_1_is_next(stage: Stage) -> None:
    found = look(stage)
    assert (found.standing, found.priority) == (Standing.CANDIDATE, Priority.LOW)
    assert found.next is not None
    assert found.next.milestone == 1
    assert not found.next.may_be_granted


def test_every_move_has_its_block_and_extrinsic(stage: Stage) -> None:
    stage.next_block()
    grant(stage, 1)
    grant(stage, 2)
    found = look(stage)
    assert [(m.block, m.transition.extrinsic, m.standing) for m in found.moves] == [
        (1, 2, Standing.CANDIDATE), (2, 2, Standing.CANDIDATE), (2, 2, Standing.MEMBER),
    ]  # fmt: skip
    assert found.granted == (1, 2)


def test_who_left_has_no_next_milestone(stage: Stage) -> None:
    block = leave(stage)
    found = look(stage, {block: 1})
    assert (found.standing, found.next) == (Standing.EXITED, None)


def test_behind_the_last_milestone_there_is_no_next(stage: Stage) -> None:
    for number in range(1, 9):
        grant(stage, number)
    assert look(stage).next is None


def test_a_member_that_was_never_registered_is_refused(stage: Stage) -> None:
    with pytest.raises(InputError, match="no member 'nobody'"):
        blocks_asked(stage.state, LAW, "nobody")


def test_a_region_that_the_rules_do_not_know_has_no_priority() -> None:
    stage = Stage().found()
    stage.accept(registration(region="antarctica"), MULTISIG)
    assert look(stage).priority is None


# --- What is missing ------------------------------------------------------------------------------


def outcome(found: Dossier, requirement: str) -> Outcome:
    assert found.next is not None
    (check,) = (each for each in found.next.checks if each.id == requirement)
    return check.outcome


def test_evidence_shows_what_it_is_about(stage: Stage) -> None:
    found = look(stage, evidence=(everything(1),))
    assert found.next is not None
    assert found.next.may_be_granted


def test_evidence_about_others_shows_nothing(stage: Stage) -> None:
    theirs = everything(1).model_copy(update={"member": "rival"})
    assert outcome(look(stage, evidence=(theirs,)), "M1.application") is Outcome.MISSING


def test_a_waiver_on_chain_lifts_a_requirement(stage: Stage) -> None:
    stage.accept(decision("M1.storage"), MULTISIG)
    stage.accept(decision("M1.application", member="rival"), MULTISIG)
    found = look(stage)
    assert outcome(found, "M1.storage") is Outcome.WAIVED
    assert outcome(found, "M1.application") is Outcome.MISSING


def test_a_linked_account_signs_and_verifies(stage: Stage) -> None:
    grant(stage, 1)
    assert outcome(look(stage), "M2.sign-verify") is Outcome.MISSING
    stage.accept(link_body(), account(MEMBER))
    assert outcome(look(stage), "M2.sign-verify") is Outcome.MET


def test_on_a_test_network_its_own_token_is_the_whole_promise(stage: Stage) -> None:
    grant(stage, 1)
    assert outcome(look(stage), "M2.lock") is Outcome.UNKNOWN
    assert outcome(look(stage, locks=(lock("paseo", 5_000),)), "M2.lock") is Outcome.MET
    assert outcome(look(stage, locks=(lock("paseo", 4_999),)), "M2.lock") is Outcome.MISSING


def test_pools_are_taken_by_whoever_has_milestone_8(stage: Stage) -> None:
    for name in ("first", "second"):
        stage.accept(registration(name), MULTISIG)
    for number in range(1, 8):
        grant(stage, number)
    assert outcome(look(stage), "M8.pool-room") is Outcome.MET
    for name in ("first", "second"):
        said = Milestone(
            action=MilestoneAction.GRANT, member=name, milestone=8, evidence=Hash(bytes(32))
        )
        stage.accept(said, MULTISIG)
    assert outcome(look(stage), "M8.pool-room") is Outcome.MISSING
    assert outcome(look(stage, active_set=2 * ACTIVE_SET), "M8.pool-room") is Outcome.MET


# --- Ranks ----------------------------------------------------------------------------------------


def test_ranks_are_not_known_without_rows(stage: Stage) -> None:
    assert look(stage).ranks is None
    assert look(stage, rows=()).ranks == ()


def test_ranks_count_the_members_own_rows(stage: Stage) -> None:
    rows = (*days_of(1, 1), *days_of(1, member="rival"))
    (rank,) = look(stage, rows=rows).ranks or ()
    assert (rank.member, rank.milestone, rank.value) == (MEMBER, 3, 2)


def test_charges_are_let_off_by_a_decision_on_chain(stage: Stage) -> None:
    stage.accept(decision(f"M3 {FIRST_DAY}"), MULTISIG)
    (rank,) = look(stage, rows=tuple(days_of(-7, 1))).ranks or ()
    assert (rank.value, rank.steps[0].value) == (1, 0)
    assert "charges let off" in rank.steps[0].text


def clean(member: str, milestone: int) -> MilestoneDay:
    return MilestoneDay(date.fromisoformat(DAY), member, milestone, 1, clean=True, failed_charges=0,
                        slow_charges=0, failed_run=0, slow_run=0)  # fmt: skip


def test_rows_come_from_the_files_of_standing_reports_and_no_others(
    stage: Stage, tmp_path: Path
) -> None:
    rows = REPORT.canonical([clean(MEMBER, 3), clean(MEMBER, 5), clean("rival", 3)])
    stage.observed().close()
    for name in ("Oracle0", "Oracle1"):
        said = stage.report(name, root=REPORT.root(rows), rows=len(rows))
        stage.accept(said, account(name))
    with pytest.raises(RowsError):
        list(milestone_days(stage.state, tmp_path, MEMBER))
    write_rows(tmp_path, REPORT, rows)
    write_rows(tmp_path, REPORT, REPORT.canonical([clean(MEMBER, 6)]))
    found = tuple(milestone_days(stage.state, tmp_path, MEMBER))
    assert found == (clean(MEMBER, 3), clean(MEMBER, 5))
    assert [rank.value for rank in look(stage, rows=found).ranks or ()] == [1, 1]


def test_who_comes_again_begins_with_no_rank(stage: Stage) -> None:
    gone = leave(stage)
    back = stage.next_block()
    stage.accept(registration(), MULTISIG)
    (rank,) = look(stage, {gone: 1, back: 2}, rows=tuple(days_of(1, 1, 1, 1))).ranks or ()
    assert rank.value == 2


# --- Lumps ----------------------------------------------------------------------------------------


def test_a_lump_and_what_of_it_would_be_due_back(stage: Stage) -> None:
    block = pay(stage, "lump-m2", 730_000)
    (account_,) = look(stage, {block: 0, 99: 73}).lumps
    assert (account_.lump.milestone, account_.lump.amount) == (2, 730_000)
    assert (account_.returned.days, account_.returned.amount) == (73, 657_000)
    assert (account_.exited_at, account_.settled) == (None, None)
    assert account_.receipts is Receipts.NOT_YET_DUE


def test_what_is_due_back_is_fixed_by_the_exit(stage: Stage) -> None:
    paid, gone = pay(stage, "lump-m2", 730), leave(stage)
    (account_,) = look(stage, {paid: 0, gone: 365, 99: 900}).lumps
    assert (account_.exited_at, account_.returned.amount) == (gone, 365)
    assert account_.receipts is Receipts.OVERDUE


def test_after_two_years_nothing_is_due_back(stage: Stage) -> None:
    paid, gone = pay(stage, "lump-m4", 730), leave(stage)
    (account_,) = look(stage, {paid: 0, gone: 730}).lumps
    assert account_.returned.amount == 0


@pytest.mark.parametrize("said", ["uphold", "waive"])
def test_a_return_is_settled_by_a_decision_on_chain(stage: Stage, said: str) -> None:
    paid, gone = pay(stage, "lump-m2", 730), leave(stage)
    stage.accept(decision("M2.lump-return", said), MULTISIG)
    (account_,) = look(stage, {paid: 0, gone: 1}).lumps
    assert account_.settled is not None
    assert str(account_.settled).startswith(said)


@pytest.mark.parametrize("said", ["uphold", "waive"])
def test_receipts_are_accepted_by_a_decision_on_chain(stage: Stage, said: str) -> None:
    paid = pay(stage, "lump-m2", 730)
    stage.accept(decision("M2.receipts", said), MULTISIG)
    (account_,) = look(stage, {paid: 0, 99: 500}).lumps
    assert account_.receipts is Receipts.ACCEPTED


def test_a_lump_that_was_paid_twice_is_told(stage: Stage) -> None:
    first = pay(stage, "lump-m2", 730)
    second = pay(stage, "lump-m2", 730, "2026-02")
    found = look(stage, {first: 0, second: 31})
    assert len(found.lumps) == 1
    assert [(again.block, again.period) for again in found.lumps_again] == [(second, "2026-02")]


def test_other_items_are_no_lumps(stage: Stage) -> None:
    pay(stage, "services", 730)
    assert look(stage).lumps == ()


def test_the_blocks_asked_are_those_of_registration_lumps_and_exits(stage: Stage) -> None:
    paid = pay(stage, "lump-m2", 730)
    pay(stage, "services", 730)
    gone = leave(stage)
    assert blocks_asked(stage.state, LAW, MEMBER) == {1, paid, gone}


# --- Points ---------------------------------------------------------------------------------------


def test_points_are_those_of_granted_milestones_and_shown_tasks(stage: Stage) -> None:
    for number in (1, 2, 3):
        grant(stage, number)
    tasks = everything(7)
    assert look(stage).claims.value == 60
    assert look(stage, evidence=(tasks,)).claims.value == 60 + 30 * len(tasks.items)


def test_the_rules_in_force_are_told_beside_those_that_were_used(stage: Stage) -> None:
    found = look(stage)
    assert (found.in_force.since, found.in_force.hash) == (1, PROGRAM.rules)
    block = stage.next_block()
    stage.accept(PROGRAM.model_copy(update={"rules": LAW.hash}), MULTISIG)
    found = look(stage)
    assert (found.in_force.since, found.in_force.hash) == (block, LAW.hash)


def test_the_networks_of_the_promise_follow_the_programmes_own(stage: Stage) -> None:
    assert stage.state.network == network("paseo")
    assert LAW.lock.networks_with("paseo-asset-hub") == ("paseo",)
    assert LAW.lock.networks_with("westend") == ()
