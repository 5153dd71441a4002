"""The statement: what each member is owed for a month, and why something is withheld.

Pure: the same ledger, rules, scores and price give the same bytes on any machine. The hash of the
bytes is in the `payout` remark, so that a payment says which statement it follows.

Rule: `docs/payouts.md`; `[payout]` and `[lock]` of the rules file. Two roundings, both down, both
exact before they round: `usd_owed` to cents, `planck_owed` to planck.
"""

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import Day, HashText, Period, Slug
from ibp_chain.types import Hash, Planck, Ppm
from ledger.locks import promise
from ledger.mirrors import Constants
from ledger.pallets.membership import MemberRecord, MemberStatus
from ledger.pallets.payouts import PaidKey
from ledger.pallets.scores import day_date
from ledger.program.rules import Rules
from ledger.state import Head, State
from multisig.documents import (
    MAX_PLANCK,
    Document,
    Part,
    PlanckText,
    PriceText,
    Text,
    UsdText,
    printable,
)
from multisig.errors import StatementError
from multisig.service import ServiceRecord, served_days

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


class Line(Part):
    """What one member is owed."""

    member: Slug
    item: Slug
    payee: Text
    """SS58 of the network."""
    days: Annotated[tuple[Day, ...], Field(strict=False, min_length=1)]
    """Days served, ascending; the root of each is in the statement's `scores`."""
    usd: UsdText
    planck: PlanckText


class Reason(StrEnum):
    """Why a member gets no line. Where several hold, the first of them is given."""

    SUSPENDED = "suspended"
    NO_PAYEE = "no payee"
    PAID = "paid before"
    PENDING = "in an open operation"
    LOCK_FALLS_SHORT = "lock falls short"
    NOT_SERVED = "no day served"


class Withheld(Part):
    """A member that gets nothing this time, and why."""

    member: Slug
    item: Slug
    reason: Annotated[Reason, Field(strict=False)]
    detail: Text


class Statement(Document):
    """Everything that a payout follows from. `encoded` is the one form that is hashed."""

    format: Literal["ibp-statement"] = "ibp-statement"
    version: Literal[1] = 1
    period: Period
    rules: HashText
    ledger: LedgerPart
    price: Price
    scores: Annotated[tuple[ScorePart, ...], Field(strict=False)]
    """The standing report of each day that the ledger has one for."""
    lines: Annotated[tuple[Line, ...], Field(strict=False)]
    withheld: Annotated[tuple[Withheld, ...], Field(strict=False)]

    @property
    def hash(self) -> Hash:
        return blake2_256(self.encoded)

    @property
    def total(self) -> Planck:
        return Planck(sum(line.planck for line in self.lines))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger as a statement reads it: a state and its runtime's constants."""

    state: State
    constants: Constants


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
) -> Statement:
    """The statement for `period`.

    `service` are the rows of every standing report of the period, checked against their roots by
    the caller; `pending` what open multisig operations would pay. Raises `StatementError` where
    the ledger has no programme or follows other rules, where `service` covers other days than have
    a standing report, and for a price of before the period's end: a month is paid once, and whole.
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
    served = served_days(records, Ppm(rules.payout.served_day_ppm))
    month = _Month(ledger, head, rules, period, len(days), price, pending)
    entries = [
        month.entry(member, record, served.get(member, ()))
        for member, record in sorted(state.membership.members.items())
    ]
    return Statement(
        period=period,
        rules=rules.hash,
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


def usd_owed(per_month: Decimal, served: int, days: int) -> Decimal:
    """The month's amount for the days served, rounded down to cents."""
    numerator, denominator = per_month.as_integer_ratio()
    cents = numerator * 100 * served // (denominator * days)
    return Decimal(f"{cents // 100}.{cents % 100:02d}")


def planck_owed(usd: Decimal, price: Decimal, network: Network) -> Planck:
    """`usd` in the network's token, rounded down to planck.

    Raises `StatementError` for more than a balance can hold: the price cannot be right.
    """
    (usd_over, usd_under), (price_over, price_under) = (
        usd.as_integer_ratio(), price.as_integer_ratio(),
    )  # fmt: skip
    planck = usd_over * price_under * 10**network.decimals // (usd_under * price_over)
    if planck > MAX_PLANCK:
        raise StatementError(f"{usd} USD at {price} are more {network.symbol} than there can be")
    return Planck(planck)


# --- Internals ----------------------------------------------------------------------


def _ensure_over(period: str, days: tuple[date, ...], price: Price) -> None:
    end = datetime.combine(days[-1] + timedelta(days=1), datetime.min.time(), UTC)
    if datetime.fromisoformat(price.at) < end:
        raise StatementError(f"the price is of {price.at}, when {period} was not over")


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


@dataclass(frozen=True, slots=True)
class _Month:
    """What all members of one statement share."""

    ledger: Ledger
    head: Head
    rules: Rules
    period: str
    days: int
    price: Price
    pending: frozenset[PaidKey]

    def entry(
        self, member: str, record: MemberRecord, served: tuple[date, ...]
    ) -> Line | Withheld | None:
        """A line, or why there is none; None for a member that is none any more."""
        if record.status is MemberStatus.REMOVED:
            return None
        network, item = self.ledger.state.network, self.rules.payout.item
        payee = record.payee(network.name)
        reason, detail = self._problem((self.period, member, item), record, served)
        if reason is not None or payee is None:
            return Withheld(
                member=member, item=item, reason=reason or Reason.NO_PAYEE, detail=detail
            )
        usd = usd_owed(self.rules.payout.usd_per_month, len(served), self.days)
        return Line(
            member=member,
            item=item,
            payee=ss58_encode(payee, network.ss58_prefix),
            days=tuple(day.isoformat() for day in served),
            usd=usd,
            planck=planck_owed(usd, self.price.usd, network),
        )

    def _problem(
        self, key: PaidKey, record: MemberRecord, served: tuple[date, ...]
    ) -> tuple[Reason | None, str]:
        """The first reason to withhold, in the order of `Reason`, with its detail."""
        state = self.ledger.state
        if record.status is MemberStatus.SUSPENDED:
            return Reason.SUSPENDED, printable(record.reason or "")
        if record.payee(state.network.name) is None:
            return Reason.NO_PAYEE, f"none is registered on {state.network.name}"
        paid = state.payouts.paid.find(key)
        if paid is not None:
            return Reason.PAID, f"in block {paid.batch[0]}"
        if key in self.pending:
            return Reason.PENDING, "signatures are missing still"
        if short := self._shortfall(record):
            return Reason.LOCK_FALLS_SHORT, short
        if not served:
            threshold = self.rules.payout.served_day_ppm
            return Reason.NOT_SERVED, f"uptime was below {threshold} ppm on every day scored"
        return None, ""

    def _shortfall(self, record: MemberRecord) -> str | None:
        """What the member's lock lacks at the ledger's head (rule F7)."""
        state, network = self.ledger.state, self.ledger.state.network
        tokens = self.rules.lock.required(network.name)
        if not tokens:
            return None
        account = record.account(network.name)
        if account is None:
            return f"no account is registered on {network.name}"
        required = network.planck(tokens)
        config = state.mirrors.voting_config(self.ledger.constants, self.head.now)
        kept = promise(state.mirrors.conviction_voting, config, account, required)
        if kept.kept:
            return None
        return (
            f"{network.format(kept.covered)} at {self.rules.lock.conviction}, "
            f"{network.format(required)} are required"
        )
