"""`ibp program`: the dTelecom operator programme's law, and what a month earns under it."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from ibp_chain.cli.output import JsonOption, console, hex_, print_json, row, say, table
from ledger.program.derivation import Step, explain, plain
from ledger.program.dtelecom.document import load_month
from ledger.program.dtelecom.earnings import Earnings, earnings
from ledger.program.dtelecom.law_table import Entry, entries
from ledger.program.dtelecom.rules import DtelecomRules, load_rules

app = typer.Typer(
    add_completion=False, help="The dTelecom operator programme: its law, and what a month earns."
)

RulesOption = Annotated[
    Path | None, typer.Option(help="Rules file; default dTelecom's own.", show_default=False)
]


@app.command()
def show(rules: RulesOption = None, *, as_json: JsonOption = False) -> None:
    """Print the law in force: every parameter with its rule."""
    law = load_rules(rules)
    found = entries(law.law)
    if as_json:
        print_json({"rules": hex_(law.hash), "name": law.law.name, "parameters": _rows(found)})
        return
    listed = table(law.law.name, "rule", "parameter", "value", right=("value",))
    for entry in found:
        row(listed, entry.rule, entry.parameter, entry.value)
    console.print(listed)
    say(f"The hash of these rules is {hex_(law.hash)}.")


@app.command(name="earnings")
def earnings_(
    file: Annotated[Path, typer.Argument(help="An operator's month (JSON).", show_default=False)],
    rules: RulesOption = None,
    *,
    why: Annotated[bool, typer.Option("--explain", help="Also print every step.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Work out what an operator's month earns, from a document of its measures."""
    law, month = load_rules(rules), load_month(file)
    earned = earnings(law.law, month)
    if as_json:
        print_json(_earned(law, earned, why=why))
        return
    listed = table(f"{earned.operator} in {earned.month}, {earned.tier}", "node", "item", "usd",
                   right=("usd",))  # fmt: skip
    for line in earned.lines:
        row(listed, line.node, line.item, plain(line.usd))
    row(listed, "total", "", plain(earned.total), style="bold")
    console.print(listed)
    for node, scored in earned.scores.items():
        say(f"{node}: quality score {_shown(scored.total)}")
    if earned.remainder:
        say(f"Rounding down left {_shown(earned.remainder)} USD unpaid.")
    for warning in earned.warnings:
        say(f"Note: {warning}")
    if why:
        _explain(earned)
    say(f"The hash of the rules is {hex_(law.hash)}.")


# --- Internals ----------------------------------------------------------------------


def _explain(earned: Earnings) -> None:
    for line in earned.lines:
        say(f"\n{line.node}, {line.item}: {plain(line.usd)}")
        for text in explain(line.steps):
            say(f"  {text}")
    say("\ntotal")
    for text in explain([earned.total_step]):
        say(f"  {text}")


def _shown(value: Fraction) -> str:
    """Exact, and about what it is where the digits never end."""
    text = plain(value)
    if "/" not in text:
        return text
    return f"{text} (about {Decimal(value.numerator) / value.denominator:.2f})"


def _rows(found: tuple[Entry, ...]) -> list[dict[str, str]]:
    return [{"rule": e.rule, "parameter": e.parameter, "value": e.value} for e in found]


def _earned(law: DtelecomRules, earned: Earnings, *, why: bool) -> dict[str, Any]:
    return {
        "rules": hex_(law.hash),
        "operator": earned.operator,
        "month": earned.month,
        "tier": earned.tier,
        "scores": {node: plain(scored.total) for node, scored in earned.scores.items()},
        "lines": [
            {"node": line.node, "item": line.item, "usd": plain(line.usd),
             "exact": plain(line.exact)}
            | ({"steps": _steps(line.steps)} if why else {})
            for line in earned.lines
        ],
        "total": plain(earned.total),
        "remainder": plain(earned.remainder),
        "warnings": list(earned.warnings),
    }  # fmt: skip


def _steps(steps: tuple[Step, ...]) -> list[dict[str, str]]:
    return [{"rule": s.rule, "text": s.text, "value": plain(s.value)} for s in steps]
