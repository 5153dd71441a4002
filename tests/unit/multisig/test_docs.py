"""`docs/payouts.md` names what the documents hold, and its example is the recorded one."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from multisig.approve import WEIGHT_MARGIN_PERCENT
from multisig.bundle import Bundle, ChainPart, MultisigPart, TimepointPart, WeightPart
from multisig.checks import OVERRIDABLE, USUAL_CHANGE, Check
from multisig.plan import Kind, PlanPart
from multisig.receipts import DayPart, PaymentPart, Receipt, ReceiptLine, SignerPart
from multisig.reconcile import Outcome
from multisig.statement import (
    LedgerPart,
    Line,
    Price,
    Reason,
    ScorePart,
    Statement,
    Withheld,
)
from tests.support import payouts
from tests.support.command_line import ROOT

TEXT = (ROOT / "docs" / "payouts.md").read_text()
FORMS: tuple[type[BaseModel], ...] = (
    Statement, LedgerPart, Price, ScorePart, Line, Withheld,
    Bundle, ChainPart, MultisigPart, PlanPart, TimepointPart, WeightPart,
    Receipt, ReceiptLine, PaymentPart, SignerPart, DayPart,
)  # fmt: skip


def fields() -> Iterator[str]:
    for form in FORMS:
        yield from form.model_fields


@pytest.mark.parametrize("name", sorted({*fields(), *Reason, *Outcome, *Kind, *Check}))
def test_every_field_reason_and_outcome_is_described(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_the_worked_example_is_the_recorded_payout() -> None:
    statement, chain = payouts.bundle().statement, payouts.PASEO
    assert str(statement.price.usd) in TEXT
    for line in statement.lines:
        for said in (line.member, str(line.usd), str(line.planck), chain.format(line.planck)):
            assert said in TEXT
    for held in statement.withheld:
        assert held.member in TEXT
    assert f"{statement.total} planck, {chain.format(statement.total)}" in TEXT


@pytest.mark.parametrize("check", Check)
def test_the_page_says_which_checks_can_be_overridden(check: Check) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{check}` |"))
    assert row.endswith("| `--allow` |" if check in OVERRIDABLE else "| no |")


def test_the_usual_change_is_the_one_in_use() -> None:
    assert f"`--change` percent, default {USUAL_CHANGE // 10_000}" in TEXT


def test_the_margin_is_the_one_in_use() -> None:
    assert f"adds {WEIGHT_MARGIN_PERCENT} %" in TEXT
