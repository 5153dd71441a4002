"""What each member of a month's statement is owed by the ledger, and what withholds it. Pure.

Rule: `docs/payouts.md`, "What is owed"; `[payout]` and `[lock]` of the rules file. Two roundings,
both down, both exact before they round: `usd_owed` to cents, `planck_owed` to planck.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ibp_chain.accounts import ss58_encode
from ibp_chain.networks import Network
from ibp_chain.types import Planck
from ledger.locks import promise
from ledger.mirrors import Constants
from ledger.pallets.membership import MemberRecord, MemberStatus
from ledger.pallets.payouts import PaidKey
from ledger.program.dossier import decisions_about
from ledger.program.lock_terms import terms
from ledger.program.rules import Rules
from ledger.state import Head, State
from multisig.documents import MAX_PLANCK, printable
from multisig.errors import StatementError
from multisig.statement_lines import IAAS, Line, Reason, Withheld


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger as a statement reads it: a state and its runtime's constants."""

    state: State
    constants: Constants


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


@dataclass(frozen=True, slots=True)
class Month:
    """What all members of one statement share."""

    ledger: Ledger
    head: Head
    rules: Rules
    period: str
    days: int
    price: Decimal
    """USD for a whole token."""
    pending: frozenset[PaidKey]

    def entries(
        self,
        member: str,
        record: MemberRecord,
        served: tuple[date, ...],
        billed: Decimal | None,
    ) -> Iterator[Line | Withheld]:
        """What the member is owed, or why not; nothing for a member that is none any more."""
        if record.status is MemberStatus.REMOVED:
            return
        payout, entries = self.rules.payout, []
        reason, detail = self._problem((self.period, member, payout.item), record)
        if reason is None and not served:
            reason = Reason.NOT_SERVED
            detail = f"uptime was below {payout.served_day_ppm} ppm on every day scored"
        usd = usd_owed(payout.usd_per_month, len(served), self.days)
        entries.append(self._entry(member, payout.item, record, usd, served, reason, detail))
        if billed is not None:
            reason, detail = self._problem((self.period, member, IAAS), record)
            entries.append(self._entry(member, IAAS, record, billed, (), reason, detail))
        yield from sorted(entries, key=lambda entry: entry.item)

    def _entry(
        self,
        member: str,
        item: str,
        record: MemberRecord,
        usd: Decimal,
        served: tuple[date, ...],
        reason: Reason | None,
        detail: str,
    ) -> Line | Withheld:
        network = self.ledger.state.network
        payee = record.payee(network.name)
        if reason is not None or payee is None:
            return Withheld(
                member=member, item=item, reason=reason or Reason.NO_PAYEE, detail=detail
            )
        return Line(
            member=member,
            item=item,
            payee=ss58_encode(payee, network.ss58_prefix),
            days=tuple(day.isoformat() for day in served),
            usd=usd,
            planck=planck_owed(usd, self.price, network),
        )

    def _problem(self, key: PaidKey, record: MemberRecord) -> tuple[Reason | None, str]:
        """The first reason to withhold any item, in the order of `Reason`, with its detail."""
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
        if short := self._shortfall(key[1], record):
            return Reason.LOCK_FALLS_SHORT, short
        return None, ""

    def _shortfall(self, member: str, record: MemberRecord) -> str | None:
        """What the member's lock lacks at the ledger's head (rule F7)."""
        state, network = self.ledger.state, self.ledger.state.network
        required = terms(self.rules.lock, network, decisions_about(state, member)).required
        if not required:
            return None
        account = record.account(network.name)
        if account is None:
            return f"no account is registered on {network.name}"
        config = state.mirrors.voting_config(self.ledger.constants, self.head.now)
        kept = promise(state.mirrors.conviction_voting, config, account, required)
        if kept.kept:
            return None
        return (
            f"{network.format(kept.covered)} at {self.rules.lock.conviction}, "
            f"{network.format(required)} are required"
        )
