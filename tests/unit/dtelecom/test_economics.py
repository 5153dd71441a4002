"""Seed 003, "Operator Economics": the numbers around the monthly example."""

from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.dtelecom.economics import (
    annual_revenue,
    initial_investment,
    monthly_cost,
    payback_months,
)
from tests.support.dtelecom import LAW

CLOUD, METAL = LAW.costs.cloud, LAW.costs.metal
HOSTING = CLOUD.hosting


@pytest.mark.parametrize(("monthly", "annual", "shown"), [(1083, 12996, 13), (4783, 57396, 57)])
def test_twelve_months_are_about_13000_to_57000(monthly: int, annual: int, shown: int) -> None:
    """Seed: "Annual Revenue: ~$13,000-57,000"."""
    value = annual_revenue(Decimal(monthly)).value
    assert value == annual
    assert round(value, -3) == shown * 1000


@pytest.mark.parametrize(("end", "infrastructure"), [("low", 600), ("high", 2400)])
def test_a_years_hosting_is_600_to_2400(end: str, infrastructure: int) -> None:
    """Seed: "Initial Investment: ~$10,000 (stake) + $600-2,400 (infrastructure)"."""
    hosting: Decimal = getattr(HOSTING, end)
    assert initial_investment(Decimal(10_000), hosting).value == 10_000 + infrastructure


@pytest.mark.parametrize(("end", "total"), [("low", 60), ("high", 370)])
def test_a_node_in_the_cloud_costs_60_to_370_a_month(end: str, total: int) -> None:
    """Cost Analysis, "Total: $60-370/month"."""
    parts = (CLOUD.hosting, CLOUD.bandwidth, CLOUD.storage, CLOUD.monitoring)
    assert monthly_cost(getattr(part, end) for part in parts).value == total


@pytest.mark.parametrize(("end", "total", "hardware"), [("low", 100, 2000), ("high", 200, 5000)])
def test_bare_metal_costs_100_to_200_a_month_and_its_hardware_once(
    end: str, total: int, hardware: int
) -> None:
    """Cost Analysis, "Total: $100-200/month + upfront cost"."""
    parts = (METAL.electricity, METAL.internet, METAL.maintenance)
    assert monthly_cost(getattr(part, end) for part in parts).value == total
    assert getattr(METAL.hardware, end) == hardware


def test_the_seeds_own_figures_pay_back_in_2_to_17_months_not_in_6_to_24() -> None:
    """Seed: "ROI: 6-24 months" does not follow from the figures above it (D14)."""
    best = payback_months(Fraction(10_600), Fraction(4783), Fraction(60))
    worst = payback_months(Fraction(12_400), Fraction(1083), Fraction(370))
    assert best is not None
    assert worst is not None
    assert 2 < best.value < 3
    assert 17 < worst.value < 18


def test_a_node_that_costs_what_it_earns_never_pays_back() -> None:
    """Seed: "ROI"."""
    assert payback_months(Fraction(10_000), Fraction(100), Fraction(100)) is None
