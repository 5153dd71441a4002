"""Served days: uptime over all services of a UTC day, compared without rounding."""

from datetime import date
from itertools import permutations

import pytest

from ibp_chain.types import Ppm
from multisig.errors import StatementError
from multisig.service import ServiceRecord, served_days

FIRST, SECOND = date(2026, 1, 30), date(2026, 1, 31)
THRESHOLD = Ppm(999_000)


def record(
    known: int, failed: int, *, day: date = FIRST, member: str = "amforc", service: str = "rpc"
) -> ServiceRecord:
    return ServiceRecord(day, member, service, known, failed)


@pytest.mark.parametrize(
    ("known", "failed", "served"),
    [
        (288, 0, True),
        (288, 1, False),  # 996,527 ppm
        (1_000, 1, True),  # exactly 999,000 ppm
        (999, 1, False),  # 998,998.99… ppm, which rounding up would let pass
        (1_001, 1, True),
        (1, 0, True),
        (1, 1, False),
    ],
)
def test_a_day_is_served_from_the_threshold_on(known: int, failed: int, *, served: bool) -> None:
    days = served_days([record(known, failed)], THRESHOLD)
    assert days == ({"amforc": (FIRST,)} if served else {})


def test_a_day_of_which_nothing_is_known_is_not_served() -> None:
    assert served_days([record(0, 0)], THRESHOLD) == {}
    assert served_days([record(0, 0)], Ppm(0)) == {}


def test_services_count_together_by_their_polls() -> None:
    """A bad hour of one service is carried by the others: 2 of 2,000 is 999,000 ppm."""
    records = [record(500, 2, service="rpc"), record(1_500, 0, service="bootnode")]
    assert served_days(records, THRESHOLD) == {"amforc": (FIRST,)}
    assert served_days(records[:1], THRESHOLD) == {}


def test_days_and_members_are_counted_apart() -> None:
    records = [
        record(288, 0, day=SECOND),
        record(288, 0),
        record(288, 288, member="rival"),
        record(288, 0, member="rival", day=SECOND),
    ]
    expected = {"amforc": (FIRST, SECOND), "rival": (SECOND,)}
    assert served_days(records, THRESHOLD) == expected
    for order in permutations(records):
        assert list(served_days(order, THRESHOLD).items()) == list(expected.items())


def test_a_service_listed_twice_is_an_error() -> None:
    with pytest.raises(StatementError, match="two records about 2026-01-30 amforc rpc"):
        served_days([record(288, 0), record(288, 0)], THRESHOLD)


@pytest.mark.parametrize(("known", "failed"), [(1, 2), (0, 1), (5, -1), (-1, -1)])
def test_counts_that_cannot_be_are_no_record(known: int, failed: int) -> None:
    with pytest.raises(ValueError, match="polls failed"):
        record(known, failed)
