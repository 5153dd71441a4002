"""The README's tour, typed as it stands there: every shown line must really be printed."""

import shlex
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, assert_done, ibp


def tour() -> list[tuple[str, list[str]]]:
    """(command, lines shown) of every console block, in order."""
    found: list[tuple[str, list[str]]] = []
    for block in (ROOT / "README.md").read_text().split("```console\n")[1:]:
        for line in block.split("```")[0].splitlines():
            if line.startswith("$ ibp "):
                found.append((line.removeprefix("$ ibp "), []))
            else:
                found[-1][1].append(line)
    return found


def test_the_tour_prints_what_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ibp_chain").symlink_to(ROOT / "ibp_chain")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    commands = tour()
    assert len(commands) == 7
    for command, shown in commands:
        typed, _, file = command.partition(" > ")
        printed = assert_done(ibp(*shlex.split(typed), cwd=tmp_path))
        if file:
            (tmp_path / file).write_text(printed)
        lines = iter([line.rstrip() for line in printed.splitlines()])
        for line in shown:
            assert line == "…" or line in lines, f"not printed by {command}: {line}"
