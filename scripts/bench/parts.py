"""The parts of docs/benchmarks.md that commands of their own measure; `make bench` leaves them."""

import re
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path

from scripts.bench.report import Sheet, machine, tables, write


class Part(StrEnum):
    """In the order in which they stand at the document's end; the value is the heading."""

    SCORES = "## Scores"
    PAYOUTS = "## Payouts"
    INDEXING = "## Indexing"


def parts_of(text: str) -> str:
    """Every part in a document; nothing where there is none."""
    return _since(tuple(Part), text)


def write_part(path: Path, part: Part, about: str, sheets: Sequence[Sheet], on: date) -> None:
    """Replace `part` in the document at `path`, or add it in its place among the others.

    `about` says what was measured, and how.
    """
    text = path.read_text() if path.exists() else ""
    order = tuple(Part)
    place = order.index(part)
    behind = _since(order[place + 1 :], text)
    before = text.removesuffix(_since(order[place:], text)).rstrip()
    facts = dict(machine(None))
    made = f"Made on {on.isoformat()} on {facts['CPU']}, {facts['Python']}."
    own = f"{part}\n\n{about}\n{made}\n{tables(sheets)}"
    write(path, "\n\n".join(filter(None, (before, own.rstrip(), behind.rstrip()))) + "\n")


def _since(parts: Sequence[Part], text: str) -> str:
    """From the first of `parts` that is there to the end."""
    if not parts:
        return ""
    found = re.search(rf"^(?:{'|'.join(parts)})$.*", text, re.MULTILINE | re.DOTALL)
    return "" if found is None else found[0]
