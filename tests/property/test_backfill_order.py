"""The merge of ranges: whatever order they come in, and however often, the sequence is one."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.errors import InputError
from ledger.backfill_order import InOrder, Patience, Watch, in_order
from ledger.facts import BlockFacts, gather
from ledger.replay import apply_facts
from ledger.state import State
from tests.unit.store.demo import CURATORS, PASEO, demo, roots


@st.composite
def completions(draw: st.DrawFn, count: int) -> list[int]:
    """The places of `count` ranges as they are done: any order, some of them twice."""
    twice = draw(st.lists(st.integers(0, count - 1), max_size=count))
    return draw(st.permutations([*range(count), *twice]))


@given(st.integers(1, 40).flatmap(completions))
def test_any_order_of_completions_gives_one_sequence(done: list[int]) -> None:
    merged = list(in_order((place, f"range {place}") for place in done))
    assert merged == [f"range {place}" for place in range(len(set(done)))]


@given(st.integers(1, 12).flatmap(completions))
def test_of_two_results_of_a_place_the_first_counts(done: list[int]) -> None:
    order, kept = InOrder[int](), dict[int, int]()
    merged = []
    for nth, place in enumerate(done):
        assert order.put(place, nth) == (place not in kept)
        kept.setdefault(place, nth)
        while order.peek() is not None:
            merged.append(order.take())
    assert merged == [kept[place] for place in sorted(kept)]


@settings(max_examples=20)
@given(completions(12))
def test_facts_merged_in_any_order_of_ranges_give_the_roots_of_a_replay(done: list[int]) -> None:
    ranges = _ranges()
    state = State(PASEO, CURATORS)
    for part in in_order((place, ranges[place]) for place in done):
        for facts in part:
            apply_facts(state, facts, demo().runtime_of(facts.spec_version))
    assert state.root() == roots()[-1]


@cache
def _ranges() -> list[list[BlockFacts]]:
    facts = [gather(b, demo().runtime_of(b.spec_version), PASEO) for b in demo().blocks]
    return [facts[at : at + 5] for at in range(0, len(facts), 5)]


@pytest.fixture(scope="module", autouse=True)
def _gathered() -> None:
    """Before any example: a runtime that is read raises the limit of recursion once."""
    _ranges()
    roots()


def test_a_range_out_of_its_turn_is_refused_by_the_applier() -> None:
    state, facts = State(PASEO, CURATORS), _ranges()[1][0]
    with pytest.raises(InputError, match="starts with the first block"):
        apply_facts(state, facts, demo().runtime_of(facts.spec_version))


def test_a_dropped_result_makes_room_for_another() -> None:
    order = InOrder[str]()
    assert order.put(0, "lost")
    order.drop(0)
    assert not order.has(0)
    assert order.put(0, "found")
    assert order.take() == "found"
    assert order.has(0)


# --- Lateness -----------------------------------------------------------------------------

SECOND = Patience(times=3.0, floor_seconds=1.0, attempts=3)


def test_before_a_peer_is_done_only_the_longest_wait_counts() -> None:
    watch = Watch(SECOND)
    watch.submitted(0, 0.0)
    assert watch.late(SECOND.most_seconds) == []
    assert watch.late(SECOND.most_seconds + 1) == [0]


def test_a_range_without_attempts_left_is_given_up_in_the_end() -> None:
    watch, long = Watch(SECOND), SECOND.most_seconds
    for at in (0.0, 1.0, 2.0):
        assert watch.given_up(at + 2 * long) == []
        watch.submitted(0, at)
    assert watch.late(1e9) == []
    assert watch.given_up(2.0 + long) == []
    assert watch.given_up(2.1 + long) == [0]
    watch.finished(0, 3.0 + long)
    assert watch.given_up(1e9) == []


def test_what_takes_much_longer_than_its_peers_is_late_and_again_after_as_long() -> None:
    watch = Watch(SECOND)
    for place in range(4):
        watch.submitted(place, 0.0)
    for place in (1, 2, 3):
        watch.finished(place, 2.0)
    assert watch.late(6.0) == []
    assert watch.late(6.1) == [0]
    assert watch.submitted(0, 6.1) == 2
    assert watch.late(12.0) == []
    assert watch.late(12.2) == [0]
    assert watch.submitted(0, 12.2) == 3
    assert watch.late(1e9) == []  # as often as it may be


def test_quick_peers_do_not_make_a_range_late_before_the_floor() -> None:
    watch = Watch(SECOND)
    watch.submitted(0, 0.0)
    watch.submitted(1, 0.0)
    watch.finished(1, 0.01)
    assert watch.late(1.0) == []
    assert watch.late(1.01) == [0]


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=200), st.floats(0, 1e4))
def test_a_range_is_late_only_above_the_floor_and_the_multiple(
    took: list[float], age: float
) -> None:
    watch = Watch(SECOND)
    for place, seconds in enumerate(took, 1):
        watch.submitted(place, 0.0)
        watch.finished(place, seconds)
    watch.submitted(0, 0.0)
    if watch.late(age):
        assert age > SECOND.floor_seconds
        assert age > SECOND.times * min(took)
    else:
        assert age <= max(SECOND.floor_seconds, SECOND.times * max(took))
