"""USD for one DOT or KSM: an exponential moving average over recorded daily prices.

Pure. A series is a file of its own: canonical JSON (RFC 8785) with every day's price, its source
and when it was fetched; what is paid by it names its hash. Rules, as docs/billing.md numbers them:

* P1  the average of span N starts as the mean of the first N of 4N days, the last of which is the
      day asked for
* P2  each day after them moves it: E = E + (price - E) x 2 / (N + 1)
* P3  the result is rounded once, to ten decimals, a tie to the even digit

The seed then has a weight below 0.3 %. A series that starts earlier gives the same result: exactly
4N days count. A day that is missing, or not there yet, is an error that names it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import InputError, RemarkError
from ibp_chain.remark_bodies import Day
from ibp_chain.remarks import canonical_json, read_canonical
from ibp_chain.types import Hash, Planck
from ibp_chain.validation import Strict, first_problem
from ledger.program.derivation import Step

PLACES = 10
"""Decimals of a recorded price and of an average."""
_SPANS_COUNTED = 4
_PRICE = re.compile(rf"(?:0|[1-9][0-9]{{0,11}})(?:\.[0-9]{{1,{PLACES}}})?")
_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


class PriceError(InputError):
    """A price cannot be had from a series."""


class Span(IntEnum):
    """Days of an average, as the programme names them: EMA7, EMA30."""

    EMA7 = 7
    EMA30 = 30

    @property
    def days(self) -> int:
        """How many days count."""
        return _SPANS_COUNTED * self


def _price(value: Any) -> Any:
    if isinstance(value, Decimal):
        value = price_text(value)
    if not isinstance(value, str) or not _PRICE.fullmatch(value):
        raise ValueError('a price is written as text in plain digits, such as "2.15"')
    return Decimal(value)


PriceText = Annotated[Decimal, BeforeValidator(_price), Field(gt=0)]
DayPrice = Annotated[tuple[Day, PriceText], Field(strict=False)]


class PriceSeries(Strict):
    """One price for each day, ascending, without a gap. Raises `PriceError` by `recorded`."""

    format: Literal["ibp-prices"] = "ibp-prices"
    version: Literal[1] = 1
    symbol: Literal["DOT", "KSM"]
    quote: Literal["USD", "USDT"]
    """What a price is in: a market against USDT is taken as one against USD, and says so."""
    source: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    pair: Annotated[str, Field(pattern=r"^[A-Za-z0-9/_-]{1,32}$")]
    """What the source calls the market."""
    fetched_at: Annotated[str, Field(pattern=_INSTANT)]
    """UTC."""
    days: Annotated[tuple[DayPrice, ...], Field(strict=False, min_length=1)]

    @property
    def encoded(self) -> bytes:
        """The one form in which it is written and hashed."""
        value = self.model_dump(mode="python")
        value["days"] = [[day, price_text(price)] for day, price in self.days]
        return canonical_json(value)

    @property
    def hash(self) -> Hash:
        return blake2_256(self.encoded)

    @property
    def first(self) -> date:
        return date.fromisoformat(self.days[0][0])

    @property
    def last(self) -> date:
        return date.fromisoformat(self.days[-1][0])


@dataclass(frozen=True, slots=True)
class Average:
    """A price as it is used, and what it follows from."""

    usd: Decimal
    span: Span
    as_of: date
    series: Hash
    symbol: str
    quote: str
    """`USDT` where the market's prices are in that, taken as USD."""
    steps: tuple[Step, ...]


def recorded(
    symbol: str,
    quote: str,
    source: str,
    pair: str,
    fetched_at: datetime,
    days: Iterable[tuple[date, Decimal]],
) -> PriceSeries:
    """A series of what was fetched, prices rounded to ten decimals.

    Raises `PriceError` naming the day that is missing, stands there twice, was not over when it was
    fetched or has no price above zero.
    """
    listed = sorted((day.isoformat(), _rounded(price)) for day, price in days)
    value = {
        "format": "ibp-prices",
        "version": 1,
        "symbol": symbol,
        "quote": quote,
        "source": source,
        "pair": pair,
        "fetched_at": f"{fetched_at:%Y-%m-%dT%H:%M:%SZ}",
        "days": listed,
    }
    return _checked(value, f"prices of {symbol} from {source}")


