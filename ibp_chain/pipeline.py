"""Work done ahead in threads and delivered in order.

Contract: knows nothing of what the work is. The consumer's thread draws tasks and asks `stop`; only
`work` runs in others, and none of them is left when the iterator has ended or was closed.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

Work = Callable[[Task, Event], Result]
"""One task. The event is set once nobody wants the result any more: the work shall end then."""

ATTENTION_SECONDS = 0.1
"""How long it takes at most until `stop` is asked again."""


def ordered(
    work: Work[Task, Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    ahead: int,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Result, None, None]:
    """The result of `work` for each of `tasks`, in their order.

    At most `workers` tasks are worked on at a time, and at most `ahead` are drawn whose results
    were not delivered yet: that bounds what is kept in memory. An exception of a task comes where
    its result would have, and ends the iteration; so does `stop`, without one.
    """
    abandoned, waiting = Event(), deque[Future[Result]]()
    drawn = iter(tasks)
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as threads:
        try:
            while not stop():
                while len(waiting) < ahead:
                    try:
                        task = next(drawn)
                    except StopIteration:
                        break
                    waiting.append(threads.submit(work, task, abandoned))
                if not waiting:
                    return
                result = _result(waiting[0], stop)
                if result is None:
                    return
                waiting.popleft()
                yield result[0]
        finally:
            abandoned.set()  # before the pool waits for its threads
            for future in waiting:
                future.cancel()


def _result(future: Future[Result], stop: Callable[[], bool]) -> tuple[Result] | None:
    """Of `future`, once it is there; None where `stop` said so first."""
    while True:
        try:
            return (future.result(ATTENTION_SECONDS),)
        except TimeoutError:
            if future.done():  # it is the work's own
                raise
            if stop():
                return None
