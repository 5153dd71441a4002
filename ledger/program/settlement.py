"""What is paid of a month's bill: corrections, what was owed before, and what the bounty holds.

Pure, in whole cents from end to end, and independent of the order of anything. Rules:

* B5  a correction of an earlier month adds to what a member is owed, or takes from it
* B6  what the last bill left owing (an IOU) is owed again; an overpayment is taken off
* B7  where the claims exceed what is there, each is paid floor(claim x available / claims): the
      haircut. The cents that flooring leaves stay in the bounty, named `undistributed`
* B8  what is owed and not paid is the IOU of the next month; it is negative for who owes

For every member owed = paid + carried, and never is more paid than is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ledger.program import usd
from ledger.program.billing import Bill, BillingError
from ledger.program.derivation import Step
from ledger.program.importers.strictjson import folded


@dataclass(frozen=True, slots=True)
class Correction:
    """What an earlier month should have come to, less what it did. Cents, of either sign."""

    id: str
    """Unique within its file."""
    member: str
    period: str
    """The month that is corrected."""
    usd: Decimal
    reason: str
    former_member: bool = False
    """Whether the member may be absent from the month's configuration."""


@dataclass(frozen=True, slots=True)
class Iou:
    """What a bill left owing to a member; negative for what the member was paid too much."""

    member: str
    usd: Decimal


class Part(StrEnum):
    """What a line of a settlement is."""

    BILLED = "billed"
    CORRECTION = "correction"
    BROUGHT_FORWARD = "brought forward"
    HAIRCUT = "haircut"
    LEFT_STANDING = "left standing"


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One line, with the rule that it follows and its arithmetic."""

    part: Part
    usd: Decimal
    rule: str
    text: str

    @property
    def step(self) -> Step:
        return Step(self.rule, f"{self.part}: {self.text}", self.usd)


@dataclass(frozen=True, slots=True)
class MemberSettlement:
    """What one member is owed, is paid, and is owed still. Cents."""

    member: str
    lines: tuple[SettlementLine, ...]
    """They add up to `paid`: a haircut is below zero, an overpayment left standing above."""
    owed: Decimal
    """What is billed, corrected and brought forward, together; below zero for who owes."""
    paid: Decimal

    @property
    def carried(self) -> Decimal:
        """The IOU of the next month (B8)."""
        return usd.total((self.owed, -self.paid))

    @property
    def steps(self) -> tuple[Step, ...]:
        text = f"carried forward: {self.owed} owed less {self.paid} paid"
        return (*(line.step for line in self.lines), Step("B8", text, self.carried))


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is paid for a month, members by name."""

    available: Decimal | None
    """What the bounty holds, in cents; None: enough."""
    members: tuple[MemberSettlement, ...]

    @property
    def claims(self) -> Decimal:
        """What is owed to those who are owed."""
        return usd.total(max(one.owed, usd.ZERO) for one in self.members)

    @property
    def owed(self) -> Decimal:
        return usd.total(one.owed for one in self.members)

    @property
    def paid(self) -> Decimal:
        return usd.total(one.paid for one in self.members)

    @property
    def carried(self) -> Decimal:
        return usd.total(one.carried for one in self.members)

    @property
    def undistributed(self) -> Decimal:
        """Cents that a haircut leaves because nobody is paid a fraction: less than one a member."""
        if self.available is None or self.claims <= self.available:
            return usd.ZERO
        return usd.total((self.available, -self.paid))

    @property
    def ious(self) -> tuple[Iou, ...]:
        """What the next bill brings forward."""
        return tuple(Iou(one.member, one.carried) for one in self.members if one.carried)


def settle(
    bill: Bill,
    *,
    available: Decimal | None = None,
    corrections: Iterable[Correction] = (),
    ious: Iterable[Iou] = (),
) -> Settlement:
    """What is paid of `bill` from `available`.

    Raises `BillingError` for amounts that are no whole cents, for a negative `available`, for a
    correction that stands there twice, that is not about an earlier month, or whose member is
    neither in the bill nor owed anything nor said to be a former one, and for two IOUs of a member.
    """
    before, bills = _by_member(ious), {one.member: one for one in bill.members}
    corrected = _by_correction(bill, corrections, before)
    owing = {
        name: _Owing(
            billed=_cents(bills[name].billed_usd, name) if name in bills else None,
            corrections=corrected.get(name, ()),
            before=_cents(before[name].usd, f"the IOU of {name}") if name in before else None,
        )
        for name in sorted(bills.keys() | before.keys() | corrected.keys())
    }
    claims = sum(max(one.owed, 0) for one in owing.values())
    held = None if available is None else _cents(available, "what is available")
    if held is not None and held < 0:
        raise BillingError(f"{available} USD cannot be available")
    return Settlement(
        None if held is None else usd.of_cents(held),
        tuple(_settled(bill, name, one, claims, held) for name, one in owing.items()),
    )


