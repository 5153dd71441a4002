"""How pages write numbers, dates and names: the one place for it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_NOTHING = "\u2013"
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def number(value: int) -> str:
    """With a comma between thousands."""
    return f"{value:,}"


def time_text(iso: str | None) -> str:
    """`2026-02-01T02:10:48Z` as people read it: to the minute, its zone beside the table."""
    return "unknown" if iso is None else f"{iso[:10]} {iso[11:16]}"


def day_text(iso: str | None) -> str:
    return "unknown" if iso is None else iso[:10]


def relative(iso: str | None, now: str) -> str:
    """`iso` from `now`: "in 221 d", "3 h ago". Both ISO in UTC, as the ledger's blocks say."""
    if iso is None:
        return ""
    seconds = int((_moment(iso) - _moment(now)).total_seconds())
    name, size = next(((n, s) for n, s in _UNITS if abs(seconds) >= s), ("s", 1))
    count = abs(seconds) // size
    if count == 0:
        return "now"
    return f"in {count:,} {name}" if seconds > 0 else f"{count:,} {name} ago"


def percent(ppm: int | None) -> str:
    """Parts per million to the second decimal, rounded down: 100 % is all of it and no less."""
    return _NOTHING if ppm is None else f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"


def millis(micros: int | None) -> str:
    return _NOTHING if micros is None else f"{micros / 1_000:.1f} ms"


def short(text: str, ends: int = 6) -> str:
    """The beginning and the end of an address or hash; anything short as it is."""
    return text if len(text) <= 2 * ends + 3 else f"{text[:ends]}…{text[-ends:]}"


def size(count: int) -> str:
    """Bytes, in the unit that people would say."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:.1f} GB"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def money(plain: str) -> str:
    """USD in plain digits, with a comma between thousands and cents."""
    return f"{Decimal(plain):,.2f}"


def sign(value: int) -> str:
    return f"{value:+d}" if value else "0"


FILTERS: Mapping[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        number,
        time_text,
        day_text,
        relative,
        percent,
        millis,
        short,
        size,
        plural,
        money,
        sign,
    )
}


def _moment(iso: str) -> datetime:
    return datetime.fromisoformat(iso).astimezone(UTC)
