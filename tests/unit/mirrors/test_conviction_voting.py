"""The pallet's rules on worked examples: spec/pallets.md A."""

from collections.abc import Callable

import pytest

from ibp_chain.types import PollIndex, TrackId
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv
from tests.unit.mirrors.recorded_runtime import module_error, runtime
from tests.unit.mirrors.voting_world import (
    ALICE,
    BOB,
    CAROL,
    CONVICTIONS,
    ROOT,
    SPENDER,
    TREASURER,
    World,
    standard,
)


@pytest.fixture
def world() -> World:
    world = World()
    world.open(1, 2, 3)
    return world


# --- Lock periods -------------------------------------------------------------------


def test_convictions_lock_for_1_2_4_8_16_and_32_periods() -> None:
    assert [conviction.lock_periods for conviction in CONVICTIONS] == [0, 1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    ("conviction", "until"), [(1, 13), (2, 16), (3, 22), (4, 34), (5, 58), (6, 106)]
)
def test_a_won_vote_is_locked_from_the_end_of_its_poll(
    world: World, conviction: int, until: int
) -> None:
    world.vote(1, standard(7, conviction))
    world.end(1, at=10)
    world.at(11).remove(1)
    assert world.prior == (until, 7)
    assert world.locked_at([until - 1, until]) == [7, 0]


def test_a_vote_removed_when_its_lock_is_over_leaves_none(world: World) -> None:
    world.vote(1, standard(7, 1))
    world.end(1, at=10)
    world.at(13).remove(1)
    assert world.prior == (0, 0)


FREE = {
    "lost": (standard(7, 6, aye=False), True),
    "lost the other way": (standard(7, 6), False),
    "without conviction": (standard(7, 0), True),
    "split": (cv.Split(standard(4).balance, standard(3).balance), True),
    "abstained": (
        cv.SplitAbstain(standard(4).balance, standard(2).balance, standard(1).balance),
        True,
    ),
}


@pytest.mark.parametrize(("vote", "approved"), FREE.values(), ids=FREE.keys())
def test_a_vote_that_won_nothing_is_free_at_once(
    world: World, vote: cv.AccountVote, *, approved: bool
) -> None:
    world.vote(1, vote)
    world.end(1, at=10, approved=approved)
    world.at(10).remove_other(1)
    assert world.prior == (0, 0)
    assert world.locked_at([10]) == [0]


def test_nays_are_locked_when_they_win(world: World) -> None:
    world.vote(1, standard(7, 2, aye=False))
    world.end(1, at=10, approved=False)
    world.at(11).remove(1)
    assert world.prior == (16, 7)


def test_a_cancelled_poll_releases_everyone_through_anybody(world: World) -> None:
    world.vote(1, standard(7, 6))
    world.cancel(1)
    assert world.remove_other(1) == []
    assert world.prior == (0, 0)


def test_the_period_is_that_of_the_runtime_at_the_removal(world: World) -> None:
    world.vote(1, standard(7, 1))
    world.end(1, at=10)
    runtime_upgraded = World()
    runtime_upgraded.storage, runtime_upgraded.polls = world.storage, world.polls
    config = runtime_upgraded.at(11).config
    cv.remove_vote(
        world.storage,
        cv.Config(
            now=config.now,
            vote_locking_period=1_000,
            max_votes=512,
            tracks=config.tracks,
            polls=world.polls,
            currency=world.currency,
        ),
        ALICE,
        ROOT,
        PollIndex(1),
    )
    assert world.prior == (1_010, 7)


# --- The pallet's own examples (A.7) -----------------------------------------------


def test_locks_of_one_class_amalgamate(world: World) -> None:
    for poll, vote in ((1, standard(5, 1)), (2, standard(10, 1)), (3, standard(5, 2))):
        world.vote(poll, vote)
    world.end(1, 2, 3, at=1)
    world.at(1)
    priors = []
    for poll in (1, 2, 3):
        world.remove(poll)
        priors.append(world.prior)
    assert priors == [(4, 5), (4, 10), (7, 10)]
    assert world.locked_at([3, 6, 7]) == [10, 10, 0]


