"""Child bounties: numbers from the ledger, the calls, both decoders, claims, and the bundle."""

from typing import Any

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.errors import InputError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Planck
from ledger.pallets import bounties
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.child_bounties import Added, PendingPayout
from ledger.pallets.multisig.types import Operation, Status
from ledger.pallets.payouts import Batch as PaidBatch
from ledger.pallets.payouts import BatchStatus, Claim
from ledger.state import State
from multisig.batch import Batch, build_batches, encode_batch, own_accounts
from multisig.bundle import Bundle, check_bundle, make_bundles
from multisig.checks import Check
from multisig.children import Parent
from multisig.decode import Reading, decode_payout, describe
from multisig.errors import BatchRefused, BundleRefused, CallRefused
from multisig.plan import Kind, PlanPart
from multisig.reconcile import reconcile
from tests.support import payouts, recording
from tests.support.children import CLAIMS, FIRST, PARENT, PLAN, award, curated, multisig_of
from tests.support.payouts import PASEO, PERIOD, STATED

STATEMENT = payouts.bundle().statement
LINES = STATEMENT.lines
SMALL = PLAN.model_copy(update={"lines_per_part": 3})


@pytest.fixture
def state() -> State:
    return curated(payouts.state(STATED))


def build(state: State, plan: PlanPart = PLAN, part: int | None = None) -> tuple[Batch, ...]:
    return build_batches(STATEMENT, state, recording.runtime(), plan=plan, part=part)


def refused(state: State, plan: PlanPart = PLAN, part: int | None = None) -> str:
    with pytest.raises(BatchRefused) as error:
        build(state, plan, part)
    return str(error.value)


def read(call: bytes) -> Reading:
    return decode_payout(recording.runtime(), recording.peer(), call, PASEO)


def calls_of(batch: Batch) -> list[Call]:
    calls: list[Call] = recording.runtime().decode_call(batch.call).args["calls"]
    return calls


def open_operation(state: State, call: bytes | None) -> None:
    program = state.programme.program.value
    assert program is not None
    signatories = tuple(sorted(program.curators))
    state.mirrors.multisig.operations.insert(
        (multisig_of(state), payouts.bundle().call_hash, BlockNumber(58_900), 2, 0),
        Operation(
            Status.OPEN, program.threshold, signatories, signatories[0], Planck(1), (), call, None
        ),
    )


# --- The call -------------------------------------------------------------------------


def test_each_line_is_a_child_bounty_that_is_added_accepted_and_awarded(state: State) -> None:
    (batch,) = build(state)
    remark, *calls = calls_of(batch)
    assert str(remark) == "System.remark_with_event"
    assert [call.name for call in calls[:4]] == [
        "add_child_bounty", "propose_curator", "accept_curator", "award_child_bounty",
    ]  # fmt: skip
    assert len(calls) == 4 * len(LINES)  # a payout delay: the claim has to wait
    assert {call.args["parent_bounty_id"] for call in calls} == {PARENT}
    numbers = [call.args["child_bounty_id"] for call in calls if call.name == "accept_curator"]
    assert tuple(numbers) == batch.plan.children == tuple(range(FIRST, FIRST + len(LINES)))
    assert {call.args["curator"] for call in calls if call.name == "propose_curator"} == {
        ("Id", multisig_of(state))
    }


def test_both_decoders_read_what_was_built(state: State) -> None:
    (batch,) = build(state)
    reading = read(batch.call)
    assert reading.transfers == tuple((line.payee, line.planck) for line in LINES)
    assert [child.child for child in reading.children] == list(batch.plan.children or ())
    first = reading.children[0]
    assert (first.parent, first.fee, first.claimed) == (PARENT, 0, False)
    assert first.description == f"{PERIOD} {LINES[0].member}/{LINES[0].item}"
    assert first.curator == ss58_encode(multisig_of(state), PASEO.ss58_prefix)
    said = [*describe(reading, PASEO)]
    assert f"awards 150.0372093023 PAS to {LINES[0].payee} for amforc/services by child" in said[1]


def test_a_run_with_anything_else_in_it_is_no_payout(state: State) -> None:
    (batch,) = build(state)
    remark, *calls = calls_of(batch)
    stranger = payouts.call("ChildBounties", "close_child_bounty", **calls[2].args)
    for wrong in (
        [*calls, payouts.parts().transfers[0]],
        [*calls, stranger],
        calls[:-1],
        calls[1:],
        [*calls[:4], *calls[5:], calls[4]],
    ):
        with pytest.raises(CallRefused):
            read(payouts.batch_all(remark, *wrong))


