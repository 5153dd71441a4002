"""The programme's bill of a month: resources x regional price x uptime, member by member.

Pure: the configuration, the uptimes and the policy in, the bill out. `settlement` says what is paid
of it. Rules, as docs/billing.md numbers them:

* B1  base = nodes x (cores x price + memory x price + disk x price + bandwidth x price)
* B2  what is not billed, and why: a service that is not active or not in the list, a member that
      is not active
* B3  amount = base x uptime, cut off at 10^-12 USD
* B4  a member's base and bill are the exact sums of its lines, rounded once to the nearest cent, a
      tie to the even one; the difference is named `rounding`
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ibp_chain.errors import InputError
from ledger.program import usd
from ledger.program.derivation import Step
from ledger.program.importers.pricing import RegionalPrices
from ledger.program.importers.professional import ProfessionalMember
from ledger.program.importers.services import Resources, Service
from ledger.program.importers.snapshot import Configuration
from ledger.program.importers.strictjson import folded
from ledger.program.uptime import FULL, NOT_GIVEN, Unknown, Uptime, Uptimes

_PERIOD = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


class BillingError(InputError):
    """A bill cannot be made from what was given."""


@dataclass(frozen=True, slots=True)
class BillingPolicy:
    """The readings that a bill rests on."""

    unknown: Unknown = Unknown.REFUSE
    """For a service that the given uptimes say nothing of. Without any uptimes all is FULL."""
    inactive_members: bool = False
    """Whether members with `Service.Active` 0 are billed, as the programme's own software does."""


class NotBilled(StrEnum):
    INACTIVE_SERVICE = "the service is not active"
    UNKNOWN_SERVICE = "services_rpc.json has no such service"
    INACTIVE_MEMBER = "the member is not active"


@dataclass(frozen=True, slots=True)
class Unbilled:
    """What was assigned and is not billed."""

    name: str
    reason: NotBilled


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service of one member."""

    service: str
    resources: Resources
    prices: RegionalPrices
    base: Decimal
    """USD a month, exact (B1)."""
    uptime: Uptime
    amount: Decimal
    """USD, exact to 10^-12 (B3)."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """How the amount came about."""
        need, price, uptime = self.resources, self.prices, self.uptime
        each = " + ".join(
            f"{units} {what} x {usd.plain(rate)}"
            for units, what, rate in (
                (need.cores, "cores", price.cores),
                (need.memory, "GB memory", price.memory),
                (need.disk, "GB disk", price.disk),
                (need.bandwidth, "GB bandwidth", price.bandwidth),
            )
        )
        return (
            Step("B1", f"{self.service}: {need.nodes} nodes x ({each})", self.base),
            Step(
                "B3",
                f"{self.service}: {usd.plain(self.base)} x {uptime.up} / {uptime.known}"
                f" ({uptime.said})",
                self.amount,
            ),
        )


@dataclass(frozen=True, slots=True)
class MemberBill:
    """What one member is billed for a month, before corrections and what is there to pay it."""

    member: str
    level: int
    region: str
    lines: tuple[ServiceLine, ...]
    """By service."""
    unbilled: tuple[Unbilled, ...]
    base_usd: Decimal
    """Cents (B4)."""
    billed_usd: Decimal
    """Cents (B4)."""

    @property
    def rounding(self) -> Decimal:
        """`billed_usd` less the exact sum of the lines: at most half a cent either way."""
        return usd.total((self.billed_usd, *(-line.amount for line in self.lines)))

    @property
    def steps(self) -> tuple[Step, ...]:
        lines = tuple(step for line in self.lines for step in line.steps)
        base, amount = (
            usd.total(line.base for line in self.lines),
            usd.total(line.amount for line in self.lines),
        )
        return (
            *lines,
            Step("B4", f"base, {len(self.lines)} services: {usd.plain(base)}", self.base_usd),
            Step(
                "B4",
                f"billed: {usd.plain(amount)}, rounding {usd.plain(self.rounding)}",
                self.billed_usd,
            ),
        )


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's bill, members by name."""

    period: str
    configuration: Configuration
    uptimes: Uptimes
    policy: BillingPolicy
    members: tuple[MemberBill, ...]
    unbilled: tuple[Unbilled, ...]
    """Members that get no bill."""

    @property
    def base_usd(self) -> Decimal:
        return usd.total(member.base_usd for member in self.members)

    @property
    def billed_usd(self) -> Decimal:
        return usd.total(member.billed_usd for member in self.members)

    def member(self, name: str) -> MemberBill | None:
        return next((one for one in self.members if one.member == name), None)


