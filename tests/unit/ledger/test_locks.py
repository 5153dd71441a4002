"""What votes lock, what of it is free, and whether a promise is kept, on worked examples."""

from dataclasses import dataclass, field, replace

import pytest

from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber, TrackId
from ledger.locks import AccountLocks, ClassLock, Cover, CoverKind, Promise, account_locks, promise
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv

ALICE, BOB, CAROL = (AccountId(letter * 32) for letter in (b"a", b"b", b"c"))
ROOT, SPENDER, TIPPER = TrackId(0), TrackId(33), TrackId(30)
PERIOD = 3
LOCKED = tuple(cv.Conviction)


@dataclass
class Polls:
    known: dict[int, cv.PollStatus] = field(default_factory=dict)

    def status(self, index: PollIndex) -> cv.PollStatus | None:
        return self.known.get(index)


class World:
    """The pallet with three classes, a lock period of three blocks, and a clock to move."""

    def __init__(self) -> None:
        self.storage, self.polls = cv.Storage(), Polls()
        self.config = cv.Config(
            now=RelayBlockNumber(0),
            vote_locking_period=PERIOD,
            max_votes=512,
            tracks=frozenset({ROOT, SPENDER, TIPPER}),
            polls=self.polls,
            currency=balances.Storage(),
        )

    def at(self, now: int) -> "World":
        self.config = replace(self.config, now=RelayBlockNumber(now))
        return self

    def open(self, poll: int, class_: TrackId = ROOT) -> PollIndex:
        self.polls.known[poll] = cv.Ongoing(class_)
        return PollIndex(poll)

    def end(self, poll: int, at: int, *, approved: bool = True) -> None:
        self.polls.known[poll] = cv.Completed(RelayBlockNumber(at), approved)

    def vote(
        self, poll: int, amount: int, conviction: int, class_: TrackId = ROOT, *, aye: bool = True
    ) -> None:
        """Alice's, in a poll that is opened for it."""
        vote = cv.Standard(aye, LOCKED[conviction], Planck(amount))
        cv.vote(self.storage, self.config, ALICE, self.open(poll, class_), vote)

    def delegate(self, amount: int, conviction: int, class_: TrackId = ROOT) -> None:
        lent = LOCKED[conviction], Planck(amount)
        cv.delegate(self.storage, self.config, ALICE, class_, BOB, *lent)

    def undelegate(self, class_: TrackId = ROOT) -> None:
        cv.undelegate(self.storage, self.config, ALICE, class_)

    def remove(self, poll: int, class_: TrackId = ROOT) -> None:
        cv.remove_vote(self.storage, self.config, ALICE, class_, PollIndex(poll))

    def unlock(self) -> None:
        for class_ in self.config.tracks:
            cv.unlock(self.storage, self.config, class_, ALICE)

    @property
    def locks(self) -> AccountLocks:
        return account_locks(self.storage, self.config, ALICE)

    @property
    def only(self) -> ClassLock:
        (lock,) = self.locks.classes
        return lock

    def promise(self, required: int = 5) -> Promise:
        return promise(self.storage, self.config, ALICE, Planck(required))


@pytest.fixture
def world() -> World:
    return World()


def amounts(world: World, now: int) -> tuple[int, int, int]:
    """Actual, after unlocking, after removing every vote and unlocking."""
    locks = world.at(now).locks
    return locks.actual, locks.after_unlock, locks.required_now


# --- Locks --------------------------------------------------------------------------------


def test_who_never_voted_has_nothing_locked(world: World) -> None:
    assert world.locks == AccountLocks(
        ALICE, RelayBlockNumber(0), Planck(0), Planck(0), Planck(0), ()
    )


def test_a_vote_on_an_ongoing_poll_holds_until_it_is_removed(world: World) -> None:
    world.vote(1, 10, 6)
    assert amounts(world, 1_000) == (10, 10, 0)
    assert world.locks.releasable == 10
    (vote,) = world.only.votes
    assert (vote.status, vote.until) == (cv.Ongoing(ROOT), None)


