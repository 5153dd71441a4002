"""Lump sums: paid once, returned in part by whoever leaves within two years, and once (F8, F15).

Source: seed 000, milestones 1, 2 and 4. The lump of milestone 2 is bound by the boot nodes of
milestone 1, that of milestone 4 by its own. Amounts are planck, as paid; times are milliseconds
since 1970, by the chain's own blocks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ibp_chain.errors import InputError
from ibp_chain.types import BlockNumber, Planck
from ledger.pallets.payouts import PaidKey, PaidLine
from ledger.program.derivation import Step
from ledger.program.law import LumpRules

MS_PER_DAY = 86_400_000


class LumpError(InputError):
    """A lump sum that was paid or returned before, or never."""


class Receipts(StrEnum):
    """How it stands with the receipts that a lump sum asks for."""

    NOT_YET_DUE = "not due yet"
    OVERDUE = "overdue"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Lump:
    """A lump sum that was paid."""

    member: str
    milestone: int
    amount: Planck
    block: BlockNumber
    paid_ms: int
    period: str = ""
    returned: Planck | None = None
    """What came back; None while nothing did."""


@dataclass(frozen=True, slots=True)
class Return:
    """What of a lump sum is to be returned by an exit at some time."""

    lump: Lump
    days: int
    """Full ones, from the payment to the exit."""
    amount: Planck
    step: Step


def full_days(from_ms: int, until_ms: int) -> int:
    """Raises `LumpError` where the end lies before the beginning."""
    if until_ms < from_ms:
        raise LumpError("an exit cannot lie before the payment")
    return (until_ms - from_ms) // MS_PER_DAY


def returned_on_exit(lump: Lump, exit_ms: int, rules: LumpRules) -> Return:
    """What `lump` leaves to be returned: floor(lump x (730 - d) / 730), none from 730 days on."""
    days, whole = full_days(lump.paid_ms, exit_ms), rules.return_days
    left = max(0, whole - days)
    amount = Planck(lump.amount * left // whole)
    bound = ", ".join(f"M{number}" for number in rules.bound_by.get(lump.milestone, ()))
    text = (
        f"lump of M{lump.milestone}, bound by {bound or 'nothing'}, paid in block {lump.block}, "
        f"held for {days} full days: floor({lump.amount} * {left} / {whole})"
    )
    return Return(lump, days, amount, Step("F8", text, amount))


def receipts(lump: Lump, now_ms: int, rules: LumpRules, *, accepted: bool) -> Receipts:
    """How it stands with the receipts for `lump` (F15)."""
    if accepted:
        return Receipts.ACCEPTED
    held = full_days(lump.paid_ms, now_ms)
    return Receipts.OVERDUE if held > rules.receipts_days else Receipts.NOT_YET_DUE


class Lumps:
    """Every lump sum of a programme: at most one for each member and milestone, ever."""

    def __init__(self, lumps: Mapping[tuple[str, int], Lump] | None = None) -> None:
        self._lumps = dict(lumps or {})

    def find(self, member: str, milestone: int) -> Lump | None:
        return self._lumps.get((member, milestone))

    def of(self, member: str) -> tuple[Lump, ...]:
        """A member's, by milestone."""
        return tuple(lump for key, lump in sorted(self._lumps.items()) if key[0] == member)

    def pay(self, lump: Lump) -> "Lumps":
        """With one more. Raises `LumpError` where it was paid before."""
        key = lump.member, lump.milestone
        if (before := self._lumps.get(key)) is not None:
            raise LumpError(
                f"the lump sum of {lump.member} for milestone {lump.milestone} was paid in block "
                f"{before.block}: it is paid once"
            )
        return Lumps({**self._lumps, key: lump})

    def give_back(self, member: str, milestone: int, amount: Planck) -> "Lumps":
        """With what came back. Raises `LumpError` for a lump never paid, or returned before."""
        lump = self._lumps.get((member, milestone))
        if lump is None or lump.returned is not None:
            problem = "was never paid" if lump is None else "was returned before"
            raise LumpError(f"the lump sum of {member} for milestone {milestone} {problem}")
        if not 0 <= amount <= lump.amount:
            raise LumpError(f"{amount} planck cannot come back of {lump.amount}")
        return Lumps({**self._lumps, (member, milestone): replace(lump, returned=amount)})


def lumps_paid(
    paid: Iterable[tuple[PaidKey, PaidLine]],
    items: Mapping[str, int],
    time_of: Mapping[BlockNumber, int],
) -> tuple[Lumps, tuple[Lump, ...]]:
    """The lump sums among a ledger's payments, and those that were paid a second time.

    `items`: what the lump of a milestone is called in payouts. `time_of`: the time of each block
    that paid one, `KeyError` without.
    """
    lumps, again = Lumps(), []
    in_order = sorted(paid, key=lambda each: (each[1].batch, each[1].line))
    for (period, member, item), line in in_order:
        if item not in items:
            continue
        block = line.batch[0]
        lump = Lump(member, items[item], line.amount, block, time_of[block], period)
        if lumps.find(member, lump.milestone) is None:
            lumps = lumps.pay(lump)
        else:
            again.append(lump)
    return lumps, tuple(again)
