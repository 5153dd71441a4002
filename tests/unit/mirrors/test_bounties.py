"""The pallet's rules on worked examples, its own tests retold: spec/pallets.md C.5."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.pallets import bounties
from ledger.pallets.bounties import BountyIndex, events, types
from ledger.pallets.dispatch_origin import BadOrigin
from ledger.pallets.per_things import permill_of
from tests.unit.mirrors.recorded_runtime import module_error, runtime
from tests.unit.mirrors.spending_world import (
    CURATOR,
    ONE,
    OTHER,
    PAYEE,
    PROPOSER,
    ROOT,
    World,
)


@pytest.fixture
def world() -> World:
    return World()


def height(number: int) -> RelayBlockNumber:
    return RelayBlockNumber(number)


def refuses(world: World, error: type[Exception], act: Callable[[], object]) -> None:
    """With storage untouched."""
    before = world.bytes()
    with pytest.raises(error):
        act()
    assert world.bytes() == before


# --- Proposals ------------------------------------------------------------------------


def test_a_proposal_reserves_for_every_byte_of_its_description(world: World) -> None:
    assert world.propose() == [events.BountyProposed(ONE)]
    assert world.bounty() == bounties.Bounty(
        PROPOSER, Planck(50), Planck(0), Planck(0), Planck(85), types.Proposed()
    )
    assert world.storage.bounty_descriptions.get(ONE) == b"12345"
    assert world.propose() == [events.BountyProposed(BountyIndex(1))]
    assert world.storage.bounty_count.value == 2


@pytest.mark.parametrize(
    ("value", "description", "error"),
    [
        pytest.param(50, bytes(16_385), bounties.ReasonTooBig, id="too long"),
        pytest.param(0, b"", bounties.InvalidValue, id="worthless"),
        pytest.param(0, bytes(16_385), bounties.ReasonTooBig, id="both"),
    ],
)
def test_a_proposal_has_bounds(
    world: World, value: int, description: bytes, error: type[bounties.Error]
) -> None:
    refuses(world, error, lambda: world.propose(value, description))
    world.propose(1, bytes(16_384))


def test_a_rejected_proposal_loses_its_bond_and_is_gone(world: World) -> None:
    world.propose()
    assert world.close() == [events.BountyRejected(ONE, Planck(85))]
    assert (len(world.storage.bounties), len(world.storage.bounty_descriptions)) == (0, 0)
    assert world.storage.bounty_count.value == 1


def test_poking_brings_the_bond_to_what_it_costs_now(world: World) -> None:
    world.propose()
    assert world.poke() == []
    world.of_bounties = replace(world.of_bounties, data_deposit_per_byte=Planck(2))
    poked = events.DepositPoked(ONE, PROPOSER, Planck(85), Planck(90))
    assert world.poke(OTHER) == [poked]
    assert world.bounty().bond == 90
    world.approve()
    refuses(world, bounties.UnexpectedStatus, world.poke)


def test_poking_takes_a_bounty_and_its_description(world: World) -> None:
    refuses(world, bounties.InvalidIndex, world.poke)
    world.propose()
    refuses(world, BadOrigin, lambda: world.poke(ROOT))
    world.storage.bounty_descriptions.remove(ONE)
    refuses(world, bounties.InvalidIndex, world.poke)


# --- Approval and funding -----------------------------------------------------------------


def test_an_approved_bounty_is_funded_at_the_end_of_the_spend_period(world: World) -> None:
    world.propose()
    assert world.approve() == [events.BountyApproved(ONE)]
    assert world.storage.bounty_approvals.value == (ONE,)
    assert world.bounty().status == types.Approved()
    refuses(world, bounties.UnexpectedStatus, world.approve)
    refuses(world, bounties.UnexpectedStatus, world.close)
    refuses(world, bounties.UnexpectedStatus, lambda: world.unassign(ROOT))
    assert world.spend_funds() == [events.BountyBecameActive(ONE)]
    assert (world.bounty().status, world.bounty().bond) == (types.Funded(), 85)


def test_what_the_pot_does_not_reach_for_waits_and_smaller_ones_go_first(world: World) -> None:
    for value in (50, 30, 20):
        world.propose(value)
    for index in range(3):
        bounties.approve_bounty(world.storage, world.config, ROOT, BountyIndex(index))
    assert world.spend_funds(55) == [events.BountyBecameActive(ONE)]
    assert world.storage.bounty_approvals.value == (1, 2)
    assert world.spend_funds(29) == [events.BountyBecameActive(BountyIndex(2))]
    assert world.spend_funds(30) == [events.BountyBecameActive(BountyIndex(1))]


def test_an_empty_queue_is_stored_as_one(world: World) -> None:
    assert world.storage.bounty_approvals.value is None
    assert world.spend_funds() == []
    assert world.storage.bounty_approvals.value == ()


def test_an_approval_without_a_bounty_is_dropped(world: World) -> None:
    world.storage.bounty_approvals.put((BountyIndex(9),))
    assert world.spend_funds() == []
    assert world.storage.bounty_approvals.value == ()


def test_no_more_bounties_wait_than_the_queue_has_places(world: World) -> None:
    world.propose()
    world.storage.bounty_approvals.put((ONE,) * 100)
    refuses(world, bounties.TooManyQueued, world.approve)
    refuses(world, bounties.TooManyQueued, world.approve_with_curator)


def test_a_bounty_can_be_approved_together_with_its_curator(world: World) -> None:
    world.propose()
    refuses(world, bounties.InvalidFee, lambda: world.approve_with_curator(fee=50))
    assert world.approve_with_curator(49) == [
        events.BountyApproved(ONE),
        events.CuratorProposed(ONE, CURATOR),
    ]
    assert (world.bounty().status, world.bounty().fee) == (types.ApprovedWithCurator(CURATOR), 49)
    refuses(world, bounties.UnexpectedStatus, world.approve_with_curator)
    refuses(world, bounties.UnexpectedStatus, world.accept)
    refuses(world, bounties.UnexpectedStatus, world.close)
    world.spend_funds()
    assert world.bounty().status == types.CuratorProposed(CURATOR)
    assert world.accept() == [events.CuratorAccepted(ONE, CURATOR)]


@pytest.mark.parametrize("who", [ROOT, CURATOR])
def test_a_curator_unassigned_before_the_funding_leaves_a_plain_approval(
    world: World, who: AccountId | None
) -> None:
    world.propose()
    world.approve_with_curator()
    refuses(world, BadOrigin, lambda: world.unassign(OTHER))
    assert world.unassign(who) == [events.CuratorUnassigned(ONE)]
    assert world.bounty().status == types.Approved()
    world.spend_funds()
    assert world.bounty().status == types.Funded()


# --- Curators ----------------------------------------------------------------------------


def test_a_funded_bounty_is_offered_and_accepted(world: World) -> None:
    refuses(world, bounties.InvalidIndex, world.offer)
    world.propose()
    refuses(world, bounties.UnexpectedStatus, world.offer)
    world.approve()
    world.spend_funds()
    refuses(world, bounties.InvalidFee, lambda: world.offer(fee=50))
    refuses(world, bounties.UnexpectedStatus, world.accept)
    assert world.offer(10) == [events.CuratorProposed(ONE, CURATOR)]
    refuses(world, bounties.UnexpectedStatus, world.offer)
    refuses(world, bounties.RequireCurator, lambda: world.accept(OTHER))
    assert world.at(4).accept() == [events.CuratorAccepted(ONE, CURATOR)]
    assert world.bounty()[2:] == (10, 5, 85, types.Active(CURATOR, height(24)))


@pytest.mark.parametrize(
    ("fee", "deposit"),
    [
        pytest.param(0, 3, id="the least"),
        pytest.param(5, 3, id="still the least"),
        pytest.param(49, 24, id="half a planck is rounded down"),
        pytest.param(2_001, 1_000, id="half a planck above the most"),
        pytest.param(10_000, 1_000, id="the most"),
    ],
)
def test_the_deposit_is_half_the_fee_within_bounds(world: World, fee: int, deposit: int) -> None:
    assert world.of_bounties.calculate_curator_deposit(Planck(fee)) == deposit
    unbounded = replace(world.of_bounties, curator_deposit_max=None, curator_deposit_min=None)
    assert unbounded.calculate_curator_deposit(Planck(fee)) == fee // 2


def test_parts_in_a_million_round_to_the_nearest() -> None:
    assert [permill_of(500_001, n) for n in (1, 2, 3)] == [1, 1, 2]
    assert permill_of(333_333, 2**100) == (2**100 * 333_333 + 500_000) // 10**6


@pytest.mark.parametrize("who", [ROOT, CURATOR])
def test_an_offer_is_taken_back(world: World, who: AccountId | None) -> None:
    world.funded().offer()
    refuses(world, BadOrigin, lambda: world.unassign(OTHER))
    assert world.unassign(who) == [events.CuratorUnassigned(ONE)]
    assert world.bounty().status == types.Funded()
    assert world.bounty().fee == 10


@pytest.mark.parametrize("who", [ROOT, CURATOR])
def test_a_curator_leaves_or_is_dismissed_at_once(world: World, who: AccountId | None) -> None:
    assert world.active().unassign(who) == [events.CuratorUnassigned(ONE)]
    assert (world.bounty().status, world.bounty().curator_deposit) == (types.Funded(), 0)


def test_anybody_may_dismiss_a_curator_who_missed_the_update(world: World) -> None:
    world.active()
    refuses(world.at(21), bounties.Premature, lambda: world.unassign(OTHER))
    assert world.at(22).unassign(OTHER) == [events.CuratorUnassigned(ONE)]


def test_an_update_buys_another_period_and_never_shortens_one(world: World) -> None:
    world.active()
    assert world.at(10).extend() == [events.BountyExtended(ONE)]
    assert world.bounty().status == types.Active(CURATOR, height(30))
    world.of_bounties = replace(world.of_bounties, bounty_update_period=1)
    world.at(11).extend()
    assert world.bounty().status == types.Active(CURATOR, height(30))
    refuses(world, bounties.RequireCurator, lambda: world.extend(OTHER))


def test_a_period_without_end_stays_a_height(world: World) -> None:
    world.of_bounties = replace(world.of_bounties, bounty_update_period=2**32 - 1)
    assert world.active().bounty().status == types.Active(CURATOR, height(2**32 - 1))


# --- Awards and ends ------------------------------------------------------------------------


def test_an_awarded_bounty_is_claimed_after_the_delay(world: World) -> None:
    world.active()
    refuses(world, bounties.RequireCurator, lambda: world.award(OTHER))
    assert world.award() == [events.BountyAwarded(ONE, PAYEE)]
    assert world.bounty().status == types.PendingPayout(CURATOR, PAYEE, height(4))
    refuses(world, bounties.UnexpectedStatus, world.award)
    refuses(world, bounties.UnexpectedStatus, world.extend)
    refuses(world, bounties.PendingPayout, world.close)
    refuses(world.at(3), bounties.Premature, world.claim)
    assert world.at(4).claim() == [events.BountyClaimed(ONE, Planck(40), PAYEE)]
    assert (len(world.storage.bounties), len(world.storage.bounty_descriptions)) == (0, 0)
    refuses(world, bounties.InvalidIndex, world.claim)


def test_only_governance_dismisses_a_curator_who_awarded(world: World) -> None:
    world.active().award()
    refuses(world.at(99), BadOrigin, lambda: world.unassign(CURATOR))
    assert world.unassign(ROOT) == [events.CuratorUnassigned(ONE)]
    assert (world.bounty().status, world.bounty().curator_deposit) == (types.Funded(), 0)


@pytest.mark.parametrize("stage", ["funded", "offered", "active"])
def test_a_funded_bounty_is_canceled(world: World, stage: str) -> None:
    world.active() if stage == "active" else world.funded()
    if stage == "offered":
        world.offer()
    assert world.close() == [events.BountyCanceled(ONE)]
    assert (len(world.storage.bounties), len(world.storage.bounty_descriptions)) == (0, 0)


def test_what_is_not_awarded_cannot_be_claimed(world: World) -> None:
    refuses(world.active(), bounties.UnexpectedStatus, world.claim)
    refuses(world, bounties.UnexpectedStatus, world.poke)


def test_open_children_keep_a_bounty_open(world: World) -> None:
    world.active().add_child()
    refuses(world, bounties.HasActiveChildBounty, world.award)
    refuses(world, bounties.HasActiveChildBounty, world.close)


# --- Origins, numbers, bytes ------------------------------------------------------------------


@pytest.mark.parametrize("call", ["approve", "offer", "close"])
def test_no_account_approves_offers_or_closes(world: World, call: str) -> None:
    world.propose()
    with pytest.raises(BadOrigin):
        getattr(world, call)(origin=OTHER)


@pytest.mark.parametrize("call", ["accept", "award", "claim", "extend", "poke"])
def test_root_is_no_curator_and_claims_nothing(world: World, call: str) -> None:
    world.propose()
    with pytest.raises(BadOrigin):
        getattr(world, call)(ROOT)


@pytest.mark.parametrize("error", bounties.Error.__subclasses__())
def test_errors_are_numbered_as_in_the_pallet(error: type[bounties.Error]) -> None:
    if error is not bounties.NotProposer:  # of newer runtimes
        assert runtime().error_name(module_error(error, "Bounties")) == f"Bounties.{error.__name__}"


@pytest.mark.parametrize(
    ("status", "encoded"),
    [
        (types.Proposed(), "00"),
        (types.Approved(), "01"),
        (types.Funded(), "02"),
        (types.CuratorProposed(CURATOR), "03" + "02" * 32),
        (types.Active(CURATOR, height(7)), "04" + "02" * 32 + "07000000"),
        (
            types.PendingPayout(CURATOR, PAYEE, height(7)),
            "05" + "02" * 32 + "04" * 32 + "07000000",
        ),
        (types.ApprovedWithCurator(CURATOR), "06" + "02" * 32),
    ],
)
def test_a_bounty_is_stored_as_the_chain_stores_it(
    status: types.BountyStatus, encoded: str
) -> None:
    amounts = Planck(50), Planck(10), Planck(5), Planck(85)
    bounty = bounties.Bounty(PROPOSER, *amounts, status)
    raw = PROPOSER + b"".join(n.to_bytes(16, "little") for n in amounts) + bytes.fromhex(encoded)
    assert types.BOUNTY.encode(bounty) == raw
    assert types.BOUNTY.decode(raw) == bounty
    if not isinstance(status, types.ApprovedWithCurator):
        decoded = runtime().decode_storage("Bounties", "Bounties", raw)
        assert decoded["status"][0] == type(status).__name__


def test_keys_are_the_chains(world: World) -> None:
    storage = world.storage
    for item, key in (
        (storage.bounties, (7,)),
        (storage.bounty_descriptions, (7,)),
        (storage.bounty_count, ()),
        (storage.bounty_approvals, ()),
    ):
        raw = runtime().storage_key(item.pallet, item.item, *key)
        assert item.raw_key(*(key or [()])) == raw
