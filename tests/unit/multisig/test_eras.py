"""Eras that people can keep to."""

import pytest

from ibp_chain.errors import InputError
from ibp_chain.signing import MAX_PERIOD
from multisig.eras import (
    MINUTES_PER_PERSON,
    PEOPLE,
    era_warning,
    longest_period,
    period_of,
)
from tests.support import recording


def test_the_longest_era_ends_while_the_chain_remembers_its_beginning() -> None:
    remembered = recording.runtime().constant("System", "BlockHashCount")
    found = longest_period(recording.runtime())
    assert found <= remembered < 2 * found
    assert found == 4_096 < MAX_PERIOD


def test_a_longer_era_than_the_chain_remembers_is_refused() -> None:
    runtime = recording.runtime()
    assert (period_of(None, runtime), period_of(64, runtime)) == (4_096, 64)
    with pytest.raises(InputError, match="4096 at most"):
        period_of(8_192, runtime)


@pytest.mark.parametrize(
    ("period", "block_ms", "enough"),
    [
        (4_096, 6_000, True),  # the relay chain: 6.8 hours
        (4_096, 2_000, True),  # Asset Hub at two seconds: 2.3 hours
        (2_048, 2_000, False),
        (64, 6_000, False),
        (1_024, 6_000, True),
        (900, 6_000, True),
        (899, 6_000, False),
    ],
)
def test_an_era_too_short_for_three_people_is_warned_of(
    period: int, block_ms: int, enough: bool
) -> None:
    warning = era_warning(period, block_ms)
    assert (warning is None) == enough == (period * block_ms >= 90 * 60_000)
    if warning is not None:
        for said in (f"{PEOPLE} people", f"{MINUTES_PER_PERSON} minutes", f"{period:,} blocks"):
            assert said in warning
