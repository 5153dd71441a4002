"""docs/billing.md says what the code does."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

import ibp_chain
from ledger.program import usd
from ledger.program.bill_document import read_corrections
from ledger.program.billing import bill_month
from ledger.program.derivation import explain
from ledger.program.prices import Span
from ledger.program.settlement import settle
from ledger.program.uptime import read_uptimes
from tests.support.billing import january

TEXT = (Path(ibp_chain.__file__).parents[1] / "docs" / "billing.md").read_text()


def fenced(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_steps_of_the_worked_example_are_those_of_the_bill() -> None:
    amforc = bill_month("2026-01", january()).member("Amforc")
    assert amforc is not None
    (shown,) = (block for block in fenced("") if block.startswith("B1"))
    steps = explain(amforc.steps)
    for line in shown.splitlines():
        assert line in steps


@pytest.mark.parametrize("name", ["Amforc", "Lucky Friday"])
def test_the_haircut_of_the_worked_example_is_the_settlements(name: str) -> None:
    found = settle(bill_month("2026-01", january()), available=Decimal(200_000))
    one = next(one for one in found.members if one.member == name)
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| {name} |"))
    for amount in (one.owed, one.paid, one.carried):
        assert f" {amount} |" in row
    assert f"\N{MINUS SIGN}{one.carried} |" in row
    total = next(line for line in TEXT.splitlines() if line.startswith("| all twelve |"))
    for amount in (found.owed, found.paid, found.carried):
        assert f" {amount} |" in total
    assert f"{found.undistributed} USD stay in the bounty" in TEXT


def test_the_table_of_roundings_is_of_the_real_lines() -> None:
    one = bill_month("2026-01", january()).member("Stake Plus")
    assert one is not None
    exact = usd.total(line.base for line in one.lines)
    by_line = usd.total(usd.nearest_cent(line.base) for line in one.lines)
    assert f"| exact sum of the lines | {usd.plain(exact)} |" in TEXT
    assert f"| **{one.base_usd}**, as published |" in TEXT
    assert f"| each line to the nearest cent | {by_line} |" in TEXT


def test_the_example_files_are_read() -> None:
    uptime, corrections = fenced("json")
    found = read_uptimes(uptime.encode(), "2026-01", "docs").find(["Amforc"], "Kusama")
    assert found is not None
    assert found.said == "99.95 %, as given"
    (correction,) = read_corrections(corrections.encode(), "docs")
    assert correction.usd == Decimal("0.30")
    assert json.loads(corrections)["corrections"][0]["reason"] == correction.reason


def test_the_averages_need_as_many_days_as_is_said() -> None:
    assert f"EMA7 needs {Span.EMA7.days} days, EMA30 needs {Span.EMA30.days};" in TEXT
