"""The first governance on worked examples, restated from the pallet's own tests."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber, SpecVersion, Votes
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv
from ledger.pallets import democracy as gov1
from tests.unit.mirrors.democracy_world import STAKING, World, split, three_won_votes
from tests.unit.mirrors.voting_world import ALICE, BOB, CAROL, standard


@pytest.fixture
def world() -> World:
    world = World()
    world.start(1, 2, 3)
    return world


# --- Lock voting (tests/lock_voting.rs) ---------------------------------------------


def test_winners_are_locked_and_losers_are_free(world: World) -> None:
    dave, eve = AccountId(b"d" * 32), AccountId(b"e" * 32)
    world.vote(1, standard(10, 5, aye=False), ALICE)
    world.vote(1, standard(20, 4), BOB)
    world.vote(1, standard(30, 3), CAROL)
    world.vote(1, standard(40, 2), dave)
    world.vote(1, standard(50, 1, aye=False), eve)
    assert [world.locked(who) for who in (ALICE, BOB, CAROL, dave, eve)] == [10, 20, 30, 40, 50]

    world.end(1, at=2).at(3)
    world.remove(1)
    world.remove_other(1, by=BOB, of=eve)
    with pytest.raises(gov1.NoPermission):
        world.remove_other(1, by=ALICE, of=BOB)
    world.remove(1, BOB)
    for who in (ALICE, BOB, eve):
        world.unlock(who)
    assert [world.locked(who) for who in (ALICE, BOB, CAROL, dave, eve)] == [0, 20, 30, 40, 0]

    for who, last in ((dave, 7), (CAROL, 13)):
        with pytest.raises(gov1.NoPermission):
            world.at(last).remove_other(1, by=ALICE, of=who)
        assert world.locked_at([last], who) == [world.locked(who)]
        world.at(last + 1).remove_other(1, by=ALICE, of=who)
        assert world.locked_at([last + 1], who) == [0]
    assert world.locked_at([25, 26], BOB) == [20, 0]


def test_a_vote_without_conviction_is_free_when_it_won(world: World) -> None:
    world.vote(1, standard(10))
    world.end(1, at=2).remove_other(1)
    assert world.locked_at([2]) == [0]


def test_votes_that_are_removed_when_they_expire_come_free_one_by_one(world: World) -> None:
    three_won_votes(world)
    for index, last, before, after in ((3, 7, 50, 20), (2, 13, 20, 10), (1, 25, 10, 0)):
        with pytest.raises(gov1.NoPermission):
            world.at(last).remove_other(index)
        assert world.locked_at([last]) == [before]
        world.at(last + 1).remove_other(index)
        assert world.locked_at([last + 1]) == [after]


def test_votes_that_are_removed_one_by_one_keep_their_own_ends(world: World) -> None:
    three_won_votes(world)
    for index, last, before, after in ((3, 7, 50, 20), (2, 13, 20, 10), (1, 25, 10, 0)):
        world.at(last).remove(index)
        assert world.locked_at([last, last + 1]) == [before, after]


def test_votes_that_are_removed_together_are_overlocked(world: World) -> None:
    three_won_votes(world)
    priors = []
    for index in (3, 2, 1):
        world.remove(index)
        priors.append(world.prior)
    assert priors == [(8, 50), (14, 50), (26, 50)]
    assert world.locked_at([8, 14, 25, 26]) == [50, 50, 50, 0]


def test_a_lock_persists_from_voting_to_delegating(world: World) -> None:
    world.vote(1, standard(10, 4))
    world.end(1, at=2).remove(1)
    world.delegate(20, 3)
    assert world.locked() == 20
    world.undelegate()
    assert world.prior == (26, 20)
    assert world.locked_at([13, 14, 25, 26]) == [20, 20, 20, 0]


def test_a_lock_persists_from_delegating_to_voting(world: World) -> None:
    world.delegate(5, 5)
    world.undelegate()
    assert world.prior == (48, 5)
    three_won_votes(world)
    for index in (3, 2, 1):
        world.remove(index)
    assert world.prior == (48, 50)
    assert world.locked_at([26, 47, 48]) == [50, 50, 0]


def test_nays_are_locked_when_they_win(world: World) -> None:
    world.vote(1, standard(7, 2, aye=False))
    world.end(1, at=10, approved=False).remove(1)
    assert world.prior == (16, 7)


def test_lock_ends_do_not_pass_the_largest_block_number(world: World) -> None:
    world.at(2**32 - 2).delegate(1, 6)
    world.undelegate()
    assert world.prior == (2**32 - 1, 1)


# --- Delegation (tests/delegation.rs) -------------------------------------------------


def test_a_delegation_is_replaced_and_the_old_one_stays_locked(world: World) -> None:
    world.at(2).delegate(20, 6)
    assert (world.prior, world.locked()) == ((0, 0), 20)
    assert world.delegate(10, 0, to=CAROL) == [gov1.Delegated(ALICE, CAROL)]
    assert world.voting() == cv.Delegating(
        Planck(10), CAROL, cv.Conviction.NONE, prior=cv.PriorLock(RelayBlockNumber(98), Planck(20))
    )
    assert world.locked_at([2, 97]) == [20, 20]
    assert world.prior == (98, 20)
    assert world.locked_at([100]) == [10]
    assert world.prior == (0, 0)


def test_before_votes_left_an_event_a_replaced_delegation_left_no_lock(world: World) -> None:
    world.config = replace(
        world.config, winds_down=gov1.winds_down_in(frozenset({"Delegated", "Undelegated"}))
    )
    world.at(2).delegate(20, 6)
    world.delegate(10, 1, to=CAROL)
    assert (world.prior, world.locked()) == ((0, 0), 20)
    assert world.locked_at([2]) == [10]


def test_a_replaced_delegation_moves_from_one_target_to_the_other(world: World) -> None:
    world.delegate(20, 2, to=BOB)
    world.delegate(10, 1, to=BOB)
    assert world.voting(BOB).delegations == cv.Delegations(Votes(10), Planck(10))
    world.delegate(30, 3, to=CAROL)
    assert world.voting(BOB) == gov1.Direct()
    assert world.voting(CAROL).delegations == cv.Delegations(Votes(90), Planck(30))
    assert BOB in world.storage.voting_of


def test_delegations_in_a_circle_unwind(world: World) -> None:
    world.delegate(20, who=BOB, to=ALICE)
    world.delegate(30, who=CAROL, to=BOB)
    world.delegate(10, who=ALICE, to=CAROL)
    world.undelegate(CAROL)
    world.vote(1, standard(30), CAROL)
    world.undelegate(ALICE)
    world.vote(1, standard(10, aye=False), ALICE)
    assert world.voting(CAROL).delegations == cv.Delegations()
    assert world.voting(ALICE).delegations == cv.Delegations(Votes(2), Planck(20))
    assert world.voting(BOB).delegations == cv.Delegations()


def test_a_delegation_to_a_delegator_is_parked_there(world: World) -> None:
    world.delegate(10, 1, who=BOB, to=CAROL)
    world.delegate(5, 1, to=BOB)
    assert world.voting(BOB).delegations.votes == 5
    assert world.voting(CAROL).delegations.votes == 10
    world.undelegate(BOB)
    assert world.voting(BOB).delegations.votes == 5


def test_an_undelegation_keeps_the_lock_until_it_is_unlocked(world: World) -> None:
    world.at(20).delegate(10)
    assert world.at(25).undelegate() == [gov1.Undelegated(ALICE)]
    assert (world.prior, world.locked()) == ((25, 10), 10)
    assert world.locked_at([25]) == [0]


def test_an_account_that_delegates_locks_its_delegation_or_what_came_before(world: World) -> None:
    world.delegate(50, 1)
    world.undelegate()
    world.delegate(20, 6)
    assert world.locked_at([2, 3]) == [50, 20]


# --- Voting, cancellation -------------------------------------------------------------


def test_a_split_vote_locks_both_sides_until_it_is_removed(world: World) -> None:
    world.vote(1, split(30, 20))
    assert world.locked() == 50
    assert world.remove(1) == []
    assert world.locked_at([0]) == [0]


def test_a_smaller_vote_keeps_the_lock_until_it_is_unlocked(world: World) -> None:
    assert world.vote(1, standard(10)) == [gov1.Voted(ALICE, PollIndex(1), standard(10))]
    world.vote(1, standard(4))
    assert world.locked() == 10
    assert world.locked_at([0]) == [4]


def test_a_cancelled_referendum_releases_everyone_through_anybody(world: World) -> None:
    world.vote(1, standard(10, 6))
    world.cancel(1)
    assert world.remove_other(1) == []
    assert (world.prior, world.locked_at([0])) == ((0, 0), [0])
    with pytest.raises(gov1.ReferendumInvalid):
        world.vote(1, standard(1))


def test_the_lock_of_another_pallet_stays_where_it_is(world: World) -> None:
    world.currency.locks.insert(ALICE, (STAKING,))
    world.vote(1, standard(10))
    assert [lock.id for lock in world.currency.locks.get(ALICE)] == [b"staking ", b"democrac"]
    world.remove(1)
    world.unlock()
    assert world.currency.locks.get(ALICE) == (STAKING,)


@pytest.mark.parametrize(("spec", "reasons"), [(9419, "MISC"), (9420, "ALL")])
def test_locks_hold_for_fees_since_9420(world: World, spec: int, reasons: str) -> None:
    held = balances.governance_reasons(SpecVersion(spec))
    world.config = replace(world.config, lock_reasons=held)
    world.vote(1, standard(10))
    (lock,) = world.currency.locks.get(ALICE)
    assert lock.reasons.name == reasons


def test_unlocking_writes_an_empty_entry_for_who_never_voted(world: World) -> None:
    assert world.unlock(CAROL) == []
    assert dict(world.storage.voting_of.items()) == {CAROL: gov1.Direct()}
    assert world.storage.voting_of.raw_value(CAROL) == bytes(54)
    assert CAROL not in world.currency.locks


def test_a_delegator_removes_any_vote_successfully_and_nothing_happens(world: World) -> None:
    world.delegate(10)
    before = dict(world.storage.voting_of.items())
    assert world.remove(1) == world.remove(4_000) == world.remove_other(1) == []
    assert dict(world.storage.voting_of.items()) == before


def test_an_unknown_referendum_that_ended_is_known_from_then_on(world: World) -> None:
    world.end(77, at=5, approved=False)
    assert world.storage.referenda.get(PollIndex(77)) == gov1.Finished(
        approved=False, end=RelayBlockNumber(5)
    )


# --- Refusals, in the pallet's order --------------------------------------------------


REFUSED: dict[str, tuple[Callable[[World], object], type[gov1.Error]]] = {
    "an unknown referendum, before funds": (
        lambda w: w.vote(9, standard(101)), gov1.ReferendumInvalid,
    ),
    "an ended referendum": (
        lambda w: w.end(1, at=1).vote(1, standard(1)), gov1.ReferendumInvalid,
    ),
    "more than there is, before delegating": (
        lambda w: (w.delegate(1), w.vote(1, split(60, 41))), gov1.InsufficientFunds,
    ),
    "a vote while delegating": (
        lambda w: (w.delegate(1), w.vote(1, standard(1))), gov1.AlreadyDelegating,
    ),
    "a delegation to oneself, before funds": (
        lambda w: w.delegate(101, to=ALICE), gov1.Nonsense,
    ),
    "a delegation of too much, before votes": (
        lambda w: (w.vote(1, standard(1)), w.delegate(101)), gov1.InsufficientFunds,
    ),
    "a delegation beside a vote, even on an ended referendum": (
        lambda w: (w.vote(1, standard(1)), w.end(1, at=1), w.delegate(1)), gov1.VotesExist,
    ),
    "an end of no delegation": (lambda w: w.undelegate(), gov1.NotDelegating),
    "a vote that is not there": (lambda w: w.remove(1), gov1.NotVoter),
    "another's vote that is not there": (lambda w: w.remove_other(1), gov1.NotVoter),
    "another's ongoing vote": (
        lambda w: (w.vote(1, standard(1)), w.remove_other(1)), gov1.NoPermission,
    ),
    "another's locked vote": (
        lambda w: (w.vote(1, standard(1, 1)), w.end(1, at=0), w.at(2).remove_other(1)),
        gov1.NoPermission,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses(world: World, act: Callable[[World], object], error: type[gov1.Error]) -> None:
    with pytest.raises(gov1.Error) as raised:
        act(world)
    assert type(raised.value) is error


def test_a_refused_call_writes_nothing(world: World) -> None:
    world.vote(1, standard(10))
    before = dict(world.storage.voting_of.items()), world.currency.locks.get(ALICE)
    with pytest.raises(gov1.NotDelegating):
        world.undelegate()
    with pytest.raises(gov1.VotesExist):
        world.delegate(20)
    with pytest.raises(gov1.NotVoter):
        world.remove(2)
    assert (dict(world.storage.voting_of.items()), world.currency.locks.get(ALICE)) == before


@pytest.mark.parametrize(("spec", "limit"), [(9300, 101), (9310, 100)])
def test_votes_are_limited_by_account_not_by_replacement(spec: int, limit: int) -> None:
    world = World()
    world.config = replace(world.config, max_votes=gov1.max_votes_in(SpecVersion(spec), 100))
    world.start(*range(limit + 1))
    for index in range(limit):
        world.vote(index, standard(1))
    with pytest.raises(gov1.MaxVotesReached):
        world.vote(limit, standard(1))
    world.vote(limit - 1, standard(2))


# --- End of life ----------------------------------------------------------------------


def test_the_upgrade_removes_votes_and_their_locks_only(world: World) -> None:
    world.currency.locks.insert(ALICE, (STAKING,))
    world.currency.locks.insert(CAROL, (STAKING,))
    world.vote(1, standard(10, 6))
    world.delegate(5, who=BOB, to=ALICE)
    before = world.storage.is_empty
    gov1.end_of_life(world.storage, world.currency)
    assert (before, world.storage.is_empty) == (False, True)
    assert dict(world.currency.locks.items()) == {ALICE: (STAKING,), CAROL: (STAKING,)}
    changes = world.storage.voting_of.take_changes()
    assert changes == {ALICE: None, BOB: None}
