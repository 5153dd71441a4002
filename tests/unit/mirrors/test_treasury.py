"""The pallet's rules on worked examples, its own tests retold: spec/pallets.md C.5."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.errors import DecodeError
from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.pallets import treasury
from ledger.pallets.dispatch_origin import BadOrigin
from ledger.pallets.treasury import Budget, Payment, ProposalIndex, SpendIndex, events, types
from tests.unit.mirrors.recorded_runtime import module_error, runtime
from tests.unit.mirrors.spending_world import OF_TREASURY, OTHER, PAYEE, PROPOSER, ROOT

FIRST, SECOND = ProposalIndex(0), ProposalIndex(1)
SPEND = SpendIndex(0)
U64_MAX = 2**64 - 1
HERE = {"parents": 0, "interior": ("Here", ())}
KIND = ("V3", {"location": HERE, "asset_id": ("Concrete", HERE)})
TO = ("V3", {"parents": 0, "interior": ("X1", ("AccountId32", {"network": None, "id": PAYEE}))})


class World:
    """At block 1. A spend may be claimed within 5 blocks."""

    def __init__(self) -> None:
        self.storage = treasury.Storage()
        self.constants = OF_TREASURY
        self.now = RelayBlockNumber(1)

    def at(self, now: int) -> "World":
        self.now = RelayBlockNumber(now)
        return self

    @property
    def config(self) -> treasury.Config:
        return treasury.Config(self.constants, self.now)

    def propose(self, value: int = 100, origin: AccountId | None = PROPOSER) -> Any:
        return treasury.propose_spend(self.storage, self.config, origin, Planck(value), PAYEE)

    def reject(self, index: int = 0, origin: AccountId | None = ROOT) -> Any:
        return treasury.reject_proposal(self.storage, origin, ProposalIndex(index))

    def approve(self, index: int = 0, origin: AccountId | None = ROOT) -> Any:
        return treasury.approve_proposal(self.storage, self.config, origin, ProposalIndex(index))

    def spend_local(self, amount: int = 100, origin: AccountId | None = ROOT) -> Any:
        return treasury.spend_local(self.storage, self.config, origin, Planck(amount), PAYEE)

    def remove_approval(self, index: int = 0, origin: AccountId | None = ROOT) -> Any:
        return treasury.remove_approval(self.storage, origin, ProposalIndex(index))

    def spend_funds(self, budget: Budget) -> Any:
        return treasury.spend_funds(self.storage, budget)

    def spend(self, valid_from: int | None = None, origin: AccountId | None = ROOT) -> Any:
        start = None if valid_from is None else RelayBlockNumber(valid_from)
        return treasury.spend(self.storage, self.config, origin, KIND, 2, TO, start)

    def payout(self, payment: int = 7, origin: AccountId | None = OTHER) -> Any:
        return treasury.payout(self.storage, self.config, origin, SPEND, Payment(payment))

    def check(self, *, failed: bool = False, origin: AccountId | None = OTHER) -> Any:
        payment = Payment(7, failed)
        return treasury.check_status(self.storage, self.config, origin, SPEND, payment)

    def void(self, origin: AccountId | None = ROOT) -> Any:
        return treasury.void_spend(self.storage, origin, SPEND)

    def stored(self) -> types.Spend:
        return self.storage.spends.get(SPEND)


@pytest.fixture
def world() -> World:
    return World()


def refuses(world: World, error: type[Exception], act: Callable[[], object]) -> None:
    storage = world.storage
    items = (storage.proposals, storage.approvals, storage.spends, storage.spend_count)
    before = [dict(item.raw_items()) for item in items]
    with pytest.raises(error):
        act()
    assert [dict(item.raw_items()) for item in items] == before


# --- Proposals ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "most", "bond"),
    [
        pytest.param(10, None, 1, id="the least"),
        pytest.param(100, None, 5, id="a twentieth"),
        pytest.param(10**6, 7, 7, id="the most"),
    ],
)
def test_a_proposal_takes_a_bond(world: World, value: int, most: int | None, bond: int) -> None:
    bounded = None if most is None else Planck(most)
    world.constants = replace(world.constants, proposal_bond_maximum=bounded)
    assert world.propose(value) == [events.Proposed(FIRST)]
    proposal = treasury.Proposal(PROPOSER, Planck(value), PAYEE, Planck(bond))
    assert world.storage.proposals.get(FIRST) == proposal


def test_a_rejected_proposal_loses_its_bond(world: World) -> None:
    world.propose()
    assert world.reject() == [events.Rejected(FIRST, Planck(5))]
    assert len(world.storage.proposals) == 0
    refuses(world, treasury.InvalidIndex, world.reject)
    refuses(world, treasury.InvalidIndex, world.approve)


def test_an_approved_proposal_is_paid_at_the_end_of_the_spend_period(world: World) -> None:
    world.propose()
    assert world.approve() == []
    assert world.storage.approvals.value == (FIRST,)
    budget = Budget(Planck(150))
    assert world.spend_funds(budget) == [events.Awarded(FIRST, Planck(100), PAYEE)]
    assert budget == Budget(Planck(50), missed_any=False)
    assert FIRST not in world.storage.proposals
    assert not world.storage.approvals.value


def test_what_the_pot_does_not_reach_for_waits(world: World) -> None:
    world.spend_local(100)
    world.spend_local(30)
    budget = Budget(Planck(99))
    assert world.spend_funds(budget) == [events.Awarded(SECOND, Planck(30), PAYEE)]
    assert budget == Budget(Planck(69), missed_any=True)
    assert world.storage.approvals.value == (FIRST,)


def test_what_was_approved_twice_is_paid_once(world: World) -> None:
    world.propose()
    world.approve()
    world.approve()
    assert len(world.spend_funds(Budget(Planck(1_000)))) == 1
    assert world.storage.approvals.value == ()


def test_what_was_rejected_after_its_approval_is_not_paid(world: World) -> None:
    world.propose()
    world.approve()
    world.reject()
    assert world.spend_funds(Budget(Planck(1_000))) == []
    assert world.storage.approvals.value == ()


def test_an_empty_queue_is_stored_as_one(world: World) -> None:
    assert world.storage.approvals.value is None
    assert world.spend_funds(Budget(Planck(1))) == []
    assert world.storage.approvals.value == ()


def test_a_local_spend_is_proposed_by_its_beneficiary(world: World) -> None:
    assert world.spend_local() == [events.SpendApproved(FIRST, Planck(100), PAYEE)]
    proposal = treasury.Proposal(PAYEE, Planck(100), PAYEE, Planck(0))
    assert world.storage.proposals.get(FIRST) == proposal
    assert world.storage.proposal_count.value == 1


def test_an_approval_is_removed_and_its_proposal_stays(world: World) -> None:
    world.spend_local()
    world.approve()
    assert world.remove_approval() == []
    assert world.storage.approvals.value == (FIRST,)
    world.remove_approval()
    refuses(world, treasury.ProposalNotApproved, world.remove_approval)
    assert FIRST in world.storage.proposals


def test_no_more_proposals_wait_than_the_queue_has_places(world: World) -> None:
    world.propose()
    for _ in range(100):
        world.approve()
    refuses(world, treasury.TooManyApprovals, world.approve)
    refuses(world, treasury.TooManyApprovals, world.spend_local)
    assert world.storage.proposal_count.value == 1


# --- Spends -----------------------------------------------------------------------------


def test_a_spend_is_promised_until_it_expires(world: World) -> None:
    at, end = RelayBlockNumber(1), RelayBlockNumber(6)
    assert world.spend() == [events.AssetSpendApproved(SPEND, KIND, 2, TO, at, end)]
    assert world.stored()[1:] == (at, end, types.Pending())
    assert world.storage.spend_count.value == 1
    decoded = runtime().decode_storage("Treasury", "Spends", types.SPEND.encode(world.stored()))
    assert (decoded["asset_kind"], decoded["amount"], decoded["beneficiary"]) == (KIND, 2, TO)


def test_a_spend_is_claimed_not_before_its_time_and_not_after(world: World) -> None:
    world.spend(valid_from=3)
    refuses(world.at(2), treasury.EarlyPayout, world.payout)
    refuses(world.at(8), treasury.SpendExpired, world.payout)
    assert world.at(7).payout() == [events.Paid(SPEND, 7)]
    assert world.stored().status == types.Attempted(7)
    refuses(world, treasury.AlreadyAttempted, world.payout)
    refuses(world, treasury.AlreadyAttempted, world.void)


def test_a_spend_of_the_past_must_not_have_expired(world: World) -> None:
    refuses(world.at(10), treasury.SpendExpired, lambda: world.spend(valid_from=5))
    world.spend(valid_from=6)


def test_an_expiry_stays_a_height(world: World) -> None:
    world.spend(valid_from=2**32 - 1)
    assert world.stored().expire_at == 2**32 - 1


@pytest.mark.parametrize(("renews", "expire_at"), [(False, 6), (True, 8)])
def test_a_claim_renews_the_expiry_since_stable2503(
    world: World, expire_at: int, *, renews: bool
) -> None:
    world.constants = replace(world.constants, payout_renews_expiry=renews)
    world.spend()
    world.at(3).payout()
    assert world.stored().expire_at == expire_at


def test_a_failed_payment_may_be_claimed_again(world: World) -> None:
    world.spend()
    refuses(world, treasury.NotAttempted, world.check)
    world.payout(7)
    assert world.check(failed=True) == [events.PaymentFailed(SPEND, 7)]
    assert world.stored().status == types.Failed()
    refuses(world, treasury.NotAttempted, world.check)
    world.payout(8)
    assert world.check() == [events.SpendProcessed(SPEND)]
    refuses(world, treasury.InvalidIndex, world.check)
    refuses(world, treasury.InvalidIndex, world.payout)


def test_an_expired_spend_is_forgotten_unless_it_was_claimed(world: World) -> None:
    world.spend()
    refuses(world.at(6), treasury.NotAttempted, world.check)
    assert world.at(7).check(failed=True) == [events.SpendProcessed(SPEND)]
    assert len(world.storage.spends) == 0


def test_an_unclaimed_spend_is_voided(world: World) -> None:
    refuses(world, treasury.InvalidIndex, world.void)
    world.spend()
    assert world.void() == [events.AssetSpendVoided(SPEND)]
    assert (len(world.storage.spends), world.storage.spend_count.value) == (0, 1)


# --- Origins, numbers, bytes ------------------------------------------------------------------


@pytest.mark.parametrize(
    "call", ["reject", "approve", "spend_local", "remove_approval", "spend", "void"]
)
def test_no_account_spends(world: World, call: str) -> None:
    world.spend()
    refuses(world, BadOrigin, lambda: getattr(world, call)(origin=OTHER))


@pytest.mark.parametrize("call", ["propose", "payout", "check"])
def test_root_proposes_and_claims_nothing(world: World, call: str) -> None:
    world.spend()
    refuses(world, BadOrigin, lambda: getattr(world, call)(origin=ROOT))


@pytest.mark.parametrize("error", treasury.Error.__subclasses__())
def test_errors_are_numbered_as_in_the_pallet(error: type[treasury.Error]) -> None:
    assert runtime().error_name(module_error(error, "Treasury")) == f"Treasury.{error.__name__}"


heights = st.integers(1, 2**32 - 1)
payments = st.integers(0, types.QUERIES - 1) | st.just(U64_MAX)
states = st.sampled_from([types.Pending(), types.Failed()]) | payments.map(types.Attempted)


@given(order=st.binary(max_size=60), start=st.integers(0, 2**32 - 1), end=heights, status=states)
def test_a_spend_is_read_back_from_its_end(
    order: bytes, start: int, end: int, status: types.PaymentState
) -> None:
    spend = types.Spend(order, RelayBlockNumber(start), RelayBlockNumber(end), status)
    assert types.SPEND.decode(types.SPEND.encode(spend)) == spend


@given(order=st.binary(max_size=60), id_=st.integers(types.QUERIES, U64_MAX - 1))
def test_a_payment_that_could_not_be_read_back_is_not_written(order: bytes, id_: int) -> None:
    at = RelayBlockNumber(1)
    with pytest.raises(ValueError, match=str(id_)):
        types.SPEND.encode(types.Spend(order, at, at, types.Attempted(id_)))


@given(st.binary(max_size=8) | st.binary(max_size=30).map(lambda raw: raw + b"\x03"))
def test_what_is_no_spend_is_refused_or_read_as_it_is(raw: bytes) -> None:
    try:
        spend = types.SPEND.decode(raw)
    except DecodeError:
        return
    assert types.SPEND.encode(spend) == raw
