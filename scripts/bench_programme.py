"""How long the programme's rules take for a year of many members.

    make bench-programme
    python -m scripts.bench_programme [--members 500] [--services 30]

One core. Prints a table; asserts no time. The members are made up, the forms and the law are real.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ibp_chain.cli.output import console, row, table
from ibp_chain.types import Hash
from ledger.program.billing import bill_month
from ledger.program.dtelecom import rules as dtelecom
from ledger.program.dtelecom.document import OperatorMonth, parse_month
from ledger.program.dtelecom.earnings import earnings
from ledger.program.importers.snapshot import Configuration, parse_configuration
from ledger.program.ranks import ranks
from ledger.program.rules import load_rules
from ledger.program.settlement import Iou, settle
from ledger.program.uptime import uptimes_of_polls
from scripts.bench.timing import Seconds, once, stay_on_one_core

_DAYS = [date(2026, 1, 1) + timedelta(days=day) for day in range(365)]
_REGIONS = ("Europe", "Asia", "Africa", "North America", "South America", "Oceania")
_MEASURES = {
    "latency_ms": "40", "bandwidth_mbps": "900", "loss": "0.1", "connection_success": "99.5",
    "error_rate": "0.1", "recovery_s": "10", "connections": "800", "resources": "40",
    "version_current": True, "patches_current": True, "policy_kept": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Polls:
    """A (member, service) on one day, as standing reports tell."""

    day: date
    member: str
    service: str
    known: int
    failed: int


@dataclass(frozen=True, slots=True)
class Points:
    """A (member, milestone) on one day."""

    day: date
    member: str
    milestone: int
    points: int


def configuration(members: int, services: int) -> Configuration:
    names = [f"Chain-{number}" for number in range(services)]
    files: dict[str, Any] = {
        "members_professional.json": {
            f"Member {number}": {
                "Details": {"Name": f"Member {number}"},
                "Membership": {"MemberLevel": 6, "Joined": 1_672_549_200},
                "Service": {"Active": 1},
                "ServiceAssignments": {"All": names},
                "Location": {
                    "Region": _REGIONS[number % len(_REGIONS)], "Latitude": 0.5, "Longitude": 0.5
                },
            }
            for number in range(members)
        },
        "services_rpc.json": {
            name: {
                "Configuration": {"ServiceType": "RPC", "Active": 1, "LevelRequired": 3},
                "Resources": {
                    "nodes": 2, "cores": 8 + place % 9, "memory": 64, "disk": 2_000 + place,
                    "bandwidth": 10_000,
                },
            }
            for place, name in enumerate(names)
        },
        "services_rpc_iaaspricing.json": {
            region: {"cores": 11 + place, "memory": 3, "disk": 1, "bandwidth": 2}
            for place, region in enumerate(_REGIONS)
        },
    }  # fmt: skip
    return parse_configuration(
        {name: json.dumps(content).encode() for name, content in files.items()}, "made up"
    )


def polls(known: Configuration, dice: Random) -> Iterator[Polls]:
    """One day's, which stands for each day of a month: what differs is the bill, not the days."""
    for member in known.members:
        for service in known.services:
            failed = dice.randrange(20) if dice.random() < 0.05 else 0
            yield Polls(_DAYS[0], member.name, service.name, 288, failed)


def operator_months(operators: int) -> list[OperatorMonth]:
    found = []
    for number in range(operators):
        measures = _MEASURES | {"uptime": f"99.{number % 10}{number % 7}"}
        document = {
            "format": "dtelecom-month", "version": 1, "operator": f"operator-{number}",
            "month": "2026-01", "programme_month": 13,
            "nodes": [{
                "id": "node-1", "region": "north-america", "base_usd": "500",
                "stake_usd": "10000", "measures": measures,
            }],
        }  # fmt: skip
        found.append(parse_month(json.dumps(document).encode(), "made up"))
    return found


def bill_a_year(known: Configuration, dice: Random) -> Callable[[], object]:
    served = uptimes_of_polls(polls(known, dice), {_DAYS[0]: Hash(bytes(32))}, "2026-01")

    def do() -> None:
        owed: tuple[Iou, ...] = ()
        for month in range(1, 13):
            bill = bill_month(f"2026-{month:02}", known, served)
            owed = tuple(settle(bill, available=Decimal(9_000_000), ious=owed).ious)

    return do


def rank_a_year(members: int, dice: Random) -> Callable[[], object]:
    rows = [
        Points(day, f"member-{member}", milestone, 1 if dice.random() < 0.98 else -7)
        for day in _DAYS
        for member in range(members)
        for milestone in (3, 5)
    ]
    law = load_rules().rank
    return lambda: ranks(rows, law)


def earn_a_year(operators: int) -> Callable[[], object]:
    months, law = operator_months(operators), dtelecom.load_rules().law
    return lambda: [earnings(law, month) for _ in range(12) for month in months]


def main() -> None:
    """Raises nothing that a person could mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--members", type=int, default=500)
    parser.add_argument("--services", type=int, default=30)
    given = parser.parse_args()
    stay_on_one_core()
    dice = Random(2026)  # noqa: S311 - the same numbers in every run
    what = {
        f"12 bills of {given.members} members x {given.services} services, settled": bill_a_year(
            configuration(given.members, given.services), dice
        ),
        f"ranks of {given.members} members x 2 milestones x 365 days": rank_a_year(
            given.members, dice
        ),
        f"12 months of {given.members} dTelecom operators": earn_a_year(given.members),
    }
    view = table("A year of the programme", "what", "CPU s", "wall s", right=("CPU s", "wall s"))
    for name, do in what.items():
        taken: Seconds = once(do)
        row(view, name, f"{taken.cpu:.2f}", f"{taken.wall:.2f}")
    console.print(view)


if __name__ == "__main__":
    main()
