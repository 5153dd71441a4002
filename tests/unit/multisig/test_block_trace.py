"""What the recorded blocks show of the two attempts: fees, deposits, what moved; and lies told."""

from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

import pytest

from ibp_chain.blocks import EventRecord, Phase
from ibp_chain.cli.reconcile_views import closings_table
from ibp_chain.types import AccountId, BlockNumber, Planck
from ledger.pallets.multisig.types import Closing, Position
from multisig.block_trace import PALLETS, Trace, TracedBlock, disagreements, expected, trace
from multisig.decode import Reading, read_payout
from multisig.decode_children import ChildReading
from multisig.plan import Kind, PlanPart
from multisig.reconcile import Attempt, Outcome, Reconciliation, reconcile
from tests.support import payouts, recording
from tests.support.payouts import HALF_SIGNED, PAID, PASEO

BUNDLE = payouts.bundle()


@cache
def reading() -> Reading:
    return read_payout(recording.peer(), BUNDLE.call, PASEO)


@cache
def result() -> Reconciliation:
    return reconcile(BUNDLE, reading(), payouts.state(PAID))


@cache
def blocks() -> MappingProxyType[BlockNumber, TracedBlock]:
    runtime = recording.runtime()
    return MappingProxyType(
        {
            block.header.number: TracedBlock(
                block.ref, runtime.decode_events(block.events, pallets=PALLETS), runtime
            )
            for block in recording.blocks()
            if 60_101 <= block.header.number <= 60_107
        }
    )


def traced(attempt: Attempt, extra: tuple[EventRecord, ...] = (), *, of: int = 60_107) -> Trace:
    """`attempt` with more events before those of one block."""
    found = dict(blocks())
    block = found[BlockNumber(of)]
    found[BlockNumber(of)] = replace(block, events=(*extra, *block.events))
    return trace(BUNDLE, attempt, found)


def said(found: Trace) -> list[str]:
    payees = expected(BUNDLE, reading(), {})
    return [*disagreements(found, payees, {}, BUNDLE)]


def event(pallet: str, name: str, **args: Any) -> EventRecord:
    return EventRecord(0, Phase.APPLY_EXTRINSIC, 2, pallet, name, args, ())


FAILED_ONE, PAID_ONE = 0, 1


def test_each_signer_paid_a_fee_for_its_approval() -> None:
    for attempt in result().attempts:
        fees = traced(attempt).fees
        assert [fee.payer for fee in fees] == list(attempt.signed)
        assert [fee.at for fee in fees] == list(attempt.positions)
        assert all(fee.fee > 0 and fee.tip == 0 for fee in fees)
    assert traced(result().attempts[PAID_ONE]).fees[-1].fee == 741_644_491


def test_the_failed_attempt_succeeded_outside_failed_inside_and_moved_nothing() -> None:
    found = traced(result().attempts[FAILED_ONE])
    assert (found.outer, found.inner) == (None, "Token.FundsUnavailable")
    assert found.received == {}
    assert found.deposit_returned == found.attempt.deposit == found.attempt.deposit_returned > 0
    assert found.block is not None
    assert found.block.number == 60_103
    assert said(found) == []


def test_the_paid_attempt_moved_to_each_payee_what_its_line_says() -> None:
    found = traced(result().attempts[PAID_ONE])
    assert (found.outer, found.inner) == (None, None)
    payees = expected(BUNDLE, reading(), {})
    assert {who: found.received[who] for who in payees} == payees
    assert sum(found.received.values()) == 0
    assert found.received[BUNDLE.multisig.account_id(PASEO)] == -BUNDLE.statement.total
    assert said(found) == []


def test_an_open_operation_has_cost_fees_and_nothing_else_is_known() -> None:
    state = payouts.state(HALF_SIGNED)
    (attempt,) = reconcile(BUNDLE, reading(), state).attempts
    found = traced(attempt)
    assert len(found.fees) == 2
    assert (found.block, found.inner, found.deposit_returned) == (None, None, 0)
    assert attempt.deposit_returned == 0
    assert said(found) == []


# --- Where blocks and ledger do not agree ------------------------------------------------


def test_a_payee_that_passed_part_of_it_on_in_the_same_call_is_noticed() -> None:
    payee = next(iter(expected(BUNDLE, reading(), {})))
    away = event("Balances", "Transfer", **{"from": payee, "to": bytes(32), "amount": 1})
    (sentence,) = said(traced(result().attempts[PAID_ONE], (away,)))
    assert "changed by 150.0372093022 PAS, its lines are 150.0372093023 PAS" in sentence


def test_transfers_of_another_operation_in_the_same_extrinsic_are_not_this_ones() -> None:
    payee = next(iter(expected(BUNDLE, reading(), {})))
    gift = event("Balances", "Transfer", **{"from": bytes(32), "to": payee, "amount": 1})
    end = event(
        "Multisig", "MultisigExecuted", approving=bytes(32), multisig=bytes(32),
        timepoint={"height": 1, "index": 1}, call_hash=bytes(32), result=("Ok", None),
    )  # fmt: skip
    assert said(traced(result().attempts[PAID_ONE], (gift, end))) == []
    assert len(said(traced(result().attempts[PAID_ONE], (gift,)))) == 1


