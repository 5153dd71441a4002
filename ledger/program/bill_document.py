"""Bills and corrections as files: canonical JSON (RFC 8785), read strictly, hashed as they are.

A bill's hash is blake2b-256 of its canonical bytes. The next month's bill reads from it what was
left owing, and names it, so that bills form a chain.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import RemarkError
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import Period
from ibp_chain.remarks import canonical_json, read_canonical
from ibp_chain.types import Hash, Planck
from ibp_chain.validation import Strict, first_problem
from ledger.program import usd
from ledger.program.billing import Bill, BillingError, MemberBill, ServiceLine, Unbilled
from ledger.program.importers.strictjson import Name, read
from ledger.program.prices import Average, planck_of, price_text
from ledger.program.settlement import Correction, Iou, MemberSettlement, Settlement
from ledger.program.uptime import slug

FORMAT = "ibp-bill"
_CENTS = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Inputs:
    """Hashes of what a bill was made from beside configuration and uptimes; None: not given."""

    corrections: Hash | None = None
    previous: Hash | None = None
    """The bill whose IOUs were brought forward."""
    price: tuple[Average, Network] | None = None
    """By which what is paid is also given in a token."""


@dataclass(frozen=True, slots=True)
class PreviousBill:
    """What a later bill needs of an earlier one."""

    hash: Hash
    period: str
    ious: tuple[Iou, ...]

    def brought_forward(self, period: str) -> tuple[Iou, ...]:
        """What the bill of `period` owes of it.

        Raises `BillingError` unless this is the bill of the month before: from any other, an IOU
        could be brought forward twice, or never.
        """
        year, month = map(int, self.period.split("-"))
        following = f"{year + month // 12:04d}-{month % 12 + 1:02d}"
        if following != period:
            raise BillingError(
                f"the bill of {self.period} leaves its IOUs to {following}, not to {period}"
            )
        return self.ious


@dataclass(frozen=True, slots=True)
class Payable:
    """What a statement needs of a bill."""

    hash: Hash
    period: str
    paid: Mapping[str, Decimal]
    """USD by member id, cents; without those who are paid nothing."""


def encode_bill(bill: Bill, settlement: Settlement, inputs: Inputs) -> bytes:
    """The one form in which a bill is written and hashed."""
    return canonical_json(as_json(bill, settlement, inputs))


def paid_planck(
    settlement: Settlement, price: Average, network: Network
) -> tuple[tuple[str, Planck], ...]:
    """What each member is paid in the network's smallest unit, rounded down (P4)."""
    return tuple(
        (one.member, planck_of(one.paid, price.usd, network.decimals)) for one in settlement.members
    )


def as_json(bill: Bill, settlement: Settlement, inputs: Inputs) -> dict[str, Any]:
    """Amounts are text: an exact line in as many decimals as it has, the rest in cents."""
    return {
        "format": FORMAT,
        "version": 1,
        "period": bill.period,
        "inputs": _inputs(bill, inputs),
        "policy": {
            "unknown_uptime": bill.policy.unknown.value,
            "inactive_members": bill.policy.inactive_members,
        },
        "services": _services(bill),
        "prices": _prices(bill),
        "members": [_member(one) for one in bill.members],
        "unbilled": _unbilled(bill.unbilled),
        "settlement": [_settled(one) for one in settlement.members],
        "available": "enough" if settlement.available is None else cents(settlement.available),
        "totals": {
            "base": cents(bill.base_usd),
            "billed": cents(bill.billed_usd),
            "owed": cents(settlement.owed),
            "paid": cents(settlement.paid),
            "carried": cents(settlement.carried),
            "undistributed": cents(settlement.undistributed),
        },
        **({} if inputs.price is None else {"price": _price(settlement, *inputs.price)}),
    }


def read_bill(raw: bytes, where: str) -> PreviousBill:
    """What the bill in `raw` left owing.

    Raises `BillingError` naming `where` for anything but canonical JSON of a bill, and for one in
    which owed is not paid and carried, or a total not the sum of its members.
    """
    bill, hash_ = _read(raw, where)
    return PreviousBill(
        hash_,
        bill.period,
        tuple(Iou(one.member, one.carried) for one in bill.settlement if one.carried),
    )


def read_payable(raw: bytes, where: str) -> Payable:
    """What the bill in `raw` pays. Raises `BillingError` as `read_bill`, and for two members that
    have one id in the ledger.
    """
    bill, hash_ = _read(raw, where)
    paid: dict[str, Decimal] = {}
    for one in bill.settlement:
        member = slug(one.member)
        if member in paid:
            raise BillingError(f"{where}: {one.member}: another member has the id {member} too")
        paid[member] = one.paid
    return Payable(hash_, bill.period, {member: each for member, each in paid.items() if each})


def read_corrections(raw: bytes, where: str) -> tuple[Correction, ...]:
    """Raises `ConfigError` naming `where` and the field."""
    return tuple(
        Correction(one.id, one.member, one.period, one.usd, one.reason, one.former_member)
        for one in read(_CORRECTIONS, raw, where).corrections
    )


def cents(amount: Decimal) -> str:
    """In the one spelling that amounts have in a bill."""
    return f"{amount.quantize(usd.CENT):f}"


