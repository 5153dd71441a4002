"""The pallet's rules on worked examples, its own tests retold: spec/pallets.md C.5."""

from collections.abc import Callable
from functools import partial

import pytest

from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.pallets import bounties, child_bounties
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.child_bounties import events, types
from ledger.pallets.dispatch_origin import BadOrigin
from tests.unit.mirrors.recorded_runtime import module_error, runtime
from tests.unit.mirrors.spending_world import (
    CHILDS,
    CURATOR,
    ONE,
    OTHER,
    PAYEE,
    ROOT,
    World,
)

TWO = BountyIndex(1)


@pytest.fixture
def world() -> World:
    """With an active bounty, an update of which is due at block 21."""
    return World().active()


def refuses(world: World, error: type[Exception], act: Callable[[], object]) -> None:
    """With storage untouched."""
    before = world.bytes()
    with pytest.raises(error):
        act()
    assert world.bytes() == before


# --- Adding ---------------------------------------------------------------------------


def test_a_child_is_counted_with_its_parent(world: World) -> None:
    assert world.add_child(value=10) == [events.Added(ONE, ONE)]
    assert world.child() == child_bounties.ChildBounty(
        ONE, Planck(10), Planck(0), Planck(0), types.Added()
    )
    world.add_child()
    children = world.children
    assert children.parent_child_bounties.get(ONE) == 2
    assert children.parent_total_child_bounties.get(ONE) == 2
    assert children.child_bounty_descriptions_v1.get((ONE, TWO)) == b"part"
    assert children.child_bounty_count.value is None
    assert len(children.child_bounty_descriptions) == 0


def test_before_release_1_5_children_were_counted_over_all(world: World) -> None:
    world.counting_over_all().children.child_bounty_count.put(7)
    assert world.add_child() == [events.Added(ONE, BountyIndex(7))]
    children = world.children
    assert children.child_bounty_count.value == 8
    assert children.child_bounty_descriptions.get(BountyIndex(7)) == b"part"
    assert len(children.parent_total_child_bounties) == 0
    assert len(children.child_bounty_descriptions_v1) == 0


def test_a_closed_childs_number_is_not_given_again(world: World) -> None:
    world.add_child()
    world.close_child()
    assert world.add_child() == [events.Added(ONE, TWO)]


def test_a_child_has_bounds(world: World) -> None:
    refuses(world, bounties.ReasonTooBig, lambda: world.add_child(description=bytes(16_385)))
    refuses(world, bounties.InvalidValue, lambda: world.add_child(value=0))
    refuses(world, bounties.RequireCurator, lambda: world.add_child(OTHER))
    refuses(world, BadOrigin, lambda: world.add_child(ROOT))


def test_a_child_needs_an_active_parent() -> None:
    world = World()
    refuses(world, bounties.InvalidIndex, world.add_child)
    world.funded()
    refuses(world, child_bounties.ParentBountyNotActive, world.add_child)


def test_open_children_are_limited(world: World) -> None:
    for _ in range(3):
        world.add_child()
    refuses(world, child_bounties.TooManyChildBounties, world.add_child)
    world.close_child()
    world.add_child()


# --- Curators ----------------------------------------------------------------------------


def test_the_parents_curator_offers_and_the_childs_accepts(world: World) -> None:
    world.add_child()
    refuses(world, bounties.InvalidFee, lambda: world.offer_child(fee=10))
    refuses(world, bounties.RequireCurator, lambda: world.offer_child(origin=OTHER))
    refuses(world, bounties.InvalidIndex, lambda: world.offer_child(child=9))
    refuses(world, bounties.UnexpectedStatus, world.accept_child)
    assert world.offer_child(9) == []
    assert world.child().status == types.CuratorProposed(CHILDS)
    refuses(world, bounties.UnexpectedStatus, world.offer_child)
    refuses(world, bounties.RequireCurator, lambda: world.accept_child(CURATOR))
    assert world.accept_child() == []
    assert world.child()[1:] == (10, 9, 4, types.Active(CHILDS))