@pytest.mark.parametrize(
    ("conviction", "until"), [(1, 8), (2, 11), (3, 17), (4, 29), (5, 53), (6, 101)]
)
def test_a_won_vote_is_held_for_its_conviction(world: World, conviction: int, until: int) -> None:
    world.vote(1, 10, conviction)
    world.end(1, at=5)
    assert amounts(world, until - 1) == (10, 10, 10)
    assert amounts(world, until) == (10, 10, 0)
    assert world.only.votes[0].until == until
    assert world.only.free_at == until


@pytest.mark.parametrize("approved", [True, False])
def test_the_nays_win_a_rejected_poll(world: World, *, approved: bool) -> None:
    world.vote(1, 10, 6, aye=False)
    world.end(1, at=5, approved=approved)
    assert amounts(world, 6) == (10, 10, 0 if approved else 10)


def test_a_poll_that_was_cancelled_releases_everyone(world: World) -> None:
    world.vote(1, 10, 6)
    del world.polls.known[1]
    assert amounts(world, 6) == (10, 10, 0)
    assert world.only.votes[0].status is None


@pytest.mark.parametrize(
    "vote",
    [
        cv.Split(Planck(4), Planck(6)),
        cv.SplitAbstain(Planck(1), Planck(2), Planck(7)),
        cv.Standard(aye=True, conviction=cv.Conviction.NONE, balance=Planck(10)),
    ],
)
def test_a_vote_without_conviction_holds_nothing_behind_its_poll(
    world: World, vote: cv.AccountVote
) -> None:
    cv.vote(world.storage, world.config, ALICE, world.open(1), vote)
    world.end(1, at=5)
    assert amounts(world, 5) == (10, 10, 0)


def test_one_class_amalgamates_what_was_won_in_it(world: World) -> None:
    """spec/pallets.md A.7: 5 and 10 at Locked1x and 5 at Locked2x, all approved at 1."""
    for poll, (amount, conviction) in enumerate([(5, 1), (10, 1), (5, 2)]):
        world.vote(poll, amount, conviction)
        world.end(poll, at=1)
    world.at(1)
    for poll in range(3):
        world.remove(poll)
    assert world.only.prior == cv.PriorLock(RelayBlockNumber(7), Planck(10))
    assert amounts(world, 3) == amounts(world, 6) == (10, 10, 10)
    assert amounts(world, 7) == (10, 0, 0)
    world.unlock()
    assert world.locks.actual == 0


def test_classes_come_free_one_by_one(world: World) -> None:
    """spec/pallets.md A.7: the same three votes, each in a class of its own."""
    votes = [(5, 1, ROOT), (10, 1, SPENDER), (5, 2, TIPPER)]
    for poll, (amount, conviction, class_) in enumerate(votes):
        world.vote(poll, amount, conviction, class_)
        world.end(poll, at=1)
    assert amounts(world, 3) == (10, 10, 10)
    assert amounts(world, 4) == amounts(world, 6) == (10, 10, 5)
    assert amounts(world, 7) == (10, 10, 0)
    assert [lock.free_at for lock in world.locks.classes] == [4, 7, 4]


def test_time_and_amount_are_overlocked_independently(world: World) -> None:
    """spec/pallets.md A.2: ten units held to 97 by a vote of one and a lent ten."""
    world.at(1).vote(1, 1, 6)
    world.end(1, at=1)
    world.remove(1)
    world.delegate(10, 0)
    world.undelegate()
    assert world.only.prior == cv.PriorLock(RelayBlockNumber(97), Planck(10))
    assert amounts(world, 96) == (10, 10, 10)
    assert amounts(world, 97) == (10, 0, 0)


def test_locks_of_several_classes_overlap(world: World) -> None:
    world.vote(1, 10, 1, ROOT)
    world.vote(2, 7, 1, SPENDER)
    locks = world.locks
    assert (locks.actual, locks.after_unlock) == (10, 10)
    assert [(lock.class_, lock.amount) for lock in locks.classes] == [(ROOT, 10), (SPENDER, 7)]


