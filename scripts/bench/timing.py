"""How long something takes on one core: the best of many passes, by CPU time and by the clock."""

import gc
import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

K = TypeVar("K")
T = TypeVar("T")

WINDOW_SECONDS = 0.1
"""What is measured is repeated for this long, once at least: by peers too."""


class Seconds(NamedTuple):
    """Of the fastest pass; `cpu` and `wall` may be of different ones."""

    cpu: float
    """Of the whole process, other threads included."""
    wall: float


def in_turns(contestants: Mapping[K, Callable[[], Seconds]], rounds: int) -> dict[K, Seconds]:
    """The best of each over `rounds`; in every round each has its turn.

    A machine is slow for seconds at a time, and in turns that hits all alike.
    """
    taken: dict[K, list[Seconds]] = {key: [] for key in contestants}
    for _ in range(rounds):
        for key, measure in contestants.items():
            taken[key].append(measure())
    return {key: best(turns) for key, turns in taken.items()}


def turn(do: Callable[[], object]) -> Callable[[], Seconds]:
    """A contestant for `in_turns`: the fastest pass of one window."""

    def measure() -> Seconds:
        gc.collect()
        ends = time.perf_counter() + WINDOW_SECONDS
        passes = [once(do)]
        while time.perf_counter() < ends:
            passes.append(once(do))
        return best(passes)

    return measure


def once(do: Callable[[], object]) -> Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    do()
    return Seconds(time.process_time() - cpu, time.perf_counter() - wall)


def timed(do: Callable[[], T], rounds: int) -> tuple[Seconds, T]:
    """The fastest of `rounds`, and what it came to."""
    found: list[T] = []
    passes = []
    for _ in range(rounds):
        found.clear()
        gc.collect()
        passes.append(once(lambda: found.append(do())))
    return best(passes), found[0]


def best(passes: list[Seconds]) -> Seconds:
    return Seconds(min(taken.cpu for taken in passes), min(taken.wall for taken in passes))


def stay_on_one_core() -> None:
    """This process and those that it starts; where the system knows no such thing, nothing."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
