"""The network's checks find what they are for: a day as it should be, then with one thing wrong."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ibp_chain.types import Micros
from oracles.layout import SLOTS
from oracles.report import ConsensusRow, MilestoneDay, ReportRow, Verdict
from scripts.network.checks import DESERVED, charges_of, member_faults
from scripts.network.course import OUTAGE_SLOTS
from scripts.network.evidence import DaySeen
from scripts.network.members import MEMBERS, Role
from scripts.network.timetable import FIRST_DAY, Timetable

POLLED = tuple(Timetable(0.0, 1).polled(FIRST_DAY))
SERVICE = "polkadot"


def verdicts(role: Role, slots: Mapping[int, Verdict] | None = None) -> bytes:
    """Of the first day: what `role` deserves in the slots that are polled, but for `slots`."""
    found = [Verdict.UNKNOWN] * SLOTS
    for slot in POLLED:
        down = role is Role.OUTAGE and slot in OUTAGE_SLOTS
        found[slot] = Verdict.FAILED if down else DESERVED[role]
    for slot, verdict in (slots or {}).items():
        found[slot] = verdict
    return bytes(found)


def day(wrong: Mapping[Role, Mapping[int, Verdict]]) -> DaySeen:
    """The first day, with other verdicts for the members of some roles, and their charges."""
    rows: list[ReportRow] = []
    for member in MEMBERS:
        codes = verdicts(member.role, wrong.get(member.role))
        times = (Micros(1_000),) * sum(code in (Verdict.OK, Verdict.SLOW) for code in codes)
        rows.append(ConsensusRow(FIRST_DAY, member.id, SERVICE, codes, times))
        (failed, slow), (failed_run, slow_run) = charges_of(codes, (0, 0))
        points = -7 * failed - slow
        rows.append(
            MilestoneDay(FIRST_DAY, member.id, 3, points, False, failed, slow, failed_run, slow_run)
        )
    return DaySeen(FIRST_DAY, frozenset(), {}, None, (), rows)


def test_a_day_on_which_everybody_gets_what_it_deserves_has_no_fault() -> None:
    assert list(member_faults([day({})])) == []


@pytest.mark.parametrize(
    ("role", "verdict", "slot"),
    [
        (Role.HEALTHY, Verdict.FAILED, POLLED[0]),
        (Role.HEALTHY, Verdict.SLOW, POLLED[1]),
        (Role.DEAD, Verdict.OK, POLLED[2]),
        (Role.SLOW, Verdict.OK, POLLED[0]),
        (Role.STUCK, Verdict.OK, POLLED[3]),
        (Role.IPV6_BROKEN, Verdict.OK, POLLED[3]),
        (Role.OUTAGE, Verdict.OK, OUTAGE_SLOTS[0]),
        (Role.OUTAGE, Verdict.FAILED, OUTAGE_SLOTS[0] - 1),
        (Role.HEALTHY, Verdict.EXCLUDED, POLLED[0]),
    ],
)
def test_one_wrong_slot_is_found(role: Role, verdict: Verdict, slot: int) -> None:
    faults = list(member_faults([day({role: {slot: verdict}})]))
    assert any(f"({role}): {verdict.name} in slot {slot}" in fault for fault in faults)


def test_a_charge_that_does_not_follow_from_the_slots_is_found() -> None:
    right = day({})
    rows = tuple(
        replace(row, failed_charges=row.failed_charges + 1)
        if isinstance(row, MilestoneDay) and row.member == MEMBERS[0].id
        else row
        for row in right.rows
    )
    (fault,) = member_faults([replace(right, rows=rows)])
    assert "charges are due" in fault


def test_a_day_of_which_next_to_nothing_is_known_is_no_success() -> None:
    silent = dict.fromkeys(POLLED, Verdict.UNKNOWN)
    faults = list(member_faults([day({Role.HEALTHY: silent})]))
    assert any("only 0 slots are known" in fault for fault in faults)


def test_an_outage_that_nobody_noticed_is_found() -> None:
    unseen = dict.fromkeys(OUTAGE_SLOTS[:5], Verdict.UNKNOWN)
    faults = list(member_faults([day({Role.OUTAGE: unseen})]))
    assert any("was not noticed" in fault for fault in faults)