def test_calls_in_a_row_about_different_children_are_refused(state: State) -> None:
    (batch,) = build(state)
    remark, *calls = calls_of(batch)
    calls[3], calls[7] = calls[7], calls[3]
    with pytest.raises(CallRefused, match="different child bounties"):
        read(payouts.batch_all(remark, *calls))


def test_without_a_payout_delay_each_child_is_claimed_at_once(state: State) -> None:
    runtime = recording.runtime()
    parent = Parent(PARENT, multisig_of(state), at_once=True)
    plan = PLAN.model_copy(update={"children": tuple(range(FIRST, FIRST + len(LINES)))})
    reading = read(encode_batch(STATEMENT, LINES, runtime, plan, parent).call)
    assert all(child.claimed for child in reading.children)
    assert reading.transfers == tuple((line.payee, line.planck) for line in LINES)
    assert [*describe(reading, PASEO)][1].startswith("pays 150.0372093023 PAS to ")


# --- The bounty -----------------------------------------------------------------------


def test_a_bounty_that_there_is_not_is_refused(state: State) -> None:
    other = PLAN.model_copy(update={"parent": PARENT + 1})
    assert "there is no bounty 18" in refused(state, other)


def test_another_curators_bounty_is_refused() -> None:
    state = curated(payouts.state(STATED), AccountId(bytes(32)))
    assert "the curator of bounty 17 is " in refused(state)


def test_a_bounty_that_is_not_active_is_refused(state: State) -> None:
    storage = state.mirrors.spending.bounties.bounties
    storage.insert(PARENT, storage.get(PARENT)._replace(status=bounties.Funded()))
    assert "bounty 17 is not active" in refused(state)


def test_more_children_than_the_chain_takes_are_refused(state: State) -> None:
    children = state.mirrors.spending.child_bounties
    most = recording.runtime().constant("ChildBounties", "MaxActiveChildBountyCount")
    children.parent_child_bounties.insert(PARENT, most - len(LINES))
    assert build(state)
    children.parent_child_bounties.insert(PARENT, most - len(LINES) + 1)
    assert f"has {most - 3} open children, {most} are the most" in refused(state)


def test_child_bounties_need_their_bounty_and_transfers_have_none(state: State) -> None:
    with pytest.raises(InputError, match="need the bounty"):
        build(state, PlanPart(kind=Kind.CHILD_BOUNTIES))
    with pytest.raises(InputError, match="transfers are of no bounty"):
        build(state, PlanPart(parent=PARENT))


def test_the_treasury_is_refused_with_the_reason_of_each_of_its_calls(state: State) -> None:
    said = refused(state, PlanPart(kind=Kind.TREASURY_SPEND))
    assert "Treasury.spend_local needs root or a spender's origin" in said
    assert "Treasury.payout is not recognised by the ledger yet" in said


def test_a_bounty_never_pays_itself() -> None:
    accounts = own_accounts(AccountId(bytes(32)), 17)
    named = {what: ss58_encode(account, 0) for account, what in accounts.items()}
    assert named["the treasury's account"] == "13UVJyLnbVp9RBZYFwFGyDvVd1y27Tt8tkntv6Q7JVPhFsTB"
    assert "the account of bounty 17" in named


# --- One run at a time ----------------------------------------------------------------


def test_another_open_run_is_refused_and_this_very_one_is_not(state: State) -> None:
    (batch,) = build(state)
    open_operation(state, batch.call)
    assert "the open operation of 58900-2 adds child bounties too" in refused(
        state, PLAN.model_copy(update={"lines_per_part": 2})
    )
    add = calls_of(batch)[1]
    open_operation(state, payouts.batch_all(add))
    assert "adds child bounties too" in refused(state)
    open_operation(state, None)
    assert "unknown-call: 1 open operation" in refused(state)
    (same,) = build(state, PLAN.model_copy(update={"allowed": (Check.UNKNOWN_CALL,)}))
    assert same.call == batch.call


def test_parts_are_numbered_in_their_order(state: State) -> None:
    first, second = build(state, SMALL)
    assert first.plan.children == (40, 41, 42)
    assert second.plan.children == (43,)
    assert build(award(state, first), SMALL, part=2)[1] == second


