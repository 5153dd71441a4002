"""How long something takes on one core: the best of many passes, by CPU time and by the clock."""

import gc
import os
import time
from collections.abc import Callable
from typing import NamedTuple

ROUND_SECONDS = 0.25
"""A round repeats what is measured for this long, once at least: peers do so too."""


class Seconds(NamedTuple):
    """Of the fastest pass; `cpu` and `wall` may be of different ones."""

    cpu: float
    """Of the whole process, other threads included."""
    wall: float


def measured(do: Callable[[], object], rounds: int) -> Seconds:
    """The fastest of the passes of `rounds` rounds."""
    gc.collect()
    passes: list[Seconds] = []
    for _ in range(rounds):
        ends = time.perf_counter() + ROUND_SECONDS
        while True:
            passes.append(once(do))
            if time.perf_counter() >= ends:
                break
    return best(passes)


def once(do: Callable[[], object]) -> Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    do()
    return Seconds(time.process_time() - cpu, time.perf_counter() - wall)


def best(passes: list[Seconds]) -> Seconds:
    return Seconds(min(taken.cpu for taken in passes), min(taken.wall for taken in passes))


def stay_on_one_core() -> None:
    """This process and those that it starts; where the system knows no such thing, nothing."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
