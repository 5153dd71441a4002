"""The treasury's budget: no payment without a line, none above its cap.

Source: seed 001. Amounts are USD, each at its own payment's price. Whatever is refused leaves the
budget as it was: a batch is taken whole or not at all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ibp_chain.errors import InputError
from ledger.program import usd
from ledger.program.derivation import Step
from ledger.program.law import BudgetRules


class BudgetError(InputError):
    """A payment that the budget has no room for."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One item of a payout."""

    period: str
    member: str
    item: str
    usd: Decimal

    @property
    def key(self) -> tuple[str, str, str]:
        """What is paid once."""
        return self.period, self.member, self.item

    def __str__(self) -> str:
        return f"{self.item} of {self.member} for {self.period}"


@dataclass(frozen=True, slots=True)
class LineUse:
    """One line, and what is left of it."""

    name: str
    title: str
    cap: Decimal
    used: Decimal

    @property
    def left(self) -> Decimal:
        return usd.total((self.cap, -self.used))

    @property
    def step(self) -> Step:
        text = f"{self.title}: {usd.plain(self.cap)} - {usd.plain(self.used)}"
        return Step(f"U1.{self.name}", text, self.left)


class Budget:
    """What was paid of each line so far."""

    def __init__(
        self, rules: BudgetRules, payments: Mapping[tuple[str, str, str], Payment]
    ) -> None:
        self._rules, self._payments = rules, dict(payments)

    @classmethod
    def fresh(cls, rules: BudgetRules) -> "Budget":
        return cls(rules, {})

    @classmethod
    def recorded(cls, rules: BudgetRules, payments: Iterable[Payment]) -> "Budget":
        """After what was paid, whether or not it should have been: lines may be above their caps.

        Raises `BudgetError` for what no line pays, and for what was paid twice.
        """
        found: dict[tuple[str, str, str], Payment] = {}
        budget = cls(rules, found)
        for payment in payments:
            budget.line_of(payment)
            if payment.key in found:
                raise BudgetError(f"{payment} is paid already")
            found[payment.key] = payment
        return cls(rules, found)

    def line_of(self, payment: Payment) -> str:
        """Raises `BudgetError` where no line pays for it."""
        line = self._rules.line_of.get(payment.item)
        if line is None:
            raise BudgetError(f"{payment}: no line of the budget pays {payment.item!r}")
        return line

    def with_(self, batch: Iterable[Payment]) -> "Budget":
        """After a batch. Raises `BudgetError` for a payment without a line, above its line's cap,
        below zero, or made before; nothing of the batch counts then.
        """
        taken, used = dict(self._payments), {line.name: line.used for line in self.lines}
        for payment in batch:
            line = self.line_of(payment)
            if not payment.usd.is_finite() or payment.usd < 0:
                raise BudgetError(f"{payment}: {payment.usd} USD is no payment")
            if payment.key in taken:
                raise BudgetError(f"{payment} is paid already")
            cap, sum_ = self._rules.lines[line].usd, usd.total((used[line], payment.usd))
            if sum_ > cap:
                raise BudgetError(
                    f"{payment}: {usd.plain(payment.usd)} USD on top of {usd.plain(used[line])} "
                    f"are more than the {usd.plain(cap)} of the line {line}"
                )
            taken[payment.key], used[line] = payment, sum_
        return Budget(self._rules, taken)

    @property
    def lines(self) -> tuple[LineUse, ...]:
        """Every line, in the order of the rules file."""
        return tuple(self._lines())

    @property
    def used(self) -> Decimal:
        return usd.total(line.used for line in self.lines)

    @property
    def months(self) -> tuple[str, ...]:
        """That anything was paid for, ascending."""
        return tuple(sorted({payment.period for payment in self._payments.values()}))

    def month(self, period: str) -> "Budget":
        """What was paid for `period` alone."""
        only = {key: each for key, each in self._payments.items() if each.period == period}
        return Budget(self._rules, only)

    def _lines(self) -> Iterator[LineUse]:
        by_line: dict[str, list[Decimal]] = {}
        for payment in self._payments.values():
            by_line.setdefault(self.line_of(payment), []).append(payment.usd)
        for name, line in self._rules.lines.items():
            yield LineUse(name, line.title, line.usd, usd.total(by_line.get(name, ())))
