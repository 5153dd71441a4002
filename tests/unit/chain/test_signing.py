"""Mortal eras. Whole extrinsics are compared with peers in tests/differential."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.errors import InputError
from ibp_chain.signing import Era
from ibp_chain.types import BlockNumber

PERIODS = [2**n for n in range(2, 17)]


def test_worked_example_of_sp_runtime() -> None:
    # sp_runtime::generic::era, test quadratic_period_phase_encoding: Era::mortal(64, 42)
    assert Era.born_at(BlockNumber(42), 64).encode() == bytes([5 + 42 % 16 * 16, 42 // 16])


def test_long_eras_are_quantised() -> None:
    # the same test: Era::mortal(32768, 20000)
    assert Era.born_at(BlockNumber(20_000), 32_768).encode() == bytes(
        [14 + 2_500 % 16 * 16, 2_500 // 16]
    )


@pytest.mark.parametrize("period", [0, 1, 2, 3, 63, 65, 2**17])
def test_a_period_is_a_power_of_two_in_range(period: int) -> None:
    with pytest.raises(InputError, match="power of two"):
        Era.born_at(BlockNumber(1), period)


@given(st.integers(0, 2**32 - 1), st.sampled_from(PERIODS), st.data())
def test_an_era_is_seen_alike_from_every_block_of_its_life(
    block: int, period: int, data: st.DataObject
) -> None:
    era = Era.born_at(BlockNumber(block), period)
    birth = era.birth(BlockNumber(block))
    assert birth <= block
    assert block - birth < max(period >> 12, 1)
    later = data.draw(st.integers(birth, birth + period - 1))
    assert era.birth(BlockNumber(later)) == birth


@given(st.integers(0, 2**32 - 1), st.sampled_from(PERIODS))
def test_an_era_reads_back_as_it_was_written(block: int, period: int) -> None:
    era = Era.born_at(BlockNumber(block), period)
    assert Era.decode(era.encode()) == era


@pytest.mark.parametrize("raw", ["", "00", "0000", "4100", "ff00ff", "a50200", "1000"])
def test_what_no_era_is_written_as_is_refused(raw: str) -> None:
    with pytest.raises(InputError, match="no mortal era"):
        Era.decode(bytes.fromhex(raw))
