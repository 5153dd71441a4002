"""In which order ranges are merged, and when one of them has been waited for too long.

Contract: pure. Moments come in as arguments, in seconds of any clock that only goes forward.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

T = TypeVar("T")


class InOrder(Generic[T]):
    """Results that come in any order, some of them twice, and are taken in the order of places."""

    def __init__(self) -> None:
        self._waiting: dict[int, T] = {}
        self.next = 0
        """The place whose turn it is."""

    def put(self, place: int, result: T) -> bool:
        """Whether it counts: the first result of a place does, any other changes nothing."""
        if place < self.next or place in self._waiting:
            return False
        self._waiting[place] = result
        return True

    def has(self, place: int) -> bool:
        return place < self.next or place in self._waiting

    def drop(self, place: int) -> None:
        """Forget a result that could not be fetched: another one will come."""
        del self._waiting[place]

    def peek(self) -> T | None:
        """The result whose turn it is, if it has come."""
        return self._waiting.get(self.next)

    def take(self) -> T:
        """The result whose turn it is, which has come."""
        result = self._waiting.pop(self.next)
        self.next += 1
        return result


def in_order(results: Iterable[tuple[int, T]]) -> Iterator[T]:
    """Results by place, as they come, in the order of their places from 0 on."""
    waiting = InOrder[T]()
    for place, result in results:
        waiting.put(place, result)
        while waiting.peek() is not None:
            yield waiting.take()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a range is waited for before it is given to a second worker."""

    times: float = 4.0
    """As many times what its peers took at the median."""
    floor_seconds: float = 20.0
    """And never less than this."""
    attempts: int = 4
    """In all; then it is only waited for."""
    most_seconds: float = 1_800.0
    """As long as no peer is done and nothing can be compared; and for the last attempt."""

    def limit(self, took: Iterable[float]) -> float:
        """Seconds."""
        known = list(took)
        return max(self.floor_seconds, self.times * median(known)) if known else self.most_seconds


class Watch:
    """Which of the ranges that are under way are late."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since: dict[int, float] = {}
        """When each place was last submitted."""
        self._attempts: dict[int, int] = {}
        self._took: list[float] = []

    def submitted(self, place: int, at: float) -> int:
        """The how-manieth attempt this is, from 1."""
        self._since[place] = at
        self._attempts[place] = self._attempts.get(place, 0) + 1
        return self._attempts[place]

    def finished(self, place: int, at: float) -> None:
        """A first result has come. What it took counts where one attempt was enough."""
        since = self._since.pop(place)
        if self._attempts[place] == 1:
            self._took = [*self._took[-(_KEPT - 1) :], at - since]

    def attempts(self, place: int) -> int:
        return self._attempts.get(place, 0)

    def late(self, at: float) -> list[int]:
        """Places to be submitted once more, the one whose turn comes first in front."""
        limit = self._patience.limit(self._took)
        return sorted(
            place
            for place, since in self._since.items()
            if at - since > limit and self._attempts[place] < self._patience.attempts
        )

    def given_up(self, at: float) -> list[int]:
        """Places of which no attempt is left, and the last one has been waited for too long."""
        limit = max(self._patience.most_seconds, self._patience.limit(self._took))
        return sorted(
            place
            for place, since in self._since.items()
            if at - since > limit and self._attempts[place] >= self._patience.attempts
        )


_KEPT = 64
"""Durations that are compared with: ranges differ along a chain."""
