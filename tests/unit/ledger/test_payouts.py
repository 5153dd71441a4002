"""Payout batches: what was paid to whom, what failed, and what was paid otherwise than said."""

import pytest

from ibp_chain.accounts import multisig_account
from ibp_chain.remark_bodies import MemberAction, Payout
from ibp_chain.remarks import encode
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck
from ledger.origins import Dispatched, Origin, OriginKind
from ledger.pallets.payouts import BatchStatus, Violation, ViolationCode
from ledger.pallets.rejections import RejectionCode
from tests.support.programme import (
    CURATORS,
    MULTISIG,
    PASEO,
    PROGRAM,
    Stage,
    account,
    batch_all,
    member_body,
    payout,
    payout_batch,
    registration,
    remark,
    root,
    transfer,
)

ONE, TWO = ("amforc", "services"), ("rival", "services")
PAYEE, RIVALS = account("amforc-payee"), account("rival-payee")
BOTH = payout(ONE, TWO)


@pytest.fixture
def stage() -> Stage:
    """A programme with two members."""
    stage = Stage().found()
    stage.accept(registration(), MULTISIG)
    stage.accept(registration("rival"), MULTISIG)
    return stage


def paid(stage: Stage) -> dict[tuple[str, str, str], int]:
    return {key: line.amount for key, line in stage.state.payouts.paid.items()}


def violations(stage: Stage) -> dict[tuple[int, int, int], Violation]:
    return dict(stage.state.payouts.violations.items())


def codes(stage: Stage) -> dict[int, ViolationCode]:
    """By line."""
    return {line: record.code for (*_, line), record in violations(stage).items()}


# --- Regular ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["transfer_keep_alive", "transfer_allow_death"])
def test_a_batch_pays_its_lines_in_order(stage: Stage, name: str) -> None:
    call = payout_batch(BOTH, transfer(PAYEE, 50, name), transfer(RIVALS, 70, name))
    (batch,) = stage.dispatch(call)
    assert batch == (
        BatchStatus.PAID, "2026-02", root("statement"), call.hash, 2, 2, 120, None,
    )  # fmt: skip
    assert paid(stage) == {("2026-02", *ONE): 50, ("2026-02", *TWO): 70}
    line = stage.state.payouts.paid.get(("2026-02", *TWO))
    assert line == (RIVALS, 70, (1, 0), 1)
    assert not violations(stage)


def test_several_batches_of_a_block_are_counted(stage: Stage) -> None:
    stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 5)))
    stage.dispatch(payout_batch(payout(TWO), transfer(RIVALS, 6)))
    assert [key for key, _ in stage.state.payouts.batches.items()] == [(1, 0), (1, 1)]


def test_another_item_or_period_is_another_line(stage: Stage) -> None:
    stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 5)))
    stage.dispatch(payout_batch(payout(("amforc", "bonus")), transfer(PAYEE, 6)))
    stage.dispatch(payout_batch(payout(ONE, period="2026-03"), transfer(PAYEE, 7)))
    assert sorted(paid(stage).values()) == [5, 6, 7]
    assert not violations(stage)


def test_a_transfer_of_nothing_is_a_payment_of_nothing(stage: Stage) -> None:
    stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 0)))
    assert paid(stage) == {("2026-02", *ONE): 0}


# --- Irregular ----------------------------------------------------------------------------


def test_a_wrong_payee_is_told_and_not_registered(stage: Stage) -> None:
    (batch,) = stage.dispatch(payout_batch(BOTH, transfer(PAYEE, 5), transfer(PAYEE, 6)))
    assert (batch.status, batch.total) == (BatchStatus.IRREGULAR, 11)
    assert violations(stage) == {(1, 0, 1): (ViolationCode.WRONG_PAYEE, PAYEE, 6)}
    assert paid(stage) == {("2026-02", *ONE): 5}


