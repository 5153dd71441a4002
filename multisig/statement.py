"""The statement: what each member is owed for a month, and why something is withheld.

Pure: the same ledger, rules, scores and price give the same bytes on any machine. The hash of the
bytes is in the `payout` remark, so that a payment says which statement it follows.

Rule: `docs/payouts.md`; `[payout]` and `[lock]` of the rules file. Two roundings, both down, both
named here: `usd_owed` to cents, `planck_owed` to planck.
"""

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal, localcontext
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import HashText, Period, Slug
from ibp_chain.remarks import canonical_json
from ibp_chain.types import AccountId, Hash, Planck, Ppm
from ledger.locks import promise
from ledger.mirrors import Constants
from ledger.pallets.membership import MemberRecord, MemberStatus
from ledger.pallets.payouts import PaidKey
from ledger.pallets.scores import day_date
from ledger.program.rules import CENT, Rules
from ledger.state import State
from multisig.errors import StatementError
from multisig.service import ServiceRecord, served_days

_EXACT = 60
"""Digits: more than any planck amount in cents has."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _decimal(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        raise ValueError("a decimal is written as text")  # noqa: TRY004 (pydantic's way)
    return Decimal(value)


def _planck(value: Any) -> Any:
    """JSON integers end at 2**53, so amounts are text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if type(value) is int:
        return value
    raise ValueError("an amount is written as text of digits")


DecimalText = Annotated[
    Decimal, BeforeValidator(_decimal), Field(gt=0, allow_inf_nan=False), PlainSerializer(str)
]
UsdText = Annotated[
    Decimal, BeforeValidator(_decimal), Field(ge=0, allow_inf_nan=False), PlainSerializer(str)
]
PlanckText = Annotated[
    Planck, BeforeValidator(_planck), Field(ge=0, lt=2**128), PlainSerializer(str)
]


class Price(_Part):
    """What a token cost, by whom and when: an input like any other, never looked up here."""

    usd: DecimalText
    """For one whole token."""
    source: Annotated[str, Field(min_length=1, max_length=256)]
    at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class LedgerPart(_Part):
    """The ledger that the statement was made from."""

    network: str
    program: HashText
    """blake2b-256 of the founding remark."""
    block: int
    block_hash: HashText
    state_root: HashText


class ScorePart(_Part):
    day: str
    root: HashText


class Line(_Part):
    """What one member is owed."""

    member: Slug
    item: Slug
    payee: str
    """SS58 of the network."""
    served_days: int
    usd: UsdText
    planck: PlanckText


class Reason(StrEnum):
    """Why a member gets no line."""

    SUSPENDED = "suspended"
    NO_PAYEE = "no payee"
    PAID = "paid before"
    PENDING = "in an open operation"
    LOCK_FALLS_SHORT = "lock falls short"
    NOT_SERVED = "no day served"


class Withheld(_Part):
    member: Slug
    item: Slug
    reason: Annotated[Reason, Field(strict=False)]
    detail: str


class Statement(_Part):
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
    def encoded(self) -> bytes:
        return canonical_json(self.model_dump(mode="json"))

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
    """Every day of a month such as 2026-01."""
    year, month = map(int, period.split("-"))
    return tuple(date(year, month, day + 1) for day in range(calendar.monthrange(year, month)[1]))


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
    the ledger has no programme, follows other rules, or `service` covers other days.
    """
    state = ledger.state
    program, genesis, head = (
        state.programme.program.value, state.programme.genesis.value, state.head.value,
    )  # fmt: skip
    if program is None or genesis is None or head is None:
        raise StatementError("the ledger has no programme yet")
    if program.rules != rules.hash:
        raise StatementError(
            f"the programme's rules are 0x{program.rules.hex()}, these are 0x{rules.hash.hex()}"
        )
    days = days_of(period)
    standing = {
        day_date(day): report.root
        for day, report in state.scores.standing.items()
        if day_date(day) in days
    }
    records = tuple(service)
    if strange := {record.day for record in records} - standing.keys():
        raise StatementError(f"scores of {min(strange)}, of which no report stands in {period}")
    if missing := standing.keys() - {record.day for record in records}:
        raise StatementError(f"no scores of {min(missing)}, of which a report stands")
    served = served_days(records, Ppm(rules.payout.served_day_ppm))
    lines, withheld = [], []
    for member, record in sorted(state.membership.members.items()):
        entry = _entry(
            ledger, rules, period, price, pending, member, record, served.get(member, frozenset())
        )
        if isinstance(entry, Line):
            lines.append(entry)
        elif entry is not None:
            withheld.append(entry)
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
        scores=tuple(
            ScorePart(day=day.isoformat(), root=root) for day, root in sorted(standing.items())
        ),
        lines=tuple(lines),
        withheld=tuple(withheld),
    )


def usd_owed(per_month: Decimal, served: int, days: int) -> Decimal:
    """The month's amount for the days served, rounded down to cents."""
    with localcontext(prec=_EXACT):
        return (per_month * served / days).quantize(CENT, ROUND_DOWN)


