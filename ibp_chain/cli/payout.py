"""`ibp payout`: what each member is owed for a month, and why."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from ibp_chain.cli import bill as bills
from ibp_chain.cli import budget, payout_views, prices, receipts
from ibp_chain.cli.opened import (
    DEFAULT_DB,
    ArchiveOption,
    AtOption,
    DbOption,
    RulesOption,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, hex_, say
from ibp_chain.cli.served import BillOption, RowsOption, payable, service_records
from ibp_chain.errors import ConfigError
from ibp_chain.validation import first_problem
from ledger.program.rules import load_rules
from multisig.documents import write_file
from multisig.pending import obstacles, pending_lines
from multisig.statement import Ledger, Price, build_statement

app = typer.Typer(add_completion=False, help="What each member is owed, and why.")
app.command()(bills.bill)
app.command()(prices.prices)
app.command()(budget.spent)
app.command()(receipts.receipts)
app.add_typer(receipts.receipt, name="receipt")


@app.command()
def statement(
    period: Annotated[str, typer.Argument(help="Month, such as 2026-01.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where to write the statement.")],
    price: Annotated[str, typer.Option(help="USD for one whole token, such as 2.15.")],
    price_source: Annotated[str, typer.Option(help="Who said so: kept in the statement.")],
    price_at: Annotated[
        datetime,
        typer.Option(help="As of when, in UTC.", formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]),
    ],
    rows: RowsOption,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    bill: BillOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write the statement of a month from the ledger, the published score rows and a price."""
    opened = open_ledger(db, archive, at)
    built = build_statement(
        Ledger(opened.state, opened.constants),
        load_rules(rules),
        period,
        _price(price, price_source, price_at),
        service_records(opened.state, rows, period),
        pending_lines(opened.state, opened.runtime),
        payable(bill),
    )
    write_file(out, built.encoded)
    if as_json:
        typer.echo(built.encoded)
        return
    console.print(payout_views.statement_table(built, opened.network))
    say(payout_views.statement_source(built, opened.network))
    lines = [(line.member, line.item) for line in built.lines]
    for finding in obstacles(lines, period, opened.state, opened.runtime):
        say(f"To be settled before it is paid: {finding.saw}; {finding.do}.")
    say(f"Written to {out}; its hash is {hex_(built.hash)}.")


def _price(usd: str, source: str, at: datetime) -> Price:
    try:
        return Price(usd=Decimal(usd), source=source, at=f"{at:%Y-%m-%dT%H:%M:%SZ}")
    except InvalidOperation as error:
        raise ConfigError(f"--price {usd!r} is no decimal such as 2.15") from error
    except ValidationError as error:
        raise ConfigError(f"the price is malformed: {first_problem(error)}") from error
