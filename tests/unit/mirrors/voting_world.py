"""The conviction voting pallet with a clock to move and polls to end by hand."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber, TrackId
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv

ALICE, BOB, CAROL = (AccountId(letter * 32) for letter in (b"a", b"b", b"c"))
ROOT, TREASURER, SPENDER = TrackId(0), TrackId(11), TrackId(34)
PERIOD = 3
CONVICTIONS = tuple(cv.Conviction)


@dataclass
class Polls:
    known: dict[int, cv.PollStatus] = field(default_factory=dict)

    def status(self, index: PollIndex) -> cv.PollStatus | None:
        return self.known.get(index)


def standard(balance: int, conviction: int = 0, *, aye: bool = True) -> cv.Standard:
    return cv.Standard(aye, CONVICTIONS[conviction], Planck(balance))


class World:
    """Three classes, a lock period of three blocks, 100 planck for everybody; Alice acts unless
    somebody else is named.
    """

    def __init__(self) -> None:
        self.storage, self.polls, self.currency = cv.Storage(), Polls(), balances.Storage()
        self.config = cv.Config(
            now=RelayBlockNumber(0),
            vote_locking_period=PERIOD,
            max_votes=512,
            tracks=frozenset({ROOT, TREASURER, SPENDER}),
            polls=self.polls,
            currency=self.currency,
            total_balance=lambda _: Planck(100),
        )

    def at(self, now: int) -> "World":
        self.config = replace(self.config, now=RelayBlockNumber(now))
        return self

    def open(self, *polls: int, class_: TrackId = ROOT) -> None:
        self.polls.known |= dict.fromkeys(polls, cv.Ongoing(class_))

    def end(self, *polls: int, at: int, approved: bool = True) -> "World":
        self.polls.known |= dict.fromkeys(polls, cv.Completed(RelayBlockNumber(at), approved))
        return self

    def cancel(self, poll: int) -> None:
        del self.polls.known[poll]

    # --- calls ---

    def vote(self, poll: int, vote: cv.AccountVote, who: AccountId = ALICE) -> list[cv.Event]:
        return cv.vote(self.storage, self.config, who, PollIndex(poll), vote)

    def delegate(
        self,
        balance: int,
        conviction: int = 0,
        *,
        who: AccountId = ALICE,
        to: AccountId = BOB,
        class_: TrackId = ROOT,
    ) -> list[cv.Event]:
        lent = CONVICTIONS[conviction], Planck(balance)
        return cv.delegate(self.storage, self.config, who, class_, to, *lent)

    def undelegate(self, who: AccountId = ALICE, class_: TrackId = ROOT) -> list[cv.Event]:
        return cv.undelegate(self.storage, self.config, who, class_)

    def remove(self, poll: int, class_: TrackId | None = ROOT) -> list[cv.Event]:
        return cv.remove_vote(self.storage, self.config, ALICE, class_, PollIndex(poll))

    def remove_other(self, poll: int, by: AccountId = BOB) -> list[cv.Event]:
        return cv.remove_other_vote(self.storage, self.config, by, ALICE, ROOT, PollIndex(poll))

    def unlock(self, *classes: TrackId, who: AccountId = ALICE) -> None:
        for class_ in classes or (ROOT,):
            cv.unlock(self.storage, self.config, class_, who)

    # --- storage ---

    def casting(self, who: AccountId = ALICE, class_: TrackId = ROOT) -> cv.Casting:
        voting = self.storage.voting_for.get((who, class_))
        assert isinstance(voting, cv.Casting)
        return voting

    @property
    def prior(self) -> tuple[int, int]:
        """Alice's in class root: until, amount."""
        prior = self.casting().prior
        return prior.until, prior.amount

    @property
    def class_locks(self) -> list[tuple[int, int]]:
        return [(class_, amount) for class_, amount in self.storage.class_locks_for.get(ALICE)]

    @property
    def locked(self) -> int:
        """Under `pyconvot`."""
        lock = balances.find_lock(self.currency, cv.CONVICTION_VOTING_ID, ALICE)
        return 0 if lock is None else lock.amount

    def locked_at(self, heights: Iterable[int], *classes: TrackId) -> list[int]:
        """What is left after unlocking `classes` at each of `heights`."""
        left = []
        for height in heights:
            self.at(height).unlock(*classes)
            left.append(self.locked)
        return left