def test_swapped_lines_are_both_wrong(stage: Stage) -> None:
    stage.dispatch(payout_batch(BOTH, transfer(RIVALS, 5), transfer(PAYEE, 6)))
    assert codes(stage) == {0: ViolationCode.WRONG_PAYEE, 1: ViolationCode.WRONG_PAYEE}
    assert paid(stage) == {}


def test_nothing_is_paid_twice_and_the_first_payment_stays(stage: Stage) -> None:
    stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 5)))
    stage.next_block()
    (batch,) = stage.dispatch(payout_batch(BOTH, transfer(PAYEE, 9), transfer(RIVALS, 6)))
    assert batch.status is BatchStatus.IRREGULAR
    assert violations(stage) == {(2, 0, 0): (ViolationCode.PAID_BEFORE, PAYEE, 9)}
    assert paid(stage) == {("2026-02", *ONE): 5, ("2026-02", *TWO): 6}


def test_a_member_who_was_registered_again_is_not_paid_again(stage: Stage) -> None:
    stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 5)))
    stage.accept(member_body(MemberAction.REMOVE, reason="left"), MULTISIG)
    stage.accept(registration(), MULTISIG)
    stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 5)))
    assert codes(stage) == {0: ViolationCode.PAID_BEFORE}


def test_unknown_members_and_members_without_a_payee_here_are_told(stage: Stage) -> None:
    stage.accept(registration("far", payee={"kusama": account("far")}), MULTISIG)
    lines = payout(("nobody", "services"), ("far", "services"))
    stage.dispatch(payout_batch(lines, transfer(PAYEE, 5), transfer(account("far"), 6)))
    assert codes(stage) == {0: ViolationCode.UNKNOWN_MEMBER, 1: ViolationCode.UNKNOWN_MEMBER}


@pytest.mark.parametrize("action", [MemberAction.SUSPEND, MemberAction.REMOVE])
def test_who_left_is_still_paid_what_was_owed(stage: Stage, action: MemberAction) -> None:
    stage.accept(member_body(action, reason="left"), MULTISIG)
    (batch,) = stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 5)))
    assert batch.status is BatchStatus.PAID


def test_a_line_without_a_call_is_told(stage: Stage) -> None:
    (batch,) = stage.dispatch(payout_batch(BOTH, transfer(PAYEE, 5)))
    assert batch.lines == 2
    assert violations(stage) == {(1, 0, 1): (ViolationCode.CALLS_DO_NOT_MATCH, None, 0)}


def test_a_call_without_a_line_is_told_with_its_money(stage: Stage) -> None:
    extra = transfer(account("Thief"), 1_000)
    (batch,) = stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 5), extra))
    assert batch.total == 1_005
    expected = Violation(ViolationCode.CALLS_DO_NOT_MATCH, account("Thief"), Planck(1_000))
    assert violations(stage) == {(1, 0, 1): expected}


def test_a_batch_of_a_remark_alone_pays_nothing(stage: Stage) -> None:
    (batch,) = stage.dispatch(payout_batch(payout(ONE)))
    assert (batch.status, batch.total) == (BatchStatus.IRREGULAR, 0)
    assert codes(stage) == {0: ViolationCode.CALLS_DO_NOT_MATCH}


def _other(pallet: str, name: str, **args: object) -> Call:
    return Call(pallet, name, dict(args), b"x", 0, 1)


