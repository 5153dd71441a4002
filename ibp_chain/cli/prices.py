"""`ibp payout prices`: record what a token cost, day by day, and say what that averages to."""

import calendar
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.cli.output import JsonOption, hex_, print_json, say
from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded, write_whole
from ibp_chain.networks import Network, network
from ibp_chain.price_sources import SOURCES, fetch_prices
from ledger.program.derivation import explain as explain_steps
from ledger.program.prices import (
    Average,
    PriceSeries,
    Span,
    average,
    price_text,
    read_series,
    recorded,
)

_MAX_BYTES = 2**20
_NETWORKS = {"DOT": "polkadot", "KSM": "kusama"}


class EmaName(StrEnum):
    """The averages that the programme pays by."""

    EMA7 = "EMA7"
    EMA30 = "EMA30"

    @property
    def span(self) -> Span:
        return Span[self.value]


class Symbol(StrEnum):
    DOT = "DOT"
    KSM = "KSM"


class SourceName(StrEnum):
    KRAKEN = "kraken"
    COINGECKO = "coingecko"
    BINANCE = "binance"


DayOption = Annotated[
    datetime | None,
    typer.Option("--until", help="Last day, UTC; default yesterday.", formats=["%Y-%m-%d"]),
]


def prices(
    symbol: Annotated[Symbol, typer.Option(help="Which token.", case_sensitive=False)] = Symbol.DOT,
    source: Annotated[SourceName, typer.Option(help="Who is asked.")] = SourceName.KRAKEN,
    until: DayOption = None,
    days: Annotated[int, typer.Option(min=1, max=1000, help="How many days.")] = 120,
    out: Annotated[Path | None, typer.Option(help="Where to record them.")] = None,
    recording: Annotated[
        Path | None, typer.Option("--prices", help="Read this recording instead of asking.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Base URL instead of the source's own, such as a mirror's.")
    ] = None,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the rule and arithmetic of every average.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Record daily prices to a file, or read such a file, and say what they average to."""
    if recording is not None:
        if out is not None or url is not None:
            raise ConfigError("--prices reads a recording: it goes with neither --out nor --url")
        series = read_recording(recording)
    elif out is None:
        raise ConfigError("say with --out where to record the prices, or read some with --prices")
    else:
        series = _recorded(symbol, source, until, days, url)
        _write(out, series.encoded + b"\n")
    as_of = series.last if until is None else until.date()
    averages = _averages(series, as_of, all_of_them=recording is not None and until is not None)
    if as_json:
        print_json(_json(series, averages))
        return
    _show(series, averages, out, explain=explain)


def read_recording(path: Path) -> PriceSeries:
    """Raises `ConfigError` and `PriceError`."""
    return read_series(read_bounded(path, _MAX_BYTES, ConfigError), str(path))


def month_price(path: Path, ema: EmaName, month: str) -> tuple[Average, Network]:
    """The average as of the end of `month`, such as 2026-01, and the network of the token."""
    series = read_recording(path)
    year, number = map(int, month.split("-"))
    last = date(year, number, calendar.monthrange(year, number)[1])
    return average(series, ema.span, last), network(_NETWORKS[series.symbol])


# --- Internals ----------------------------------------------------------------------


def _recorded(
    symbol: Symbol, name: SourceName, until: datetime | None, days: int, url: str | None
) -> PriceSeries:
    source, now = SOURCES[name.value], datetime.now(UTC)
    last = now.date() - timedelta(days=1) if until is None else until.date()
    if last >= now.date():
        raise ConfigError(f"--until {last}: that day is not over")
    first = last - timedelta(days=days - 1)
    found = fetch_prices(source, symbol.value, first, last, url=url)
    return recorded(symbol.value, source.quote, source.name, source.pair(symbol.value), now, found)


def _averages(series: PriceSeries, as_of: date, *, all_of_them: bool) -> tuple[Average, ...]:
    """Those that the series is long enough for; any other is an error where a day was asked for."""
    held = (as_of - series.first).days + 1
    return tuple(average(series, span, as_of) for span in Span if all_of_them or span.days <= held)


def _show(
    series: PriceSeries, averages: tuple[Average, ...], out: Path | None, *, explain: bool
) -> None:
    written = "" if out is None else f" Written to {out}."
    say(
        f"{series.symbol} in {series.quote} from {series.first} to {series.last}, by "
        f"{series.source} ({series.pair}), fetched {series.fetched_at}: {hex_(series.hash)}."
        f"{written}"
    )
    for one in averages:
        say(f"{one.span.name} as of {one.as_of}: {price_text(one.usd)} USD.")
        if explain:
            for step in explain_steps(one.steps):
                say(f"  {step}")
    for span in Span:
        if all(one.span is not span for one in averages):
            say(f"{span.name} needs {span.days} days.")


def _json(series: PriceSeries, averages: tuple[Average, ...]) -> dict[str, object]:
    return {
        "symbol": series.symbol,
        "quote": series.quote,
        "source": series.source,
        "first": series.first.isoformat(),
        "last": series.last.isoformat(),
        "hash": series.hash,
        "averages": [
            {"average": one.span.name, "as_of": one.as_of.isoformat(), "usd": price_text(one.usd)}
            for one in averages
        ],
    }


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
