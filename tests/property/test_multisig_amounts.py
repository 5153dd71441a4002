"""Amounts never exceed what is owed, and a document that was touched is not taken."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.errors import CheckFailed
from ibp_chain.networks import NETWORKS, Network
from ibp_chain.types import Planck
from multisig.bundle import Bundle, check_bundle
from multisig.documents import MAX_PLANCK, parse
from multisig.errors import DocumentError, StatementError
from multisig.statement import Line, Price, Reason, Statement, Withheld, planck_owed, usd_owed
from tests.support import payouts, recording

CENT = Fraction(1, 100)
ENCODED = payouts.bundle().encoded

amounts = st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=2)
prices = st.decimals(Decimal("0.000001"), 10**6, allow_nan=False, allow_infinity=False, places=6)
months = st.integers(28, 31).flatmap(lambda days: st.tuples(st.integers(0, days), st.just(days)))
networks = st.sampled_from(list(NETWORKS.values()))


# --- Amounts ------------------------------------------------------------------------------


@given(amounts, months)
def test_usd_owed_are_at_most_what_is_due_and_less_than_a_cent_below(
    per_month: Decimal, month: tuple[int, int]
) -> None:
    served, days = month
    due = Fraction(per_month) * served / days
    owed = Fraction(usd_owed(per_month, served, days))
    assert owed <= due < owed + CENT
    assert (owed / CENT).denominator == 1


@given(amounts, prices, networks)
def test_planck_owed_are_at_most_what_is_due_and_less_than_one_below(
    usd: Decimal, price: Decimal, chain: Network
) -> None:
    due = Fraction(usd) / Fraction(price) * 10**chain.decimals
    owed = planck_owed(usd, price, chain)
    assert owed <= due < owed + 1


@given(amounts, months)
def test_another_day_is_never_worth_less(per_month: Decimal, month: tuple[int, int]) -> None:
    served, days = month
    owed = [usd_owed(per_month, each, days) for each in range(served + 1)]
    assert owed == sorted(owed)


@given(st.tuples(amounts, amounts), months)
def test_a_higher_monthly_amount_never_owes_less(
    per_month: tuple[Decimal, Decimal], month: tuple[int, int]
) -> None:
    lower, higher = sorted(per_month)
    assert usd_owed(lower, *month) <= usd_owed(higher, *month)


@given(st.tuples(amounts, amounts), st.tuples(prices, prices), networks)
def test_more_usd_or_a_lower_price_never_pay_fewer_planck(
    usd: tuple[Decimal, Decimal], price: tuple[Decimal, Decimal], chain: Network
) -> None:
    (less, more), (cheap, dear) = sorted(usd), sorted(price)
    assert planck_owed(less, dear, chain) <= planck_owed(more, dear, chain)
    assert planck_owed(more, dear, chain) <= planck_owed(more, cheap, chain)


@given(st.decimals(0, 10**28, places=0), st.integers(0, 18))
def test_an_amount_fits_a_balance_or_is_refused(usd: Decimal, digits: int) -> None:
    price = Decimal(1).scaleb(-digits)
    try:
        assert 0 <= planck_owed(usd, price, payouts.PASEO) <= MAX_PLANCK
    except StatementError:
        assert Fraction(usd) / Fraction(price) * 10**10 > MAX_PLANCK


# --- Documents ----------------------------------------------------------------------------

plain_text = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
slugs = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
plancks = st.integers(0, MAX_PLANCK).map(Planck)
any_price = st.decimals(Decimal("1e-18"), 10**20, allow_nan=False, allow_infinity=False, places=18)

lines = st.builds(
    Line,
    member=slugs,
    item=slugs,
    payee=plain_text,
    days=st.lists(st.dates().map(str), min_size=1, max_size=5).map(tuple),
    usd=amounts,
    planck=plancks,
)
withheld = st.builds(
    Withheld, member=slugs, item=slugs, reason=st.sampled_from(Reason), detail=plain_text
)


def stated(**fields: Any) -> Statement:
    """The recorded statement with other `fields`."""
    return payouts.bundle().statement.model_copy(update=fields)


statements = st.builds(
    stated,
    price=st.builds(
        Price,
        usd=any_price,
        source=plain_text,
        at=st.datetimes().map(lambda at: f"{at:%Y}".zfill(4) + f"{at:-%m-%dT%H:%M:%SZ}"),
    ),
    lines=st.lists(lines, max_size=3).map(tuple),
    withheld=st.lists(withheld, max_size=3).map(tuple),
)


@given(statements)
def test_a_statement_is_read_as_it_was_written(statement: Statement) -> None:
    again = parse(statement.encoded, Statement)
    assert again == statement
    assert again.encoded == statement.encoded
    assert again.hash == statement.hash


@given(statements, st.binary(max_size=200), st.integers(1, 2**53 - 1))
def test_a_bundle_is_read_as_it_was_written(statement: Statement, call: bytes, part: int) -> None:
    changes = {"statement": statement, "part": part, "parts": part}
    bundle = payouts.resealed(payouts.bundle().model_copy(update=changes), call)
    again = parse(bundle.encoded, Bundle)
    assert again == bundle
    assert again.encoded == bundle.encoded


@given(st.binary(max_size=200))
def test_bytes_that_are_no_document_are_refused(data: bytes) -> None:
    with pytest.raises(DocumentError):
        parse(data, Statement)


@pytest.fixture(scope="module", autouse=True)
def _recording() -> None:
    """Made before any example: it takes seconds."""
    recording.peer()
    payouts.state(payouts.STATED)


def assert_not_taken(data: bytes) -> None:
    try:
        bundle = parse(data, Bundle)
    except DocumentError:
        return
    with pytest.raises(CheckFailed):
        check_bundle(
            bundle,
            payouts.state(payouts.STATED),
            payouts.genesis_hash(),
            recording.runtime(),
            recording.peer(),
        )


positions = st.integers(0, len(ENCODED) - 1)


@settings(max_examples=80, deadline=None)
@given(positions, st.sampled_from(range(1, 256)))
def test_a_bundle_with_one_byte_changed_is_refused(place: int, difference: int) -> None:
    changed = bytearray(ENCODED)
    changed[place] ^= difference
    assert_not_taken(bytes(changed))


@settings(max_examples=80, deadline=None)
@given(positions, st.sampled_from(b"0123456789abcdef"))
def test_a_bundle_with_one_digit_changed_is_refused(place: int, digit: int) -> None:
    """What remains well formed more often than not."""
    if ENCODED[place] != digit:
        assert_not_taken(ENCODED[:place] + bytes((digit,)) + ENCODED[place + 1 :])


@settings(deadline=None)
@given(positions)
def test_a_bundle_with_a_byte_left_out_or_doubled_is_refused(place: int) -> None:
    assert_not_taken(ENCODED[:place] + ENCODED[place + 1 :])
    assert_not_taken(ENCODED[: place + 1] + ENCODED[place:])
