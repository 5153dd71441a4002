"""The first governance's pallet with a clock to move; its referenda follow events."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ibp_chain.blocks import EventRecord, Phase
from ibp_chain.types import AccountId, Planck, PollIndex, RelayBlockNumber
from ledger.pallets import balances
from ledger.pallets import conviction_voting as cv
from ledger.pallets import democracy as gov1
from tests.unit.mirrors.voting_world import ALICE, BOB, CONVICTIONS, standard

PERIOD = 3
STAKING = balances.BalanceLock(b"staking ", Planck(50), balances.Reasons.ALL)


def record(name: str, args: Any, phase: Phase = Phase.INITIALIZATION) -> EventRecord:
    return EventRecord(0, phase, None, "Democracy", name, args, ())


def split(aye: int, nay: int) -> cv.Split:
    return cv.Split(Planck(aye), Planck(nay))


class World:
    """A lock period of three blocks, 100 planck free for everybody; Alice acts unless somebody
    else is named.
    """

    def __init__(self) -> None:
        self.storage, self.currency = gov1.Storage(), balances.Storage()
        self.config = gov1.Config(
            now=RelayBlockNumber(0),
            vote_locking_period=PERIOD,
            max_votes=100,
            currency=self.currency,
            free_balance=lambda _: Planck(100),
        )

    def at(self, now: int) -> "World":
        self.config = replace(self.config, now=RelayBlockNumber(now))
        return self

    def deposit(self, name: str, args: Any) -> None:
        gov1.deposit_event(self.storage, self.config.now, record(name, args))

    def start(self, *referenda: int) -> None:
        for index in referenda:
            self.deposit("Started", {"ref_index": index, "threshold": "SimpleMajority"})

    def end(self, *referenda: int, at: int, approved: bool = True) -> "World":
        self.at(at)
        for index in referenda:
            self.deposit("Passed" if approved else "NotPassed", {"ref_index": index})
        return self

    def cancel(self, referendum: int) -> None:
        self.deposit("Cancelled", {"ref_index": referendum})

    # --- calls ---

    def vote(self, index: int, vote: gov1.AccountVote, who: AccountId = ALICE) -> list[gov1.Event]:
        return gov1.vote(self.storage, self.config, who, PollIndex(index), vote)

    def delegate(
        self, balance: int, conviction: int = 0, *, who: AccountId = ALICE, to: AccountId = BOB
    ) -> list[gov1.Event]:
        lent = CONVICTIONS[conviction], Planck(balance)
        return gov1.delegate(self.storage, self.config, who, to, *lent)

    def undelegate(self, who: AccountId = ALICE) -> list[gov1.Event]:
        return gov1.undelegate(self.storage, self.config, who)

    def remove(self, index: int, who: AccountId = ALICE) -> list[gov1.Event]:
        return gov1.remove_vote(self.storage, self.config, who, PollIndex(index))

    def remove_other(
        self, index: int, *, by: AccountId = BOB, of: AccountId = ALICE
    ) -> list[gov1.Event]:
        return gov1.remove_other_vote(self.storage, self.config, by, of, PollIndex(index))

    def unlock(self, who: AccountId = ALICE) -> list[gov1.Event]:
        return gov1.unlock(self.storage, self.config, who)

    # --- storage ---

    def voting(self, who: AccountId = ALICE) -> gov1.Voting:
        return self.storage.voting_of.get(who)

    @property
    def prior(self) -> tuple[int, int]:
        """Alice's: until, amount."""
        return self.voting().prior.until, self.voting().prior.amount

    def locked(self, who: AccountId = ALICE) -> int:
        """Under `democrac`."""
        lock = balances.find_lock(self.currency, gov1.DEMOCRACY_ID, who)
        return 0 if lock is None else lock.amount

    def locked_at(self, heights: Iterable[int], who: AccountId = ALICE) -> list[int]:
        """What is left after unlocking at each of `heights`."""
        left = []
        for height in heights:
            self.at(height).unlock(who)
            left.append(self.locked(who))
        return left


def three_won_votes(world: World) -> World:
    """10 locked until 26, 20 until 14, 50 until 8, in block 2."""
    for index, vote in ((1, standard(10, 4)), (2, standard(20, 3)), (3, standard(50, 2))):
        world.vote(index, vote)
    return world.end(1, 2, 3, at=2)