def corrections_between(before: Bill, after: Bill, reason: str) -> tuple[Correction, ...]:
    """What `after`, the same month made again, changes for each member of either bill.

    For a later bill to pay. Raises `BillingError` for bills of different months.
    """
    if before.period != after.period:
        raise BillingError(f"{before.period} and {after.period} are different months")
    names = sorted({one.member for one in (*before.members, *after.members)})
    changes = ((name, _billed(after, name) - _billed(before, name)) for name in names)
    return tuple(
        Correction(
            id=f"{before.period}-{name}",
            member=name,
            period=before.period,
            usd=usd.of_cents(cents),
            reason=reason,
            former_member=True,
        )
        for name, cents in changes
        if cents
    )


# --- Internals ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Owing:
    """What a member is owed and what for, in cents."""

    billed: int | None
    corrections: tuple[Correction, ...]
    before: int | None

    @property
    def owed(self) -> int:
        corrected = sum(usd.whole_cents(one.usd) for one in self.corrections)
        return (self.billed or 0) + corrected + (self.before or 0)


def _by_member(ious: Iterable[Iou]) -> dict[str, Iou]:
    found: dict[str, Iou] = {}
    for iou in ious:
        if iou.member in found:
            raise BillingError(f"two IOUs of {iou.member}")
        found[iou.member] = iou
    return found


def _by_correction(
    bill: Bill, corrections: Iterable[Correction], before: Mapping[str, Iou]
) -> dict[str, tuple[Correction, ...]]:
    """Corrections by the member's name as the bill has it."""
    names = {folded(one.member): one.member for one in bill.members}
    names |= {folded(one): one for one in before if folded(one) not in names}
    found: dict[str, list[Correction]] = {}
    seen: set[str] = set()
    for one in sorted(corrections, key=lambda one: (one.period, one.id)):
        if one.id in seen:
            raise BillingError(f"the correction {one.id!r} stands there twice")
        seen.add(one.id)
        _cents(one.usd, f"the correction {one.id!r}")
        if one.period >= bill.period:
            raise BillingError(
                f"the correction {one.id!r} is about {one.period}: a bill of {bill.period} "
                "corrects earlier months"
            )
        name = names.get(folded(one.member))
        if name is None and not one.former_member:
            raise BillingError(
                f"the correction {one.id!r} is for {one.member!r}, who is not in the bill of "
                f"{bill.period}: say that it is a former member, or correct the name"
            )
        found.setdefault(name or one.member, []).append(one)
    return {name: tuple(each) for name, each in found.items()}


def _settled(
    bill: Bill, name: str, owing: _Owing, claims: int, held: int | None
) -> MemberSettlement:
    lines = list(_owed_lines(bill, owing))
    claim, paid = max(owing.owed, 0), max(owing.owed, 0)
    if held is not None and claims > held:
        paid = claim * held // claims
        text = (
            f"floor({usd.of_cents(claim)} x {usd.of_cents(held)} / {usd.of_cents(claims)})"
            f" less {usd.of_cents(claim)}: the bounty holds less than is claimed"
        )
        lines.append(_line(Part.HAIRCUT, paid - claim, "B7", text))
    if owing.owed < 0:
        text = "paid too much before: taken off the next month"
        lines.append(_line(Part.LEFT_STANDING, -owing.owed, "B8", text))
    return MemberSettlement(name, tuple(lines), usd.of_cents(owing.owed), usd.of_cents(paid))


def _owed_lines(bill: Bill, owing: _Owing) -> Iterable[SettlementLine]:
    if owing.billed is not None:
        yield _line(Part.BILLED, owing.billed, "B4", f"billed for {bill.period}")
    for one in owing.corrections:
        text = f"correction {one.id} of {one.period}: {one.reason}"
        yield _line(Part.CORRECTION, usd.whole_cents(one.usd), "B5", text)
    if owing.before is not None:
        yield _line(Part.BROUGHT_FORWARD, owing.before, "B6", "by the last bill's IOU")


def _line(part: Part, cents: int, rule: str, text: str) -> SettlementLine:
    return SettlementLine(part, usd.of_cents(cents), rule, text)


def _cents(amount: Decimal, what: str) -> int:
    try:
        return usd.whole_cents(amount)
    except ValueError as error:
        raise BillingError(f"{what}: {error}") from error


def _billed(bill: Bill, name: str) -> int:
    member = bill.member(name)
    return 0 if member is None else usd.whole_cents(member.billed_usd)
