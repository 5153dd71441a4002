"""How commands speak: tables for people, JSON for programs, progress on stderr."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

_WIDTH_OF_FILES = 150
"""Where output goes to a file or pipe, tables keep their shape."""

console = Console(
    highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES
)

Tick = Callable[[int], None]
"""Called with the number of steps done so far."""


def say(text: str) -> None:
    """A line of prose: text, never markup."""
    console.print(escape(text))


def printable(text: str) -> str:
    """Nodes and remarks are hostile: no line of its own, nothing that a terminal obeys."""
    return "".join(each if each.isprintable() else " " for each in text)


def print_json(value: Any) -> None:
    """`value` as one JSON document; bytes as 0x hex, planck as decimal strings by the caller."""
    json.dump(value, sys.stdout, indent=2, default=_jsonable, ensure_ascii=False)
    sys.stdout.write("\n")


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return hex_(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def hex_(data: bytes) -> str:
    return "0x" + data.hex()


def table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table in our style; `right` names the columns that hold amounts."""
    built = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        built.add_column(
            column,
            justify="right" if column in right else "left",
            header_style="dim",
            overflow="fold",
        )
    return built


def row(into: Table, *cells: object, style: str | None = None) -> None:
    """Add a row; every cell is text, never markup: names and remarks are hostile input."""
    into.add_row(*(escape(str(cell)) for cell in cells), style=style)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Tick]:
    """A progress bar on stderr; the tick takes how many steps are done."""
    bar = _bar()
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr that is told what is being done, how much of it is, of how much."""
    bar = _bar()
    with bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total
        )


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
