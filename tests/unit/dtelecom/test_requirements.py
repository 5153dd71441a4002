"""Seed 003, "Technical Requirements" and "Success Metrics"."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ledger.program.dtelecom.requirements import (
    Network,
    Offer,
    machine_shortfalls,
    network_shortfalls,
    stage_of,
    stage_shortfalls,
    system_supported,
)
from tests.support.dtelecom import LAW

MINIMUM = Offer(
    cores=4, ghz=Decimal("2.4"), ram_gb=8, ssd_gb=100, mbps=100, system="ubuntu", release="20.04",
    static_ip=True, ddns=False, ports_forwarded=True, behind_cgnat=False,
)  # fmt: skip
NETWORK = Network(
    nodes=500, regions=9, countries=25, uptime=Decimal("99.7"), satisfaction=Decimal("4.3"),
    churn=Decimal("0.04"), enterprise=10,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({}, ()), ({"cores": 3}, ("3 of 4 cores",)), ({"ghz": Decimal("2.3")}, ("2.3 of 2.4 GHz",)),
        ({"ram_gb": 7}, ("7 of 8 GB of RAM",)), ({"ssd_gb": 99}, ("99 of 100 GB of SSD",)),
        ({"mbps": 99}, ("99 of 100 Mbps",)),
    ],
)  # fmt: skip
def test_a_machine_has_the_minimum_or_what_it_lacks_is_named(
    changes: dict[str, Any], lacks: tuple[str, ...]
) -> None:
    """Seed: "CPU: 4 cores @ 2.4GHz", "RAM: 8 GB", "Storage: 100 GB SSD", "Network: 100 Mbps"."""
    assert machine_shortfalls(LAW.hardware.minimum, replace(MINIMUM, **changes)) == lacks


def test_the_recommended_machine_is_larger() -> None:
    """Seed: "8 cores", "16 GB", "500 GB", "1 Gbps"; 3.2 "Recommended specs"."""
    assert machine_shortfalls(LAW.hardware.recommended, MINIMUM) == (
        "4 of 8 cores", "8 of 16 GB of RAM", "100 of 500 GB of SSD", "100 of 1000 Mbps",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({}, ()), ({"static_ip": False}, ("neither a static address nor DDNS",)),
        ({"static_ip": False, "ddns": True}, ()),
        ({"ports_forwarded": False}, ("no port forwarding",)),
        ({"behind_cgnat": True}, ("behind CGNAT",)),
    ],
)  # fmt: skip
def test_a_node_is_reachable(changes: dict[str, Any], lacks: tuple[str, ...]) -> None:
    """Seed: "Static IP address (or DDNS)", "Port forwarding", "No CGNAT restrictions"."""
    assert network_shortfalls(replace(MINIMUM, **changes)) == lacks


@pytest.mark.parametrize(
    ("system", "release", "supported"),
    [
        ("ubuntu", "20.04", True), ("ubuntu", "24.04", True), ("ubuntu", "18.04", False),
        ("ubuntu", "20.10", True), ("debian", "10", True), ("debian", "9.13", False),
        ("centos", "8", True), ("centos", "7.9", False), ("gentoo", "2.14", False),
    ],
)  # fmt: skip
def test_named_systems_are_supported_from_their_release_on(
    system: str, release: str, *, supported: bool
) -> None:
    """Seed: "Ubuntu 20.04+ LTS", "Debian 10+", "CentOS 8+", "Other Linux (community support)"."""
    offer = replace(MINIMUM, system=system, release=release)
    assert system_supported(LAW.hardware, offer) is supported


@pytest.mark.parametrize(
    ("month", "name"),
    [(1, "foundation"), (6, "foundation"), (7, "launch"), (12, "launch"), (13, "growth"),
     (24, "growth"), (25, "scale"), (36, "scale"), (37, "maturity"), (99, "maturity")],
)  # fmt: skip
def test_a_month_belongs_to_the_stage_of_its_phase(month: int, name: str) -> None:
    """Phases 1 to 5: "Months 1-6", "7-12", "13-24", "25-36", "37+"."""
    assert stage_of(LAW.stages, month).name == name


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({}, ()), ({"nodes": 499}, ("nodes",)), ({"countries": 24}, ("countries",)),
        ({"uptime": Decimal("99.69")}, ("uptime",)), ({"enterprise": 9}, ("enterprise operators",)),
        ({"satisfaction": Decimal("4.2")}, ("satisfaction",)),
        ({"satisfaction": None}, ("satisfaction",)),
        ({"churn": Decimal("0.05")}, ("churn",)), ({"churn": None}, ("churn",)),
    ],
)  # fmt: skip
def test_a_stage_names_what_the_network_lacks(
    changes: dict[str, Any], lacks: tuple[str, ...]
) -> None:
    """Seed: "Success Metrics", Growth: 500+, 25 countries, 99.7 %, 4.3/5, <5 %, 10+."""
    growth = stage_of(LAW.stages, 13)
    assert stage_shortfalls(growth, replace(NETWORK, **changes)) == lacks


def test_the_aims_are_those_of_the_table() -> None:
    """Seed: "Success Metrics"."""
    rows = [
        (s.nodes, s.regions, s.countries, str(s.uptime_least), s.satisfaction_least, s.churn_below,
         s.enterprise)
        for s in LAW.stages
    ]  # fmt: skip
    assert rows == [
        (10, 5, 0, "99", None, None, 0),
        (50, 10, 0, "99.5", Decimal("4.0"), Decimal("0.10"), 0),
        (500, 0, 25, "99.7", Decimal("4.3"), Decimal("0.05"), 10),
        (2000, 0, 75, "99.9", Decimal("4.5"), Decimal("0.03"), 50),
        (10000, 0, 150, "99.95", Decimal("4.7"), Decimal("0.02"), 200),
    ]


def test_ten_regions_cannot_be_reached_with_nine() -> None:
    """Seed: "Launch: 10 regions" against the nine of 3.1: an aim, not a gate (D33)."""
    launch = stage_of(LAW.stages, 7)
    assert len(LAW.regions.targets) == 9
    assert stage_shortfalls(launch, NETWORK) == ("regions",)
