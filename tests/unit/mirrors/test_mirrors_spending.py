"""Treasury and bounties followed through a real runtime's calls and events, tasks and hooks."""

from typing import Any

import pytest

from ibp_chain.blocks import EventRecord, Phase
from ibp_chain.errors import MirrorDivergence
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, RelayBlockNumber
from ledger.mirrors import Constants, Mirrors
from ledger.pallets import bounties, child_bounties, treasury
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.bounties.types import PendingPayout
from ledger.pallets.treasury import SpendIndex
from tests.unit.mirrors import eras
from tests.unit.mirrors.recorded_runtime import ALICE, BOB, CAROL, call, runtime
from tests.unit.mirrors.test_mirrors import NOW, context, dispatched, record
from tests.unit.mirrors.test_treasury import KIND, TO

UNIT = 10**10
ONE = BountyIndex(0)
ID = {"bounty_id": 0}
CHILD = {"parent_bounty_id": 0, "child_bounty_id": 0}


def happen(mirrors: Mirrors, made: Call, who: AccountId | None, *said: tuple[str, Any]) -> None:
    events = [record(made.pallet, name, args) for name, args in said]
    mirrors.apply(context(), dispatched(made, *events, who=who))


def hook(pallet: str, name: str, **args: Any) -> EventRecord:
    return record(pallet, name, args, Phase.INITIALIZATION)


def hook_of(pallet: str, name: str, args: Any) -> EventRecord:
    """Without field names."""
    return record(pallet, name, args, Phase.INITIALIZATION)


def proposed() -> Mirrors:
    mirrors = Mirrors()
    propose = call("Bounties", "propose_bounty", value=50 * UNIT, description=b"work")
    happen(mirrors, propose, ALICE, ("BountyProposed", {"index": 0}))
    return mirrors


def approved() -> Mirrors:
    mirrors = proposed()
    approve = call("Bounties", "approve_bounty", **ID)
    happen(mirrors, approve, None, ("BountyApproved", {"index": 0}))
    return mirrors


def active() -> Mirrors:
    mirrors = approved()
    period(mirrors, 50 * UNIT, ("Bounties", "BountyBecameActive", {"index": 0}), left=0)
    offer = call("Bounties", "propose_curator", **ID, curator=("Id", BOB), fee=UNIT)
    happen(mirrors, offer, None, ("CuratorProposed", {"bounty_id": 0, "curator": BOB}))
    accept = call("Bounties", "accept_curator", **ID)
    happen(mirrors, accept, BOB, ("CuratorAccepted", {"bounty_id": 0, "curator": BOB}))
    return mirrors


def period(
    mirrors: Mirrors, pot: int, *said: tuple[str, str, Any], left: int, burnt: int | None = 0
) -> None:
    """The end of a spend period, in a hook."""
    mirrors.apply(context(), hook("Treasury", "Spending", budget_remaining=pot))
    for pallet, name, args in said:
        mirrors.apply(context(), hook(pallet, name, **args))
    if burnt is not None:
        mirrors.apply(context(), hook("Treasury", "Burnt", burnt_funds=burnt))
    mirrors.apply(context(), hook("Treasury", "Rollover", rollover_balance=left))


def bounty(mirrors: Mirrors) -> bounties.Bounty:
    return mirrors.spending.bounties.bounties.get(ONE)


# --- What a runtime fixes -------------------------------------------------------------


def test_constants_are_the_runtimes() -> None:
    known = Constants.of(runtime()).spending
    assert known.bounties.curator_deposit_multiplier == 500_000
    assert known.bounties.curator_deposit_max == 200 * UNIT
    assert known.bounties.max_approvals == known.treasury.max_approvals == 100
    assert (known.treasury.proposal_bond, known.treasury.payout_renews_expiry) == (50_000, False)
    assert known.child_bounties.counts_per_parent is False
    assert known.declared("Treasury") == {event.__name__ for event in treasury.EVENTS}
    poked = {"DepositPoked"}
    assert known.declared("Bounties") == {e.__name__ for e in bounties.EVENTS} - poked
    assert known.declared("ChildBounties") == {e.__name__ for e in child_bounties.EVENTS}


