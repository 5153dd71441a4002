"""`ibp ledger migrate`: a ledger's tables, brought to this program's version or back."""

from typing import Annotated

import typer

from ibp_chain.cli.opened import DEFAULT_DB, DbOption
from ibp_chain.cli.output import console
from ibp_chain.errors import InputError
from ledger.migrations import migrate as carry_out
from ledger.migrations import plan
from ledger.tables import SCHEMA_VERSION


def migrate(
    db: DbOption = DEFAULT_DB,
    to: Annotated[int, typer.Option(help="Schema version to reach.")] = SCHEMA_VERSION,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Agree without being asked.")] = False,
) -> None:
    """Bring a ledger's tables to this program's version; say what that means first."""
    planned = plan(db, to)
    if not planned.steps:
        console.print(f"{planned.name} has schema version {planned.found} already.")
        return
    direction = "up" if planned.target > planned.found else "down, forgetting what was new in"
    console.print(
        f"{planned.name}: schema version {planned.found}, to {planned.target}; {direction}"
    )
    for step in planned.steps:
        console.print(f"  {step}")
    if not yes and not typer.confirm("Keep a copy of the database. Go on?"):
        raise InputError("nothing was changed")
    carry_out(planned, db)
    console.print(f"{planned.name} has schema version {planned.target} now.")
