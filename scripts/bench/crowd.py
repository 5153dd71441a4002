"""What one more vote costs in a state that is full of them: no update may scan the others."""

from collections.abc import Callable, Iterator
from itertools import cycle

from ibp_chain.networks import Network, network_of_spec
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, BlockNumber, Planck, PollIndex, RelayBlockNumber, TrackId
from ledger.mirrors import BlockContext, Constants
from ledger.origins import Dispatched, Origin, OriginKind
from ledger.pallets import conviction_voting as cv
from ledger.pallets.referenda import Poll, Status
from ledger.state import State
from scripts.bench.inputs import Chain
from scripts.bench.report import Sheet, number
from scripts.bench.timing import in_turns, turn

CROWDS = ((1, 1), (1_000, 1), (1, 100), (1_000, 100))
"""Accounts, and the votes of each."""
_UPDATES = 200
_WHAT_IS_TIMED = (
    "A vote is changed, and its storage entries are encoded for the database. An entry holds all "
    "votes of an account in a class, so it costs more where they are many; how many other accounts "
    "there are costs nothing."
)
_NOW = RelayBlockNumber(1_000)


def sheet(chain: Chain, rounds: int) -> Sheet:
    """Votes cast, and what they changed taken for the database, by the size of the state."""
    runtime = max(chain.input.runtimes.values(), key=lambda runtime: runtime.spec_version)
    network = network_of_spec(runtime.spec_name)
    contestants = {
        crowd: turn(_voting(network, runtime, accounts=crowd[0], votes=crowd[1]))
        for crowd in CROWDS
    }
    found = in_turns(contestants, rounds)
    return Sheet(
        "A vote in a state full of votes",
        ("accounts", "votes of each", "µs a vote"),
        tuple(
            (f"{accounts:,}", f"{votes:,}", number(taken.cpu / _UPDATES * 1_000_000))
            for (accounts, votes), taken in found.items()
        ),
        (_WHAT_IS_TIMED,),
    )


def _voting(network: Network, runtime: Runtime, *, accounts: int, votes: int) -> Callable[[], None]:
    constants = Constants.of(runtime)
    state = _crowded(State(network), min(constants.tracks), accounts, votes)
    context = BlockContext(network, BlockNumber(_NOW), _NOW, _NOW, constants)
    calls = _calls(runtime, accounts, votes)

    def run() -> None:
        for _ in range(_UPDATES):
            state.mirrors.apply(context, next(calls))
            for item in state.maps():
                for key, value in item.take_changes().items():
                    item.raw_key(key)
                    if value is not None:
                        item.encode_value(value)

    return run


def _crowded(state: State, track: TrackId, accounts: int, votes: int) -> State:
    polls = [PollIndex(poll) for poll in range(votes)]
    for poll in polls:
        state.mirrors.referenda.polls.insert(poll, Poll(track, Status.ONGOING, None))
    cast = cv.Standard(aye=True, conviction=cv.Conviction.LOCKED_6X, balance=Planck(10))
    voting = cv.Casting(tuple((poll, cast) for poll in polls))
    for who in _accounts(accounts):
        state.mirrors.conviction_voting.voting_for.insert((who, track), voting)
        locks = ((track, cast.balance),)
        state.mirrors.conviction_voting.class_locks_for.insert(who, locks)
    for item in state.maps():
        item.take_changes()
    return state


def _calls(runtime: Runtime, accounts: int, votes: int) -> Iterator[Dispatched]:
    """One after another changes one of its votes, again and again."""
    ballots = [
        runtime.call(
            "ConvictionVoting",
            "vote",
            {"poll_index": votes // 2, "vote": ("Standard", {"vote": 0x86, "balance": amount})},
        )
        for amount in (11, 12)
    ]
    for who, ballot in zip(cycle(_accounts(accounts)), cycle(ballots), strict=False):
        yield Dispatched(Origin(OriginKind.SIGNED, who), ballot, (), 1, ())


def _accounts(count: int) -> list[AccountId]:
    return [AccountId(index.to_bytes(32, "little")) for index in range(1, count + 1)]