def bill_month(
    period: str,
    configuration: Configuration,
    uptimes: Uptimes = NOT_GIVEN,
    policy: BillingPolicy = BillingPolicy(),
) -> Bill:
    """The bill of `period`, such as 2026-01.

    Raises `BillingError` for what is no month, for a member to be billed whose region has no prices
    and, unless the policy says otherwise, naming every service whose uptime is unknown.
    """
    ensure_period(period)
    billable = [one for one in configuration.members if one.active or policy.inactive_members]
    month = _Month(configuration, uptimes, policy)
    bills = tuple(month.member(one) for one in billable)
    if unknown := [
        f"{bill.member} {line.service}"
        for bill in bills
        for line in bill.lines
        if line.uptime is _REFUSED
    ]:
        raise BillingError(
            f"nothing is known of the uptime of {_first(unknown)}: give it, or say what an unknown"
            " uptime counts as"
        )
    return Bill(
        period=period,
        configuration=configuration,
        uptimes=uptimes,
        policy=policy,
        members=tuple(sorted(bills, key=lambda bill: bill.member)),
        unbilled=tuple(
            Unbilled(one.name, NotBilled.INACTIVE_MEMBER)
            for one in sorted(configuration.members, key=lambda one: one.name)
            if one not in billable
        ),
    )


def ensure_period(period: str) -> None:
    """Raises `BillingError` for what is no month such as 2026-01."""
    if not _PERIOD.fullmatch(period):
        raise BillingError(f"{period!r} is no month such as 2026-01")


def base_cost(resources: Resources, prices: RegionalPrices) -> Decimal:
    """USD a month for a service in a region, exact (B1)."""
    one_node = usd.total(
        (
            usd.product(resources.cores, prices.cores),
            usd.product(resources.memory, prices.memory),
            usd.product(resources.disk, prices.disk),
            usd.product(resources.bandwidth, prices.bandwidth),
        )
    )
    return usd.product(resources.nodes, one_node)


# --- Internals ----------------------------------------------------------------------

_REFUSED = Uptime(0, 1, "unknown: refused")
_IN_FULL = Uptime(1, 1, "unknown: billed in full")
_NOTHING = Uptime(0, 1, "unknown: not billed")
_SHOWN = 3


class _Month:
    """What all members of one bill share; a base cost is worked out once for each region."""

    def __init__(
        self, configuration: Configuration, uptimes: Uptimes, policy: BillingPolicy
    ) -> None:
        self._configuration, self._uptimes, self._policy = configuration, uptimes, policy
        self._services = {folded(one.name): one for one in configuration.services}
        self._prices = {folded(one.region): one for one in configuration.pricing}
        self._bases: dict[tuple[str, str], Decimal] = {}

    def member(self, member: ProfessionalMember) -> MemberBill:
        prices = self._prices.get(folded(member.region))
        if prices is None:
            known = ", ".join(one.region for one in self._configuration.pricing)
            raise BillingError(
                f"{member.name}: its region {member.region!r} has no prices; there are some for"
                f" {known}"
            )
        lines, unbilled = [], []
        for name in member.services:
            service = self._services.get(folded(name))
            if service is None:
                unbilled.append(Unbilled(name, NotBilled.UNKNOWN_SERVICE))
            elif not service.active:
                unbilled.append(Unbilled(service.name, NotBilled.INACTIVE_SERVICE))
            else:
                lines.append(self._line(service, prices, self._uptime(member, service)))
        lines.sort(key=lambda line: line.service)
        return MemberBill(
            member=member.name,
            level=member.level,
            region=prices.region,
            lines=tuple(lines),
            unbilled=tuple(sorted(unbilled, key=lambda one: one.name)),
            base_usd=usd.nearest_cent(usd.total(line.base for line in lines)),
            billed_usd=usd.nearest_cent(usd.total(line.amount for line in lines)),
        )

    def _line(self, service: Service, prices: RegionalPrices, uptime: Uptime) -> ServiceLine:
        about = service.name, prices.region
        if about not in self._bases:
            self._bases[about] = base_cost(service.resources, prices)
        base = self._bases[about]
        amount = usd.share(base, uptime.up, uptime.known)
        return ServiceLine(service.name, service.resources, prices, base, uptime, amount)

    def _uptime(self, member: ProfessionalMember, service: Service) -> Uptime:
        if self._uptimes is NOT_GIVEN:
            return FULL
        found = self._uptimes.find((member.name, member.display_name), service.name)
        if found is not None:
            return found
        match self._policy.unknown:
            case Unknown.FULL:
                return _IN_FULL
            case Unknown.NONE:
                return _NOTHING
            case Unknown.REFUSE:
                return _REFUSED


def _first(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
