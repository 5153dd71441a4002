"""What a minority of oracles can do, with any admissible rows at all: nothing that nobody saw."""

from collections.abc import Callable, Sequence
from itertools import groupby
from random import Random
from typing import NamedTuple

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ibp_chain.types import AccountId, Micros
from oracles.consensus import Commitment, Consensus, Observation, admit, consensus
from oracles.report import REPORT, Verdict
from oracles.rules import Roster, Service
from oracles.samples import OBSERVATION, ObservationRow, Status
from oracles.scoring import report_rows
from tests.support.scores import DAY, RULES, SLOTS

Endpoint = tuple[str, str]
SLOW_AT = RULES.slow_at
SERVICES = (Service("rpc", "hub", 5), Service("eth-rpc", "hub", 5), Service("relay", "relay", 3))
ROSTER = Roster(
    SERVICES,
    {
        "alpha": frozenset({"rpc", "eth-rpc", "relay"}),
        "beta": frozenset({"rpc", "relay"}),
        "gamma": frozenset({"relay"}),
    },
)
STRANGERS = (("stranger", "rpc"), ("gamma", "rpc"), ("alpha", "unheard-of"))


class Seen(NamedTuple):
    statuses: tuple[Status, ...]
    quick: int
    """Microseconds of an OK answer; a slow one takes as much above the threshold."""


class Party(NamedTuple):
    """Oracles and the quorum that the programme asks for."""

    oracles: int
    quorum: int
    liars: int
    """At most what a quorum leaves over."""