def test_locks_of_several_classes_come_free_one_by_one(world: World) -> None:
    classes = (ROOT, TREASURER, SPENDER)
    for poll, class_, vote in zip(
        (1, 2, 3), classes, (standard(5, 1), standard(10, 1), standard(5, 2)), strict=True
    ):
        world.open(poll, class_=class_)
        world.vote(poll, vote)
    world.end(1, 2, 3, at=1)
    world.at(1)
    for poll, class_ in zip((1, 2, 3), classes, strict=True):
        world.remove(poll, class_)
    assert world.locked_at([3, 4, 6, 7], *classes) == [10, 5, 5, 0]


# --- Prior locks --------------------------------------------------------------------


def test_time_and_amount_of_a_prior_lock_are_maximised_independently(world: World) -> None:
    world.vote(1, standard(1, 6))
    world.end(1, at=1)
    world.at(1).remove(1)
    assert world.prior == (97, 1)
    world.delegate(10)
    world.undelegate()
    assert world.prior == (97, 10)
    assert world.locked_at([96, 97]) == [10, 0]


def test_a_delegation_without_conviction_leaves_a_prior_lock_that_is_over(world: World) -> None:
    world.at(20).delegate(10)
    assert world.at(25).undelegate() == [cv.Undelegated(ALICE, ROOT)]
    assert (world.prior, world.locked) == ((25, 10), 10)
    assert world.locked_at([25]) == [0]
    assert world.prior == (0, 0)


def test_an_ended_delegation_is_locked_from_then_on(world: World) -> None:
    world.at(20).delegate(10, 3)
    world.at(25).undelegate()
    assert world.prior == (37, 10)


def test_a_prior_lock_outlives_a_new_delegation(world: World) -> None:
    world.delegate(10, 6)
    world.undelegate()
    world.delegate(3, to=CAROL)
    voting = world.storage.voting_for.get((ALICE, ROOT))
    assert isinstance(voting, cv.Delegating)
    assert (voting.prior.until, voting.prior.amount) == (96, 10)
    assert world.locked_at([95, 96]) == [10, 3]


def test_lock_ends_do_not_pass_the_largest_block_number(world: World) -> None:
    world.at(2**32 - 2).delegate(1, 6)
    world.undelegate()
    assert world.prior == (2**32 - 1, 1)


# --- Locks --------------------------------------------------------------------------


def test_a_smaller_vote_keeps_the_lock_until_it_is_unlocked(world: World) -> None:
    world.vote(1, standard(10))
    world.vote(1, standard(4))
    assert (world.class_locks, world.locked) == ([(ROOT, 10)], 10)
    world.unlock()
    assert (world.class_locks, world.locked) == ([(ROOT, 4)], 4)


def test_a_removed_vote_keeps_the_lock_until_it_is_unlocked(world: World) -> None:
    world.vote(1, standard(10, 6))
    world.remove(1)
    assert (world.class_locks, world.locked) == ([(ROOT, 10)], 10)
    world.unlock()
    assert (world.class_locks, world.locked) == ([], 0)


def test_unlocking_moves_a_class_to_the_end_and_extending_leaves_it_in_place(world: World) -> None:
    world.open(2, class_=TREASURER)
    world.open(3, class_=SPENDER)
    for poll in (1, 2, 3):
        world.vote(poll, standard(poll))
    assert world.class_locks == [(ROOT, 1), (TREASURER, 2), (SPENDER, 3)]
    world.vote(1, standard(9))
    assert world.class_locks == [(ROOT, 9), (TREASURER, 2), (SPENDER, 3)]
    world.unlock(ROOT)
    assert world.class_locks == [(TREASURER, 2), (SPENDER, 3), (ROOT, 9)]
    world.remove(2, TREASURER)
    world.unlock(TREASURER)
    assert world.class_locks == [(SPENDER, 3), (ROOT, 9)]
    assert world.locked == 9


