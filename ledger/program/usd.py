"""US dollars: exact while they are worked out, cents where a person is paid.

`Decimal` rounds to the caller's context without a word; everything here works in one of its own,
wide enough for the largest bill that the importers let through.
"""

from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

CENT = Decimal("0.01")
LINE_UNIT = Decimal("0.000000000001")
"""What an uptime leaves of a line is cut off here: 10^-12 USD."""
ZERO = Decimal(0)
_WIDE = Context(prec=200)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = ZERO
    for amount in amounts:
        result = _WIDE.add(result, amount)
    return result


def product(*factors: Decimal | int) -> Decimal:
    """The exact product."""
    result = Decimal(1)
    for factor in factors:
        result = _WIDE.multiply(result, Decimal(factor))
    return result


def share(amount: Decimal, part: int, whole: int) -> Decimal:
    """`amount` x `part` / `whole`, cut off at `LINE_UNIT`. Raises `ValueError` for a bad ratio."""
    if not 0 <= part <= whole or not whole:
        raise ValueError(f"{part} of {whole} is no share")
    over, under = amount.as_integer_ratio()
    units = over * part * 10**12 // (under * whole)
    return _WIDE.multiply(Decimal(units), LINE_UNIT)


def nearest_cent(amount: Decimal) -> Decimal:
    """Rounded to the nearest cent, a tie to the even one."""
    return amount.quantize(CENT, ROUND_HALF_EVEN, _WIDE)


def whole_cents(amount: Decimal) -> int:
    """How many cents `amount` is. Raises `ValueError` where it is no whole number of them."""
    cents = _WIDE.multiply(amount, Decimal(100))
    if not amount.is_finite() or cents != cents.to_integral_value(ROUND_DOWN):
        raise ValueError(f"{plain(amount)} is no whole number of cents")
    return int(cents)


def of_cents(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2, _WIDE)


def plain(amount: Decimal) -> str:
    """Digits and a point, no exponent, no zeros behind that say nothing beyond the cents."""
    text = f"{amount:f}"
    if "." not in text:
        return text
    whole, decimals = text.split(".")
    kept = decimals.rstrip("0")
    return (
        f"{whole}.{kept.ljust(min(2, len(decimals)), '0')}" if kept or len(decimals) > 1 else whole
    )