def test_a_number_that_was_taken_is_told(state: State) -> None:
    (batch,) = build(state)
    state.mirrors.spending.child_bounties.child_bounty_count.put(FIRST + 1)
    assert "its child bounties are 17/40 and on, by the ledger 17/41" in refused(
        state, batch.plan, part=1
    )


# --- Claims ---------------------------------------------------------------------------


def test_what_was_awarded_is_claimed_by_a_later_batch(state: State) -> None:
    (batch,) = build(state)
    (claims,) = build(award(state, batch), CLAIMS)
    assert claims.plan.children == batch.plan.children
    assert claims.plan.parent == PARENT
    reading = read(claims.call)
    assert reading.transfers == ()
    assert [str(claim) for claim in reading.claims] == ["17/40", "17/41", "17/42", "17/43"]
    assert [*describe(reading, PASEO)][1] == "claims child bounty 17/40 for amforc/services"


def test_lines_that_were_not_awarded_cannot_be_claimed(state: State) -> None:
    assert "amforc/services: no child bounty was awarded for it" in refused(state, CLAIMS)


def test_a_claim_waits_for_the_payout_delay(state: State) -> None:
    (batch,) = build(state)
    head = state.head.value
    assert head is not None
    award(state, batch, unlock_at=head.now + 1)
    assert f"17/40 can be claimed from block {head.now + 1} on" in refused(state, CLAIMS)
    assert build(award(state, batch, unlock_at=head.now), CLAIMS)


def test_claimed_undone_and_redirected_children_are_refused(state: State) -> None:
    (batch,) = build(state)
    award(state, batch)
    children = state.mirrors.spending.child_bounties.child_bounties
    one, two, three, _ = ((PARENT, BountyIndex(FIRST + n)) for n in range(4))
    children.remove(one)
    children.insert(two, children.get(two)._replace(status=Added()))
    pending = children.get(three)
    assert isinstance(pending.status, PendingPayout)
    elsewhere = pending.status._replace(beneficiary=AccountId(bytes(32)))
    children.insert(three, pending._replace(status=elsewhere))
    said = refused(state, CLAIMS)
    assert "amforc/services: child bounty 17/40 is claimed already" in said
    assert "gatotech/services: child bounty 17/41 is not awarded any more" in said
    assert "stake-plus/services: child bounty 17/42 is awarded to another account" in said


def test_what_was_awarded_is_not_paid_again_in_any_way(state: State) -> None:
    (batch,) = build(state)
    award(state, batch)
    for plan in (PLAN, PlanPart()):
        assert "2026-01 was paid before" in refused(state, plan)


# --- Reconciliation ------------------------------------------------------------------


def test_an_awarded_month_is_settled_once_its_children_are_claimed(state: State) -> None:
    (batch,) = build(state)
    bundle = bundled(state, PLAN)
    award(state, batch)
    claims = bundled(state, CLAIMS)
    record(state, batch, at=1)
    result = reconcile(bundle, read(bundle.call), state)
    assert all(line.as_stated for line in result.lines)
    assert result.open_claims == tuple((PARENT, FIRST + n) for n in range(4))
    assert not result.settled
    before = reconcile(claims, read(claims.call), state)
    assert not any(line.as_stated for line in before.lines)

    claim_all(state)
    assert reconcile(bundle, read(bundle.call), state).settled
    record(state, Batch(batch.lines, claims.call), at=2)
    assert reconcile(claims, read(claims.call), state).settled


def claim_all(state: State, **changes: Any) -> None:
    """As the ledger does when all awards were claimed."""
    children = state.mirrors.spending.child_bounties.child_bounties
    for child, line in list(state.payouts.awards.items()):
        paid = state.payouts.paid.get(line)
        claim = Claim(paid.payee, paid.amount, BlockNumber(3))
        state.payouts.claims.insert(child, claim._replace(**changes))
        children.remove((PARENT, BountyIndex(child[1])))


