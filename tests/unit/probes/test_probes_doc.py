"""`docs/probes.md` is true: its file is read, its tables are complete, its numbers are ours."""

import re

from oracles.probes.files import parse_targets
from oracles.probes.outcomes import Doubt, Reason
from oracles.probes.slots import Freshness
from oracles.probes.targets import Kind
from oracles.probes.wire import Limits
from tests.support.command_line import ROOT

TEXT = (ROOT / "docs" / "probes.md").read_text()


def listed(heading: str) -> set[str]:
    """The names in the first column of the table with this first heading."""
    table = TEXT.split(f"\n| {heading} |")[1].split("\n\n")[0]
    return {
        name
        for row in table.splitlines()[2:]
        for name in re.findall("`([^`]+)`", row.split("|")[1])
    }


def test_the_file_of_targets_is_one() -> None:
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    targets = parse_targets(toml.encode(), "docs/probes.md")
    assert {target.kind for target in targets} == set(Kind)
    assert {target.endpoint.address.version for target in targets} == {4, 6}


def test_every_outcome_is_explained() -> None:
    assert listed("failed") == set(Reason)
    assert listed("unknown") == set(Doubt)
    assert listed("kind") == set(Kind)


def test_the_limits_are_those_of_the_program() -> None:
    limits, rule = Limits(), Freshness()
    assert f"A target has {limits.seconds:g} s and {limits.reply_bytes // 1024} KiB" in TEXT
    assert f"age of at most {limits.snapshot_seconds // 86_400} days" in TEXT
    assert f"More than {rule.behind} blocks behind" in TEXT
    assert rule.least_members == 3
