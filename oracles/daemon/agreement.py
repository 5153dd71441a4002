"""On which observations to report: what all honest oracles come to, each on its own. Pure.

A day closes with the same commitments for everybody. Their rows travel over HTTP, so one who is
slow, cut off or malicious can leave some oracles with rows that others lack. Reports are made in
turns, and in each turn the honest can only say one thing:

* Turn 0, from the closing on: who has the rows of every commitment reports on all of them. In the
  usual case that is everybody, and the day is done.
* Turn k: one oracle, another one in each turn, reports on what it has. The others fetch that from
  it, compute it themselves, and say the same, unless it left out what everybody has had for long:
  else a liar whose turn it is could choose whose voices count.
* The last minutes of a turn are quiet: what was posted in it is final before the next begins.

A later report of an oracle takes the place of its earlier one, and the first root that a quorum
stands behind is the day's for ever; the ledger sees to both. So a day stands at the latest with the
first turn whose oracle is honest, if the honest are a quorum, reach each other, and the chain is
final, within `Turns.quiet_seconds`. Where they do not, days may stay without a score for as long; a
wrong score always needs a quorum of liars.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from ibp_chain.types import AccountId, Hash
from oracles.consensus import Observation


class Lack(Enum):
    """Why a commitment has no rows that count."""

    MISSING = auto()
    """Nobody has handed them over yet."""
    REFUSED = auto()
    """They are there, and every oracle refuses them."""


Held = Mapping[AccountId, Observation | Lack]
"""For each commitment of the closing, by oracle."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How long a turn is, and how much of its end stays quiet, in seconds."""

    seconds: int = 900
    quiet_seconds: int = 300


class OnChain(NamedTuple):
    """The last report of the day by one oracle that the ledger accepted."""

    oracle: AccountId
    turn: int
    root: Hash
    rows: int
    observes: frozenset[Hash]


class Report(NamedTuple):
    """Report on these observations."""

    observations: tuple[Observation, ...]
    """Ascending by oracle."""
    turn: int
    why: str


class Wait(NamedTuple):
    """Nothing to do yet."""

    why: str


Computed = Callable[[Sequence[Observation]], tuple[Hash, int]]
"""Root and row count of the report on these observations."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A closed day that does not stand yet, as one oracle sees it."""

    me: AccountId
    oracles: Sequence[AccountId]
    """In office, ascending."""
    quorum: int
    day: int
    """Days since 1970: who begins changes with it."""
    since_closing: float
    """Seconds."""
    held: Held
    held_since: Mapping[AccountId, float]
    """When each of the usable observations was first here, in seconds after the closing."""
    reports: Collection[OnChain]

    @property
    def usable(self) -> tuple[Observation, ...]:
        return tuple(
            found for _, found in sorted(self.held.items()) if isinstance(found, Observation)
        )

    def proposer(self, turn: int) -> AccountId:
        """Who goes first in `turn`, from 1 on."""
        return self.oracles[(self.day + turn - 1) % len(self.oracles)]

    def report_of(self, oracle: AccountId) -> OnChain | None:
        return next((found for found in self.reports if found.oracle == oracle), None)


def decide(situation: Situation, turns: Turns, computed: Computed) -> Report | Wait:
    """What to do now. `computed` is asked only for sets of usable observations."""
    passed, into = divmod(situation.since_closing, turns.seconds)
    turn, mine = int(passed), situation.report_of(situation.me)
    if into >= turns.seconds - turns.quiet_seconds:
        return Wait("the end of a turn stays quiet")
    if mine is not None and mine.turn >= turn:
        return Wait(f"reported in turn {mine.turn}; the others have not yet")
    usable = situation.usable
    enough = len({found.commitment.root for found in usable}) >= situation.quorum
    if turn == 0:
        if missing := _missing(situation):
            return Wait(f"the rows of {missing} are missing")
        if enough:
            return Report(usable, turn, "on every commitment")
    proposer = situation.proposer(turn)
    if proposer == situation.me and enough:
        return Report(usable, turn, f"first in turn {turn}")
    proposed = situation.report_of(proposer)
    if proposer != situation.me and proposed is not None and proposed.turn == turn:
        known_by_all = turn * turns.seconds - turns.quiet_seconds
        due = {
            found.commitment.root
            for found in usable
            if situation.held_since[found.commitment.oracle] < known_by_all
        }
        if due - proposed.observes:
            return Wait(f"0x{proposer.hex()} left out what everybody has")
        return _followed(proposed, mine, usable, computed)
    if not enough:
        return Wait(f"{len(usable)} observations can be used, {situation.quorum} are needed")
    return Wait(f"it is the turn of 0x{proposer.hex()}")


def _followed(
    proposed: OnChain, mine: OnChain | None, usable: Sequence[Observation], computed: Computed
) -> Report | Wait:
    """The same as `proposed`, where it is right and its observations are here."""
    who = f"0x{proposed.oracle.hex()}"
    if mine is not None and (mine.root, mine.rows) == (proposed.root, proposed.rows):
        return Wait(f"{who} says what this oracle says already")
    chosen = tuple(found for found in usable if found.commitment.root in proposed.observes)
    if {found.commitment.root for found in chosen} != proposed.observes:
        return Wait(f"{who} reported on rows that are missing here")
    if computed(chosen) != (proposed.root, proposed.rows):
        return Wait(f"{who} reported a root that does not follow from its observations")
    return Report(chosen, proposed.turn, f"as {who}")


def _missing(situation: Situation) -> str:
    return ", ".join(
        f"0x{oracle.hex()}"
        for oracle, found in sorted(situation.held.items())
        if found is Lack.MISSING
    )