def test_newer_runtimes_count_children_by_parent_and_have_no_proposals() -> None:
    known = Constants.of(eras.runtime(eras.E2)).spending
    assert known.child_bounties.counts_per_parent is True
    assert (known.treasury.proposal_bond, known.treasury.payout_renews_expiry) == (0, True)
    assert "DepositPoked" in known.declared("Bounties")
    assert "Proposed" not in known.declared("Treasury")


# --- Calls and events -----------------------------------------------------------------


def test_a_bounty_is_followed_to_its_end() -> None:
    mirrors = active()
    assert bounty(mirrors).status == bounties.Active(BOB, RelayBlockNumber(NOW + 1_296_000))
    happen(
        mirrors,
        call("ChildBounties", "add_child_bounty", parent_bounty_id=0, value=UNIT, description=b""),
        BOB,
        ("Added", {"index": 0, "child_index": 0}),
    )
    offer = call("ChildBounties", "propose_curator", **CHILD, curator=("Id", CAROL), fee=7)
    happen(mirrors, offer, BOB)
    happen(mirrors, call("ChildBounties", "accept_curator", **CHILD), CAROL)
    assert mirrors.spending.child_bounties.child_bounties.get((ONE, ONE)).fee == 7
    close = call("ChildBounties", "close_child_bounty", **CHILD)
    happen(mirrors, close, BOB, ("Canceled", {"index": 0, "child_index": 0}))
    happen(mirrors, call("Bounties", "close_bounty", **ID), None, ("BountyCanceled", {"index": 0}))
    assert len(mirrors.spending.bounties.bounties) == 0


def test_what_a_claim_paid_is_taken_from_its_event() -> None:
    mirrors = active()
    award = call("Bounties", "award_bounty", **ID, beneficiary=("Id", CAROL))
    happen(mirrors, award, BOB, ("BountyAwarded", {"index": 0, "beneficiary": CAROL}))
    storage = mirrors.spending.bounties
    unlocked = PendingPayout(BOB, CAROL, NOW)
    storage.bounties.insert(ONE, bounty(mirrors)._replace(status=unlocked))
    said = {"index": 0, "payout": 12_345, "beneficiary": CAROL}
    happen(mirrors, call("Bounties", "claim_bounty", **ID), ALICE, ("BountyClaimed", said))
    assert len(storage.bounties) == 0


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([], id="no event"),
        pytest.param([("BountyApproved", {"index": 1})], id="another bounty"),
        pytest.param([("BountyCanceled", {"index": 0})], id="another event"),
        pytest.param([("BountyApproved", {"index": 0})] * 2, id="twice"),
    ],
)
def test_an_event_that_was_not_predicted_is_a_divergence(said: list[tuple[str, Any]]) -> None:
    with pytest.raises(MirrorDivergence, match=r"events of Bounties\.approve_bounty"):
        happen(proposed(), call("Bounties", "approve_bounty", **ID), None, *said)


def test_a_call_that_the_mirror_would_refuse_is_a_divergence() -> None:
    accept = call("Bounties", "accept_curator", **ID)
    with pytest.raises(MirrorDivergence, match=r"accept_curator.*UnexpectedStatus.*success"):
        happen(proposed(), accept, BOB, ("CuratorAccepted", {"bounty_id": 0, "curator": BOB}))
    approve = call("Bounties", "approve_bounty", **ID)
    with pytest.raises(MirrorDivergence, match=r"approve_bounty.*BadOrigin.*success"):
        happen(proposed(), approve, ALICE, ("BountyApproved", {"index": 0}))


def test_deposits_into_the_treasury_are_nobodys_events() -> None:
    mirrors = proposed()
    close = call("Bounties", "close_bounty", **ID)
    bond = bounty(mirrors).bond
    rejected = record("Bounties", "BountyRejected", {"index": 0, "bond": bond})
    slashed = record("Treasury", "Deposit", {"value": bond})
    mirrors.apply(context(), dispatched(close, slashed, rejected, who=None))
    mirrors.apply(context(), hook("Treasury", "UpdatedInactive", reactivated=0, deactivated=1))
    assert len(mirrors.spending.bounties.bounties) == 0