@pytest.mark.parametrize(
    "call",
    [
        _other("Balances", "transfer_all", dest=("Id", PAYEE), keep_alive=False),
        _other("Balances", "force_transfer", source=("Id", PAYEE), dest=("Id", PAYEE), value=5),
        _other("Balances", "transfer_keep_alive", dest=("Index", 3), value=5),
        _other("Balances", "transfer_keep_alive", dest=("Address32", PAYEE), value=5),
        _other("Assets", "transfer_keep_alive", dest=("Id", PAYEE), value=5),
        remark(b"hello"),
        batch_all(transfer(PAYEE, 5)),
    ],
    ids=["all", "force", "index", "address32", "assets", "remark", "batch"],
)
def test_a_call_that_is_no_plain_transfer_is_told(stage: Stage, call: Call) -> None:
    (batch,) = stage.dispatch(payout_batch(payout(ONE), call))
    assert (batch.status, batch.total) == (BatchStatus.IRREGULAR, 0)
    assert violations(stage) == {(1, 0, 0): (ViolationCode.NO_TRANSFER, None, 0)}
    assert paid(stage) == {}


def test_a_payee_who_was_changed_is_the_one_to_pay(stage: Stage) -> None:
    new = account("new payee")
    stage.accept(member_body(MemberAction.UPDATE, payee={"paseo": new}), MULTISIG)
    stage.dispatch(payout_batch(payout(ONE), transfer(PAYEE, 5)))
    assert codes(stage) == {0: ViolationCode.WRONG_PAYEE}
    stage.dispatch(payout_batch(payout(ONE), transfer(new, 5)))
    assert len(paid(stage)) == 1


# --- Attempts -----------------------------------------------------------------------------


def test_a_batch_that_failed_inside_is_an_attempt_and_may_be_tried_again(stage: Stage) -> None:
    call = payout_batch(BOTH, transfer(PAYEE, 5), transfer(RIVALS, 6))
    for _ in range(2):
        (attempt,) = stage.fail(call, "Token.FundsUnavailable")
        assert attempt == (
            BatchStatus.FAILED, "2026-02", root("statement"), call.hash, 2, 2, 0,
            "Token.FundsUnavailable",
        )  # fmt: skip
    assert paid(stage) == {}
    (batch,) = stage.dispatch(call)
    assert batch.status is BatchStatus.PAID
    statuses = [record.status.name for _, record in stage.state.payouts.batches.items()]
    assert statuses == ["FAILED", "FAILED", "PAID"]


def test_an_attempt_behind_a_payment_changes_nothing_of_it(stage: Stage) -> None:
    call = payout_batch(payout(ONE), transfer(PAYEE, 5))
    stage.dispatch(call)
    stage.fail(call, "Token.FundsUnavailable")
    assert paid(stage) == {("2026-02", *ONE): 5}
    assert not violations(stage)


@pytest.mark.parametrize("origin", [CURATORS[0], account("Stranger")])
def test_attempts_by_others_are_none_of_ours(stage: Stage, origin: AccountId) -> None:
    call = payout_batch(payout(ONE), transfer(PAYEE, 5))
    assert stage.fail(call, "BadOrigin", origin) == []


def test_a_failed_call_that_is_no_batch_is_no_attempt(stage: Stage) -> None:
    assert stage.fail(transfer(PAYEE, 5), "Token.FundsUnavailable") == []
    assert stage.fail(batch_all(), "Utility.TooManyCalls") == []


# --- What is no payout batch --------------------------------------------------------------


@pytest.mark.parametrize("origin", [CURATORS[0], account("Stranger")])
def test_a_batch_by_anybody_else_pays_for_nobody(stage: Stage, origin: AccountId) -> None:
    call = payout_batch(payout(ONE), transfer(PAYEE, 5))
    assert stage.dispatch(call, origin) == []
    assert stage.fold.refused[-1].code is RejectionCode.WRONG_ORIGIN
    assert paid(stage) == {}


def test_a_payout_remark_outside_a_batch_is_out_of_place(stage: Stage) -> None:
    assert stage.refuse(BOTH, MULTISIG) is RejectionCode.OUT_OF_PLACE


def test_a_payout_remark_that_is_not_first_is_out_of_place(stage: Stage) -> None:
    said = remark(encode(payout(ONE), PASEO.ss58_prefix))
    assert stage.dispatch(batch_all(transfer(PAYEE, 5), said)) == []
    assert stage.fold.refused[-1].code is RejectionCode.OUT_OF_PLACE
    assert paid(stage) == {}