@st.composite
def parties(draw: st.DrawFn) -> Party:
    oracles = draw(st.integers(1, 7))
    quorum = draw(st.integers(oracles // 2 + 1, oracles))
    return Party(oracles, quorum, draw(st.integers(0, oracles - quorum)))


def _day(seed: int, weights: tuple[int, ...]) -> tuple[Status, ...]:
    """288 slots at once: drawn one by one they would be few, and the days alike."""
    return tuple(Random(seed).choices(list(Status), weights, k=SLOTS))


days = st.builds(
    _day, st.integers(0, 2**32), st.tuples(*[st.integers(0, 3)] * 3, st.integers(1, 9))
)
seen = st.builds(Seen, days, st.integers(0, 99_999))
truths = st.fixed_dictionaries(dict.fromkeys(ROSTER.endpoints, days))
lies = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((*ROSTER.endpoints, *STRANGERS), seen)
) | st.fixed_dictionaries(dict.fromkeys(ROSTER.endpoints, seen))


def account(oracle: int) -> AccountId:
    return AccountId(bytes([oracle + 1]) * 32)


def row(oracle: int, endpoint: Endpoint, it: Seen) -> ObservationRow:
    times = {Status.OK: it.quick, Status.SLOW: SLOW_AT + it.quick}
    answers = tuple(Micros(times[status]) for status in it.statuses if status in times)
    return ObservationRow(account(oracle), DAY, *endpoint, bytes(it.statuses), answers)


def observation(oracle: int, saw: dict[Endpoint, Seen]) -> Observation:
    rows = OBSERVATION.canonical(row(oracle, endpoint, it) for endpoint, it in saw.items())
    commitment = Commitment(account(oracle), DAY, OBSERVATION.root(rows), len(rows))
    return admit(commitment, rows, SLOW_AT)


def agreed(observations: Sequence[Observation], quorum: int) -> Consensus:
    return consensus(observations, day=DAY, roster=ROSTER, rules=RULES, quorum=quorum)


def packed(result: Consensus) -> bytes:
    return REPORT.pack(report_rows(result, roster=ROSTER, rules=RULES, carried={}))


def votes_on(observations: Sequence[Observation], endpoint: Endpoint) -> list[list[int]]:
    """By slot, what each said who has a row."""
    rows = [r for each in observations for r in each.rows if (r.member, r.service) == endpoint]
    return [[found.statuses[slot] for found in rows] for slot in range(SLOTS)]


@settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(parties(), truths, st.data())
def test_honest_oracles_that_agree_are_not_moved_by_any_minority(
    party: Party, truth: dict[Endpoint, tuple[Status, ...]], data: st.DataObject
) -> None:
    """Not one byte of the day's report, where they measured the same times too."""
    honest = party.oracles - party.liars
    saw = {endpoint: Seen(slots, 20_000) for endpoint, slots in truth.items()}
    alone = [observation(oracle, saw) for oracle in range(honest)]
    liars = [observation(honest + i, data.draw(lies)) for i in range(party.liars)]
    everybody = data.draw(st.permutations(alone + liars))
    with_them, without = agreed(everybody, party.quorum), agreed(alone, party.quorum)
    assert with_them.rows == without.rows
    assert packed(with_them) == packed(without)


@settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(parties(), truths, st.data())
def test_a_minority_moves_a_time_no_further_than_honest_ones_lie_apart(
    party: Party, truth: dict[Endpoint, tuple[Status, ...]], data: st.DataObject
) -> None:
    honest = party.oracles - party.liars
    quicks = data.draw(st.lists(st.integers(0, 99_999), min_size=honest, max_size=honest))
    alone = [
        observation(oracle, {e: Seen(slots, quick) for e, slots in truth.items()})
        for oracle, quick in enumerate(quicks)
    ]
    liars = [observation(honest + i, data.draw(lies)) for i in range(party.liars)]
    with_them, without = agreed(alone + liars, party.quorum), agreed(alone, party.quorum)
    for one, other in zip(with_them.rows, without.rows, strict=True):
        assert one.verdicts == other.verdicts
        for time in one.times:
            base = SLOW_AT if time >= SLOW_AT else 0
            assert base + min(quicks) <= time <= base + max(quicks)


@settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(parties(), st.data())
def test_nothing_is_agreed_that_no_honest_oracle_saw(party: Party, data: st.DataObject) -> None:
    """Honest oracles may differ and know nothing: then the others still cannot speak for them."""
    honest = party.oracles - party.liars
    alone = [observation(oracle, data.draw(lies)) for oracle in range(honest)]
    liars = [observation(honest + i, data.draw(lies)) for i in range(party.liars)]
    for found in agreed(alone + liars, party.quorum).rows:
        said = votes_on(alone, (found.member, found.service))
        for verdict, honestly in zip(found.verdicts, said, strict=True):
            assert verdict in (Verdict.UNKNOWN, Verdict.EXCLUDED, *honestly)


@settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(parties(), st.data(), st.randoms())
def test_no_order_of_oracles_or_samples_changes_a_byte(
    party: Party, data: st.DataObject, random: Random
) -> None:
    observations = [observation(oracle, data.draw(lies)) for oracle in range(party.oracles)]
    once = agreed(observations, party.quorum)
    random.shuffle(observations)
    again = agreed(observations, party.quorum)
    assert once == again
    assert packed(once) == packed(again)


@settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(parties(), st.data())
def test_a_chain_is_at_fault_only_where_every_member_that_is_known_failed_it(
    party: Party, data: st.DataObject
) -> None:
    """Against the rule said the slow way, over verdicts that come of any votes."""
    observations = [observation(oracle, data.draw(lies)) for oracle in range(party.oracles)]
    result = {(r.member, r.service): r.verdicts for r in agreed(observations, party.quorum).rows}
    chains: dict[str, Callable[[str], bool]] = {
        "hub": lambda service: service != "relay",
        "relay": lambda service: service == "relay",
    }
    for includes in chains.values():
        endpoints = [e for e in ROSTER.endpoints if includes(e[1])]
        votes = {e: votes_on(observations, e) for e in endpoints}
        for slot in range(SLOTS):
            raw = {e: _counted(votes[e][slot], party.quorum) for e in endpoints}
            by_member = {
                member: {raw[e] for e in group} - {None}
                for member, group in groupby(endpoints, key=lambda e: e[0])
            }
            known = [outcomes for outcomes in by_member.values() if outcomes]
            fault = len(known) >= 2 and all(outcomes == {Status.FAILED} for outcomes in known)
            assert all((result[e][slot] == Verdict.EXCLUDED) == fault for e in endpoints)


def _counted(votes: list[int], quorum: int) -> Status | None:
    """The status that a quorum gives; with a majority as quorum there is at most one."""
    return next(
        (s for s in (Status.OK, Status.FAILED, Status.SLOW) if votes.count(s) >= quorum), None
    )