def planck_owed(usd: Decimal, price: Decimal, network: Network) -> Planck:
    """`usd` in the network's token, rounded down to planck."""
    with localcontext(prec=_EXACT):
        tokens = usd / price
        return Planck(int(tokens.scaleb(network.decimals).to_integral_value(ROUND_DOWN)))


# --- One member -----------------------------------------------------------------------


def _entry(
    ledger: Ledger,
    rules: Rules,
    period: str,
    price: Price,
    pending: frozenset[PaidKey],
    member: str,
    record: MemberRecord,
    served: frozenset[date],
) -> Line | Withheld | None:
    """A line, or why there is none; None for a member that is none any more."""
    if record.status is MemberStatus.REMOVED:
        return None
    network, item = ledger.state.network, rules.payout.item
    payee = record.payee(network.name)
    problem = _problem(ledger, rules, (period, member, item), pending, record, served)
    if problem is not None or payee is None:
        reason, detail = problem or (Reason.NO_PAYEE, f"none is registered on {network.name}")
        return Withheld(member=member, item=item, reason=reason, detail=detail)
    usd = usd_owed(rules.payout.usd_per_month, len(served), len(days_of(period)))
    return Line(
        member=member,
        item=item,
        payee=ss58_encode(payee, network.ss58_prefix),
        served_days=len(served),
        usd=usd,
        planck=planck_owed(usd, price.usd, network),
    )


def _problem(
    ledger: Ledger,
    rules: Rules,
    key: PaidKey,
    pending: frozenset[PaidKey],
    record: MemberRecord,
    served: frozenset[date],
) -> tuple[Reason, str] | None:
    """The first reason to withhold, in the order of `Reason`."""
    paid = ledger.state.payouts.paid.find(key)
    if record.status is MemberStatus.SUSPENDED:
        return Reason.SUSPENDED, record.reason or ""
    if paid is not None:
        return Reason.PAID, f"in block {paid.batch[0]}"
    if key in pending:
        return Reason.PENDING, "signatures are missing still"
    short = _lock_problem(ledger, rules, record)
    if short is not None:
        return Reason.LOCK_FALLS_SHORT, short
    if not served:
        return Reason.NOT_SERVED, f"uptime below {rules.payout.served_day_ppm} ppm on every day"
    return None


def _lock_problem(ledger: Ledger, rules: Rules, record: MemberRecord) -> str | None:
    state, network = ledger.state, ledger.state.network
    tokens, head = rules.lock.required(network.name), state.head.value
    if not tokens:
        return None
    assert head is not None
    required = network.planck(tokens)
    account = record.account(network.name)
    if account is None:
        return f"no account on {network.name}"
    config = state.mirrors.voting_config(ledger.constants, head.now)
    kept = promise(state.mirrors.conviction_voting, config, account, required)
    if kept.kept:
        return None
    return (
        f"{network.format(kept.covered)} at {rules.lock.conviction}, "
        f"{network.format(required)} are required"
    )


def account_lines(statement: Statement) -> Mapping[PaidKey, Line]:
    """Lines by what the paid register knows them under."""
    return {(statement.period, line.member, line.item): line for line in statement.lines}


__all__ = [
    "AccountId",
    "Ledger",
    "Line",
    "Price",
    "Reason",
    "Statement",
    "Withheld",
    "account_lines",
    "build_statement",
    "days_of",
    "planck_owed",
    "usd_owed",
]
