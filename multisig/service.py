"""How well members served, as a statement wants it: plain values, checked by their bringer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ibp_chain.types import Ppm
from ledger.program.polls import uptime_of
from multisig.errors import StatementError


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One (member, service) over one UTC day, from a row under that day's standing root."""

    day: date
    member: str
    service: str
    known: int
    """Polls whose outcome a quorum of oracles knew: ok, slow or failed, none that is excluded."""
    failed: int

    def __post_init__(self) -> None:
        if not 0 <= self.failed <= self.known:
            raise ValueError(f"{self.failed} of {self.known} polls failed")


def served_days(records: Iterable[ServiceRecord], threshold: Ppm) -> dict[str, tuple[date, ...]]:
    """The days, ascending, on which a member's uptime over all its services reached `threshold`.

    A day of which nothing is known is not served: nothing stands for it. Raises `StatementError`
    for two records about the same (day, member, service).
    """
    seen: set[tuple[date, str, str]] = set()
    polls: dict[tuple[str, date], list[tuple[int, int]]] = {}
    for record in records:
        about = record.day, record.member, record.service
        if about in seen:
            raise StatementError(f"two records about {' '.join(map(str, about))}")
        seen.add(about)
        polls.setdefault((record.member, record.day), []).append((record.known, record.failed))
    served: dict[str, list[date]] = {}
    for (member, day), parts in sorted(polls.items()):
        share = uptime_of(parts)
        if share is not None and share >= threshold:
            served.setdefault(member, []).append(day)
    return {member: tuple(days) for member, days in served.items()}
