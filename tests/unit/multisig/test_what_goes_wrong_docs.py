"""`docs/what-goes-wrong.md` is true: its tests are there, and each asserts what the page quotes."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "what-goes-wrong.md"
WAYS = ROOT / "tests" / "e2e" / "ways"
_GAP = "…"


@dataclass(frozen=True)
class Row:
    """A way, what is read of it, and where it is played."""

    way: str
    quoted: tuple[str, ...]
    codes: frozenset[int]
    """Exit codes, in brackets behind what is quoted."""
    file: Path
    test: str


def rows() -> list[Row]:
    """Of every table; a test without a file is in the one that its section names first."""
    found, section = [], ""
    for line in PAGE.read_text().splitlines():
        if re.fullmatch(r"`tests/[\w/]+\.py`", line):
            section = line.strip("`")
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| ") or len(cells) != 4 or cells[0] == "way":
            continue
        way, said, _, test = cells
        path, _, name = test.strip("`").rpartition("::")
        quoted = tuple(re.findall(r"`([^`]+)`", said))
        codes = frozenset(map(int, re.findall(r" \((\d)\)", re.sub(r"`[^`]+`", "", said))))
        found.append(Row(way, quoted, codes, ROOT / (path or section), name))
    return found


@cache
def played_in(file: Path) -> dict[str, ast.FunctionDef]:
    return {
        node.name: node
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def asserted(test: ast.FunctionDef) -> list[str]:
    """Every text in a test and its parameters but its docstring, a gap for each thing put in."""
    docstring = ast.get_docstring(test, clean=False)
    inside = {
        id(part)
        for node in ast.walk(test)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    texts = []
    for node in ast.walk(test):
        match node:
            case ast.JoinedStr(values):
                texts.append("".join(_plain(part) for part in values))
            case ast.Constant(str(text)) if text != docstring and id(node) not in inside:
                texts.append(text)
    return texts


def _plain(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else _GAP


ROWS = rows()


def test_the_page_has_every_way() -> None:
    assert len(ROWS) > 45
    assert len({row.way for row in ROWS if row.way != "as above"}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.way.replace(" ", "-"))
def test_the_test_of_each_way_is_there_and_asserts_what_the_page_quotes(row: Row) -> None:
    assert row.test in played_in(row.file), row.file
    texts = asserted(played_in(row.file)[row.test])
    assert row.quoted
    for message in row.quoted:
        for piece in filter(None, map(str.strip, message.split(_GAP))):
            assert any(piece in text for text in texts), piece


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.file.parent == WAYS],
    ids=lambda row: row.way.replace(" ", "-"),
)
def test_a_refusal_of_the_page_has_the_exit_code_that_its_test_wants(row: Row) -> None:
    numbers = {
        node.value
        for node in ast.walk(played_in(row.file)[row.test])
        if isinstance(node, ast.Constant) and type(node.value) is int
    }
    assert row.codes
    assert row.codes - {0} <= numbers


@pytest.mark.parametrize("file", sorted(WAYS.glob("test_*.py")), ids=lambda file: file.stem)
def test_every_way_that_is_played_is_on_the_page(file: Path) -> None:
    named = {row.test for row in ROWS if row.file == file}
    assert named == played_in(file).keys()