@pytest.mark.parametrize("name", ["batch", "force_batch"])
def test_a_batch_that_may_stop_halfway_pays_nothing(stage: Stage, name: str) -> None:
    call = payout_batch(payout(ONE), transfer(PAYEE, 5))._replace(name=name)
    assert stage.dispatch(call) == []
    assert stage.fold.refused[-1].code is RejectionCode.OUT_OF_PLACE


def test_a_batch_with_a_malformed_remark_is_no_payout(stage: Stage) -> None:
    assert stage.dispatch(batch_all(remark(b"IBP/1 payout {}"), transfer(PAYEE, 5))) == []
    assert stage.fold.refused[-1].code is RejectionCode.MALFORMED


def test_an_ordinary_batch_of_the_curators_is_no_payout(stage: Stage) -> None:
    assert stage.dispatch(batch_all(transfer(PAYEE, 5), transfer(RIVALS, 6))) == []


# --- Nested -------------------------------------------------------------------------------


def test_a_payout_batch_inside_a_batch_pays(stage: Stage) -> None:
    outer = batch_all(transfer(PAYEE, 1), payout_batch(payout(ONE), transfer(PAYEE, 5)))
    (batch,) = stage.dispatch(outer)
    assert batch.status is BatchStatus.PAID
    assert paid(stage) == {("2026-02", *ONE): 5}


def test_a_payout_inside_a_payout_is_a_line_that_transfers_nothing(stage: Stage) -> None:
    inner = payout_batch(payout(TWO), transfer(RIVALS, 6))
    first, second = stage.dispatch(payout_batch(payout(ONE), inner))
    assert (first.status, first.total) == (BatchStatus.PAID, 6)
    assert (second.status, second.total) == (BatchStatus.IRREGULAR, 0)
    assert paid(stage) == {("2026-02", *TWO): 6}
    assert violations(stage) == {(1, 1, 0): (ViolationCode.NO_TRANSFER, None, 0)}


def test_one_line_paid_inside_and_outside_is_paid_once(stage: Stage) -> None:
    inner = payout_batch(payout(ONE), transfer(PAYEE, 6))
    body = Payout(
        period="2026-02", statement=root("s"), lines=(("amforc", "bonus"), ("amforc", "services"))
    )
    stage.dispatch(payout_batch(body, inner, transfer(PAYEE, 7)))
    assert paid(stage) == {("2026-02", *ONE): 6}
    assert codes(stage) == {0: ViolationCode.NO_TRANSFER, 1: ViolationCode.PAID_BEFORE}


def test_a_batch_that_changes_the_curators_halfway_is_still_recorded(stage: Stage) -> None:
    """Otherwise three curators could pay a line again and leave no trace of it."""
    handover = remark(encode(PROGRAM.model_copy(update={"threshold": 4}), PASEO.ss58_prefix))
    call = payout_batch(BOTH, transfer(PAYEE, 5), handover)
    (batch,) = stage.dispatch(call)
    assert batch.status is BatchStatus.IRREGULAR
    assert paid(stage) == {("2026-02", *ONE): 5}


def test_a_batch_of_who_becomes_curator_halfway_is_not(stage: Stage) -> None:
    """Its remark was refused: the batch was nobody's payout when it began."""
    successors = multisig_account(CURATORS, 4)
    call = payout_batch(payout(ONE), transfer(PAYEE, 5))
    before = len(stage.fold.batches)
    said = call.args["calls"][0]
    origin = Origin(OriginKind.SIGNED, successors)
    stage.play(Dispatched(origin, said, (), 2, (0,), call))
    stage.accept(PROGRAM.model_copy(update={"threshold": 4}), MULTISIG)
    stage.play(Dispatched(origin, call, (), 2, ()))
    assert len(stage.fold.batches) == before