# --- Spends ---------------------------------------------------------------------------


SPENT = {
    "index": 0,
    "asset_kind": KIND,
    "amount": 2,
    "beneficiary": TO,
    "valid_from": NOW,
    "expire_at": NOW + 432_000,
}


def test_a_spend_says_the_same_as_a_call_and_as_a_tasks_event() -> None:
    called, followed = Mirrors(), Mirrors()
    spend = call("Treasury", "spend", asset_kind=KIND, amount=2, beneficiary=TO, valid_from=None)
    happen(called, spend, None, ("AssetSpendApproved", SPENT))
    followed.apply(context(), record("Treasury", "AssetSpendApproved", SPENT, Phase.FINALIZATION))
    stored = dict(called.spending.treasury.spends.raw_items())
    assert stored == dict(followed.spending.treasury.spends.raw_items())
    (raw,) = stored.values()
    decoded = runtime().decode_storage("Treasury", "Spends", raw)
    assert decoded == {
        **{name: value for name, value in SPENT.items() if name != "index"},
        "status": ("Pending", ()),
    }


def test_a_payment_is_named_and_judged_by_its_events() -> None:
    mirrors = Mirrors()
    mirrors.apply(context(), record("Treasury", "AssetSpendApproved", SPENT, Phase.FINALIZATION))
    spends = mirrors.spending.treasury.spends
    for payment, name in ((3, "PaymentFailed"), (4, "SpendProcessed")):
        paid = ("Paid", {"index": 0, "payment_id": payment})
        happen(mirrors, call("Treasury", "payout", index=0), ALICE, paid)
        assert spends.get(SpendIndex(0)).status == treasury.Attempted(payment)
        said = {"index": 0} | ({"payment_id": payment} if name == "PaymentFailed" else {})
        happen(mirrors, call("Treasury", "check_status", index=0), ALICE, (name, said))
    assert len(spends) == 0


# --- Spend periods ----------------------------------------------------------------------


def test_a_spend_period_ends_as_the_pot_foretells() -> None:
    mirrors = approved()
    spend = call("Treasury", "spend_local", amount=7, beneficiary=("Id", CAROL))
    approval = {"proposal_index": 0, "amount": 7, "beneficiary": CAROL}
    happen(mirrors, spend, None, ("SpendApproved", approval))
    awarded = {"proposal_index": 0, "award": 7, "account": CAROL}
    period(
        mirrors,
        50 * UNIT + 10,
        ("Treasury", "Awarded", awarded),
        ("Bounties", "BountyBecameActive", {"index": 0}),
        burnt=1,
        left=2,
    )
    assert bounty(mirrors).status == bounties.Funded()
    assert mirrors.spending.period is None


AWARDED = ("Treasury", "Awarded", {"proposal_index": 0, "award": 7, "account": CAROL})
FUNDED = ("Bounties", "BountyBecameActive", {"index": 0})


@pytest.mark.parametrize(
    ("pot", "said", "left", "burnt"),
    [
        pytest.param(50 * UNIT, [], 50 * UNIT, None, id="what was to be funded is not"),
        pytest.param(50 * UNIT, [FUNDED] * 2, 0, 0, id="funded twice"),
        pytest.param(50 * UNIT, [AWARDED, FUNDED], 0, 0, id="an award out of nothing"),
        pytest.param(50 * UNIT - 1, [FUNDED], 0, 0, id="funded with money that there is not"),
        pytest.param(50 * UNIT - 1, [], 50 * UNIT - 2, 1, id="burnt though one waits"),
        pytest.param(50 * UNIT, [FUNDED], 1, 0, id="more left than there was"),
        pytest.param(50 * UNIT, [FUNDED], 0, 1, id="more burnt than there was"),
    ],
)
def test_a_spend_period_that_ends_otherwise_is_a_divergence(
    pot: int, said: list[tuple[str, str, Any]], left: int, burnt: int | None
) -> None:
    with pytest.raises(MirrorDivergence, match=r"of a call that the block does not show"):
        period(approved(), pot, *said, left=left, burnt=burnt)


