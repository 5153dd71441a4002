"""`make bench-scores`: small, but whole; and its place in the document that `make bench` writes."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.parts import Part
from tests.support.command_line import ROOT

OTHER = "# Benchmarks\n\nMade by hand.\n\n## Memory\n\n| a |\n"
SMALL = ["--members", "2", "--services", "3", "--oracles", "3", "--rows", "50", "--rounds", "1"]


def measured(out: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench_scores", *SMALL, "--out", str(out)],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out.read_text()


@pytest.mark.parametrize("before", ["", OTHER])
def test_a_run_writes_its_own_part_and_only_that(before: str, tmp_path: Path) -> None:
    out = tmp_path / "benchmarks.md"
    out.write_text(before)
    for _ in range(2):  # a second run replaces the first one's
        text = measured(out)
        assert text.startswith(before)
        assert text.count(f"{Part.SCORES}\n") == 1
    for told in (
        "2 members, 3 services of each, 288 slots, 3 oracles",
        "The report has 14 rows.",
        "50 rows of service days",
        "| consensus |",
        "| check a proof: row, path, root |",
    ):
        assert told in text
