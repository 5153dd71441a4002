"""The benchmark itself, run once over the bundled recording: what it reports, never how fast."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import cache, partial
from pathlib import Path

import pytest

from ibp_chain.errors import CheckFailed, ConfigError
from ledger.dispatch import READ_PALLETS, UNREAD_EVENTS, WATCHED_PALLETS
from scripts.bench import ours, peers, sheets, timing
from scripts.bench.__main__ import main
from scripts.bench.inputs import Chain, Input, real_blocks, recorded_chain
from scripts.bench.report import Made, Sheet, markdown, number, write
from tests.support.command_line import DEMO, ROOT


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.bench", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        timeout=500,
    )


@cache
def chain() -> Chain:
    return recorded_chain(DEMO / "archive")


def tables(document: str) -> dict[str, list[list[str]]]:
    """The cells of each section's table, without the line under its head."""
    found = {}
    for section in document.split("\n## ")[1:]:
        lines = [line for line in section.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        found[section.splitlines()[0]] = [cells[0], *cells[2:]]
    return found


def test_one_round_over_the_bundled_recording_reports_every_figure(tmp_path: Path) -> None:
    out = tmp_path / "docs" / "benchmarks.md"
    arguments = ("--rounds", 1, "--without-polkadot", "--date", "2026-02-03", "--out", out)
    done = bench(*arguments, "--archive", DEMO / "archive", "--peers", "@polkadot/api")
    assert done.returncode == 0, done.stderr
    document = out.read_text()
    assert "Made on 2026-02-03." in document
    assert re.search(r"\| CPU \| \S+", document)
    assert re.search(r"\| Node \| \d+\.\d+", document)
    found = tables(document)
    events, whole, metadata, ledger, crowd, memory = found.values()
    assert [row[0].split(" (")[0] for row in events[1:]] == [
        "ours, full",
        "ours, what the ledger reads",
        "ours, ConvictionVoting and Referenda",
        "@polkadot/api",
        "blake2b-256 alone",
    ]
    assert [row[0].split(" (")[0] for row in whole[4:]] == ["@polkadot/api"]
    assert [row[0] for row in metadata[1:]] == ["paseo 1001002, V14", "paseo 1001002, V15"]
    assert len(ledger) == 5
    assert [row[:2] for row in crowd[1:]] == [
        ["1", "1"],
        ["1,000", "1"],
        ["1", "100"],
        ["1,000", "100"],
    ]
    assert [row[0] for row in memory[1:]] == ["15", "60"]
    for table in found.values():
        assert all(len(row) == len(table[0]) for row in table)
        assert all(re.fullmatch(r"[\d,.]+( %)?", cell) for row in table[1:] for cell in row[1:])
    for title in found:
        assert title in done.stdout


def test_a_folder_that_is_no_archive_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    done = bench("--archive", tmp_path, "--out", tmp_path / "out.md")
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.md").exists()


def test_no_round_at_all_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--rounds", "0"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "0 is not above 0" in capsys.readouterr().err


def test_scalecodec_is_timed_for_the_same_events_and_calls() -> None:
    given = chain().input
    few = replace(given, samples=given.samples[:8])
    (peer,) = [peer for peer in peers.available()[0] if peer.name == "scalecodec"]
    with peers.running([peer], few) as (at_work,):
        assert min(at_work.events()) > 0
        assert min(at_work.whole()) > 0
    assert re.fullmatch(r"scalecodec \(\d+\.\d+\.\d+\)", at_work.title)


def test_substrate_interface_reads_blocks_as_its_users_do_and_only_whole_ones() -> None:
    given = chain().input
    few = replace(given, samples=given.samples[:8])
    (peer,) = [peer for peer in peers.available()[0] if peer.name == "substrate-interface"]
    with peers.running([peer], few) as (at_work,):
        assert min(at_work.whole()) > 0
        assert at_work.loaded > 0
        assert at_work.title not in [row[0] for row in sheets.events(few, [at_work], 1).rows]
    assert re.fullmatch(r"substrate-interface \(\d+\.\d+\.\d+\)", at_work.title)


def test_what_the_ledger_reads_is_measured_as_the_ledger_reads_it() -> None:
    read: list[object] = []

    class Runtime:
        def decode_events(self, _: bytes, **given: object) -> None:
            read.append(given)

        def decode_extrinsic(self, _: bytes, **given: object) -> None:
            read.append(given)

    runtime: object = Runtime()
    first = chain().blocks[0]
    input_ = replace(chain().input)
    input_.__dict__["runtimes"] = {first.spec_version: runtime}
    ours.verifying_and_choosing(replace(chain(), blocks=(first,), input=input_))()
    assert read == [
        {"pallets": WATCHED_PALLETS, "unread": UNREAD_EVENTS},
        *({"pallets": READ_PALLETS} for _ in first.extrinsics),
    ]


def test_a_peer_that_names_another_event_is_found_out() -> None:
    given = chain().input
    seen = {"events": [list(block) for block in given.names], "calls": given.calls}
    peers.same("peer", given, seen)
    number_of_block = given.samples[3].number
    seen["events"][3][0] = "System.Other"  # type: ignore[index]  # a list here
    with pytest.raises(CheckFailed, match=f"peer reads other events in block {number_of_block} "):
        peers.same("peer", given, seen)


def test_a_peer_that_leaves_out_an_event_a_call_or_a_block_is_found_out() -> None:
    given = chain().input
    fewer = [*given.names[:-1], given.names[-1][:-1]]
    with pytest.raises(CheckFailed, match="events"):
        peers.same("peer", given, {"events": fewer, "calls": given.calls})
    with pytest.raises(CheckFailed, match="calls"):
        peers.same("peer", given, {"events": given.names, "calls": [(), *given.calls[1:]]})
    with pytest.raises(CheckFailed, match="59 blocks instead of 60"):
        peers.same("peer", given, {"events": given.names[1:], "calls": given.calls})


def test_a_peer_that_breaks_is_an_error_and_no_figure() -> None:
    def ask(peer: peers.Peer) -> None:
        with peers.running([peer], chain().input):
            pytest.fail("it answered")

    broken = peers.Peer("broken", (sys.executable, "-c", "raise SystemExit('no codec here')"))
    with pytest.raises(CheckFailed, match="no codec here"):
        ask(broken)


def test_missing_polkadot_blocks_are_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBP_SCALE_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match="IBP_SCALE_DATA"):
        real_blocks()