def read_series(raw: bytes, where: str) -> PriceSeries:
    """The series in `raw`. Raises `PriceError` naming `where` and what is wrong."""
    data = raw.removesuffix(b"\n")
    try:
        value = read_canonical(data, "price series")
    except RemarkError as error:
        raise PriceError(f"{where}: {error}") from error
    series = _checked(value, where)
    if series.encoded != data:
        raise PriceError(f"{where}: a value is not in its one form")
    return series


def average(series: PriceSeries, span: Span, as_of: date) -> Average:
    """The EMA of `span` as of the end of `as_of`.

    Raises `PriceError` naming the first day that it needs and the series does not have.
    """
    first = as_of - timedelta(days=span.days - 1)
    if series.last < as_of:
        raise PriceError(
            f"the prices are stale: they end on {series.last}, {as_of} is asked for; fetch again"
        )
    if series.first > first:
        raise PriceError(
            f"no price of {first}: EMA{int(span)} as of {as_of} needs {span.days} days from then"
            f" on, the series begins on {series.first}"
        )
    start = (first - series.first).days
    window = [Fraction(price) for _, price in series.days[start : start + span.days]]
    seed = sum(window[:span], Fraction(0)) / span
    value = seed
    for price in window[span:]:
        value += (price - value) * Fraction(2, span + 1)
    result = _rounded(value)
    return Average(
        usd=result,
        span=span,
        as_of=as_of,
        series=series.hash,
        symbol=series.symbol,
        quote=series.quote,
        steps=_steps(series, span, as_of, seed, result),
    )


def planck_of(amount: Decimal, price: Decimal, decimals: int) -> Planck:
    """`amount` USD in the smallest unit of a token, rounded down. `price` is above zero."""
    over, under = amount.as_integer_ratio()
    price_over, price_under = price.as_integer_ratio()
    return Planck(over * price_under * 10**decimals // (under * price_over))


def price_text(price: Decimal) -> str:
    """In plain digits, without zeros that say nothing."""
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# --- Internals ----------------------------------------------------------------------


def _rounded(value: Decimal | Fraction) -> Decimal:
    """Half to even, exact before: `round` of a Fraction is."""
    units: int = round(Fraction(value) * 10**PLACES)
    return Decimal(units).scaleb(-PLACES)


def _checked(value: Any, where: str) -> PriceSeries:
    try:
        series = PriceSeries.model_validate(value)
    except ValidationError as error:
        raise PriceError(f"{where}: {first_problem(error)}") from error
    try:
        fetched = datetime.fromisoformat(series.fetched_at).date()
    except ValueError as error:
        raise PriceError(f"{where}: fetched_at: {error}") from error
    expected = series.first
    for text, _ in series.days:
        day = date.fromisoformat(text)
        if day > expected:
            raise PriceError(f"{where}: no price of {expected}")
        if day < expected:
            raise PriceError(f"{where}: {day} stands there twice, or out of order")
        expected += timedelta(days=1)
    if series.last >= fetched:
        raise PriceError(f"{where}: {series.last} was not over when it was fetched")
    return series


def _steps(
    series: PriceSeries, span: Span, as_of: date, seed: Fraction, result: Decimal
) -> tuple[Step, ...]:
    first = as_of - timedelta(days=span.days - 1)
    seeded = first + timedelta(days=span - 1)
    return (
        Step(
            "P1",
            f"mean of {series.symbol} in {series.quote} from {first} to {seeded}, rounded",
            _rounded(seed),
        ),
        Step(
            "P2",
            f"EMA{int(span)}: E + (price - E) x 2 / {span + 1} on each of {span.days - span} days"
            f" to {as_of}, series 0x{series.hash.hex()}, rounded once (P3)",
            result,
        ),
    )
