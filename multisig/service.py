"""How well members served, as a statement wants it: plain values, checked by their bringer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ibp_chain.types import Ppm

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One (member, service) over one UTC day, from a row under that day's standing root."""

    day: date
    member: str
    service: str
    known: int
    """Polls whose outcome a quorum of oracles knew."""
    failed: int

    def __post_init__(self) -> None:
        if not 0 <= self.failed <= self.known:
            raise ValueError(f"{self.failed} of {self.known} polls failed")


def served_days(records: Iterable[ServiceRecord], threshold: Ppm) -> dict[str, frozenset[date]]:
    """The days on which each member's uptime over all its services reached `threshold`.

    A day of which nothing is known is not served: nothing stands for it.
    """
    known: dict[tuple[str, date], int] = {}
    failed: dict[tuple[str, date], int] = {}
    for record in records:
        key = record.member, record.day
        known[key] = known.get(key, 0) + record.known
        failed[key] = failed.get(key, 0) + record.failed
    served: dict[str, set[date]] = {}
    for (member, day), polls in known.items():
        days = served.setdefault(member, set())
        # compared as products: a quotient would have to be rounded
        if polls and (polls - failed[member, day]) * _MILLION >= threshold * polls:
            days.add(day)
    return {member: frozenset(days) for member, days in served.items()}
