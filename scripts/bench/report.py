"""What was measured, as tables for the terminal and as docs/benchmarks.md."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ibp_chain.cli.output import console, row, say, table
from ibp_chain.files import write_whole

_CPU_INFO = Path("/proc/cpuinfo")

_HEAD = """\
# Benchmarks

`make bench` measures all of this but [Scores](#scores), [Payouts](#payouts) and what
`make bench-indexing` adds, in one run, and writes this file; edit none by hand. It asserts no time:
a machine is fast or slow, and other work slows it down. What holds from one machine to the next
are the ratios.

Everything runs on one core. A figure is of the fastest pass in {rounds} rounds. In every round all
codecs have their turn, a tenth of a second or one pass each, so that a slow spell of the machine
hits them alike. The main figures are by the process's CPU time, all its threads counted, because
the clock also counts what other processes take; it stands beside them. Every codec gets the same
bytes and the same metadata V14, and its time counts only after it has named the same pallet and
event (and call) for every one of them.

The real blocks are an excerpt of 48 that is not part of the repository (`IBP_SCALE_DATA`), the test
chain is what `python -m scripts.record_long_chain` recorded, else the bundled recording. For more
or fewer rounds, other blocks or fewer peers: `make bench BENCH="--rounds 3 --archive FOLDER"`.

{made}

| | |
|---|---|
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: the first column names what each row is about, the others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """When and where the figures were made."""

    on: date
    rounds: int
    facts: tuple[tuple[str, str], ...]
    """What to know of the machine, by name."""


def machine(node: str | None) -> tuple[tuple[str, str], ...]:
    """CPU, cores, system and interpreters of this machine."""
    return (
        ("CPU", _cpu_model()),
        ("cores", f"{os.cpu_count()}, one of them used"),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("Node", node.removeprefix("v") if node else "none"),
    )


def _cpu_model() -> str:
    if _CPU_INFO.exists():
        found = re.search(r"^model name\s*: (.+)$", _CPU_INFO.read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or "unknown"


def show(sheets: Iterable[Sheet]) -> None:
    """Print them, in order."""
    for sheet in sheets:
        view = table(sheet.title, *sheet.columns, right=sheet.columns[1:])
        for cells in sheet.rows:
            row(view, *cells)
        console.print(view)
        for note in (*sheet.notes, ""):
            say(note)


def markdown(sheets: Sequence[Sheet], made: Made) -> str:
    """The whole document."""
    parts = [_HEAD.format(rounds=made.rounds, made=f"Made on {made.on.isoformat()}.")]
    parts += [f"| {name} | {_cell(text)} |\n" for name, text in made.facts]
    return "".join(parts) + tables(sheets)


def tables(sheets: Iterable[Sheet]) -> str:
    """Each as a section with its table and its notes."""
    parts = []
    for sheet in sheets:
        parts.append(f"\n## {sheet.title}\n\n")
        parts.append(_line(sheet.columns))
        parts.append(_line(("---", *("---:" for _ in sheet.columns[1:]))))
        parts += [_line(cells) for cells in sheet.rows]
        parts += [f"\n{note}\n" for note in sheet.notes]
    return "".join(parts)


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


def rate(count: int, seconds: float) -> str:
    """How many a second, to three figures."""
    return number(count / seconds)


def number(value: float) -> str:
    """`value` to three figures, thousands set apart."""
    if value >= 100:
        digits = len(str(int(value))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