def test_the_parents_curator_owes_no_deposit_for_a_child(world: World) -> None:
    world.add_child()
    world.offer_child(to=CURATOR)
    world.accept_child(CURATOR)
    assert (world.child().curator_deposit, world.child().fee) == (0, 6)


def test_fees_add_up_with_every_offer_and_leave_with_a_closed_child(world: World) -> None:
    fees = world.children.children_curator_fees
    for child in range(3):
        world.add_child()
        world.offer_child(6, child=child)
    assert fees.get(ONE) == 18
    world.unassign_child(ROOT)  # whose fee stays
    assert fees.get(ONE) == 18
    world.offer_child(4)
    assert fees.get(ONE) == 22
    world.close_child(child=1)
    assert fees.get(ONE) == 16


@pytest.mark.parametrize("who", [ROOT, CURATOR, CHILDS])
def test_an_offer_is_taken_back(world: World, who: AccountId | None) -> None:
    world.add_child()
    refuses(world, bounties.UnexpectedStatus, lambda: world.unassign_child(who))
    world.offer_child()
    refuses(world, BadOrigin, lambda: world.unassign_child(OTHER))
    assert world.unassign_child(who) == []
    assert (world.child().status, world.child().fee) == (types.Added(), 6)


def test_an_inactive_parents_curator_takes_no_offer_back(world: World) -> None:
    world.add_child()
    world.offer_child()
    world.unassign(ROOT)
    refuses(world, BadOrigin, lambda: world.unassign_child(CURATOR))
    world.unassign_child(CHILDS)


@pytest.mark.parametrize("who", [ROOT, CURATOR, CHILDS])
def test_a_curator_leaves_or_is_dismissed_at_once(who: AccountId | None) -> None:
    world = World().with_active_child()
    assert world.unassign_child(who) == []
    assert (world.child().status, world.child().curator_deposit) == (types.Added(), 0)


def test_anybody_may_dismiss_a_curator_once_the_parents_update_is_overdue() -> None:
    world = World().with_active_child()
    refuses(world.at(21), bounties.Premature, lambda: world.unassign_child(OTHER))
    world.at(22).unassign_child(OTHER)
    assert world.child().status == types.Added()


def test_without_an_active_parent_only_its_own_curator_or_governance_ends_it() -> None:
    for who in (ROOT, CHILDS):
        world = World().with_active_child()
        world.unassign(ROOT)
        unassign = partial(world.unassign_child, OTHER)
        refuses(world, child_bounties.ParentBountyNotActive, unassign)
        world.unassign_child(who)


# --- Awards and ends ------------------------------------------------------------------------


@pytest.mark.parametrize("who", [CHILDS, CURATOR])
def test_a_child_is_awarded_and_claimed_after_the_delay(who: AccountId) -> None:
    world = World().with_active_child()
    refuses(world, bounties.RequireCurator, lambda: world.award_child(OTHER))
    assert world.award_child(who) == [events.Awarded(ONE, ONE, PAYEE)]
    unlock_at = RelayBlockNumber(4)
    assert world.child().status == types.PendingPayout(who, PAYEE, unlock_at)
    refuses(world, bounties.UnexpectedStatus, world.award_child)
    refuses(world, bounties.PendingPayout, world.close_child)
    refuses(world.at(3), bounties.Premature, world.claim_child)
    assert world.at(4).claim_child() == [events.Claimed(ONE, ONE, Planck(4), PAYEE)]
    children = world.children
    assert (len(children.child_bounties), len(children.child_bounty_descriptions_v1)) == (0, 0)
    assert children.parent_child_bounties.get(ONE) == 0
    assert children.parent_total_child_bounties.get(ONE) == 1
    assert children.children_curator_fees.get(ONE) == 6


def test_only_the_parents_curator_and_governance_dismiss_one_who_awarded() -> None:
    for who in (ROOT, CURATOR):
        world = World().with_active_child()
        world.award_child()
        refuses(world.at(99), BadOrigin, partial(world.unassign_child, CHILDS))
        world.unassign_child(who)
        assert (world.child().status, world.child().curator_deposit) == (types.Added(), 0)