# --- Internals ----------------------------------------------------------------------


def _read(raw: bytes, where: str) -> tuple["_Bill", Hash]:
    data = raw.removesuffix(b"\n")
    try:
        bill = _Bill.model_validate(read_canonical(data, "bill"))
    except RemarkError as error:
        raise BillingError(f"{where}: {error}") from error
    except ValidationError as error:
        raise BillingError(f"{where}: no bill: {first_problem(error)}") from error
    for one in bill.settlement:
        if one.owed != usd.total((one.paid, one.carried)):
            raise BillingError(f"{where}: {one.member}: owed is not paid and carried together")
    for name in ("owed", "paid", "carried"):
        if bill.totals[name] != usd.total(getattr(one, name) for one in bill.settlement):
            raise BillingError(f"{where}: totals.{name} is not the sum over the members")
    return bill, blake2_256(data)


def _usd(value: Any) -> Any:
    if not isinstance(value, str) or not _CENTS.fullmatch(value) or value == "-0.00":
        raise ValueError('an amount is written as text with two decimals, such as "-12.50"')
    return Decimal(value)


UsdText = Annotated[Decimal, BeforeValidator(_usd)]


class _Correction(Strict):
    id: Name
    member: Name
    period: Period
    usd: UsdText
    reason: Name
    former_member: bool = False


class _Corrections(Strict):
    format: Literal["ibp-corrections"]
    version: Literal[1]
    corrections: list[_Correction]


class _Settled(Strict):
    member: Name
    owed: UsdText
    paid: Annotated[UsdText, Field(ge=0)]
    carried: UsdText
    lines: list[Any]


class _Bill(Strict):
    format: Literal["ibp-bill"]
    version: Literal[1]
    period: Period
    settlement: list[_Settled]
    totals: dict[str, UsdText]
    # what a later bill does not follow from
    inputs: Any
    policy: Any
    services: list[Any]
    prices: list[Any]
    members: list[Any]
    unbilled: list[Any]
    available: Any
    price: Any = None


_CORRECTIONS = TypeAdapter(_Corrections)


def _inputs(bill: Bill, inputs: Inputs) -> Mapping[str, Any]:
    return {
        "configuration": _hex(bill.configuration.hash),
        "files": [[name, _hex(each)] for name, each in bill.configuration.files],
        "uptime": {"source": bill.uptimes.source, "hash": _hex(bill.uptimes.hash)},
        "corrections": _hex(inputs.corrections),
        "previous_bill": _hex(inputs.previous),
    }


def _price(settlement: Settlement, price: Average, network: Network) -> Mapping[str, Any]:
    return {
        "usd": price_text(price.usd),
        "quote": price.quote,
        "average": price.span.name,
        "as_of": price.as_of.isoformat(),
        "series": _hex(price.series),
        "network": network.name,
        "paid": [
            {"member": member, "planck": str(planck)}
            for member, planck in paid_planck(settlement, price, network)
        ],
    }


def _member(bill: MemberBill) -> Mapping[str, Any]:
    return {
        "member": bill.member,
        "level": bill.level,
        "region": bill.region,
        "services": len(bill.lines),
        "base": cents(bill.base_usd),
        "billed": cents(bill.billed_usd),
        "rounding": usd.plain(bill.rounding),
        "lines": [_line(line) for line in bill.lines],
        "unbilled": _unbilled(bill.unbilled),
    }


def _line(line: ServiceLine) -> Mapping[str, Any]:
    return {
        "service": line.service,
        "base": usd.plain(line.base),
        "up": str(line.uptime.up),
        "known": str(line.uptime.known),
        "said": line.uptime.said,
        "amount": usd.plain(line.amount),
    }


def _services(bill: Bill) -> list[Mapping[str, Any]]:
    """What each billed service takes, once."""
    needs = {line.service: line.resources for one in bill.members for line in one.lines}
    return [
        {
            "service": name,
            "nodes": need.nodes,
            "cores": need.cores,
            "memory": need.memory,
            "disk": need.disk,
            "bandwidth": need.bandwidth,
        }
        for name, need in sorted(needs.items())
    ]


def _prices(bill: Bill) -> list[Mapping[str, str]]:
    """What each resource costs in each region that is billed, once."""
    regions = {line.prices.region: line.prices for one in bill.members for line in one.lines}
    return [
        {
            "region": name,
            "cores": usd.plain(price.cores),
            "memory": usd.plain(price.memory),
            "disk": usd.plain(price.disk),
            "bandwidth": usd.plain(price.bandwidth),
        }
        for name, price in sorted(regions.items())
    ]


def _settled(one: MemberSettlement) -> Mapping[str, Any]:
    return {
        "member": one.member,
        "owed": cents(one.owed),
        "paid": cents(one.paid),
        "carried": cents(one.carried),
        "lines": [
            {
                "part": line.part.value,
                "usd": cents(line.usd),
                "rule": line.rule,
                "text": line.text,
            }
            for line in one.lines
        ],
    }


def _unbilled(names: Iterable[Unbilled]) -> list[Mapping[str, str]]:
    return [{"name": one.name, "reason": one.reason.value} for one in names]


def _hex(hash_: Hash | None) -> str:
    return "none" if hash_ is None else "0x" + hash_.hex()
