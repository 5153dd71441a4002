"""Seed 000, milestone 7: what tasks are worth; F10 and F12."""

from decimal import Decimal

import pytest

from ibp_chain.errors import InputError
from ledger.program.rewards import claims, lump_items, task_reward
from tests.support.law import LAW


@pytest.mark.parametrize(
    ("task", "usd"),
    [
        ("geodns-host", 600),
        ("anycast-host", 1_200),
        ("snapshot-host", 1_600),
        ("telemetry-host", 0),
    ],
)
def test_what_a_month_of_a_task_is_worth(task: str, usd: int) -> None:
    reward = task_reward(LAW, task)
    assert reward.value == usd
    assert reward.steps[-1].rule == f"M7.{task}"


def test_of_hosting_anycast_600_are_man_hours() -> None:
    """F10: 1,200 less 600 is what seed 000 does not account for."""
    assert task_reward(LAW, "anycast-host").steps[0].text == "600 man-hours + 600 other"


def test_snapshots_are_800_for_infrastructure_and_800_for_work() -> None:
    assert task_reward(LAW, "snapshot-host").steps[0].text == "800 man-hours + 800 other"


def test_tools_are_paid_by_the_hour() -> None:
    reward = task_reward(LAW, "tools", hours=Decimal("12.5"))
    assert reward.value == 625
    assert reward.steps[0].text == "12.5 hours * 50"


@pytest.mark.parametrize("hours", ["-1", "NaN", "Infinity"])
def test_hours_that_nobody_can_work_are_refused(hours: str) -> None:
    with pytest.raises(InputError, match="cannot be worked"):
        task_reward(LAW, "tools", hours=Decimal(hours))


def test_other_tasks_are_not_paid_by_the_hour() -> None:
    with pytest.raises(InputError, match="by the month"):
        task_reward(LAW, "geodns-host", hours=Decimal(1))


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(InputError, match="no task 'juggling'"):
        task_reward(LAW, "juggling")


@pytest.mark.parametrize("task", list(LAW.milestones[7].tasks))
def test_every_task_brings_30_points(task: str) -> None:
    assert claims(LAW, [], [task]).value == 30


def test_points_of_milestones_and_tasks_add_up_as_claims() -> None:
    """F12: claims on another programme, in no payment."""
    claimed = claims(LAW, [1, 2, 3], ["tools"])
    assert claimed.value == 90
    assert {step.rule for step in claimed.steps} == {"F12"}
    assert claims(LAW, range(1, 9), LAW.milestones[7].tasks).value == 30 * 3 + 15 + 100 + 5 * 30


def test_points_are_claimed_once_for_each() -> None:
    assert claims(LAW, [1, 1], ["tools", "tools", "juggling"]).value == 60


def test_lump_sums_are_called_by_their_milestones() -> None:
    assert lump_items(LAW.milestones) == {"lump-m2": 2, "lump-m4": 4}
