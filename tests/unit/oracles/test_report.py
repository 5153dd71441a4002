"""The rows of a report: what cannot be, and what people read."""

from dataclasses import replace

import pytest

from ibp_chain.types import Micros, Ppm
from oracles.report import ConsensusRow, Counts, MilestoneDay, ServiceDay, Verdict
from oracles.samples import Status
from tests.support.scores import DAY

SLOTS = ConsensusRow(
    DAY, "alpha", "polkadot", bytes([0, 1, 2, 3, 4]) + bytes(283), (Micros(9),) * 285
)
SERVICE = ServiceDay(
    DAY, "alpha", "polkadot", 284, 1, 1, 1, 1, Ppm(996_503), Micros(1), Micros(2),
    Micros(3),
)  # fmt: skip
SILENT = ServiceDay(DAY, "alpha", "polkadot", 0, 0, 0, 288, 0, None, None, None, None)
MILESTONE = MilestoneDay(DAY, "alpha", 3, -14, False, 2, 0, 1, 0)


def test_verdicts_are_numbered_as_statuses() -> None:
    assert [Verdict[status.name].value for status in Status] == [0, 1, 2, 3]
    assert Verdict.EXCLUDED.value == len(Status)


def test_slots_are_counted_by_verdict() -> None:
    assert SLOTS.counts == Counts(ok=284, failed=1, slow=1, unknown=1, excluded=1)
    assert SLOTS.counts.known == 286


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdicts": bytes([5]) + bytes(287)}, "5 is no code"),
        ({"verdicts": bytes(289)}, "289 slots"),
        ({"times": ()}, "0 response times for 285"),
        ({"member": "-alpha"}, "no member id"),
        ({"service": "polka dot"}, "no service id"),
    ],
)
def test_impossible_slots_cannot_be_made(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(SLOTS, **change)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("row", "change", "said"),
    [
        (SERVICE, {"ok": 283}, "288, not 287"),
        (SERVICE, {"ok": 286, "unknown": -1}, "are 288"),
        (SERVICE, {"uptime": 10**6}, "does not follow"),
        (SERVICE, {"uptime": None}, "does not follow"),
        (SILENT, {"uptime": 0}, "does not follow"),
        (SERVICE, {"p50": None}, "exactly where a slot was answered"),
        (SILENT, {"p50": 1, "p95": 1, "p99": 1}, "exactly where a slot was answered"),
        (SERVICE, {"p95": 4}, "percentiles fall"),
        (SERVICE, {"p50": 3}, "percentiles fall"),
        (SERVICE, {"member": "x" * 33}, "no member id"),
    ],
)
def test_a_service_day_that_contradicts_itself_cannot_be_made(
    row: ServiceDay, change: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        replace(row, **change)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"milestone": 0}, "outside 1 to 8"),
        ({"milestone": 9}, "outside 1 to 8"),
        ({"slow_run": 1}, "never both"),
        ({"member": ""}, "no member id"),
    ],
)
def test_a_milestone_day_that_contradicts_itself_cannot_be_made(
    change: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        replace(MILESTONE, **change)  # type: ignore[arg-type]  # wrong on purpose


def test_people_read_each_row() -> None:
    assert SLOTS.fields()["verdicts"] == ".FS?x" + "." * 283
    assert SERVICE.fields() == {
        "row": "service-day", "day": "2026-01-29", "member": "alpha", "service": "polkadot",
        "ok": 284, "failed": 1, "slow": 1, "unknown": 1, "excluded": 1,
        "uptime_ppm": 996_503, "p50_us": 1, "p95_us": 2, "p99_us": 3,
    }  # fmt: skip
    assert MILESTONE.fields() == {
        "row": "milestone-day", "day": "2026-01-29", "member": "alpha", "milestone": 3,
        "points": -14, "clean": False, "failed_charges": 2, "slow_charges": 0,
        "failed_run": 1, "slow_run": 0,
    }  # fmt: skip


def test_what_is_not_known_is_left_out() -> None:
    assert not {"uptime_ppm", "p50_us", "p95_us", "p99_us"} & set(SILENT.fields())
