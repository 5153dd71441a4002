"""How a number came about: a chain of steps, each naming its rule.

A step is what a person can check by hand: the rule that was applied, the arithmetic with its inputs
written out, and what came of it. Values are exact; nothing here rounds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

Exact = int | Decimal | Fraction
"""A number without loss. Floats are none."""


@dataclass(frozen=True, slots=True)
class Step:
    """One application of a rule."""

    rule: str
    """Its id in docs/rules.md or docs/rules-dtelecom.md."""
    text: str
    """What was computed, inputs written out: `500 * 1.5`."""
    value: Exact


@dataclass(frozen=True, slots=True)
class Derived:
    """A number and the steps that led to it; the last one arrives at the number."""

    value: Fraction
    steps: tuple[Step, ...]

    @classmethod
    def by(cls, rule: str, text: str, value: Exact, *before: Step) -> "Derived":
        """`value` by `rule`, after the steps that its inputs took."""
        return cls(Fraction(value), (*before, Step(rule, text, value)))


def plain(value: Exact) -> str:
    """In plain digits where the digits end, as a quotient where they do not: `7.5`, `250/3`."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        text = f"{value or abs(value):f}"  # a zero may have a sign
        return text.rstrip("0").rstrip(".") if "." in text else text
    over, under = value.numerator, value.denominator
    if under == 1:
        return str(over)
    places = _places(under)
    if places is None:
        return f"{over}/{under}"
    digits = str(abs(over) * 10**places // under).rjust(places + 1, "0")
    sign = "-" if over < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def explain(steps: Iterable[Step]) -> tuple[str, ...]:
    """One line for each step, in columns: rule, arithmetic, result."""
    rows = tuple(steps)
    width = max((len(step.rule) for step in rows), default=0)
    return tuple(f"{step.rule:<{width}}  {_line(step)}" for step in rows)


# --- Internals ----------------------------------------------------------------------


def _line(step: Step) -> str:
    shown = plain(step.value)
    return f"{step.text} = {shown}" if step.text != shown else shown


def _places(denominator: int) -> int | None:
    """Digits behind the point; None where they never end."""
    counts = []
    for prime in (2, 5):
        count = 0
        while denominator % prime == 0:
            denominator //= prime
            count += 1
        counts.append(count)
    return max(counts) if denominator == 1 else None
