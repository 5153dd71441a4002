"""What one oracle saw: polls of five-minute slots, and the rows that it commits to.

A row is one (member, service) over one UTC day. A slot that was not polled is unknown, so samples
that say "unknown" and samples that are missing give the same vote: none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Any, NamedTuple

from ibp_chain.remarks import Kind
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, Micros
from oracles import layout
from oracles.errors import SampleError
from oracles.layout import MAX_MICROS, RESPONSIVE, SLOT_SECONDS, SLOTS
from oracles.rows import Layout
from oracles.rules import check_slug


class Status(IntEnum):
    """The outcome of one poll."""

    OK = 0
    FAILED = 1
    SLOW = 2
    UNKNOWN = 3
    """The oracle could not tell: its own network, a skipped slot, a restart."""


_STATUSES = bytes(Status)
_UNPOLLED = 0xFF


class Sample(NamedTuple):
    """One poll by one oracle."""

    oracle: AccountId
    day: date
    slot: int
    """0 to 287; slot k begins k * 5 minutes after midnight UTC."""
    member: str
    service: str
    status: Status
    response_time: Micros | None
    """Request latency less network latency, never below 0; set exactly for OK and SLOW."""


def slot_of(unix_seconds: int) -> tuple[date, int]:
    """The UTC day and slot that a time falls into."""
    moment = datetime.fromtimestamp(unix_seconds, UTC)
    return moment.date(), (moment.hour * 3600 + moment.minute * 60 + moment.second) // SLOT_SECONDS


def slot_start(day: date, slot: int) -> datetime:
    """When `slot` of `day` begins, UTC."""
    if not 0 <= slot < SLOTS:
        raise SampleError(f"slot {slot}; a day has 0 to {SLOTS - 1}")
    return datetime(day.year, day.month, day.day, slot // 12, slot % 12 * 5, tzinfo=UTC)


def status_of(response_time: Micros, slow_at: Micros) -> Status:
    """OK or SLOW: F1 wants less than `slow_at`, strictly."""
    return Status.SLOW if response_time >= slow_at else Status.OK


@dataclass(frozen=True, slots=True)
class ObservationRow:
    """What one oracle saw of one (member, service) in one day. Raises `ValueError` when impossible.

    It names its oracle and day, so that neither a copied root nor yesterday's rows pass as its own.
    """

    oracle: AccountId
    day: date
    member: str
    service: str
    statuses: bytes
    """One `Status` per slot."""
    times: tuple[Micros, ...]
    """One per OK or SLOW slot, in slot order."""

    def __post_init__(self) -> None:
        check_slug(self.member, "member")
        check_slug(self.service, "service")
        layout.check_series(self.statuses, self.times, _STATUSES)

    def fields(self) -> dict[str, Any]:
        return {
            "row": "observation",
            "oracle": "0x" + self.oracle.hex(),
            "day": self.day.isoformat(),
            "member": self.member,
            "service": self.service,
            "statuses": self.statuses.translate(bytes.maketrans(_STATUSES, b".FS?")).decode(),
            "times_us": list(self.times),
        }


OBSERVATION: Layout[ObservationRow] = Layout(
    Kind.OBSERVE,
    layout.row(
        ObservationRow,
        oracle=schema.account,
        day=layout.day,
        member=schema.text,
        service=schema.text,
        statuses=layout.codes,
        times=layout.times,
    ),
    key=lambda row: (row.member, row.service),
)


def observation_rows(
    samples: Iterable[Sample], *, oracle: AccountId, day: date
) -> tuple[ObservationRow, ...]:
    """The canonical rows of `oracle`'s own samples of `day`, in whatever order they come.

    Raises `SampleError` for a sample of another oracle or day, an impossible one, or a slot polled
    twice.
    """
    polled: dict[tuple[str, str], tuple[bytearray, list[Micros]]] = {}
    for sample in samples:
        _check(sample, oracle, day)
        endpoint = sample.member, sample.service
        if endpoint not in polled:
            polled[endpoint] = bytearray([_UNPOLLED]) * SLOTS, [Micros(0)] * SLOTS
        statuses, times = polled[endpoint]
        if statuses[sample.slot] != _UNPOLLED:
            raise SampleError(f"{_where(sample)}: polled twice")
        statuses[sample.slot] = sample.status
        times[sample.slot] = sample.response_time or Micros(0)
    missing = bytes.maketrans(bytes([_UNPOLLED]), bytes([Status.UNKNOWN]))
    try:
        return OBSERVATION.canonical(
            ObservationRow(
                oracle,
                day,
                member,
                service,
                bytes(statuses).translate(missing),
                tuple(t for s, t in zip(statuses, times, strict=True) if s in RESPONSIVE),
            )
            for (member, service), (statuses, times) in polled.items()
        )
    except ValueError as error:
        raise SampleError(str(error)) from error


def samples_of(row: ObservationRow) -> Iterator[Sample]:
    """The polls behind a row, unknown ones left out."""
    times = layout.spread(row.statuses, row.times)
    for slot, (status, time) in enumerate(zip(row.statuses, times, strict=True)):
        if status != Status.UNKNOWN:
            yield Sample(row.oracle, row.day, slot, row.member, row.service, Status(status), time)


def _check(sample: Sample, oracle: AccountId, day: date) -> None:
    if sample.oracle != oracle or sample.day != day:
        raise SampleError(f"{_where(sample)}: of another oracle or day")
    if not 0 <= sample.slot < SLOTS:
        raise SampleError(f"{_where(sample)}: a day has slots 0 to {SLOTS - 1}")
    time = sample.response_time
    if (time is not None) != (sample.status in RESPONSIVE):
        raise SampleError(
            f"{_where(sample)}: {sample.status.name} with response time {time}; "
            "exactly OK and SLOW have one"
        )
    if time is not None and not 0 <= time <= MAX_MICROS:
        raise SampleError(f"{_where(sample)}: response time of {time} microseconds")


def _where(sample: Sample) -> str:
    return f"{sample.day} slot {sample.slot} {sample.member}/{sample.service}"