@pytest.mark.parametrize(
    ("pallet", "name", "args"), [AWARDED, FUNDED, ("Treasury", "Rollover", {"rollover_balance": 0})]
)
def test_outside_a_spend_period_nothing_is_awarded(pallet: str, name: str, args: Any) -> None:
    with pytest.raises(MirrorDivergence, match=name):
        approved().apply(context(), hook(pallet, name, **args))


def test_a_runtime_that_names_no_fields_is_followed_by_their_order() -> None:
    mirrors = proposed()
    bond = bounty(mirrors).bond
    mirrors.apply(context(), hook_of("Bounties", "BountyRejected", (0, bond)))
    assert len(mirrors.spending.bounties.bounties) == 0
    mirrors = approved()
    for pallet, name, args in (
        ("Treasury", "Spending", 50 * UNIT),
        ("Bounties", "BountyBecameActive", 0),
        ("Treasury", "Burnt", 0),
        ("Treasury", "Rollover", 0),
    ):
        mirrors.apply(context(), hook_of(pallet, name, args))
    assert bounty(mirrors).status == bounties.Funded()


# --- Calls that the block does not show -------------------------------------------------


def test_a_task_is_followed_by_its_events_where_they_say_enough() -> None:
    mirrors = proposed()
    mirrors.apply(context(), hook("Bounties", "BountyApproved", index=0))
    assert bounty(mirrors).status == bounties.Approved()
    mirrors = active()
    mirrors.apply(context(), hook("Bounties", "CuratorUnassigned", bounty_id=0))
    assert (bounty(mirrors).status, bounty(mirrors).curator_deposit) == (bounties.Funded(), 0)
    mirrors.apply(context(), hook("Bounties", "BountyCanceled", index=0))
    assert len(mirrors.spending.bounties.bounties) == 0


@pytest.mark.parametrize(
    ("pallet", "name", "args"),
    [
        ("Bounties", "BountyProposed", {"index": 1}),
        ("Bounties", "CuratorProposed", {"bounty_id": 0, "curator": BOB}),
        ("ChildBounties", "Added", {"index": 0, "child_index": 0}),
        ("Treasury", "Proposed", {"proposal_index": 0}),
        ("Bounties", "Unheard", {"of": 0}),
        ("ChildBounties", "Unheard", {"of": 0}),
        ("Treasury", "Unheard", {"of": 0}),
    ],
)
def test_a_task_that_says_too_little_is_a_divergence(pallet: str, name: str, args: Any) -> None:
    with pytest.raises(MirrorDivergence, match=f"{pallet}.{name} of a call"):
        active().apply(context(), hook(pallet, name, **args))


@pytest.mark.parametrize(
    ("pallet", "name", "args", "refusal"),
    [
        ("Bounties", "BountyApproved", {"index": 9}, "InvalidIndex"),
        ("Bounties", "BountyExtended", {"index": 0}, "DecodeError"),
        ("Treasury", "AssetSpendVoided", {"index": 9}, "InvalidIndex"),
        ("ChildBounties", "Canceled", {"index": 0, "child_index": 9}, "ParentBountyNotActive"),
    ],
)
def test_a_task_that_the_mirror_would_refuse_is_a_divergence(
    pallet: str, name: str, args: Any, refusal: str
) -> None:
    with pytest.raises(MirrorDivergence, match=refusal):
        proposed().apply(context(), hook(pallet, name, **args))


def test_a_tasks_event_must_say_what_the_mirror_has() -> None:
    said = {"index": 0, "bond": 1}
    with pytest.raises(MirrorDivergence, match="BountyRejected"):
        proposed().apply(context(), hook("Bounties", "BountyRejected", **said))