def test_a_block_that_does_not_hold_up_stops_the_benchmark() -> None:
    first, *rest = chain().blocks
    forged = replace(chain(), blocks=(replace(first, extrinsics=first.extrinsics[:1]), *rest))
    with pytest.raises(CheckFailed, match="does not hold up"):
        ours.verifying_too(forged)()


def test_the_fastest_pass_counts_by_each_of_the_two_clocks() -> None:
    passes = [timing.Seconds(3.0, 5.0), timing.Seconds(4.0, 4.5)]
    assert timing.best(passes) == (3.0, 4.5)


def test_in_every_round_each_has_its_turn_of_one_pass_at_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timing, "WINDOW_SECONDS", 0)
    passes: list[str] = []
    turns = {name: timing.turn(partial(passes.append, name)) for name in ("ours", "theirs")}
    assert timing.in_turns(turns, rounds=3).keys() == turns.keys()
    assert passes == ["ours", "theirs"] * 3


def test_the_blocks_for_first_use_have_every_event_and_call_and_none_is_idle() -> None:
    given = chain().input
    (spec_version,) = given.runtimes
    varied = replace(given, samples=tuple(given.varied(spec_version)))

    def names(of: Input) -> set[str]:
        return {name for blocks in (of.names, of.calls) for block in blocks for name in block}

    assert names(varied) == names(given)
    assert 0 < len(varied.samples) < len(given.samples)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.06012, "0.0601"),
        (8.816, "8.82"),
        (79.14, "79.1"),
        (310_912.4, "311,000"),
        (999.6, "1,000"),
    ],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_document_is_the_same_for_the_same_figures_and_date(tmp_path: Path) -> None:
    made = Made(date(2026, 2, 3), 5, (("CPU", "a | b"),))
    sheet = Sheet("Title", ("", "blocks/s"), (("ours", "1,000"),), ("A note.",))
    text = markdown([sheet], made)
    assert "| CPU | a \\| b |" in text
    assert text.endswith(
        "## Title\n\n|  | blocks/s |\n| --- | ---: |\n| ours | 1,000 |\n\nA note.\n"
    )
    write(tmp_path / "benchmarks.md", text)
    assert (tmp_path / "benchmarks.md").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["benchmarks.md"]
