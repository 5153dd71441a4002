"""Lump sums are paid once, and returned in part by whoever leaves within two years: F8, F15."""

from collections.abc import Iterator

import pytest

from ibp_chain.types import AccountId, BlockNumber, Planck
from ledger.pallets.payouts import PaidKey, PaidLine
from ledger.program.lumps import (
    MS_PER_DAY,
    Lump,
    LumpError,
    Lumps,
    Receipts,
    lumps_paid,
    receipts,
    returned_on_exit,
)
from ledger.program.rewards import lump_items
from tests.support.law import LAW, MEMBER

PAID_MS = 1_700_000_000_000
LUMP = Lump(MEMBER, 2, Planck(1_000_000), BlockNumber(9), PAID_MS)


def returned(days: float) -> int:
    return returned_on_exit(LUMP, PAID_MS + int(days * MS_PER_DAY), LAW.lumps).amount


@pytest.mark.parametrize(
    ("days", "amount"),
    [(0, 1_000_000), (1, 998_630), (365, 500_000), (729, 1_369), (730, 0), (5_000, 0)],
)
def test_a_lump_is_returned_pro_rata_over_730_days(days: int, amount: int) -> None:
    assert returned(days) == amount


def test_days_are_full_ones() -> None:
    assert returned(0.999) == returned(0)
    assert returned(729.999) == returned(729)


def test_what_is_returned_is_rounded_down_to_planck() -> None:
    assert returned(1) == 1_000_000 * 729 // 730


def test_the_lump_of_milestone_2_is_bound_by_the_boot_nodes_of_milestone_1() -> None:
    """F8: the clause of milestone 1 points at the lump of milestone 2, that of 4 at its own."""
    assert LAW.lumps.bound_by == {2: (1,), 4: (4,)}
    assert "bound by M1" in returned_on_exit(LUMP, PAID_MS, LAW.lumps).step.text


def test_the_step_can_be_worked_out_by_hand() -> None:
    step = returned_on_exit(LUMP, PAID_MS + 365 * MS_PER_DAY, LAW.lumps).step
    assert step.rule == "F8"
    assert step.text.endswith("paid in block 9, held for 365 full days: floor(1000000 * 365 / 730)")
    assert step.value == 500_000


def test_nobody_leaves_before_being_paid() -> None:
    with pytest.raises(LumpError, match="before the payment"):
        returned(-1)


# --- Once ---------------------------------------------------------------------------------------


def test_a_lump_is_paid_once() -> None:
    with pytest.raises(LumpError, match="amforc for milestone 2 was paid in block 9"):
        Lumps().pay(LUMP).pay(LUMP)


def test_a_lump_is_returned_once() -> None:
    lumps = Lumps().pay(LUMP).give_back(MEMBER, 2, Planck(5))
    with pytest.raises(LumpError, match="was returned before"):
        lumps.give_back(MEMBER, 2, Planck(5))


def test_a_lump_that_was_returned_is_not_paid_again() -> None:
    with pytest.raises(LumpError, match="it is paid once"):
        Lumps().pay(LUMP).give_back(MEMBER, 2, LUMP.amount).pay(LUMP)


def test_what_was_never_paid_is_not_returned() -> None:
    with pytest.raises(LumpError, match="was never paid"):
        Lumps().give_back(MEMBER, 2, Planck(0))


@pytest.mark.parametrize("amount", [-1, 1_000_001])
def test_no_more_comes_back_than_was_paid(amount: int) -> None:
    with pytest.raises(LumpError, match="cannot come back"):
        Lumps().pay(LUMP).give_back(MEMBER, 2, Planck(amount))


def test_the_lumps_of_milestones_2_and_4_are_two() -> None:
    fourth = Lump(MEMBER, 4, Planck(1), BlockNumber(10), PAID_MS)
    assert [lump.milestone for lump in Lumps().pay(fourth).pay(LUMP).of(MEMBER)] == [2, 4]


# --- Receipts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "accepted", "expected"),
    [
        (180, False, Receipts.NOT_YET_DUE),
        (181, False, Receipts.OVERDUE),
        (181, True, Receipts.ACCEPTED),
    ],
)
def test_receipts_are_due_180_days_after_a_lump(
    days: int, *, accepted: bool, expected: Receipts
) -> None:
    now = PAID_MS + days * MS_PER_DAY
    assert receipts(LUMP, now, LAW.lumps, accepted=accepted) is expected


# --- From the ledger ------------------------------------------------------------------------------


def paid(*lines: tuple[str, str, int]) -> Iterator[tuple[PaidKey, PaidLine]]:
    """(period, item, block) of payments to the member."""
    for period, item, block in lines:
        line = PaidLine(AccountId(bytes(32)), Planck(7), (BlockNumber(block), 0), 0)
        yield (period, MEMBER, item), line


def test_lumps_are_found_among_payments_by_their_items() -> None:
    lines = paid(("2026-01", "services", 3), ("2026-02", "lump-m4", 5), ("2026-01", "lump-m2", 4))
    times = {BlockNumber(4): 40, BlockNumber(5): 50}
    lumps, again = lumps_paid(lines, lump_items(LAW.milestones), times)
    assert [(lump.milestone, lump.block, lump.paid_ms) for lump in lumps.of(MEMBER)] == [
        (2, 4, 40), (4, 5, 50),
    ]  # fmt: skip
    assert again == ()


def test_a_lump_that_was_paid_under_another_period_too_is_told() -> None:
    lines = paid(("2026-02", "lump-m2", 8), ("2026-01", "lump-m2", 4))
    times = {BlockNumber(4): 40, BlockNumber(8): 80}
    lumps, again = lumps_paid(lines, lump_items(LAW.milestones), times)
    assert [lump.block for lump in lumps.of(MEMBER)] == [4]
    assert [(lump.block, lump.period) for lump in again] == [(8, "2026-02")]
