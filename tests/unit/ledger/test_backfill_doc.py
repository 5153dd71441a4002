"""docs/backfill.md says what the program does: its numbers, options and errors are the code's."""

import re

from typer.testing import CliRunner

from ibp_chain.archive_record import BLOCKS_PER_FILE, BYTES_PER_FILE
from ibp_chain.cli.app import app
from ledger import backfill, backfill_dask, backfill_ranges
from ledger.backfill_order import Patience
from tests.support.command_line import ROOT

TEXT = (ROOT / "docs" / "backfill.md").read_text()
WORDS = " ".join(TEXT.split())
NUMBERS = {2: "two", 3: "three", 4: "four"}


def test_its_numbers_are_the_programs() -> None:
    patience = Patience()
    for said in (
        f"{BLOCKS_PER_FILE:,} blocks at most, and {BYTES_PER_FILE >> 20} MiB of raw data",
        f"of a node {backfill_ranges.BLOCKS_OF_NODE} blocks (`--range-blocks`)",
        f"It commits {backfill.DEFAULT_BATCH} blocks at a time",
        f"takes {NUMBERS[int(patience.times)]} times what its peers take at the median",
        f"and {patience.floor_seconds:.0f} seconds at least",
        f"at most {NUMBERS[patience.attempts]} attempts",
        f"{NUMBERS[backfill_dask.ALLOWED_FAILURES + 1].capitalize()} workers that die over one",
        f"The range is tried {NUMBERS[backfill_dask.ATTEMPTS_AT_A_NODE]} times".replace(
            "The", "the"
        ),
        f"waits {NUMBERS[int(backfill_dask.ALONE_SECONDS // 60)]} minutes",
    ):
        assert said in WORDS, said


def test_its_options_are_those_of_the_command() -> None:
    printed = CliRunner().invoke(app, ["ledger", "backfill", "--help"], env={"COLUMNS": "200"})
    named = set(re.findall(r"--[a-z-]+", printed.stdout))
    block = TEXT.split("```sh\n")[1].split("```")[0]
    used = set(re.findall(r"--[a-z-]+", block)) | {
        "--range-blocks",
        "--last",
        "--json",
        "--curators",
    }
    assert used <= named, used - named
