"""The statement: what each member is owed for a month, and why something is withheld.

Pure: the same ledger, rules, scores and price give the same bytes on any machine. The hash of the
bytes is in the `payout` remark, so that a payment says which statement it follows.

Rule: `docs/payouts.md`. What each member is owed: `multisig.entries`.
"""

import calendar
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from ibp_chain.blocks import blake2_256
from ibp_chain.remark_bodies import Day, HashText, Period
from ibp_chain.types import Hash, Planck, Ppm
from ledger.pallets.membership import MemberStatus
from ledger.pallets.payouts import PaidKey
from ledger.pallets.scores import day_date, day_number
from ledger.program.bill_document import Payable
from ledger.program.rules import Rules
from ledger.state import State
from multisig.documents import Document, Part, PriceText, Text
from multisig.entries import Ledger, Month, planck_owed, usd_owed
from multisig.errors import StatementError
from multisig.service import ServiceRecord, served_days
from multisig.statement_lines import IAAS, Line, Reason, Withheld

__all__ = [
    "IAAS",
    "Ledger",
    "Line",
    "Price",
    "Reason",
    "Statement",
    "Withheld",
    "build_statement",
    "days_of",
    "of_active",
    "planck_owed",
    "usd_owed",
]

_PERIOD: TypeAdapter[str] = TypeAdapter(Period)


def _real_instant(value: str) -> str:
    datetime.fromisoformat(value)  # a ValueError for the 30th of February
    return value


class Price(Part):
    """What a token cost, by whom and when: an input like any other, never looked up here."""

    usd: PriceText
    """For one whole token."""
    source: Annotated[Text, Field(min_length=1, max_length=256)]
    at: Annotated[
        str,
        Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"),
        AfterValidator(_real_instant),
    ]
    """UTC."""


class LedgerPart(Part):
    """The ledger that the statement was made from."""

    network: Text
    program: HashText
    """blake2b-256 of the founding remark."""
    block: int
    block_hash: HashText
    state_root: HashText


class ScorePart(Part):
    """The root of a day's standing report."""

    day: Day
    root: HashText


class Statement(Document):
    """Everything that a payout follows from. `encoded` is the one form that is hashed."""

    format: Literal["ibp-statement"] = "ibp-statement"
    version: Literal[1] = 1
    period: Period
    rules: HashText
    bill: HashText | None = None
    """Of the bill that lines of the item `IAAS` are paid by, where there are any."""
    ledger: LedgerPart
    price: Price
    scores: Annotated[tuple[ScorePart, ...], Field(strict=False)]
    """The standing report of each day that the ledger has one for."""
    lines: Annotated[tuple[Line, ...], Field(strict=False)]
    withheld: Annotated[tuple[Withheld, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _lines_follow_from_something(self) -> Self:
        for line in self.lines:
            if not line.days and self.bill is None:
                raise ValueError(f"{line.member}/{line.item} has no days, and there is no bill")
        return self

    @property
    def hash(self) -> Hash:
        return blake2_256(self.encoded)

    @property
    def total(self) -> Planck:
        return Planck(sum(line.planck for line in self.lines))


def days_of(period: str) -> tuple[date, ...]:
    """Every day of a month such as 2026-01. Raises `StatementError`."""
    try:
        year, month = map(int, _PERIOD.validate_python(period).split("-"))
        days = calendar.monthrange(year, month)[1]
        return tuple(date(year, month, day + 1) for day in range(days))
    except (ValidationError, ValueError) as error:
        raise StatementError(f"{period!r} is no month such as 2026-01") from error


def build_statement(
    ledger: Ledger,
    rules: Rules,
    period: str,
    price: Price,
    service: Iterable[ServiceRecord],
    pending: frozenset[PaidKey],
    bill: Payable | None = None,
) -> Statement:
    """The statement for `period`, with what `bill` pays, where one is given.

    `service` are the rows of every standing report of the period, checked against their roots by
    the caller; `pending` what open multisig operations would pay. Raises `StatementError` where
    the ledger has no programme or follows other rules, where `service` covers other days than have
    a standing report, for a price of before the period's end: a month is paid once, and whole;
    for a bill of another month, or that pays who is no member.
    """
    state, days = ledger.state, days_of(period)
    program, genesis, head = (
        state.programme.program.value, state.programme.genesis.value, state.head.value,
    )  # fmt: skip
    if program is None or genesis is None or head is None:
        raise StatementError("the ledger has no programme yet")
    if program.rules != rules.hash:
        raise StatementError(
            f"the programme's rules are 0x{program.rules.hex()}, these are 0x{rules.hash.hex()}"
        )
    _ensure_over(period, days, price)
    records = tuple(service)
    scores = _scores(state, days, records)
    served = served_days(of_active(state, records), Ppm(rules.payout.served_day_ppm))
    month = Month(ledger, head, rules, period, len(days), price.usd, pending)
    billed = _billed(state, bill, period)
    entries = [
        entry
        for member, record in sorted(state.membership.members.items())
        for entry in month.entries(member, record, served.get(member, ()), billed.get(member))
    ]
    return Statement(
        period=period,
        rules=rules.hash,
        bill=None if bill is None else bill.hash,
        ledger=LedgerPart(
            network=state.network.name,
            program=genesis.remark,
            block=head.number,
            block_hash=head.hash,
            state_root=state.root(),
        ),
        price=price,
        scores=scores,
        lines=tuple(entry for entry in entries if isinstance(entry, Line)),
        withheld=tuple(entry for entry in entries if isinstance(entry, Withheld)),
    )


def of_active(state: State, records: Iterable[ServiceRecord]) -> Iterator[ServiceRecord]:
    """What counts: without rows about members that were not active when the day closed."""
    for record in records:
        closing = state.scores.closings.find(day_number(record.day))
        if closing is not None and record.member in closing.members:
            yield record


# --- Internals ----------------------------------------------------------------------


def _ensure_over(period: str, days: tuple[date, ...], price: Price) -> None:
    end = datetime.combine(days[-1] + timedelta(days=1), datetime.min.time(), UTC)
    if datetime.fromisoformat(price.at) < end:
        raise StatementError(f"the price is of {price.at}, when {period} was not over")


def _billed(state: State, bill: Payable | None, period: str) -> Mapping[str, Decimal]:
    """What `bill` pays each member that there is."""
    if bill is None:
        return {}
    if bill.period != period:
        raise StatementError(f"the bill is of {bill.period}, the statement is for {period}")
    for member, usd in bill.paid.items():
        record = state.membership.members.find(member)
        if record is None or record.status is MemberStatus.REMOVED:
            raise StatementError(f"the bill pays {usd} USD to {member}, who is no member")
    return bill.paid


def _scores(
    state: State, days: tuple[date, ...], records: tuple[ServiceRecord, ...]
) -> tuple[ScorePart, ...]:
    """The standing reports of `days`, which `records` must cover, all of them and no other."""
    standing = {
        day_date(day): report
        for day, report in sorted(state.scores.standing.items())
        if day_date(day) in days
    }
    covered = {record.day for record in records}
    if strange := covered - standing.keys():
        raise StatementError(f"scores of {min(strange)}, of which no report stands in the period")
    if missing := {day for day, report in standing.items() if report.rows} - covered:
        raise StatementError(f"no scores of {min(missing)}, of which a report stands")
    return tuple(ScorePart(day=day.isoformat(), root=r.root) for day, r in standing.items())
