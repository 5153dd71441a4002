"""What was paid of each line of the treasury's budget: `ibp ledger budget` from statements, whether
paid or about to be; `ibp payout spent` from what the ledger has executed, month by month.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ibp_chain.cli.opened import (
    DEFAULT_DB,
    ArchiveOption,
    AtOption,
    DbOption,
    RulesOption,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, row, say, table
from ibp_chain.errors import CheckFailed, InputError
from ledger.pallets.payouts import BatchStatus
from ledger.program import usd
from ledger.program.budget import Budget, BudgetError, Payment
from ledger.program.rules import load_rules
from ledger.state import State
from multisig.bundle import read_statement
from multisig.history import history_of, read_history
from multisig.statement import Statement


def budget(
    statements: Annotated[
        list[Path], typer.Argument(help="Statements, paid or about to be.", show_default=False)
    ],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Add statements up by budget line; exit 1 for an item without a line or above its cap.

    Every payment in the ledger must be in one of the statements: what is left is not told from half
    of them.
    """
    state, law = open_ledger(db, archive, at).state, load_rules(rules).budget
    found = [read_statement(path) for path in statements]
    _ensure_all_there(state, found)
    spent = Budget.fresh(law)
    for statement in sorted(found, key=lambda each: each.period):
        payments = [
            Payment(statement.period, line.member, line.item, line.usd) for line in statement.lines
        ]
        try:
            spent = spent.with_(payments)
        except BudgetError as error:
            raise CheckFailed(f"the statement of {statement.period}: {error}") from error
    if as_json:
        print_json(
            [
                {
                    "line": line.name,
                    "title": line.title,
                    "cap": usd.plain(line.cap),
                    "used": usd.plain(line.used),
                    "left": usd.plain(line.left),
                }
                for line in spent.lines
            ]
        )
        return
    view = table("The budget, USD", "line", "what", "cap", "used", "left",
                 right=("cap", "used", "left"))  # fmt: skip
    for line in spent.lines:
        amounts = (usd.plain(amount) for amount in (line.cap, line.used, line.left))
        row(view, f"U1.{line.name}", line.title, *amounts)
    row(view, "all", "", usd.plain(law.total_usd), usd.plain(spent.used), "", style="bold")
    console.print(view)
    say(f"From {len(found)} statements.")


def spent(
    bundles: Annotated[
        Path, typer.Option("--bundles", help="Folder with the bundles of every month.")
    ],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """What executed payouts have cost by budget line and month; exit 1 unless that is all of it.

    The ledger has no USD: they are in the statements that its batches name. Whatever it has paid
    and the folder does not explain is named, and the totals are then a lower bound.
    """
    state, law = open_ledger(db, archive, at).state, load_rules(rules).budget
    given = read_history(bundles)
    history = history_of(given, state)
    used, strange = history.spent(law)
    gaps = (*history.gaps, *strange)
    above = [line for line in used.lines if line.left < 0]
    idle = [each for each in given if each.hash not in history.followed]
    if as_json:
        print_json(_spent_json(used, gaps, idle))
    else:
        console.print(_spent_table(used, law.total_usd))
        for each in idle:
            say(f"Not counted: nothing was paid by the statement {hex_(each.hash)}.")
        for gap in gaps:
            say(f"Missing: {gap}.")
    problems = [
        f"line {line.name}: {usd.plain(line.used)} USD of {usd.plain(line.cap)} were paid"
        for line in above
    ]
    if gaps:
        more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        problems.insert(0, f"the totals are a lower bound: {gaps[0]}{more}")
    if problems:
        raise CheckFailed("; ".join(problems))
    if not as_json:
        say(f"Complete: {len(history.payments)} lines of {len(history.followed)} statements.")


def _spent_table(used: Budget, total: Decimal) -> Table:
    months = used.months
    view = table(
        "Spent, USD", "line", *months, "all", "cap", "left",
        right=(*months, "all", "cap", "left"),
    )  # fmt: skip
    by_month = [used.month(month).lines for month in months]
    for place, line in enumerate(used.lines):
        each = (usd.plain(lines[place].used) for lines in by_month)
        row(view, f"U1.{line.name}", *each, *map(usd.plain, (line.used, line.cap, line.left)))
    sums = (usd.plain(used.month(month).used) for month in months)
    left = usd.total((total, -used.used))
    row(view, "all", *sums, *map(usd.plain, (used.used, total, left)), style="bold")
    return view


def _spent_json(used: Budget, gaps: Sequence[str], idle: Sequence[Statement]) -> dict[str, object]:
    return {
        "complete": not gaps,
        "missing": list(gaps),
        "not_executed": [each.hash for each in idle],
        "lines": [
            {
                "line": line.name,
                "cap": usd.plain(line.cap),
                "used": usd.plain(line.used),
                "left": usd.plain(line.left),
                "months": {
                    month: usd.plain(used.month(month).lines[place].used) for month in used.months
                },
            }
            for place, line in enumerate(used.lines)
        ],
        "months": {month: usd.plain(used.month(month).used) for month in used.months},
        "used": usd.plain(used.used),
    }


def _ensure_all_there(state: State, statements: Sequence[Statement]) -> None:
    """Raises `InputError` where a batch that moved money follows a statement that is missing."""
    given = {statement.hash for statement in statements}
    for (block, _), batch in sorted(state.payouts.batches.items()):
        if batch.status is not BatchStatus.FAILED and batch.statement not in given:
            raise InputError(
                f"block {block} paid for {batch.period} by the statement "
                f"0x{batch.statement.hex()}, which is not among those given"
            )
