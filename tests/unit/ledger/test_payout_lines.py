"""Payouts by child bounties: registered when awarded, claimed later or at once, never unseen."""

import pytest

from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Planck
from ledger.pallets.payout_lines import groups, run_of
from ledger.pallets.payouts import Batch, BatchStatus, Claim, ViolationCode
from tests.support.programme import (
    MULTISIG,
    Stage,
    account,
    batch_all,
    child_call,
    child_event,
    child_run,
    payout,
    payout_batch,
    registration,
    transfer,
)

ONE, TWO = ("amforc", "services"), ("rival", "services")
PAYEE, RIVALS = account("amforc-payee"), account("rival-payee")
BOTH, PERIOD = payout(ONE, TWO), "2026-02"
CLAIMS = child_call("claim_child_bounty", 4), child_call("claim_child_bounty", 5)


@pytest.fixture
def stage() -> Stage:
    """A programme with two members."""
    stage = Stage().found()
    stage.accept(registration(), MULTISIG)
    stage.accept(registration("rival"), MULTISIG)
    return stage


def awarded(stage: Stage, *, added: tuple[int, ...] = (4, 5)) -> Batch:
    """A batch that awards children 4 and 5, while the chain numbers them as `added`."""
    stage.deposits += [child_event("Added", child) for child in added]
    runs = (*child_run(4, PAYEE, 50), *child_run(5, RIVALS, 70))
    (batch,) = stage.dispatch(payout_batch(BOTH, *runs))
    return batch


def claimed(child: int, payee: AccountId, payout: int, stage: Stage) -> None:
    stage.deposits.append(child_event("Claimed", child, payout=payout, beneficiary=payee))


def paid(stage: Stage) -> dict[str, int]:
    return {member: line.amount for (_, member, _), line in stage.state.payouts.paid.items()}


def codes(stage: Stage) -> dict[int, tuple[ViolationCode, int]]:
    return {
        line: (violation.code, violation.amount)
        for (*_, line), violation in stage.state.payouts.violations.items()
    }


# --- Awards -----------------------------------------------------------------------------


def test_a_line_is_paid_when_its_child_bounty_is_awarded(stage: Stage) -> None:
    batch = awarded(stage)
    assert (batch.status, batch.lines, batch.total) == (BatchStatus.PAID, 2, 120)
    assert paid(stage) == {"amforc": 50, "rival": 70}
    assert stage.state.payouts.paid.get((PERIOD, *TWO)) == (RIVALS, 70, (1, 0), 1)
    assert dict(stage.state.payouts.awards.items()) == {
        (17, 4): (PERIOD, *ONE), (17, 5): (PERIOD, *TWO),
    }  # fmt: skip
    assert not codes(stage)


def test_a_curators_fee_is_not_the_payees(stage: Stage) -> None:
    stage.deposits.append(child_event("Added", 4))
    stage.dispatch(payout_batch(payout(ONE), *child_run(4, PAYEE, 50, fee=8)))
    assert paid(stage) == {"amforc": 42}


def test_a_child_that_is_claimed_at_once_is_one_line(stage: Stage) -> None:
    stage.deposits += [child_event("Added", 4)]
    claimed(4, PAYEE, 50, stage)
    (batch,) = stage.dispatch(payout_batch(payout(ONE), *child_run(4, PAYEE, 50, claimed=True)))
    assert (batch.status, batch.total) == (BatchStatus.PAID, 50)
    assert paid(stage) == {"amforc": 50}


def test_transfers_and_child_bounties_may_stand_in_one_batch(stage: Stage) -> None:
    stage.deposits.append(child_event("Added", 5))
    stage.dispatch(payout_batch(BOTH, transfer(PAYEE, 50), *child_run(5, RIVALS, 70)))
    assert paid(stage) == {"amforc": 50, "rival": 70}


def test_what_was_awarded_is_not_paid_again(stage: Stage) -> None:
    awarded(stage)
    stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 50)))
    assert codes(stage) == {0: (ViolationCode.PAID_BEFORE, 50)}


def test_an_award_to_another_account_is_told(stage: Stage) -> None:
    stage.deposits.append(child_event("Added", 4))
    stage.dispatch(payout_batch(payout(ONE), *child_run(4, RIVALS, 50)))
    assert codes(stage) == {0: (ViolationCode.WRONG_PAYEE, 50)}
    assert not paid(stage)
    assert not len(stage.state.payouts.awards)


def test_an_award_of_another_child_than_was_added_is_told_with_its_money(stage: Stage) -> None:
    """Its number was taken: what is awarded holds what somebody else put into it."""
    batch = awarded(stage, added=(6, 7))
    assert batch.status is BatchStatus.IRREGULAR
    assert codes(stage) == {
        0: (ViolationCode.NO_TRANSFER, 50), 1: (ViolationCode.NO_TRANSFER, 70),
    }  # fmt: skip
    assert batch.total == 120
    assert not paid(stage)


