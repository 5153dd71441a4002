"""What `ledger.locks` foretells is what the pallet then does."""

from copy import deepcopy
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber, TrackId
from ledger.locks import account_locks, promise
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv

ALICE, BOB = AccountId(b"a" * 32), AccountId(b"b" * 32)
CLASSES = frozenset({TrackId(0), TrackId(33)})
POLLS = range(6)


class Polls(dict[int, cv.PollStatus]):
    def status(self, index: PollIndex) -> cv.PollStatus | None:
        return self.get(index)


class World:
    """Polls 0, 2, 4 of the first class and 1, 3, 5 of the second; a lock period of two blocks."""

    def __init__(self) -> None:
        self.storage = cv.Storage()
        self.polls = Polls({poll: cv.Ongoing(self.class_of(poll)) for poll in POLLS})
        self.config = cv.Config(
            now=RelayBlockNumber(1),
            vote_locking_period=2,
            max_votes=512,
            tracks=CLASSES,
            polls=self.polls,
            currency=balances.Storage(),
        )

    @staticmethod
    def class_of(poll: int) -> TrackId:
        return sorted(CLASSES)[poll % 2]

    def do(self, act: str, poll: int, amount: int, conviction: cv.Conviction, *, aye: bool) -> None:
        class_, index = self.class_of(poll), PollIndex(poll)
        here = self.storage, self.config
        try:
            match act:
                case "vote":
                    cv.vote(*here, ALICE, index, cv.Standard(aye, conviction, Planck(amount)))
                case "split":
                    cv.vote(*here, ALICE, index, cv.Split(Planck(amount), Planck(1)))
                case "remove":
                    cv.remove_vote(*here, ALICE, class_, index)
                case "delegate":
                    cv.delegate(*here, ALICE, class_, BOB, conviction, Planck(amount))
                case "undelegate":
                    cv.undelegate(*here, ALICE, class_)
                case "unlock":
                    cv.unlock(*here, class_, ALICE)
                case "end" if isinstance(self.polls.get(poll), cv.Ongoing):
                    self.polls[poll] = cv.Completed(self.config.now, aye)
                case "cancel":
                    self.polls.pop(poll, None)
        except cv.Error:
            return  # as on chain, a refused call changes nothing

    def pass_blocks(self, count: int) -> None:
        self.config = replace(self.config, now=RelayBlockNumber(self.config.now + count))

    def actual(self) -> int:
        return account_locks(self.storage, self.config, ALICE).actual

    def unlock_all(self) -> int:
        for class_ in CLASSES:
            cv.unlock(self.storage, self.config, class_, ALICE)
        return self.actual()

    def remove_all(self) -> None:
        for class_ in CLASSES:
            voting = self.storage.voting_for.get((ALICE, class_))
            for poll, _ in voting.votes if isinstance(voting, cv.Casting) else ():
                cv.remove_vote(self.storage, self.config, ALICE, class_, poll)


acts = st.tuples(
    st.sampled_from(
        [
            "vote",
            "vote",
            "split",
            "remove",
            "delegate",
            "undelegate",
            "unlock",
            "end",
            "end",
            "cancel",
        ]
    ),
    st.sampled_from(POLLS),
    st.integers(1, 9),
    st.sampled_from(cv.Conviction),
    st.booleans(),
    st.sampled_from([0, 1, 3, 40]),
)


def lived(history: list[tuple[str, int, int, cv.Conviction, bool, int]]) -> World:
    world = World()
    for act, poll, amount, conviction, aye, blocks in history:
        world.do(act, poll, amount, conviction, aye=aye)
        world.pass_blocks(blocks)
    return world


histories = st.lists(acts, max_size=25).map(lived)


@given(histories)
def test_unlocking_leaves_what_was_foretold(world: World) -> None:
    foretold = account_locks(world.storage, world.config, ALICE)
    assert world.actual() == foretold.actual
    assert world.unlock_all() == foretold.after_unlock
    world.remove_all()
    assert world.unlock_all() == foretold.required_now
    assert foretold.required_now <= foretold.after_unlock <= foretold.actual


@given(histories)
def test_a_class_is_free_when_it_was_said_to_be_and_not_before(world: World) -> None:
    foretold = account_locks(world.storage, world.config, ALICE)
    for lock in foretold.classes:
        if lock.free_at is None:
            continue
        for when, free in ((lock.free_at, True), (RelayBlockNumber(lock.free_at - 1), False)):
            if when < world.config.now:
                continue
            later = deepcopy(world)
            later.config = replace(later.config, now=when)
            later.remove_all()
            later.unlock_all()
            left = dict(later.storage.class_locks_for.get(ALICE))
            assert (lock.class_ not in left) == free


@given(histories, st.integers(1, 9))
def test_what_keeps_a_promise_is_locked_where_it_says_until_then(
    world: World, required: int
) -> None:
    kept = promise(world.storage, world.config, ALICE, Planck(required))
    for cover in kept.covers:
        assert world.actual() >= cover.amount
        if cover.until is not None:
            later = deepcopy(world)
            later.config = replace(later.config, now=RelayBlockNumber(cover.until - 1))
            later.remove_all()
            later.unlock_all()
            assert dict(later.storage.class_locks_for.get(ALICE))[cover.class_] >= cover.amount
    assert kept.kept == any(cover.amount >= required for cover in kept.covers)