def test_a_vote_of_nothing_is_listed_and_locks_nothing(world: World) -> None:
    world.vote(1, standard(0))
    assert (world.class_locks, world.locked) == ([(ROOT, 0)], 0)
    assert ALICE not in world.currency.locks
    world.unlock()
    assert world.class_locks == []


def test_the_lock_of_another_pallet_stays_where_it_is(world: World) -> None:
    staking = balances.BalanceLock(b"staking ", standard(50).balance, balances.Reasons.ALL)
    world.currency.locks.insert(ALICE, (staking,))
    world.vote(1, standard(10))
    ids = [lock.id for lock in world.currency.locks.get(ALICE)]
    assert ids == [b"staking ", b"pyconvot"]
    world.remove(1)
    world.unlock()
    assert world.currency.locks.get(ALICE) == (staking,)


# --- Empty entries ------------------------------------------------------------------


def test_unlocking_writes_empty_entries_for_who_never_voted(world: World) -> None:
    world.unlock(TrackId(999), who=CAROL)
    storage = world.storage
    assert dict(storage.voting_for.items()) == {(CAROL, TrackId(999)): cv.Casting()}
    assert dict(storage.class_locks_for.items()) == {CAROL: ()}
    assert storage.class_locks_for.raw_value(CAROL) == b"\0"
    assert storage.voting_for.raw_value((CAROL, TrackId(999))) == bytes(54)
    assert CAROL not in world.currency.locks


def test_being_delegated_to_writes_an_entry_that_stays_when_it_ends(world: World) -> None:
    world.delegate(10, 2)
    received = world.casting(BOB).delegations
    assert (received.votes, received.capital) == (20, 10)
    world.undelegate()
    assert dict(world.storage.voting_for.items())[BOB, ROOT] == cv.Casting()
    assert BOB not in world.storage.class_locks_for


def test_a_failed_call_writes_no_entry(world: World) -> None:
    with pytest.raises(cv.NotOngoing):
        world.vote(9, standard(1))
    with pytest.raises(cv.NotDelegating):
        world.undelegate()
    with pytest.raises(cv.NotVoter):
        world.remove(1)
    assert len(world.storage.voting_for) == len(world.storage.class_locks_for) == 0


# --- Calls and their events ---------------------------------------------------------


def test_only_votes_on_ongoing_polls_are_removed_with_an_event(world: World) -> None:
    vote = standard(5, 1)
    for poll in (1, 2, 3):
        assert world.vote(poll, vote) == [cv.Voted(ALICE, vote, PollIndex(poll))]
    world.end(2, at=1)
    world.cancel(3)
    assert world.remove(1, None) == [cv.VoteRemoved(ALICE, vote, PollIndex(1))]
    assert world.remove(2) == world.remove(3) == []


def test_a_delegator_removes_any_vote_successfully_and_nothing_happens(world: World) -> None:
    world.delegate(10)
    before = dict(world.storage.voting_for.items())
    assert world.remove(1) == world.remove(4_000) == world.remove_other(1) == []
    assert dict(world.storage.voting_for.items()) == before


def test_votes_are_kept_by_poll_and_replaced_in_place(world: World) -> None:
    for poll in (3, 1, 2):
        world.vote(poll, standard(poll))
    world.vote(2, standard(9))
    assert [(poll, vote.balance) for poll, vote in world.casting().votes] == [
        (1, 1),
        (2, 9),
        (3, 3),
    ]


def test_a_delegation_to_a_delegator_is_parked_there(world: World) -> None:
    world.delegate(10, 1, who=BOB, to=CAROL)
    world.delegate(5, 1, to=BOB)
    bob = world.storage.voting_for.get((BOB, ROOT))
    assert (bob.delegations.votes, world.casting(CAROL).delegations.votes) == (5, 10)
    world.undelegate(BOB)
    assert world.casting(BOB).delegations.votes == 5