def test_a_smaller_vote_keeps_the_lock_until_it_is_unlocked(world: World) -> None:
    world.vote(1, 10, 1)
    world.vote(1, 4, 1)
    assert amounts(world, 1) == (10, 4, 0)
    world.unlock()
    assert amounts(world, 1) == (4, 4, 0)


def test_a_delegation_holds_and_has_no_end(world: World) -> None:
    world.delegate(10, 6)
    assert amounts(world, 1_000_000) == (10, 10, 10)
    assert world.only.free_at is None
    assert world.only.delegation is not None
    assert world.only.delegation.target == BOB


def test_an_ended_delegation_counts_from_its_end_whatever_polls_do(world: World) -> None:
    world.delegate(10, 2)
    world.at(50).undelegate()
    assert world.only.free_at == 50 + 2 * PERIOD
    assert amounts(world, 55) == (10, 10, 10)
    assert amounts(world, 56) == (10, 0, 0)


def test_being_delegated_to_locks_nothing(world: World) -> None:
    world.delegate(10, 6)
    assert account_locks(world.storage, world.config, BOB).classes == ()


def test_what_was_freed_but_not_unlocked_is_still_actual(world: World) -> None:
    world.vote(1, 10, 1)
    world.remove(1)
    assert amounts(world, 1) == (10, 0, 0)
    assert world.locks.releasable == 10
    world.unlock()
    assert world.locks.classes == ()


def test_a_lock_in_a_class_that_is_no_track_any_more_is_told(world: World) -> None:
    world.vote(1, 10, 1, SPENDER)
    world.config = replace(world.config, tracks=frozenset({ROOT}))
    assert [lock.class_ for lock in world.locks.classes] == [SPENDER]


def test_locks_of_other_pallets_are_none_of_ours(world: World) -> None:
    balances.set_lock(world.config.currency, b"staking ", ALICE, Planck(99), balances.Reasons.ALL)
    assert world.locks.actual == 0
    world.vote(1, 10, 1)
    assert world.locks.actual == 10


def test_asking_changes_nothing(world: World) -> None:
    world.vote(1, 10, 6)
    world.end(1, at=1)
    world.at(500)
    items = (
        world.storage.voting_for,
        world.storage.class_locks_for,
        world.storage.maximum_priors,
        world.config.currency.locks,
    )
    before = [sorted(item.raw_items()) for item in items]
    for who in (ALICE, CAROL):
        account_locks(world.storage, world.config, who)
        promise(world.storage, world.config, who, Planck(5))
    assert [sorted(item.raw_items()) for item in items] == before


# --- The promise --------------------------------------------------------------------------


def test_nobody_keeps_a_promise_by_doing_nothing(world: World) -> None:
    kept = world.promise()
    assert (kept.kept, kept.covered, kept.covers) == (False, 0, ())
    assert not kept.by_delegation_only


def test_a_promise_of_nothing_is_kept(world: World) -> None:
    assert world.promise(0).kept


def test_an_ongoing_vote_at_the_highest_conviction_keeps_it(world: World) -> None:
    world.vote(1, 5, 6)
    kept = world.promise()
    assert kept.kept
    assert not kept.by_delegation_only
    assert kept.covers == (Cover(ROOT, CoverKind.ONGOING_VOTE, Planck(5), PollIndex(1), None),)


@pytest.mark.parametrize("conviction", range(6))
def test_a_lower_conviction_does_not(world: World, conviction: int) -> None:
    world.vote(1, 5_000, conviction)
    world.delegate(5_000, conviction, SPENDER)
    assert world.promise().covers == ()
    world.end(1, at=1)
    world.at(1).remove(1)
    world.undelegate(SPENDER)
    assert world.promise().covers == ()


def test_a_split_vote_does_not(world: World) -> None:
    vote = cv.Split(Planck(5_000), Planck(5_000))
    cv.vote(world.storage, world.config, ALICE, world.open(1), vote)
    assert not world.promise().kept


