"""Daily prices of DOT and KSM from public markets: three formats behind one protocol.

A price of a day is the last of that UTC day. What a source says is read strictly: anything that is
not as its own documentation has it is an error, and so is a day that it leaves out.

* Kraken     `GET /0/public/OHLC`, close of the daily candle; the newest 720 days
* CoinGecko  `GET /api/v3/coins/{id}/market_chart/range`, the price at the next day's 00:00 UTC
* Binance    `GET /api/v3/klines`, close of the daily candle, against USDT
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import httpx

from ibp_chain.errors import ConfigError, SourceError

DayPrices = tuple[tuple[date, Decimal], ...]
_TIMEOUT_SECONDS = 30.0
_MAX_BYTES = 8 * 2**20
_MAX_DAYS = 1_000
_DAY = timedelta(days=1)
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to get, below the source's base URL."""

    path: str
    params: Mapping[str, str | int]


class PriceSource(Protocol):
    """A public market with daily prices."""

    @property
    def name(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def quote(self) -> str:
        """`USD` or `USDT`."""
        ...

    def pair(self, symbol: str) -> str:
        """What the source calls the market. Raises `ConfigError` for a symbol that it lacks."""
        ...

    def request(self, symbol: str, first: date, last: date) -> Request:
        """What to ask for prices from `first` to `last`."""
        ...

    def parse(self, raw: bytes, symbol: str) -> DayPrices:
        """Every whole day in an answer, as it comes. Raises `SourceError`."""
        ...


class Kraken:
    """Its last candle is of the day that goes on; `last` in the answer is the one before it."""

    name, base_url, quote = "kraken", "https://api.kraken.com", "USD"

    def pair(self, symbol: str) -> str:
        return _known(symbol, {"DOT": "DOTUSD", "KSM": "KSMUSD"}, self.name)

    def request(self, symbol: str, first: date, last: date) -> Request:  # noqa: ARG002  # to now
        since = int(_midnight(first).timestamp()) - 1
        return Request(
            "/0/public/OHLC", {"pair": self.pair(symbol), "interval": 1440, "since": since}
        )

    def parse(self, raw: bytes, symbol: str) -> DayPrices:
        value = _object(_json(raw, self.name), ("error", "result"), self.name)
        if value["error"] != []:
            raise SourceError(f"{self.name} refuses: {_shown(value['error'])}")
        pair = self.pair(symbol)
        result = _object(value["result"], (pair, "last"), self.name)
        committed = _whole(result["last"], self.name)
        candles = [_row(candle, 8, self.name) for candle in _list(result[pair], self.name)]
        return tuple(
            (
                _day(_whole(candle[0], self.name) * 1000, self.name),
                _decimal_text(candle[4], self.name),
            )
            for candle in candles
            if _whole(candle[0], self.name) <= committed
        )


class CoinGecko:
    """The price at midnight is the last one of the day before; what is newer is of no whole day."""

    name, base_url, quote = "coingecko", "https://api.coingecko.com", "USD"

    def pair(self, symbol: str) -> str:
        return _known(symbol, {"DOT": "polkadot", "KSM": "kusama"}, self.name)

    def request(self, symbol: str, first: date, last: date) -> Request:
        return Request(
            f"/api/v3/coins/{self.pair(symbol)}/market_chart/range",
            {
                "vs_currency": "usd",
                "from": int(_midnight(first + _DAY).timestamp()),
                "to": int(_midnight(last + _DAY).timestamp()),
                "interval": "daily",
                "precision": "full",
            },
        )

    def parse(self, raw: bytes, symbol: str) -> DayPrices:
        self.pair(symbol)
        value = _json(raw, self.name)
        points = [
            _row(point, 2, self.name)
            for point in _list(_object(value, ("prices",), self.name)["prices"], self.name)
        ]
        # asked up to now, the newest point is of this very moment
        if points and _whole(points[-1][0], self.name) % _DAY_MS:
            points.pop()
        return tuple(
            (
                _day(_whole(at, self.name), self.name) - _DAY,
                _decimal_number(price, self.name),
            )
            for at, price in points
        )


class Binance:
    """Against USDT, which is taken for USD by whoever uses it."""

    name, base_url, quote = "binance", "https://api.binance.com", "USDT"

    def pair(self, symbol: str) -> str:
        return _known(symbol, {"DOT": "DOTUSDT", "KSM": "KSMUSDT"}, self.name)

    def request(self, symbol: str, first: date, last: date) -> Request:
        return Request(
            "/api/v3/klines",
            {
                "symbol": self.pair(symbol),
                "interval": "1d",
                "startTime": int(_midnight(first).timestamp()) * 1000,
                "endTime": int(_midnight(last + _DAY).timestamp()) * 1000 - 1,
                "limit": _MAX_DAYS,
            },
        )

    def parse(self, raw: bytes, symbol: str) -> DayPrices:
        self.pair(symbol)
        found = []
        for candle in _list(_json(raw, self.name), self.name):
            row = _row(candle, 12, self.name)
            opened, closed = _whole(row[0], self.name), _whole(row[6], self.name)
            if closed != opened + _DAY_MS - 1:
                raise SourceError(f"{self.name}: a candle of {closed - opened + 1} ms is no day")
            found.append((_day(opened, self.name), _decimal_text(row[4], self.name)))
        return tuple(found)


SOURCES: Mapping[str, PriceSource] = {one.name: one for one in (Kraken(), CoinGecko(), Binance())}


def fetch_prices(
    source: PriceSource,
    symbol: str,
    first: date,
    last: date,
    *,
    url: str | None = None,
    transport: httpx.BaseTransport | None = None,
) -> DayPrices:
    """One price for each day from `first` to `last`, ascending.

    `url` replaces the source's own base. Raises `ConfigError` for a range that no source has, and
    `SourceError` where it does not answer, not as it should, or leaves a day out.
    """
    if not timedelta(0) <= last - first < timedelta(days=_MAX_DAYS):
        raise ConfigError(f"{first} to {last} is no range of 1 to {_MAX_DAYS} days")
    asked = source.request(symbol, first, last)
    raw = _get(source, (url or source.base_url).rstrip("/"), asked, transport)
    return _complete(source.parse(raw, symbol), first, last, source.name)


# --- Internals ----------------------------------------------------------------------


def _get(
    source: PriceSource, base: str, asked: Request, transport: httpx.BaseTransport | None
) -> bytes:
    raw = bytearray()
    try:
        with (
            httpx.Client(timeout=_TIMEOUT_SECONDS, transport=transport) as client,
            client.stream("GET", base + asked.path, params=dict(asked.params)) as response,
        ):
            response.raise_for_status()
            for chunk in response.iter_bytes():
                raw += chunk
                if len(raw) > _MAX_BYTES:
                    raise SourceError(f"{source.name} sends more than {_MAX_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise SourceError(f"{source.name} at {base} does not answer: {reason}") from error
    return bytes(raw)


def _complete(
    prices: Iterable[tuple[date, Decimal]], first: date, last: date, who: str
) -> DayPrices:
    found: dict[date, Decimal] = {}
    for day, price in prices:
        if day in found:
            raise SourceError(f"{who} has two prices of {day}")
        found[day] = price
    wanted = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    if missing := [day for day in wanted if day not in found]:
        raise SourceError(f"{who} has no price of {missing[0]} ({len(missing)} days are missing)")
    return tuple((day, found[day]) for day in wanted)


def _known(symbol: str, names: Mapping[str, str], who: str) -> str:
    if symbol not in names:
        raise ConfigError(f"{who}: no market for {symbol!r}; there are {', '.join(names)}")
    return names[symbol]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _day(milliseconds: int, who: str) -> date:
    if milliseconds % _DAY_MS:
        raise SourceError(f"{who}: {milliseconds} ms is no start of a UTC day")
    try:
        return datetime.fromtimestamp(milliseconds // 1000, UTC).date()
    except (ValueError, OverflowError, OSError) as error:
        raise SourceError(f"{who}: {milliseconds} ms is no time") from error


def _json(raw: bytes, who: str) -> Any:
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise SourceError(f"{who}: its answer is no JSON: {error}") from error


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _object(value: Any, keys: tuple[str, ...], who: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(key in value for key in keys):
        raise SourceError(f"{who}: an object with {', '.join(keys)} is expected: {_shown(value)}")
    return value


def _list(value: Any, who: str) -> list[Any]:
    if not isinstance(value, list):
        raise SourceError(f"{who}: a list is expected: {_shown(value)}")
    return value


def _row(value: Any, width: int, who: str) -> list[Any]:
    row = _list(value, who)
    if len(row) != width:
        raise SourceError(f"{who}: {width} values in a row are expected: {_shown(row)}")
    return row


def _whole(value: Any, who: str) -> int:
    if type(value) is not int or value < 0:
        raise SourceError(f"{who}: a time is expected: {_shown(value)}")
    return value


def _decimal_text(value: Any, who: str) -> Decimal:
    if not isinstance(value, str):
        raise SourceError(f"{who}: a price as text is expected: {_shown(value)}")
    try:
        return _positive(Decimal(value), who)
    except InvalidOperation as error:
        raise SourceError(f"{who}: {_shown(value)} is no price") from error


def _decimal_number(value: Any, who: str) -> Decimal:
    if type(value) is int:
        return _positive(Decimal(value), who)
    if not isinstance(value, Decimal):
        raise SourceError(f"{who}: a price as a number is expected: {_shown(value)}")
    return _positive(value, who)


def _positive(price: Decimal, who: str) -> Decimal:
    # a bound that no token's price reaches, so that nothing downstream meets 1E+999999
    if not price.is_finite() or not Decimal("1E-9") <= price <= Decimal("1E9"):
        raise SourceError(f"{who}: {_shown(str(price))} is no price")
    return price


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:79] + "…"