def test_an_award_that_is_taken_back_closed_or_redirected_is_not_settled(state: State) -> None:
    (batch,) = build(state)
    bundle = bundled(state, PLAN)
    award(state, batch)
    record(state, batch, at=1)
    children = state.mirrors.spending.child_bounties.child_bounties
    one, two, three, _ = ((PARENT, BountyIndex(FIRST + n)) for n in range(4))
    children.remove(one)
    children.insert(two, children.get(two)._replace(status=Added()))
    status = children.get(three).status
    assert isinstance(status, PendingPayout)
    elsewhere = status._replace(beneficiary=AccountId(bytes(32)))
    children.insert(three, children.get(three)._replace(status=elsewhere))
    result = reconcile(bundle, read(bundle.call), state)
    nobody = ss58_encode(AccountId(bytes(32)), PASEO.ss58_prefix)
    assert all(line.as_stated for line in result.lines)
    assert not result.settled
    assert result.open_claims == ((PARENT, FIRST + 3),)
    assert [str(each) for each in result.astray] == [
        "child bounty 17/40 was closed, and the ledger has seen no claim of it",
        "child bounty 17/41 is not awarded any more: nobody can claim it",
        f"child bounty 17/42 is awarded to {nobody} now",
    ]


@pytest.mark.parametrize(
    ("changes", "settled"),
    [
        ({}, True),
        ({"amount": Planck(2**100)}, True),  # anybody can pay into the child's account
        ({"amount": Planck(1)}, False),
        ({"beneficiary": AccountId(bytes(32))}, False),
    ],
    ids=["as awarded", "more", "less", "another"],
)
def test_a_claim_settles_where_it_pays_the_payee_no_less(
    state: State, changes: dict[str, Any], *, settled: bool
) -> None:
    (batch,) = build(state)
    bundle = bundled(state, PLAN)
    award(state, batch)
    record(state, batch, at=1)
    claim_all(state, **changes)
    result = reconcile(bundle, read(bundle.call), state)
    assert (result.settled, not result.astray) == (settled, settled)


def record(state: State, batch: Batch, at: int) -> None:
    """As the ledger does when `batch` was executed in block `at`."""
    state.payouts.batches.insert(
        (BlockNumber(at), 0),
        PaidBatch(
            BatchStatus.PAID,
            PERIOD,
            STATEMENT.hash,
            batch.call_hash,
            1,
            len(batch.lines),
            Planck(0),
            None,
        ),
    )


# --- The bundle -----------------------------------------------------------------------


def bundled(state: State, plan: PlanPart) -> Bundle:
    runtime = recording.runtime()
    (bundle,) = make_bundles(STATEMENT, build(state, plan), state, payouts.genesis_hash(), runtime)
    return bundle


def check(bundle: Bundle, state: State, *, before: bool = False) -> None:
    check_bundle(
        bundle,
        state,
        payouts.genesis_hash(),
        recording.runtime(),
        recording.peer(),
        before=before,
    )


def test_a_bundle_of_child_bounties_checks(state: State) -> None:
    check(bundled(state, PLAN), state)


def test_a_bundle_of_claims_checks_before_and_after_the_award(state: State) -> None:
    (batch,) = build(state)
    later = award(curated(payouts.state(STATED)), batch)
    bundle = bundled(later, CLAIMS)
    check(bundle, later)
    check(bundle, state, before=True)
    with pytest.raises(BundleRefused, match="no child bounty was awarded"):
        check(bundle, state)


def test_a_bundle_may_be_numbered_later_than_the_statement_but_never_earlier(
    state: State,
) -> None:
    later = curated(payouts.state(STATED))
    later.mirrors.spending.child_bounties.child_bounty_count.put(FIRST + 5)
    bundle = bundled(later, PLAN)
    check(bundle, state, before=True)
    with pytest.raises(BundleRefused, match="17/45 and on, by the ledger 17/40"):
        check(bundle, state)
    with pytest.raises(BundleRefused, match="17/40 and on, by the ledger 17/45"):
        check(bundled(state, PLAN), later, before=True)


def test_a_plan_with_other_numbers_or_another_kind_is_refused(state: State) -> None:
    bundle = bundled(state, PLAN)
    plan = bundle.paid_by
    for wrong in (
        plan.model_copy(update={"children": (40, 41, 42)}),
        plan.model_copy(update={"children": (40, 41, 42, 44)}),
        plan.model_copy(update={"parent": PARENT + 1}),
        plan.model_copy(update={"kind": Kind.CHILD_CLAIMS}),
        PlanPart(),
        None,
    ):
        for before in (False, True):
            with pytest.raises(BundleRefused):
                check(bundle.model_copy(update={"plan": wrong}), state, before=before)
