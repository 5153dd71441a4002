"""The programme's time: the machine's, or a test network's that runs faster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.errors import ConfigError
from oracles.daemon.clocks import MachineClock, TimeLapse, utc

KNOTS = [(100.0, 1_000.0), (110.0, 4_000.0), (120.0, 4_010.0)]


def test_the_machines_clock_is_the_machines() -> None:
    clock = MachineClock(lambda: 7.5)
    assert (clock.now(), clock.at(3.0), clock.machine_at(4.0)) == (7.5, 3.0, 4.0)


def test_a_lapse_runs_evenly_between_knots_and_as_the_machine_beyond() -> None:
    clock = TimeLapse(lambda: 105.0, KNOTS)
    assert clock.now() == 2_500.0
    assert [clock.at(machine) for machine in (90, 100, 110, 115, 120, 130)] == [
        990,
        1_000,
        4_000,
        4_005,
        4_010,
        4_020,
    ]


@given(st.floats(0, 300))
def test_a_lapse_runs_both_ways(machine: float) -> None:
    clock = TimeLapse(lambda: 0.0, KNOTS)
    assert clock.machine_at(clock.at(machine)) == pytest.approx(machine)


@pytest.mark.parametrize(
    "knots",
    [
        [],
        [(1.0, 1.0), (1.0, 2.0)],
        [(1.0, 2.0), (2.0, 2.0)],
        [(1.0, 2.0), (2.0, 1.0)],
    ],
)
def test_time_does_not_stand_still_or_go_back(knots: list[tuple[float, float]]) -> None:
    with pytest.raises(ConfigError):
        TimeLapse(lambda: 0.0, knots)


def test_people_read_utc() -> None:
    assert utc(1_700_000_000.9) == "2023-11-14 22:13:20 UTC"
