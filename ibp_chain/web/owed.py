"""What members are owed for the months that are not paid yet, before anybody looked up a price.

It is the statement itself (`multisig.statement`) at a price of 1 USD a token: the USD of a line and
the reasons to withhold one do not depend on the price, and nothing else of it is shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Protocol

from ibp_chain.errors import IbpError
from ibp_chain.web.scores import Scores
from ledger.mirrors import Constants
from ledger.pallets.payouts import PaidKey
from ledger.pallets.scores import day_date
from ledger.program.rules import Rules
from ledger.state import State
from multisig.service import ServiceRecord
from multisig.statement import Ledger, Price, Statement, build_statement, days_of

MONTHS = 2
"""How many are looked at: the running one and the one before, which is paid in it."""


class OfChain(Protocol):
    @property
    def state(self) -> State: ...
    @property
    def constants(self) -> Constants: ...


@dataclass(frozen=True, slots=True)
class OwedLine:
    """One member and month: either owed, or withheld for a reason."""

    period: str
    usd: Decimal | None
    days: int
    withheld: str | None


@dataclass(frozen=True, slots=True)
class OwedMonths:
    """By member, the months ascending. `problems` says of a month why it cannot be told."""

    lines: Mapping[str, tuple[OwedLine, ...]]
    problems: Mapping[str, str]


def owed_months(
    chain: OfChain, rules: Rules, scores: Scores, pending: frozenset[PaidKey]
) -> OwedMonths:
    """The last `MONTHS` months of which any report stands."""
    lines: dict[str, list[OwedLine]] = {}
    problems: dict[str, str] = {}
    standing = {f"{day_date(day):%Y-%m}" for day, _ in chain.state.scores.standing.items()}
    for period in sorted(standing)[-MONTHS:]:
        try:
            stated = _stated(chain, rules, scores, pending, period)
        except IbpError as error:
            problems[period] = str(error)
            continue
        for line in stated.lines:
            owed = OwedLine(period, line.usd, len(line.days), None)
            lines.setdefault(line.member, []).append(owed)
        for held in stated.withheld:
            why = f"{held.reason}: {held.detail}" if held.detail else str(held.reason)
            lines.setdefault(held.member, []).append(OwedLine(period, None, 0, why))
    return OwedMonths({member: tuple(own) for member, own in lines.items()}, problems)


def _stated(
    chain: OfChain, rules: Rules, scores: Scores, pending: frozenset[PaidKey], period: str
) -> Statement:
    """Raises as `build_statement`."""
    days = days_of(period)
    price = Price(usd=Decimal(1), source="none yet", at=f"{days[-1] + timedelta(days=1)}T00:00:00Z")
    records = tuple(_records(scores, days))
    return build_statement(
        Ledger(chain.state, chain.constants), rules, period, price, records, pending
    )


def _records(scores: Scores, days: tuple[date, ...]) -> Iterator[ServiceRecord]:
    for day in scores.days.values():
        if day.day in days:
            for services in day.services.values():
                for row in services:
                    yield ServiceRecord(
                        row.day, row.member, row.service, row.counts.known, row.failed
                    )
