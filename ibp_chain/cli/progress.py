"""`ibp ledger progress`: the programme's tables of progress, from evidence and grants on chain."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.cli.opened import (
    DEFAULT_DB,
    ArchiveOption,
    AtOption,
    DbOption,
    RulesOption,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, print_json, row, table
from ibp_chain.cli.why import read_evidence
from ibp_chain.errors import InputError
from ledger.program.evidence import Evidence, progress
from ledger.program.milestone_rules import ByChains
from ledger.program.rules import Rules, load_rules
from ledger.state import State


def show_progress(
    requirement: Annotated[str, typer.Argument(help="Such as M1.boot-nodes.", show_default=False)],
    evidence: Annotated[
        list[Path],
        typer.Option("--evidence", help="An evidence document (JSON); once for each member."),
    ],
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    rules: RulesOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """One row for each member: what was shown on each chain, and whether that was granted."""
    number, name, chains = _asked(load_rules(rules), requirement)
    documents = [read_evidence(path) for path in evidence]
    for document in documents:
        if document.milestone != number:
            raise InputError(
                f"the evidence of {document.member} is for milestone {document.milestone}, "
                f"{requirement} is of {number}"
            )
    if len({document.member for document in documents}) != len(documents):
        raise InputError("two documents are about one member")
    state = open_ledger(db, archive, at).state
    granted = {document.member: _granted(state, document) for document in documents}
    rows = progress(documents, name, chains)
    columns = [chain or "shown" for chain in chains]
    if as_json:
        print_json(
            [
                {
                    "member": member,
                    "shown": dict(zip(columns, cells, strict=True)),
                    "granted": granted[member],
                }
                for member, *cells in rows
            ]
        )
        return
    view = table(f"Progress in {requirement}", "member", *columns, "granted")
    for member, *cells in rows:
        row(view, member, *cells, granted[member])
    console.print(view)


def _asked(rules: Rules, requirement: str) -> tuple[int, str, Sequence[str | None]]:
    """Milestone, requirement and columns. Raises `InputError` where there is none."""
    for number, milestone in rules.milestones.items():
        for each in milestone.requirements:
            if requirement == f"M{number}.{each.id}":
                return number, each.id, list(each.chains) if isinstance(each, ByChains) else [None]
        if requirement.removeprefix(f"M{number}.") in milestone.tasks:
            return number, requirement.removeprefix(f"M{number}."), [None]
    raise InputError(f"the rules have no requirement {requirement!r}; they are in docs/rules.md")


def _granted(state: State, document: Evidence) -> str:
    """Whether the milestone was granted, and for this evidence."""
    record = state.membership.milestones.find((document.member, document.milestone))
    if record is None:
        return "no"
    same = record.evidence == document.hash
    return f"in block {record.granted_at}" + ("" if same else ", on other evidence")
