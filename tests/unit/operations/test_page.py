"""docs/operations.md, typed as it stands there: every shown line must really be printed."""

import re
import shlex
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from ibp_chain.cli import app
from tests.support.command_line import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()


def shown() -> list[tuple[str, list[str]]]:
    """(command, lines) of every console block, in order."""
    found: list[tuple[str, list[str]]] = []
    for block in PAGE.split("```console\n")[1:]:
        for line in block.split("```")[0].splitlines():
            if line.startswith("$ ibp "):
                found.append((line.removeprefix("$ ibp "), []))
            else:
                found[-1][1].append(line)
    return found


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The command's exit code."""
    monkeypatch.setattr(sys, "argv", ["ibp", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return int(ended.value.code or 0)


def test_the_drill_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ibp_chain").symlink_to(ROOT / "ibp_chain")
    monkeypatch.chdir(tmp_path)
    commands = shown()
    assert len(commands) == 4
    for command, lines in commands:
        assert run(monkeypatch, *shlex.split(command)) == 0
        assert capsys.readouterr().out.splitlines() == lines


TIMES = "\N{MULTIPLICATION SIGN}"
NUMBER = r"[\d,]+(?:\.\d+)?"
COMPUTED = re.compile(rf"({NUMBER}(?: [{TIMES}/+] {NUMBER})+) = ({NUMBER})")


def test_every_computation_of_the_plan_comes_to_what_it_says() -> None:
    found = COMPUTED.findall(PAGE)
    assert len(found) > 20
    for left, right in found:
        terms = re.split(rf" ([{TIMES}/+]) ", left)
        total = Fraction(terms[0].replace(",", ""))
        for sign, term in zip(terms[1::2], terms[2::2], strict=True):
            value = Fraction(term.replace(",", ""))
            total = {TIMES: total * value, "/": total / value, "+": total + value}[sign]
        said = Fraction(right.replace(",", ""))
        assert abs(total - said) <= said / 200, f"{left} = {float(total)}"


def test_a_damaged_ledger_and_backup_end_with_1_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = ROOT / "ibp_chain" / "data" / "demo" / "archive"
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "ledger", "replay", str(archive)) == 0
    assert run(monkeypatch, "ledger", "backup", "--out", "a.backup") == 0
    raw = bytearray((tmp_path / "a.backup").read_bytes())
    raw[10_000] ^= 1
    (tmp_path / "a.backup").write_bytes(raw)
    (tmp_path / "ledger.db").write_bytes((tmp_path / "ledger.db").read_bytes()[:-8192])
    capsys.readouterr()
    for code, words, *command in (
        (1, "a.backup is damaged: runtime/000000.parquet", "restore", "a.backup"),
        (1, "ledger.db", "check"),
        (2, "there already", "backup", "--out", "a.backup"),
        (2, "--genesis '0x12' is no hash", "restore", "a.backup", "--genesis", "0x12"),
        (2, "is no backup of a ledger", "restore", "ledger.db", "--db", "sqlite:///b.db"),
    ):
        assert run(monkeypatch, "ledger", *map(str, command)) == code
        said = capsys.readouterr().err.strip()
        assert str(words) in said
        assert len(said.splitlines()) == 1
