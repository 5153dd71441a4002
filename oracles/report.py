"""The rows of a day's report: the agreed slots, what they come to, and the points they cost.

The slots are in the tree beside the scores, so that whoever has a standing report's rows can
recompute every score in it from that report and the report of the day before.
"""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any, NamedTuple

from ibp_chain.remarks import Kind
from ibp_chain.scale import schema
from ibp_chain.scale.schema import Schema
from ibp_chain.types import Micros, Ppm
from ledger.program.polls import uptime
from oracles import layout
from oracles.layout import SLOTS
from oracles.rows import Layout
from oracles.rules import check_slug


class Verdict(IntEnum):
    """What a quorum of oracles says of one slot. The first four are numbered as `Status`."""

    OK = 0
    FAILED = 1
    SLOW = 2
    UNKNOWN = 3
    """No status had a quorum."""
    EXCLUDED = 4
    """Everybody failed the chain in this slot: nobody is charged."""


_VERDICTS = bytes(Verdict)


class Counts(NamedTuple):
    """How many slots ended how."""

    ok: int
    failed: int
    slow: int
    unknown: int
    excluded: int

    @property
    def known(self) -> int:
        return self.ok + self.failed + self.slow

    @property
    def uptime(self) -> Ppm | None:
        """1 - failed / known, rounded down; None where nothing is known (F6)."""
        return uptime(self.known, self.failed)


@dataclass(frozen=True, slots=True)
class ConsensusRow:
    """What the oracles agreed on for one (member, service). Raises `ValueError` when impossible."""

    day: date
    member: str
    service: str
    verdicts: bytes
    """One `Verdict` per slot."""
    times: tuple[Micros, ...]
    """The median response time of each OK or SLOW slot, in slot order."""

    def __post_init__(self) -> None:
        check_slug(self.member, "member")
        check_slug(self.service, "service")
        layout.check_series(self.verdicts, self.times, _VERDICTS)

    @property
    def counts(self) -> Counts:
        return Counts(*map(self.verdicts.count, Verdict))

    def fields(self) -> dict[str, Any]:
        return {
            "row": "consensus",
            "day": self.day.isoformat(),
            "member": self.member,
            "service": self.service,
            "verdicts": self.verdicts.translate(bytes.maketrans(_VERDICTS, b".FS?x")).decode(),
            "times_us": list(self.times),
        }


@dataclass(frozen=True, slots=True)
class ServiceDay:
    """One (member, service) over one day. Raises `ValueError` when impossible."""

    day: date
    member: str
    service: str
    ok: int
    failed: int
    slow: int
    unknown: int
    excluded: int
    uptime: Ppm | None
    p50: Micros | None
    p95: Micros | None
    p99: Micros | None

    def __post_init__(self) -> None:
        check_slug(self.member, "member")
        check_slug(self.service, "service")
        if min(self.counts) < 0 or sum(self.counts) != SLOTS:
            raise ValueError(f"the slots of a day are {SLOTS}, not {sum(self.counts)}")
        if self.uptime != self.counts.uptime:
            raise ValueError(f"uptime {self.uptime} does not follow from the counts")
        percentiles = [time for time in (self.p50, self.p95, self.p99) if time is not None]
        if len(percentiles) != (3 if self.ok + self.slow else 0):
            raise ValueError("percentiles are given exactly where a slot was answered")
        if percentiles != sorted(percentiles):
            raise ValueError("percentiles fall")

    @property
    def counts(self) -> Counts:
        return Counts(self.ok, self.failed, self.slow, self.unknown, self.excluded)

    def fields(self) -> dict[str, Any]:
        measured = {
            "uptime_ppm": self.uptime,
            "p50_us": self.p50,
            "p95_us": self.p95,
            "p99_us": self.p99,
        }
        return {
            "row": "service-day",
            "day": self.day.isoformat(),
            "member": self.member,
            "service": self.service,
            **self.counts._asdict(),
            **{name: value for name, value in measured.items() if value is not None},
        }


@dataclass(frozen=True, slots=True)
class MilestoneDay:
    """One (member, milestone) over one day: the points, why, and the runs that go on tomorrow."""

    day: date
    member: str
    milestone: int
    points: int
    """Of this day alone, below zero after charges."""
    clean: bool
    failed_charges: int
    slow_charges: int
    failed_run: int
    """Unbroken failed slots up to midnight, carried into the next day."""
    slow_run: int

    def __post_init__(self) -> None:
        check_slug(self.member, "member")
        if not 1 <= self.milestone <= 8:
            raise ValueError(f"milestone {self.milestone} is outside 1 to 8")
        if self.failed_run and self.slow_run:
            raise ValueError("a slot is failed or slow, never both")

    def fields(self) -> dict[str, Any]:
        return {
            "row": "milestone-day",
            "day": self.day.isoformat(),
            "member": self.member,
            "milestone": self.milestone,
            "points": self.points,
            "clean": self.clean,
            "failed_charges": self.failed_charges,
            "slow_charges": self.slow_charges,
            "failed_run": self.failed_run,
            "slow_run": self.slow_run,
        }


ReportRow = ConsensusRow | ServiceDay | MilestoneDay

_ABOUT: dict[str, Schema[Any]] = {"day": layout.day, "member": schema.text}
_CONSENSUS = layout.row(
    ConsensusRow, **_ABOUT, service=schema.text, verdicts=layout.codes, times=layout.times
)
_SERVICE_DAY = layout.row(
    ServiceDay,
    **_ABOUT,
    service=schema.text,
    ok=schema.u16,
    failed=schema.u16,
    slow=schema.u16,
    unknown=schema.u16,
    excluded=schema.u16,
    uptime=schema.option(schema.u32),
    p50=schema.option(schema.u32),
    p95=schema.option(schema.u32),
    p99=schema.option(schema.u32),
)
_MILESTONE_DAY = layout.row(
    MilestoneDay,
    **_ABOUT,
    milestone=schema.u8,
    points=schema.i32,
    clean=schema.boolean,
    failed_charges=schema.u32,
    slow_charges=schema.u32,
    failed_run=schema.u32,
    slow_run=schema.u32,
)


def _key(row: ReportRow) -> tuple[int, str, str | int]:
    match row:
        case ConsensusRow():
            return 0, row.member, row.service
        case ServiceDay():
            return 1, row.member, row.service
        case MilestoneDay():
            return 2, row.member, row.milestone


REPORT: Layout[ReportRow] = Layout(
    Kind.REPORT,
    schema.union(
        schema.Variant(0, ConsensusRow, _CONSENSUS),
        schema.Variant(1, ServiceDay, _SERVICE_DAY),
        schema.Variant(2, MilestoneDay, _MILESTONE_DAY),
    ),
    _key,
)
