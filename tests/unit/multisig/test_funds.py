"""What an account can spend or have reserved, as `pallet_balances` and `pallet_multisig` reckon."""

import pytest

from ibp_chain.types import Planck
from multisig.funds import Held, minimum_of, opening_deposit, reservable, spendable
from tests.support import payouts, recording

LEAST = Planck(10)


def held(free: int, reserved: int = 0, frozen: int = 0) -> Held:
    return {"free": free, "reserved": reserved, "frozen": frozen}


@pytest.mark.parametrize(
    ("account", "spends", "reserves"),
    [
        (None, 0, 0),
        (held(9), 0, 0),
        (held(10), 0, 0),
        (held(11), 1, 1),
        (held(100), 90, 90),
        (held(100, frozen=30), 70, 70),
        # a lock may rest on what is reserved where it is spent, and not where it is reserved
        (held(100, reserved=25, frozen=30), 90, 70),
        (held(100, reserved=5, frozen=30), 75, 70),
        (held(100, frozen=200), 0, 0),
    ],
)
def test_what_is_left_of_a_balance(account: Held, spends: int, reserves: int) -> None:
    assert (spendable(account, LEAST), reservable(account, LEAST)) == (spends, reserves)


def test_the_deposit_is_what_the_recorded_operations_held() -> None:
    multisigs = payouts.state(payouts.HALF_SIGNED).mirrors.multisig.multisigs
    (deposit,) = {operation.deposit for _, operation in multisigs.items()}
    assert opening_deposit(recording.runtime(), 3) == deposit == 201_840_000_000


def test_the_least_is_the_chains() -> None:
    assert minimum_of(recording.runtime()) > 0
