"""`docs/scores.md` is run: its commands print what it shows, its bytes and tables are true."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ibp_chain.cli.app import main
from ibp_chain.types import Hash
from oracles.proof import prove_about
from oracles.report import REPORT
from oracles.rowfiles import read_rows
from tests.support.command_line import DEMO, ROOT

TEXT = (ROOT / "docs" / "scores.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, list[str]]]:
    """Each `$ command` with the lines that the document shows below it."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line.rstrip())
    return found


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """Where a reader follows the document."""
    (tmp_path / "demo").symlink_to(DEMO)
    (roster,) = blocks("toml")
    (tmp_path / "roster.toml").write_text(roster)
    return tmp_path


@pytest.fixture
def printed(
    reader: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], list[str]]:
    """What a command prints there; `> file` goes to a file."""
    monkeypatch.chdir(reader)

    def run(command: str) -> list[str]:
        words, _, target = command.partition(" > ")
        monkeypatch.setattr(sys, "argv", shlex.split(words))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        if target:
            Path(target).write_text(said.out)
            return []
        lines = [line.rstrip() for line in (said.out + said.err).splitlines()]
        return lines if ended.value.code == 0 else [*lines, f"[exit {ended.value.code}]"]

    return run


def test_every_command_prints_what_the_document_shows(
    printed: Callable[[str], list[str]],
) -> None:
    shown = commands()
    assert len(shown) == 5
    for command, expected in shown:
        lines = [line for line in printed(command) if line]
        wanted = [line for line in expected if line]
        if "..." not in wanted:
            assert lines == wanted, command
            continue
        remaining = iter(lines)
        for line in wanted:
            assert line == "..." or line in remaining, (command, line, lines)


def test_the_bytes_of_the_example_are_the_recorded_row() -> None:
    (example,) = (block for block in blocks("") if block.startswith("01 "))
    said = "".join(
        word
        for line in example.splitlines()
        for word in re.split(r'\s{3,}|"', re.sub(r"p\d\d .*", "", line))[0].split()
    )
    root = Hash(bytes.fromhex("0c2cb428a71f03b60507328cc5e27c2a83cfdf895a58be636a3451cac99d63d8"))
    rows = read_rows(DEMO / "rows", REPORT, root=root)
    assert prove_about(REPORT, rows, (1, "gatotech", "polkadot")).row.hex() == said
