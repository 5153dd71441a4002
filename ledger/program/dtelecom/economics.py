"""What running a node costs and brings over a year: the seed's own arithmetic.

Source: seed 003, "Operator Economics". Nothing here is paid; units: USD.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from ledger.program.derivation import Derived, plain
from ledger.program.dtelecom.rewards import MONTHS


def annual_revenue(monthly: Decimal) -> Derived:
    """Seed: "Annual Revenue: ~$13,000-57,000": twelve months."""
    return Derived.by("R7", f"{plain(monthly)} * {MONTHS}", Fraction(monthly) * MONTHS)


def initial_investment(stake: Decimal, infrastructure: Decimal) -> Derived:
    """Seed: "~$10,000 (stake) + $600-2,400 (infrastructure)": a year of it, by the month."""
    value = Fraction(stake) + Fraction(infrastructure) * MONTHS
    return Derived.by("R8", f"{plain(stake)} + {plain(infrastructure)} * {MONTHS}", value)


def monthly_cost(parts: Iterable[Decimal]) -> Derived:
    """Seed: "Infrastructure (Monthly)" or "Bare Metal": the sum of its parts."""
    amounts = tuple(parts)
    total = sum(map(Fraction, amounts), Fraction())
    return Derived.by("R9", " + ".join(map(plain, amounts)) or "nothing", total)


def payback_months(investment: Fraction, revenue: Fraction, cost: Fraction) -> Derived | None:
    """Seed: "ROI: 6-24 months" (D14): months until revenue less cost has brought the investment.

    None where it never does.
    """
    net = revenue - cost
    if net <= 0:
        return None
    text = f"{plain(investment)} / ({plain(revenue)} - {plain(cost)})"
    return Derived.by("R8", text, investment / net)
