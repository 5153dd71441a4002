"""How well members served, as a statement wants it: plain values, checked by their bringer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ibp_chain.types import Ppm
from multisig.errors import StatementError

_MILLION = 1_000_000


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
    polls: dict[tuple[str, date], tuple[int, int]] = {}
    for record in records:
        about = record.day, record.member, record.service
        if about in seen:
            raise StatementError(f"two records about {' '.join(map(str, about))}")
        seen.add(about)
        known, failed = polls.get((record.member, record.day), (0, 0))
        polls[record.member, record.day] = known + record.known, failed + record.failed
    served: dict[str, list[date]] = {}
    for (member, day), (known, failed) in sorted(polls.items()):
        # compared as products: a quotient would have to be rounded
        if known and (known - failed) * _MILLION >= threshold * known:
            served.setdefault(member, []).append(day)
    return {member: tuple(days) for member, days in served.items()}
