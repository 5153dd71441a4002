"""Honest oracles end on one root, whatever a minority shows to whom and when.

A small world in steps. What an honest oracle holds at the end of a step, every honest one holds a
step later; what is posted in a step is on chain in the next. A turn has two steps in which one may
post and a quiet one. The liars hand their rows to whom they like, when they like, and post what
they like.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.blocks import blake2_256
from ibp_chain.types import AccountId, Hash
from oracles.consensus import Commitment, Observation
from oracles.daemon.agreement import (
    Held,
    Lack,
    OnChain,
    Report,
    Situation,
    Turns,
    decide,
)

TURNS = Turns(900, 300)
STEP = 300
STEPS = TURNS.seconds // STEP
EPOCH = date(1970, 1, 1)


def oracle(number: int) -> AccountId:
    return AccountId(bytes([number + 1]) * 32)


def observation(number: int, day: int) -> Observation:
    root = blake2_256(b"rows" + bytes([number]))
    return Observation(Commitment(oracle(number), EPOCH + timedelta(day), root, 1), ())


def computed(observations: Sequence[Observation]) -> tuple[Hash, int]:
    roots = b"".join(sorted(found.commitment.root for found in observations))
    return blake2_256(roots), len(observations)


@dataclass
class Lie:
    """What one liar does in one step."""

    shows_to: frozenset[int] = frozenset()
    reports: frozenset[int] | None = None
    """On whose observations."""
    truthful: bool = True
    turn: int = 0


@dataclass
class World:
    honest: list[int]
    liars: list[int]
    quorum: int
    day: int
    absent: frozenset[int] = frozenset()
    """Committed to nothing."""
    held: dict[int, set[int]] = field(default_factory=dict)
    chain: dict[int, OnChain] = field(default_factory=dict)
    standing: Hash | None = None
    since: dict[int, dict[AccountId, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        present = {number for number in self.honest if number not in self.absent}
        self.committed = present | set(self.liars)
        self.held = {number: set(present) for number in self.honest}
        self.note(0)

    def view(self, number: int) -> Held:
        return {
            oracle(other): observation(other, self.day)
            if other in self.held[number]
            else Lack.MISSING
            for other in sorted(self.committed)
        }

    def step(self, position: int, lies: dict[int, Lie]) -> None:
        shared = set[int]().union(*self.held.values())
        self.held = {number: held | shared for number, held in self.held.items()}
        self.note(position)
        posted: dict[int, OnChain] = {}
        for liar, lie in lies.items():
            for number in lie.shows_to & set(self.honest):
                self.held[number].add(liar)
                self.note(position)
            known = self.chain.get(liar)
            chosen = sorted((lie.reports or frozenset()) & self.committed)
            if len(chosen) >= self.quorum and (known is None or known.turn < lie.turn):
                posted[liar] = self.report(liar, lie.turn, chosen, truthful=lie.truthful)
        for number in self.honest:
            decision = decide(
                Situation(
                    me=oracle(number),
                    oracles=sorted(map(oracle, [*self.honest, *self.liars])),
                    quorum=self.quorum,
                    day=self.day,
                    since_closing=position * STEP,
                    held=self.view(number),
                    held_since=self.since[number],
                    reports=list(self.chain.values()),
                ),
                TURNS,
                computed,
            )
            if isinstance(decision, Report):
                numbers = [found.commitment.oracle[0] - 1 for found in decision.observations]
                posted[number] = self.report(number, decision.turn, numbers, truthful=True)
        self.chain |= posted
        self.settle()

    def note(self, position: int) -> None:
        for number, held in self.held.items():
            for other in held:
                self.since.setdefault(number, {}).setdefault(oracle(other), position * STEP)

    def settle(self) -> None:
        """As the ledger does: the first root with a quorum behind it stands for ever."""
        roots = [report.root for report in self.chain.values()]
        if self.standing is None:
            self.standing = next((root for root in roots if roots.count(root) >= self.quorum), None)

    def report(self, number: int, turn: int, chosen: Sequence[int], *, truthful: bool) -> OnChain:
        observations = [observation(other, self.day) for other in chosen]
        root, rows = computed(observations)
        return OnChain(
            oracle(number),
            turn,
            root if truthful else blake2_256(root),
            rows,
            frozenset(found.commitment.root for found in observations),
        )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, list[dict[int, Lie]]]:
    honest_count = draw(st.integers(3, 5))
    liar_count = draw(st.integers(0, honest_count - 2))
    total = honest_count + liar_count
    quorum = draw(st.integers(total // 2 + 1, honest_count))
    order = draw(st.permutations(range(total)))
    honest, liars = sorted(order[:honest_count]), sorted(order[honest_count:])
    lie = st.builds(
        Lie,
        shows_to=st.frozensets(st.sampled_from(honest)),
        reports=st.none() | st.frozensets(st.sampled_from(range(total)), min_size=quorum),
        truthful=st.booleans(),
        turn=st.integers(0, 3),
    )
    steps = draw(
        st.lists(
            st.fixed_dictionaries({}, optional=dict.fromkeys(liars, lie)), min_size=1, max_size=12
        )
    )
    return World(honest, liars, quorum, draw(st.integers(0, 20_000))), steps


@given(worlds())
@settings(max_examples=300, deadline=None)
def test_a_day_stands_after_the_first_turn_of_an_honest_oracle(
    setting: tuple[World, list[dict[int, Lie]]],
) -> None:
    world, lies = setting
    order = [oracle(number) for number in sorted([*world.honest, *world.liars])]
    first = next(
        turn
        for turn in range(1, len(order) + 1)
        if order[(world.day + turn - 1) % len(order)][0] - 1 in world.honest
    )
    for position in range(STEPS * (first + 1)):
        if world.standing is None:
            world.step(position, lies[position] if position < len(lies) else {})
    assert world.standing is not None


@given(worlds())
@settings(max_examples=200, deadline=None)
def test_what_stands_follows_from_observations_that_were_committed(
    setting: tuple[World, list[dict[int, Lie]]],
) -> None:
    world, lies = setting
    for position in range(len(lies)):
        world.step(position, lies[position])
        for number, report in world.chain.items():
            if number in world.honest:
                chosen = [
                    observation(other, world.day)
                    for other in sorted(world.committed)
                    if observation(other, world.day).commitment.root in report.observes
                ]
                assert computed(chosen) == (report.root, report.rows)
                assert len(chosen) >= world.quorum


@given(worlds(), st.data())
@settings(max_examples=100, deadline=None)
def test_who_has_everything_reports_at_once_and_all_alike(
    setting: tuple[World, list[dict[int, Lie]]], data: st.DataObject
) -> None:
    world, _ = setting
    everybody = set(world.honest) | set(world.liars)
    world.held = dict.fromkeys(world.honest, everybody)
    world.step(data.draw(st.integers(0, 1)), {})
    assert {world.chain[number].root for number in world.honest} == {world.standing}


@given(worlds())
@settings(max_examples=200, deadline=None)
def test_no_liar_whose_turn_it_is_leaves_out_an_honest_voice(
    setting: tuple[World, list[dict[int, Lie]]],
) -> None:
    world, lies = setting
    voices = {observation(number, world.day).commitment.root for number in world.honest}
    for position, lie in enumerate(lies):
        world.step(position, lie)
        for number in world.honest:
            if number in world.chain:
                assert voices <= world.chain[number].observes
