"""Averages over recorded prices: worked by hand, exact, and refused by day where one is missing."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.program.derivation import explain
from ledger.program.prices import (
    PriceError,
    PriceSeries,
    Span,
    average,
    planck_of,
    price_text,
    read_series,
    recorded,
)

FIRST = date(2026, 1, 1)
FETCHED = datetime(2027, 1, 1, 12, 30, tzinfo=UTC)


def series(*prices: str, first: date = FIRST, fetched: datetime = FETCHED) -> PriceSeries:
    days = [(first + timedelta(days=n), Decimal(price)) for n, price in enumerate(prices)]
    return recorded("DOT", "USD", "kraken", "DOTUSD", fetched, days)


# --- Averages -------------------------------------------------------------------------


def test_a_price_that_never_moves_averages_to_itself() -> None:
    flat = series(*["2.15"] * 120)
    for span in Span:
        assert average(flat, span, flat.last).usd == Decimal("2.15")


def test_ema7_of_a_step_is_worked_out_by_hand() -> None:
    """27 days at 4 and one at 8: the last day moves it by (8 - 4) x 2 / 8."""
    step = series(*["4"] * 27, "8")
    found = average(step, Span.EMA7, step.last)
    assert found.usd == 5
    assert found.series == step.hash


def test_ema7_forgets_its_seed_at_the_documented_rate() -> None:
    """7 days at 2 and 21 at 1: what is left of the difference is (3/4)^21."""
    found = average(series(*["2"] * 7, *["1"] * 21), Span.EMA7, date(2026, 1, 28))
    assert found.usd == Decimal("1.0023784090")
    assert abs(found.usd - 1 - (Decimal(3) / 4) ** 21) < Decimal("1E-10")


def test_ema30_gives_the_last_day_a_weight_of_two_of_thirty_one() -> None:
    found = average(series(*["31"] * 119, "62"), Span.EMA30, date(2026, 4, 30))
    assert found.usd == 33


def test_days_before_the_window_change_nothing() -> None:
    short = series(*["4"] * 27, "8", first=date(2026, 1, 11))
    long = series(*["999"] * 10, *["4"] * 27, "8")
    assert average(short, Span.EMA7, short.last).usd == average(long, Span.EMA7, long.last).usd


def test_an_average_is_of_the_day_that_is_asked_for() -> None:
    found = series(*["4"] * 28, "8")
    assert average(found, Span.EMA7, date(2026, 1, 28)).usd == 4
    assert average(found, Span.EMA7, date(2026, 1, 29)).usd == 5


def test_an_average_says_how_it_came_about() -> None:
    step = series(*["4"] * 27, "8")
    moved = "E + (price - E) x 2 / 8 on each of 21 days to 2026-01-28"
    assert explain(average(step, Span.EMA7, step.last).steps) == (
        "P1  mean of DOT in USD from 2026-01-01 to 2026-01-07, rounded = 4",
        f"P2  EMA7: {moved}, series 0x{step.hash.hex()}, rounded once (P3) = 5",
    )


# --- Missing and stale ----------------------------------------------------------------


def test_a_stale_series_is_refused_by_day() -> None:
    with pytest.raises(PriceError, match="end on 2026-01-28, 2026-01-31 is asked for"):
        average(series(*["4"] * 28), Span.EMA7, date(2026, 1, 31))


def test_a_series_that_begins_too_late_is_refused_by_day() -> None:
    with pytest.raises(PriceError, match=r"no price of 2025-12-31: EMA7 as of 2026-01-27 needs 28"):
        average(series(*["4"] * 28), Span.EMA7, date(2026, 1, 27))


def test_a_missing_day_is_refused_by_name() -> None:
    days = [(FIRST + timedelta(days=n), Decimal(1)) for n in range(10) if n != 4]
    with pytest.raises(PriceError, match="no price of 2026-01-05"):
        recorded("DOT", "USD", "kraken", "DOTUSD", FETCHED, days)


def test_a_day_twice_is_refused_by_name() -> None:
    days = [(FIRST, Decimal(1)), (FIRST, Decimal(2))]
    with pytest.raises(PriceError, match="2026-01-01 stands there twice"):
        recorded("DOT", "USD", "kraken", "DOTUSD", FETCHED, days)


def test_a_day_that_was_not_over_is_refused_by_name() -> None:
    midday = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert series("1", fetched=midday).last == FIRST
    with pytest.raises(PriceError, match="2026-01-02 was not over when it was fetched"):
        series("1", "2", fetched=midday)


@pytest.mark.parametrize("price", ["0", "-1", "0.00000000001", "1E+13"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(PriceError, match=r"days\.0"):
        series(price)


# --- The file -------------------------------------------------------------------------


def test_a_series_is_written_in_one_form_and_read_back() -> None:
    found = series("2.1500", "2.2", "0.0000000001")
    assert found.encoded == (
        b'{"days":[["2026-01-01","2.15"],["2026-01-02","2.2"],["2026-01-03","0.0000000001"]],'
        b'"fetched_at":"2027-01-01T12:30:00Z","format":"ibp-prices","pair":"DOTUSD",'
        b'"quote":"USD","source":"kraken","symbol":"DOT","version":1}'
    )
    assert read_series(found.encoded + b"\n", "file") == found
    assert read_series(found.encoded, "file").hash == found.hash


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("symbol", "BTC", "symbol"),
        ("quote", "EUR", "quote"),
        ("days", [], "days"),
        ("days", [["2026-02-30", "1"]], "days.0.0"),
        ("days", [["2026-01-01", "1"], ["2026-01-03", "1"]], "no price of 2026-01-02"),
        ("days", [["2026-01-02", "1"], ["2026-01-01", "1"]], "out of order"),
        ("days", [["2026-01-01", "1.10"]], "not in its one form"),
        ("days", [["2026-01-01", 1]], "days.0.1"),
        ("fetched_at", "2027-02-30T00:00:00Z", "fetched_at"),
        ("version", 2, "version"),
        ("note", "x", "note"),
    ],
)
def test_a_series_that_was_tampered_with_is_refused(field: str, value: Any, said: str) -> None:
    whole = json.loads(series("1").encoded) | {field: value}
    raw = json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(PriceError, match=r"^file: ") as refused:
        read_series(raw, "file")
    assert said in str(refused.value)


def test_a_series_in_another_spelling_is_refused() -> None:
    with pytest.raises(PriceError, match="canonical form"):
        read_series(series("1").encoded.replace(b",", b", "), "file")
    with pytest.raises(PriceError, match="no price series"):
        read_series(b"\xff", "file")


# --- Tokens ---------------------------------------------------------------------------


def test_an_amount_in_tokens_is_rounded_down() -> None:
    assert planck_of(Decimal("322.58"), Decimal("2.15"), 10) == 1500372093023
    assert planck_of(Decimal(0), Decimal("2.15"), 10) == 0


@pytest.mark.parametrize(
    ("price", "text"), [("2.1500", "2.15"), ("100", "100"), ("1E-10", "0.0000000001")]
)
def test_a_price_has_one_spelling(price: str, text: str) -> None:
    assert price_text(Decimal(price)) == text
