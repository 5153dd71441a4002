"""Seed 003, "Economic Requirements": deposit, unbonding, slash and its way back."""

from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.dtelecom.penalties import DAY
from ledger.program.dtelecom.staking import (
    Chunk,
    Stake,
    StakeError,
    Taken,
    deposit,
    restore,
    slash,
    slash_amount,
    slash_room,
    unbond,
    withdraw,
)
from tests.support.dtelecom import LAW, law

RULES = LAW.staking
STAKED = deposit(Stake(), 1000, Decimal(10_000))


def leaving(*amounts: int) -> Stake:
    """Of 1000, one amount unbonded a day."""
    stake = STAKED
    for day, amount in enumerate(amounts):
        stake = unbond(RULES, stake, amount, day * DAY)
    return stake


def test_a_deposit_is_bonded_and_valued_when_it_is_made() -> None:
    """Staking, "Amount: ~$10,000 worth of $DTEL" (D10): no mark-to-market."""
    more = deposit(STAKED, 1000, Decimal(30_000))
    assert more.bonded == 2000
    assert more.usd(2000) == 40_000
    assert more.usd(500) == 10_000
    assert Stake().usd(1) == 0


def test_what_is_unbonded_is_paid_after_seven_days_and_not_before() -> None:
    """Staking, "Withdrawal: 7-day unbonding period"."""
    stake = leaving(400)
    assert withdraw(stake, 7 * DAY - 1) == (stake, 0)
    after, paid = withdraw(stake, 7 * DAY)
    assert (paid, after.held, after.withdrawn) == (400, 600, 400)


def test_nothing_is_paid_twice() -> None:
    after, _ = withdraw(leaving(400), 7 * DAY)
    assert withdraw(after, 100 * DAY) == (after, 0)


def test_what_is_unbonding_is_slashed_too() -> None:
    """D5: the slash base includes the unbonding stake."""
    stake = leaving(400, 300)
    assert stake.held == 1000
    after, taken = slash(stake, 1000)
    assert after.held == 0
    assert taken == Taken(300, (Chunk(400, 7 * DAY), Chunk(300, 8 * DAY)))


def test_bonded_stake_is_slashed_first_and_then_what_is_ready_last() -> None:
    """D20."""
    after, taken = slash(leaving(400, 300), 500)
    assert taken == Taken(300, (Chunk(200, 8 * DAY),))
    assert after.unbonding == (Chunk(400, 7 * DAY), Chunk(100, 8 * DAY))


def test_what_a_slash_took_goes_back_where_it_was() -> None:
    """2.3 "5. Appeal process available"."""
    stake = leaving(400, 300)
    after, taken = slash(stake, 900)
    back = restore(after, taken)
    assert (back.bonded, back.unbonding, back.held) == (stake.bonded, stake.unbonding, 1000)
    assert (back.slashed, back.restored) == (900, 900)


def test_restored_stake_that_was_ready_long_ago_is_paid_at_once() -> None:
    """2.3 "5. Appeal process available"."""
    after, taken = slash(leaving(1000), 1000)
    assert withdraw(after, 30 * DAY)[1] == 0
    assert withdraw(restore(after, taken), 30 * DAY)[1] == 1000


@pytest.mark.parametrize("amount", [1001, -1])
def test_no_slash_is_above_the_stake(amount: int) -> None:
    with pytest.raises(StakeError, match="1000 are held"):
        slash(STAKED, amount)


def test_amounts_that_make_no_sense_are_refused() -> None:
    for amount in (0, -1):
        with pytest.raises(StakeError, match="above 0"):
            deposit(STAKED, amount, Decimal(1))
        with pytest.raises(StakeError, match="above 0"):
            unbond(RULES, STAKED, amount, 0)
    with pytest.raises(StakeError, match="1000 are bonded"):
        unbond(RULES, STAKED, 1001, 0)
    for usd in ("NaN", "-1", "Infinity"):
        with pytest.raises(StakeError, match="not worth"):
            deposit(STAKED, 1, Decimal(usd))


@pytest.mark.parametrize(
    ("share", "base", "held", "room", "amount"),
    [
        ("0.01", 1000, 1000, 1000, 10), ("0.01", 199, 199, 199, 1), ("0.01", 99, 99, 99, 0),
        ("0.5", 1000, 300, 1000, 300), ("0.5", 1000, 1000, 200, 200), ("1", 7, 7, 7, 7),
    ],
)  # fmt: skip
def test_a_slash_is_a_share_of_the_stake_at_the_offence_rounded_down(
    share: str, base: int, held: int, room: int, amount: int
) -> None:
    """D5: never more than what is held or what the cap leaves."""
    assert slash_amount(Fraction(share), base, held, room).value == amount


def test_slashes_together_stay_under_the_cumulative_cap() -> None:
    """D5: "cumulative cap 100%"; a lower one is a parameter."""
    assert slash_room(RULES, 400, 600) == 400
    half = law(('cumulative_cap = "1.00"', 'cumulative_cap = "0.50"')).staking
    assert slash_room(half, 1000, 0) == 500
    assert slash_room(half, 600, 400) == 100
    assert slash_room(half, 500, 500) == 0
    assert slash_room(half, 400, 600) == 0
