"""docs/benchmarks.md has several writers; each leaves what the others wrote."""

from datetime import date
from itertools import permutations
from pathlib import Path

import pytest

from scripts.bench.parts import Part, parts_of, write_part
from scripts.bench.report import Sheet

OTHER = "# Benchmarks\n\nMade by hand.\n\n## Memory\n\n| a |\n"
TODAY = date(2026, 11, 21)


def write(out: Path, part: Part, title: str) -> None:
    sheet = Sheet(f"{part.name.title()}: {title}", ("", "s"), (("all", "1"),), ("A note.",))
    write_part(out, part, "How it was measured.\n", [sheet], TODAY)


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("## ")]


@pytest.mark.parametrize("before", ["", OTHER])
@pytest.mark.parametrize(
    "order", list(permutations(Part)), ids=lambda o: "-".join(p.name for p in o)
)
def test_each_writer_replaces_its_own_part_in_its_place(
    order: tuple[Part, ...], before: str, tmp_path: Path
) -> None:
    out = tmp_path / "benchmarks.md"
    out.write_text(before)
    for title in ("old", "new"):
        for part in order:
            write(out, part, title)
    text = out.read_text()
    assert text.startswith(before)
    own = [line for part in Part for line in (part, f"{part}: new")]
    assert headings(text) == [*(["## Memory"] if before else []), *own]
    assert "\n\n\n" not in text


def test_a_second_run_changes_no_byte(tmp_path: Path) -> None:
    out = tmp_path / "benchmarks.md"
    for part in Part:
        write(out, part, "one")
    once = out.read_bytes()
    for part in Part:
        write(out, part, "one")
    assert out.read_bytes() == once


@pytest.mark.parametrize("part", Part)
def test_what_make_bench_keeps_begins_at_the_first_part(part: Part, tmp_path: Path) -> None:
    out = tmp_path / "benchmarks.md"
    out.write_text(OTHER)
    assert parts_of(OTHER) == ""
    write(out, part, "one")
    text = out.read_text()
    assert parts_of(text) == text.removeprefix(f"{OTHER}\n")
    assert parts_of(text).startswith(f"{part}\n")