@pytest.mark.parametrize("who", [ROOT, CURATOR])
@pytest.mark.parametrize("stage", ["added", "offered", "active"])
def test_a_child_is_closed(world: World, who: AccountId | None, stage: str) -> None:
    world.add_child()
    if stage != "added":
        world.offer_child()
    if stage == "active":
        world.accept_child()
    refuses(world, BadOrigin, lambda: world.close_child(OTHER))
    assert world.close_child(who) == [events.Canceled(ONE, ONE)]
    children = world.children
    assert (len(children.child_bounties), len(children.child_bounty_descriptions_v1)) == (0, 0)
    assert children.parent_child_bounties.get(ONE) == 0
    assert children.children_curator_fees.find(ONE) == 0  # stored, though it is nothing
    refuses(world, bounties.InvalidIndex, world.close_child)


def test_what_is_not_awarded_cannot_be_claimed(world: World) -> None:
    refuses(world, bounties.InvalidIndex, world.claim_child)
    world.add_child()
    refuses(world, bounties.UnexpectedStatus, world.claim_child)
    refuses(world, bounties.UnexpectedStatus, world.award_child)
    refuses(world, BadOrigin, lambda: world.claim_child(ROOT))


def test_a_claimed_parent_leaves_no_counts_behind() -> None:
    world = World().with_active_child()
    world.award_child()
    world.at(4).claim_child()
    world.award()
    world.at(7).claim()
    assert all(len(item) == 0 for item in world.mirrors.mirrored_maps()[9:])


def test_before_release_1_5_a_parents_counts_stayed() -> None:
    world = World().counting_over_all().with_active_child()
    world.close_child()
    world.close()
    children = world.children
    assert children.parent_child_bounties.find(ONE) == 0
    assert children.child_bounty_count.value == 1
    assert children.children_curator_fees.find(ONE) == 0
    assert (len(children.child_bounties), len(children.child_bounty_descriptions)) == (0, 0)


# --- Numbers and bytes ------------------------------------------------------------------------


@pytest.mark.parametrize("error", child_bounties.Error.__subclasses__())
def test_errors_are_numbered_as_in_the_pallet(error: type[child_bounties.Error]) -> None:
    name = runtime().error_name(module_error(error, "ChildBounties"))
    assert name == f"ChildBounties.{error.__name__}"


@pytest.mark.parametrize(
    ("status", "encoded"),
    [
        (types.Added(), "00"),
        (types.CuratorProposed(CURATOR), "01" + "02" * 32),
        (types.Active(CURATOR), "02" + "02" * 32),
        (
            types.PendingPayout(CURATOR, PAYEE, RelayBlockNumber(7)),
            "03" + "02" * 32 + "04" * 32 + "07000000",
        ),
    ],
)
def test_a_child_is_stored_as_the_chain_stores_it(
    status: types.ChildBountyStatus, encoded: str
) -> None:
    amounts = Planck(10), Planck(6), Planck(3)
    child = child_bounties.ChildBounty(BountyIndex(9), *amounts, status)
    raw = b"\x09\0\0\0" + b"".join(n.to_bytes(16, "little") for n in amounts)
    raw += bytes.fromhex(encoded)
    assert types.CHILD_BOUNTY.encode(child) == raw
    assert types.CHILD_BOUNTY.decode(raw) == child
    decoded = runtime().decode_storage("ChildBounties", "ChildBounties", raw)
    assert decoded["status"][0] == type(status).__name__


def test_keys_are_the_chains() -> None:
    children = World().children
    key = runtime().storage_key("ChildBounties", "ChildBounties", 3, 5)
    assert children.child_bounties.raw_key((BountyIndex(3), BountyIndex(5))) == key
    key = runtime().storage_key("ChildBounties", "ChildBountyDescriptions", 5)
    assert children.child_bounty_descriptions.raw_key(BountyIndex(5)) == key