def test_an_award_without_an_event_is_told(stage: Stage) -> None:
    assert awarded(stage, added=()).status is BatchStatus.IRREGULAR


def without(run: tuple[Call, ...], place: int) -> tuple[Call, ...]:
    return run[:place] + run[place + 1 :]


RUN = child_run(4, PAYEE, 50)
OTHER = child_run(5, PAYEE, 50)


@pytest.mark.parametrize(
    "calls",
    [
        *(without(RUN, place) for place in range(4)),
        (*RUN[:3], OTHER[3]),
        (RUN[0], RUN[2], RUN[1], RUN[3]),
        (*RUN[:3], child_call("award_child_bounty", 4, beneficiary=("Index", 3))),
        (*RUN, child_call("close_child_bounty", 4)),
        (child_call("add_child_bounty", None, 18, value=50, description=b""), *RUN[1:]),
    ],
)
def test_anything_but_the_whole_course_is_no_payment(stage: Stage, calls: tuple[Call, ...]) -> None:
    assert run_of(calls) is None
    stage.deposits.append(child_event("Added", 4))
    (batch,) = stage.dispatch(payout_batch(payout(ONE), *calls))
    assert batch.status is BatchStatus.IRREGULAR
    assert not paid(stage)


def test_calls_are_grouped_by_the_child_that_they_are_about() -> None:
    calls = (*RUN, *OTHER, *CLAIMS, transfer(PAYEE, 1))
    assert [(place, len(each)) for place, each in groups(calls)] == [
        (0, 4), (4, 4), (8, 1), (9, 1), (10, 1),
    ]  # fmt: skip


# --- Claims -----------------------------------------------------------------------------


def test_a_claim_registers_nothing_and_is_no_second_payment(stage: Stage) -> None:
    awarded(stage)
    claimed(4, PAYEE, 50, stage)
    claimed(5, RIVALS, 70, stage)
    (batch,) = stage.dispatch(payout_batch(BOTH, *CLAIMS))
    assert (batch.status, batch.lines, batch.total) == (BatchStatus.PAID, 2, 0)
    assert paid(stage) == {"amforc": 50, "rival": 70}
    assert stage.state.payouts.paid.get((PERIOD, *ONE)).batch == (1, 0)
    assert not codes(stage)


def test_a_claim_for_another_line_is_told_with_what_it_paid(stage: Stage) -> None:
    awarded(stage)
    claimed(5, RIVALS, 70, stage)
    stage.dispatch(payout_batch(payout(ONE), CLAIMS[1]))
    assert codes(stage) == {0: (ViolationCode.NO_TRANSFER, 70)}


def test_a_claim_of_what_no_payout_awarded_is_told(stage: Stage) -> None:
    claimed(4, PAYEE, 50, stage)
    (batch,) = stage.dispatch(payout_batch(payout(ONE), CLAIMS[0]))
    assert batch.status is BatchStatus.IRREGULAR
    assert codes(stage) == {0: (ViolationCode.NO_TRANSFER, 50)}


def test_a_claim_by_anybody_is_kept_beside_the_award_and_changes_nothing_else(stage: Stage) -> None:
    awarded(stage)
    before = [entry for entry in stage.state.entries() if not is_claim(stage, entry)]
    claimed(4, PAYEE, 51, stage)
    stage.dispatch(batch_all(CLAIMS[0]), account("Stranger"))
    assert claims(stage) == {(17, 4): Claim(PAYEE, Planck(51), BlockNumber(1))}
    assert [entry for entry in stage.state.entries() if not is_claim(stage, entry)] == before


def test_a_claim_in_the_batch_that_awards_is_kept_too(stage: Stage) -> None:
    stage.deposits += [child_event("Added", 4)]
    claimed(4, PAYEE, 50, stage)
    stage.dispatch(payout_batch(payout(ONE), *child_run(4, PAYEE, 50, claimed=True)))
    assert claims(stage) == {(17, 4): Claim(PAYEE, Planck(50), BlockNumber(1))}


def test_a_claim_by_a_hook_in_a_later_block_is_kept(stage: Stage) -> None:
    awarded(stage)
    stage.next_block()
    stage.fold.claims((child_event("Claimed", 5, payout=70, beneficiary=PAYEE),))
    assert claims(stage) == {(17, 5): Claim(PAYEE, Planck(70), BlockNumber(2))}


def test_claims_of_child_bounties_of_others_are_not_kept(stage: Stage) -> None:
    awarded(stage)
    claimed(6, PAYEE, 50, stage)
    stage.dispatch(child_call("claim_child_bounty", 6), account("Stranger"))
    assert not claims(stage)


def claims(stage: Stage) -> dict[tuple[int, int], Claim]:
    return dict(stage.state.payouts.claims.items())


def is_claim(stage: Stage, entry: tuple[bytes, bytes]) -> bool:
    return entry[0].startswith(stage.state.payouts.claims.prefix)