REFUSED: dict[str, tuple[Callable[[World], object], type[cv.Error]]] = {
    "more than there is": (lambda w: w.vote(9, standard(101)), cv.InsufficientFunds),
    "an unknown poll": (lambda w: w.vote(9, standard(1)), cv.NotOngoing),
    "a vote while delegating": (
        lambda w: (w.delegate(1), w.vote(1, standard(1))), cv.AlreadyDelegating,
    ),
    "a delegation to oneself": (lambda w: w.delegate(999, to=ALICE), cv.Nonsense),
    "a class that is no track": (lambda w: w.delegate(999, class_=TrackId(5)), cv.BadClass),
    "a delegation of too much": (lambda w: w.delegate(101), cv.InsufficientFunds),
    "a delegation while delegating": (
        lambda w: (w.delegate(1), w.delegate(1)), cv.AlreadyDelegating,
    ),
    "a delegation beside an ended vote": (
        lambda w: (w.vote(1, standard(1)), w.end(1, at=0), w.delegate(1)), cv.AlreadyVoting,
    ),
    "an end of no delegation": (lambda w: w.undelegate(), cv.NotDelegating),
    "no class for an ended poll": (
        lambda w: (w.vote(1, standard(1)), w.end(1, at=0), w.remove(1, None)), cv.ClassNeeded,
    ),
    "a wrong class": (
        lambda w: (w.vote(1, standard(1)), w.remove(1, SPENDER)), cv.NotVoter,
    ),
    "another's ongoing vote": (
        lambda w: (w.vote(1, standard(1)), w.remove_other(1)), cv.NoPermission,
    ),
    "another's locked vote": (
        lambda w: (w.vote(1, standard(1, 1)), w.end(1, at=0), w.at(2).remove_other(1)),
        cv.NoPermissionYet,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses(world: World, act: Callable[[World], object], error: type[cv.Error]) -> None:
    with pytest.raises(error):
        act(world)


def test_the_513th_vote_of_a_class_is_refused_and_a_replacement_is_not(world: World) -> None:
    world.open(*range(600))
    for poll in range(512):
        world.vote(poll, standard(1))
    with pytest.raises(cv.MaxVotesReached):
        world.vote(512, standard(1))
    world.vote(511, standard(2))
    world.open(512, class_=SPENDER)
    world.vote(512, standard(1))


def test_anothers_vote_may_go_in_the_block_in_which_its_lock_ends(world: World) -> None:
    world.vote(1, standard(1, 1))
    world.end(1, at=0)
    assert world.at(3).remove_other(1) == []
    assert world.casting() == cv.Casting()


def test_ones_own_vote_through_remove_other_vote_is_ones_own(world: World) -> None:
    world.vote(1, standard(1, 1))
    assert [type(event) for event in world.remove_other(1, by=ALICE)] == [cv.VoteRemoved]


# --- As the runtime has it ------------------------------------------------------------


@pytest.mark.parametrize("error", cv.Error.__subclasses__())
def test_errors_are_numbered_as_in_the_runtime(error: type[cv.Error]) -> None:
    name = runtime().error_name(module_error(error, "ConvictionVoting"))
    assert name == f"ConvictionVoting.{error.__name__}"


def test_storage_reads_as_the_runtime_reads_it(world: World) -> None:
    world.vote(1, standard(10, 6))
    world.vote(2, cv.Split(standard(1).balance, standard(2).balance))
    world.end(1, at=0)
    world.delegate(4, 2, who=BOB, to=ALICE)
    world.at(1).remove(1)
    entries = dict(world.storage.voting_for.raw_items())
    delegations = {"votes": 8, "capital": 4}
    assert _read(entries, ALICE) == (
        "Casting",
        {
            "votes": [(2, ("Split", {"aye": 1, "nay": 2}))],
            "delegations": delegations,
            "prior": (96, 10),
        },
    )
    assert _read(entries, BOB) == (
        "Delegating",
        {
            "balance": 4,
            "target": ALICE,
            "conviction": "Locked2x",
            "delegations": {"votes": 0, "capital": 0},
            "prior": (0, 0),
        },
    )


def _read(entries: dict[bytes, bytes], who: bytes) -> object:
    key = runtime().storage_key("ConvictionVoting", "VotingFor", who, ROOT)
    return runtime().decode_storage("ConvictionVoting", "VotingFor", entries[key])