def test_commitments_do_not_add_up(world: World) -> None:
    world.vote(1, 3, 6, ROOT)
    world.vote(2, 4, 6, SPENDER)
    kept = world.promise()
    assert (kept.kept, kept.covered) == (False, 4)
    assert [cover.amount for cover in kept.covers] == [4, 3]


def test_one_planck_less_breaks_it(world: World) -> None:
    world.vote(1, 4, 6)
    assert not world.promise(5).kept
    assert world.promise(4).kept


def test_a_won_vote_keeps_it_until_its_lock_ends(world: World) -> None:
    world.vote(1, 5, 6)
    world.end(1, at=4)
    assert world.at(99).promise().covers[0].kind is CoverKind.WON_VOTE
    assert world.promise().covers[0].until == 100
    assert world.promise().kept
    assert not world.at(100).promise().kept


def test_a_removed_won_vote_keeps_it_until_the_same_block(world: World) -> None:
    world.vote(1, 5, 6)
    world.end(1, at=4)
    world.at(10).remove(1)
    kept = world.at(99).promise()
    assert kept.covers == (
        Cover(ROOT, CoverKind.PRIOR_LOCK, Planck(5), None, RelayBlockNumber(100)),
    )
    assert not world.at(100).promise().kept


def test_a_lost_vote_keeps_nothing_from_the_moment_it_is_lost(world: World) -> None:
    world.vote(1, 5, 6)
    assert world.promise().kept
    world.end(1, at=4, approved=False)
    assert not world.at(4).promise().kept


def test_a_vote_on_a_cancelled_poll_keeps_nothing(world: World) -> None:
    world.vote(1, 5, 6)
    del world.polls.known[1]
    assert not world.promise().kept


def test_taking_back_a_vote_from_an_ongoing_poll_breaks_it(world: World) -> None:
    world.vote(1, 5, 6)
    world.remove(1)
    assert world.locks.actual == 5  # not unlocked: locked still, and promised no longer
    assert not world.promise().kept


def test_a_delegation_at_the_highest_conviction_counts_and_is_told(world: World) -> None:
    world.delegate(5, 6)
    kept = world.promise()
    assert kept.kept
    assert kept.by_delegation_only
    world.vote(1, 5, 6, SPENDER)
    assert not world.promise().by_delegation_only


def test_a_vote_too_small_beside_a_delegation_does_not_hide_it(world: World) -> None:
    world.delegate(5, 6)
    world.vote(1, 4, 6, SPENDER)
    assert world.promise().by_delegation_only


def test_an_ended_delegation_goes_on_covering_for_its_lock(world: World) -> None:
    world.delegate(5, 6)
    world.at(10).undelegate()
    assert world.at(105).promise().covers[0].kind is CoverKind.PRIOR_LOCK
    assert not world.promise().by_delegation_only
    assert not world.at(106).promise().kept


def test_overlocking_does_not_lend_conviction(world: World) -> None:
    """Ten units are locked to 97, but only one of them was ever committed at Locked6x."""
    world.at(1).vote(1, 1, 6)
    world.end(1, at=1)
    world.remove(1)
    world.delegate(10, 0)
    world.undelegate()
    assert world.locks.required_now == 10
    assert world.promise().covered == 1


def test_without_a_gap_from_vote_to_vote(world: World) -> None:
    world.vote(1, 5, 6)
    world.end(1, at=4)
    world.at(90).remove(1)
    world.vote(2, 5, 6)
    for now in (90, 99, 100, 5_000):
        assert world.at(now).promise().kept
    assert [cover.kind for cover in world.at(99).promise().covers] == [
        CoverKind.PRIOR_LOCK,
        CoverKind.ONGOING_VOTE,
    ]


def test_unlocking_early_forgets_no_promise(world: World) -> None:
    world.vote(1, 5, 6)
    world.end(1, at=4)
    world.at(10).remove(1)
    world.unlock()
    assert world.at(99).promise().kept
    world.at(100).unlock()
    assert len(world.storage.maximum_priors) == 0
