"""docs/indexer.md says what the program does."""

import re
from inspect import signature
from pathlib import Path

from ibp_chain import archive_record, node_pool, node_windows
from ibp_chain.cli.follow import follow
from ibp_chain.node_events import Trouble
from ibp_chain.node_windows import Fetching
from ledger import indexer, unfinalised
from ledger.follow_config import load_follow_config
from tests.support.command_line import ROOT

PAGE = (ROOT / "docs" / "indexer.md").read_text()


def test_the_configuration_that_is_shown_can_be_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "chains.toml"
    path.write_text(block)
    plans = load_follow_config(path)
    assert list(plans) == ["polkadot", "kusama"]
    assert plans["kusama"].unfinalised


def test_every_kind_of_trouble_is_explained_and_no_other() -> None:
    section = PAGE.split("## Nodes that fail")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {str(t) for t in Trouble}


def test_the_options_that_are_explained_are_there() -> None:
    told = set(re.findall(r"^\| `--([a-z-]+)", PAGE, re.MULTILINE))
    known = set(signature(follow).parameters)
    assert {name.removeprefix("no-") for name in told} <= known
    assert known - {name.removeprefix("no-") for name in told} <= {"db", "name", "status", "log"}


def test_its_numbers_are_the_programs() -> None:
    fetching = Fetching()
    words = {4: "four", 6: "six"}
    first, longest = node_pool._FIRST_SECONDS, node_pool._LONGEST_SECONDS
    assert (first, longest) == (1, 60), "one second at first, a minute at most"
    for said in (
        f"fetched {fetching.window} at a time, {words[fetching.workers]} windows at once",
        f"At most {words[fetching.ahead]} windows are in memory",
        f"more than {node_windows._WINDOW_BYTES // 2**20} MiB of raw blocks",
        f"{indexer.DEFAULT_BATCH} in a transaction while catching up",
        f"more than {fetching.lag} blocks",
        f"within {fetching.timeout:g} seconds",
        f"within {fetching.patience:g} |",
        f"Until {archive_record.BLOCKS_PER_FILE:,} blocks fill",
        f"more than {unfinalised.MOST_BLOCKS:,} blocks behind",
    ):
        assert said in " ".join(PAGE.split()), said