def test_a_deposit_that_went_back_beside_another_is_found() -> None:
    attempt = result().attempts[PAID_ONE]
    other = event("Balances", "Unreserved", who=attempt.depositor, amount=5)
    assert said(traced(attempt, (other,))) == []


@pytest.mark.parametrize("named", [True, False], ids=["named", "in order"])
def test_a_deposit_that_is_a_hold_goes_back_when_it_is_released(named: bool) -> None:
    attempt = result().attempts[PAID_ONE]
    assert attempt.closing is not None
    block = blocks()[attempt.closing.at.block]
    values = {"reason": "Preimage", "who": attempt.depositor, "amount": attempt.deposit}
    released = event("Balances", "Released")._replace(
        extrinsic_index=attempt.closing.at.extrinsic,
        args=values if named else tuple(values.values()),
    )
    kept = tuple(each for each in block.events if each.name != "Unreserved")
    held = {**blocks(), block.ref.number: replace(block, events=(released, *kept))}
    assert said(trace(BUNDLE, attempt, held)) == []
    without = {**blocks(), block.ref.number: replace(block, events=kept)}
    assert len(said(trace(BUNDLE, attempt, without))) == 1


def test_how_the_extrinsic_ended_is_shown_where_blocks_say_it_and_nowhere_else() -> None:
    attempts = result().attempts
    refs = {number: block.ref for number, block in blocks().items()}
    traces = [replace(traced(each), outer="System.CallFiltered") for each in attempts]
    shown = closings_table(BUNDLE, attempts, refs, traces)
    assert [str(cell) for cell in shown.columns[2].cells] == ["System.CallFiltered"] * 2
    headers = [column.header for column in closings_table(BUNDLE, attempts, refs, None).columns]
    assert [column.header for column in shown.columns] == [*headers[:2], "outer", *headers[2:]]
    assert "outer" not in headers


def test_a_ledger_that_says_otherwise_than_the_blocks_is_contradicted() -> None:
    attempt = result().attempts[FAILED_ONE]
    assert attempt.closing is not None
    lying = replace(
        attempt,
        outcome=Outcome.PAID,
        closing=Closing(attempt.closing.by, attempt.closing.at, None),
        deposit=Planck(attempt.deposit + 1),
    )
    sentences = said(traced(lying))
    assert "the call inside ended with Token.FundsUnavailable, by the ledger with None" in sentences
    assert any("of deposit went back, by the ledger" in each for each in sentences)
    assert sum("its lines are" in each for each in sentences) == 4


def test_a_closing_extrinsic_that_failed_cannot_have_closed_anything() -> None:
    attempt = result().attempts[PAID_ONE]
    bad_origin = ("BadOrigin", None)
    failed = event("System", "ExtrinsicFailed", dispatch_error=bad_origin, dispatch_info={})
    assert said(traced(attempt, (failed,)))[0].startswith("the closing extrinsic failed with BadO")


def test_a_payment_without_its_events_is_noticed_line_by_line() -> None:
    attempt = result().attempts[PAID_ONE]
    assert attempt.closing is not None
    hook = Position(attempt.closing.at.block, None)
    moved = replace(attempt, closing=attempt.closing._replace(at=hook))
    assert sum("changed by 0 PAS" in each for each in said(traced(moved))) == 4


# --- What is expected of other kinds ------------------------------------------------------


def test_claims_are_expected_to_move_what_was_awarded() -> None:
    awarded = {AccountId(bytes(32)): Planck(7)}
    claims = BUNDLE.model_copy(update={"plan": PlanPart(kind=Kind.CHILD_CLAIMS)})
    assert expected(claims, reading(), awarded) == awarded
    assert expected(BUNDLE, reading(), awarded) != awarded


@pytest.mark.parametrize("claimed", [True, False])
def test_child_bounties_pay_once_they_are_claimed(claimed: bool) -> None:
    first = reading()
    children = tuple(
        ChildReading(
            parent=17, child=40 + place, curator="", fee=Planck(0), payee=payee, value=amount,
            description="", claimed=claimed,
        )
        for place, (payee, amount) in enumerate(first.transfers)
    )  # fmt: skip
    due = expected(BUNDLE, replace(first, children=children), {})
    assert sum(due.values()) == (BUNDLE.statement.total if claimed else 0)
    assert len(due) == 4


def test_what_moved_otherwise_than_the_remark_says_is_left_to_the_ledger_to_tell() -> None:
    irregular = replace(result().attempts[PAID_ONE], outcome=Outcome.IRREGULAR)
    assert said(replace(traced(irregular), received={})) == []


@pytest.mark.parametrize("attempt", [FAILED_ONE, PAID_ONE])
def test_positions_name_each_extrinsic_once(attempt: int) -> None:
    positions = result().attempts[attempt].positions
    assert len(positions) == len(set(positions)) == 3
