"""Steps print plainly and exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.program.derivation import Derived, Exact, Step, explain, plain


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (-3, "-3"), (Decimal("750.00"), "750"), (Decimal("0.05"), "0.05"),
        (Decimal("1E+3"), "1000"), (Decimal("1E-9"), "0.000000001"), (Fraction(15, 2), "7.5"),
        (Fraction(-1, 8), "-0.125"), (Fraction(250, 3), "250/3"), (Fraction(-1, 3), "-1/3"),
        (10**30, "1" + "0" * 30),
    ],
)  # fmt: skip
def test_numbers_are_shown_in_plain_digits_without_loss(value: Exact, shown: str) -> None:
    assert plain(value) == shown
    assert Fraction(shown) == Fraction(value)


def test_each_step_is_a_line_with_its_rule_its_arithmetic_and_its_result() -> None:
    steps = (Step("R10", "500 * 1.5", 750), Step("S1", "750", 750))
    assert explain(steps) == ("R10  500 * 1.5 = 750", "S1   750")
    assert explain(()) == ()


def test_a_derived_number_keeps_the_steps_of_its_inputs_before_its_own() -> None:
    first = Step("A", "1 + 1", 2)
    found = Derived.by("B", "2 * 2", 4, first)
    assert found.value == 4
    assert found.steps == (first, Step("B", "2 * 2", 4))
