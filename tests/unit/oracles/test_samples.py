"""Polls become slots of a UTC day, and slots become the rows that an oracle commits to."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from ibp_chain.types import Micros
from oracles.errors import SampleError
from oracles.samples import (
    ObservationRow,
    Sample,
    Status,
    observation_rows,
    samples_of,
    slot_of,
    slot_start,
    status_of,
)
from tests.support.scores import DAY, FAST, ORACLES, SLOTS, SLOW, observed, sample, sampled, series


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


# --- Slots --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "slot"),
    [("00:00:00", 0), ("00:04:59", 0), ("00:05:00", 1), ("12:00:00", 144), ("23:59:59", 287)],
)
def test_a_slot_is_five_minutes_from_midnight_utc(moment: str, slot: int) -> None:
    assert slot_of(unix(f"2026-01-29T{moment}")) == (DAY, slot)


def test_every_slot_starts_where_the_one_before_ends() -> None:
    starts = [slot_start(DAY, slot) for slot in range(SLOTS)]
    assert starts[0] == datetime(2026, 1, 29, tzinfo=UTC)
    assert {b - a for a, b in pairwise(starts)} == {timedelta(minutes=5)}
    assert [slot_of(int(start.timestamp())) for start in starts] == [
        (DAY, slot) for slot in range(SLOTS)
    ]


@pytest.mark.parametrize("slot", [-1, 288])
def test_a_day_has_288_slots(slot: int) -> None:
    with pytest.raises(SampleError, match="0 to 287"):
        slot_start(DAY, slot)


def test_a_response_is_slow_from_the_threshold_on() -> None:
    threshold = Micros(100_000)
    assert status_of(Micros(99_999), threshold) is Status.OK
    assert status_of(threshold, threshold) is Status.SLOW


# --- Rows ---------------------------------------------------------------------------


def test_a_slot_that_was_not_polled_is_unknown() -> None:
    (row,) = sampled(sample(0), sample(2, Status.FAILED), sample(3, Status.SLOW))
    assert row == observed(0, series(".?FS", "?"))
    assert row.times == (FAST, SLOW)


def test_saying_unknown_is_the_same_as_saying_nothing() -> None:
    assert sampled(sample(5)) == sampled(sample(5), sample(6, Status.UNKNOWN))


def test_an_oracle_that_polled_nothing_has_no_rows() -> None:
    assert sampled() == ()


def test_rows_ascend_by_member_and_service_in_whatever_order_samples_come() -> None:
    polls = [
        sample(slot, member=member)._replace(service=service)
        for member in ("beta", "alpha")
        for service in ("polkadot", "kusama")
        for slot in (7, 3)
    ]
    rows = sampled(*polls)
    assert [(row.member, row.service) for row in rows] == [
        ("alpha", "kusama"), ("alpha", "polkadot"), ("beta", "kusama"), ("beta", "polkadot"),
    ]  # fmt: skip
    assert sampled(*reversed(polls)) == rows


def test_samples_come_back_from_their_row() -> None:
    polls = (sample(0), sample(10, Status.FAILED), sample(287, Status.SLOW))
    (row,) = sampled(*polls)
    assert tuple(samples_of(row)) == polls


def test_a_response_time_of_nothing_is_a_time() -> None:
    (row,) = sampled(sample(0)._replace(response_time=Micros(0)))
    assert row.times == (0,)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (sample(0, oracle=1), "another oracle or day"),
        (sample(0)._replace(day=DAY - timedelta(days=1)), "another oracle or day"),
        (sample(288), "0 to 287"),
        (sample(-1), "0 to 287"),
        (sample(0)._replace(response_time=None), "OK with response time None"),
        (sample(0, Status.FAILED)._replace(response_time=FAST), "FAILED with response time 20000"),
        (sample(0, Status.UNKNOWN)._replace(response_time=FAST), "UNKNOWN with response time"),
        (sample(0)._replace(response_time=Micros(-1)), "response time of -1"),
        (sample(0)._replace(response_time=Micros(2**32)), "response time of 4294967296"),
        (sample(0, member="Alpha"), "no member id"),
        (sample(0)._replace(service="polkadot\n"), "no service id"),
    ],
)
def test_a_sample_that_nobody_can_have_taken_is_refused(bad: Sample, said: str) -> None:
    with pytest.raises(SampleError, match=said):
        sampled(sample(100), bad)


@pytest.mark.parametrize("second", list(Status))
def test_a_slot_is_polled_once(second: Status) -> None:
    with pytest.raises(SampleError, match="slot 4 alpha/polkadot: polled twice"):
        sampled(sample(4), sample(4, second))


def test_saying_unknown_first_uses_up_the_slot() -> None:
    with pytest.raises(SampleError, match="polled twice"):
        sampled(sample(4, Status.UNKNOWN), sample(4))


def test_rows_are_of_one_oracle_and_day() -> None:
    with pytest.raises(SampleError, match="another oracle or day"):
        observation_rows([sample(0)], oracle=ORACLES[1], day=DAY)
    with pytest.raises(SampleError, match="another oracle or day"):
        observation_rows([sample(0)], oracle=ORACLES[0], day=date(2026, 1, 30))


# --- Impossible rows -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"statuses": bytes(287)}, "287 slots"),
        ({"statuses": bytes([4]) + bytes(287)}, "4 is no code"),
        ({"times": (FAST,) * 287}, "287 response times for 288 answered slots"),
        ({"times": (FAST,) * 289}, "289 response times for 288 answered slots"),
        ({"times": (Micros(-1), *(FAST,) * 287)}, "outside 0 to"),
        ({"times": (Micros(2**32), *(FAST,) * 287)}, "outside 0 to"),
        ({"member": "a" * 33}, "no member id"),
        ({"service": ""}, "no service id"),
    ],
)
def test_an_impossible_row_cannot_be_made(change: dict[str, object], said: str) -> None:
    row = observed(0, series(""))
    with pytest.raises(ValueError, match=said):
        replace(row, **change)  # type: ignore[arg-type]  # wrong on purpose


def test_people_read_a_row_as_text_and_numbers() -> None:
    row: ObservationRow = observed(0, series(".FS", "?"))
    assert row.fields() == {
        "row": "observation",
        "oracle": "0x" + ORACLES[0].hex(),
        "day": "2026-01-29",
        "member": "alpha",
        "service": "polkadot",
        "statuses": ".FS" + "?" * 285,
        "times_us": [20_000, 140_000],
    }
