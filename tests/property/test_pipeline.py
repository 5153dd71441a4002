"""Work that is done ahead comes in order, whatever each piece takes and wherever one fails."""

import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from random import Random
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.pipeline import ordered


class _Failed(Exception):
    pass


def _threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("ahead")]


shapes = st.tuples(st.integers(1, 4), st.integers(1, 6))
"""Workers, and how far ahead."""


@settings(max_examples=60, deadline=None)
@given(shapes, st.lists(st.integers(0, 2), max_size=20))
def test_results_come_in_the_order_of_their_tasks(shape: tuple[int, int], times: list[int]) -> None:
    workers, ahead = shape
    drawn, delivered, furthest = 0, 0, 0
    working, most = 0, 0
    lock = threading.Lock()

    def tasks() -> Iterator[tuple[int, int]]:
        nonlocal drawn, furthest
        for task in enumerate(times):
            drawn += 1
            furthest = max(furthest, drawn - delivered)
            yield task

    def work(task: tuple[int, int], abandoned: Event) -> int:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        abandoned.wait(task[1] / 1_000)
        with lock:
            working -= 1
        return task[0]

    for result in ordered(work, tasks(), workers=workers, ahead=ahead):
        assert result == delivered
        delivered += 1
    assert delivered == len(times)
    assert furthest <= ahead
    assert most <= workers
    assert not _threads()


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(0, 12), st.randoms(use_true_random=False))
def test_a_failure_comes_where_its_result_would_have(
    shape: tuple[int, int], fails: int, dice: Random
) -> None:
    times = [dice.random() / 1_000 for _ in range(fails + 5)]

    def work(task: int, abandoned: Event) -> int:
        abandoned.wait(times[task])
        if task >= fails:
            raise _Failed(task)
        return task

    got: list[int] = []
    with pytest.raises(_Failed) as caught:
        got.extend(ordered(work, range(len(times)), workers=shape[0], ahead=shape[1]))
    assert got == list(range(fails))
    assert caught.value.args == (fails,)
    assert not _threads()


@pytest.mark.parametrize("error", [TimeoutError, StopIteration, SystemExit])
def test_any_exception_of_the_work_is_raised_as_it_is(error: type[BaseException]) -> None:
    def work(_task: int, _abandoned: Event) -> int:
        raise error("of the work")

    # a generator cannot let StopIteration out: it is a RuntimeError then, by the language
    with pytest.raises((error, RuntimeError)):
        list(ordered(work, [1], workers=1, ahead=1))
    assert not _threads()


def test_who_stops_early_leaves_no_thread_and_does_not_wait_for_the_work() -> None:
    def forever(task: int, abandoned: Event) -> int:
        if task >= 3:
            assert abandoned.wait(60), "nobody said that the result is not wanted"
        return task

    with closing(ordered(forever, count(), workers=2, ahead=4)) as results:
        assert list(islice(results, 3)) == [0, 1, 2]
    assert not _threads()


def test_stop_is_heard_while_the_next_result_takes_its_time() -> None:
    asked = count()

    def forever(_task: int, abandoned: Event) -> int:
        assert abandoned.wait(60), "nobody said that the result is not wanted"
        return 0

    results = ordered(forever, [1, 2], workers=1, ahead=1, stop=lambda: next(asked) > 2)
    assert list(results) == []
    assert not _threads()
