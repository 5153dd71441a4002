"""Daily prices from public markets: the documented answers are read, everything else is refused.

The answers have the shape, and where it says so the rows, of each source's public documentation:
Kraken `GET /0/public/OHLC`, CoinGecko `GET /coins/{id}/market_chart/range`, Binance
`GET /api/v3/klines`.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ibp_chain.errors import ConfigError, SourceError
from ibp_chain.price_sources import SOURCES, Binance, CoinGecko, Kraken, fetch_prices

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 3)
WANTED = (
    (FIRST, Decimal("1.8512")),
    (date(2026, 1, 2), Decimal("1.9000")),
    (LAST, Decimal("2.1047")),
)


def seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def kraken() -> dict[str, Any]:
    """[time, open, high, low, close, vwap, volume, count]; the last candle goes on."""
    days = [*WANTED, (date(2026, 1, 4), Decimal("9.9"))]
    rows = [
        [seconds(day), "1.8", "2.2", "1.7", str(close), "1.85", "3.39243896", 23]
        for day, close in days
    ]
    return {"error": [], "result": {"DOTUSD": rows, "last": seconds(LAST)}}


def coingecko() -> dict[str, Any]:
    """Each point at a midnight is the end of the day before; the last is of this moment."""
    points = [[(seconds(day) + 86400) * 1000, float(price)] for day, price in WANTED]
    points.append([points[-1][0] + 5_000_123, 9.9])
    return {"prices": points, "market_caps": [], "total_volumes": []}


def binance() -> list[Any]:
    """[opened, open, high, low, close, volume, closed, quote volume, trades, ..., ..., unused]."""
    return [
        [
            seconds(day) * 1000, "1.8", "2.2", "1.7", str(close), "148976.1",
            seconds(day) * 1000 + 86_399_999, "2434.1", 308, "1756.8", "28.4", "0",
        ]
        for day, close in WANTED
    ]  # fmt: skip


ANSWERS: dict[str, Callable[[], Any]] = {
    "kraken": kraken,
    "coingecko": coingecko,
    "binance": binance,
}


class Site:
    """Answers every request alike, and keeps the last."""

    def __init__(self, body: Any, status: int = 200) -> None:
        self.asked: httpx.Request | None = None
        self._content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._status = status

    def transport(self) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            self.asked = request
            return httpx.Response(self._status, content=self._content)

        return httpx.MockTransport(answer)


def fetched(name: str, body: Any, **given: Any) -> Any:
    site = Site(body, **given)
    return fetch_prices(SOURCES[name], "DOT", FIRST, LAST, transport=site.transport())


# --- What is read ---------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_last_price_of_each_whole_day_is_read(name: str) -> None:
    assert fetched(name, ANSWERS[name]()) == WANTED


def test_the_documented_answer_of_kraken_is_read_without_loss() -> None:
    body = b"""{"error": [], "result": {"DOTUSD": [
        [1688601600, "30306.1", "30306.2", "30305.7", "30305.7", "30306.1", "3.39243896", 23],
        [1688688000, "30304.5", "30304.5", "30300.0", "30300.0", "30300.0", "4.42996871", 18]],
        "last": 1688601600}}"""
    assert Kraken().parse(body, "DOT") == ((date(2023, 7, 6), Decimal("30305.7")),)


def test_the_documented_answer_of_coingecko_is_read_without_loss() -> None:
    body = b"""{"prices": [[1711843200000, 69702.3087473573], [1711929600000, 71246.9514406015],
        [1711983682000, 68887.7495158568]], "market_caps": [], "total_volumes": []}"""
    assert CoinGecko().parse(body, "DOT") == (
        (date(2024, 3, 30), Decimal("69702.3087473573")),
        (date(2024, 3, 31), Decimal("71246.9514406015")),
    )


def test_the_documented_answer_of_binance_is_no_day_and_refused() -> None:
    """The row in the documentation spans a week."""
    body = b"""[[1499040000000, "0.01634790", "0.80000000", "0.01575800", "0.01577100",
        "148976.11427815", 1499644799999, "2434.19055334", 308, "1756.87402397", "28.46694368",
        "0"]]"""
    with pytest.raises(SourceError, match="a candle of 604800000 ms is no day"):
        Binance().parse(body, "DOT")


ASKED = {
    "kraken": ("/0/public/OHLC", "pair=KSMUSD&interval=1440&since=1767225599"),
    "coingecko": (
        "/api/v3/coins/kusama/market_chart/range",
        "vs_currency=usd&from=1767312000&to=1767484800&interval=daily&precision=full",
    ),
    "binance": (
        "/api/v3/klines",
        "symbol=KSMUSDT&interval=1d&startTime=1767225600000&endTime=1767484799999&limit=1000",
    ),
}


@pytest.mark.parametrize(("name", "asked"), ASKED.items())
def test_each_source_is_asked_for_the_days_and_the_market(
    name: str, asked: tuple[str, str]
) -> None:
    site, source = Site(b"{}"), SOURCES[name]
    with pytest.raises(SourceError):
        fetch_prices(
            source, "KSM", FIRST, LAST, url="http://mirror.test/", transport=site.transport()
        )
    assert site.asked is not None
    path, query = asked
    assert str(site.asked.url) == f"http://mirror.test{path}?{query}"


# --- What is refused ------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"7", b'"x"', b"[1]", b'{"a": 1}', b"\xff", b"[" * 99_999]
)
def test_an_answer_of_another_form_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(SourceError, match=name):
        fetched(name, body)


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_a_refusal_is_said_with_its_status(name: str, status: int) -> None:
    with pytest.raises(SourceError, match=str(status)):
        fetched(name, ANSWERS[name](), status=status)


def test_a_refusal_by_kraken_itself_is_said() -> None:
    with pytest.raises(SourceError, match=r"EQuery:Unknown asset pair"):
        fetched("kraken", {"error": ["EQuery:Unknown asset pair"]} | {"result": {}})


def rows_of(name: str, body: Any) -> list[Any]:
    rows = {"kraken": lambda: body["result"]["DOTUSD"], "coingecko": lambda: body["prices"]}
    found = rows.get(name, lambda: body)()
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_day_that_is_left_out_is_named(name: str) -> None:
    body = ANSWERS[name]()
    del rows_of(name, body)[1]
    with pytest.raises(SourceError, match=rf"{name} has no price of 2026-01-02 \(1 days"):
        fetched(name, body)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_day_with_two_prices_is_named(name: str) -> None:
    body = ANSWERS[name]()
    rows = rows_of(name, body)
    rows.insert(1, rows[0])
    with pytest.raises(SourceError, match="two prices of 2026-01-01"):
        fetched(name, body)


def test_a_day_that_goes_on_has_no_price_yet() -> None:
    body = kraken()
    body["result"]["last"] = seconds(date(2026, 1, 2))
    with pytest.raises(SourceError, match="kraken has no price of 2026-01-03"):
        fetched("kraken", body)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_time_that_starts_no_day_is_refused(name: str) -> None:
    body = ANSWERS[name]()
    rows_of(name, body)[0][0] += 1
    with pytest.raises(SourceError, match=name):
        fetched(name, body)


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize("price", ["0", "-1", "NaN", "1E+99", "x", "", None, True, [], 10**30])
def test_what_is_no_price_is_refused(name: str, price: Any) -> None:
    body = ANSWERS[name]()
    rows_of(name, body)[0][1 if name == "coingecko" else 4] = price
    with pytest.raises(SourceError, match=name):
        fetched(name, body)


def test_a_token_without_a_market_is_refused() -> None:
    for source in SOURCES.values():
        with pytest.raises(ConfigError, match="no market for 'BTC'; there are DOT, KSM"):
            fetch_prices(source, "BTC", FIRST, LAST)


@pytest.mark.parametrize("last", [FIRST - timedelta(days=1), FIRST + timedelta(days=1000)])
def test_a_range_that_no_source_has_is_refused(last: date) -> None:
    with pytest.raises(ConfigError, match="is no range of 1 to 1000 days"):
        fetch_prices(Kraken(), "DOT", FIRST, last)


def test_an_address_that_is_none_is_refused() -> None:
    for url in ("ftp://x", "nothing", "http://[::1"):
        with pytest.raises(SourceError, match="does not answer"):
            fetch_prices(Kraken(), "DOT", FIRST, LAST, url=url)
