"""Every command that checks a payout takes the same options, and hands them on."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ibp_chain.cli.app import app as ibp
from ibp_chain.cli.bundles import Own
from ibp_chain.cli.multisig import app
from ibp_chain.cli.operation_views import Commands
from ibp_chain.cli.policies import PolicyOptions
from ledger.program.rules import load_rules
from multisig.documents import write_file
from multisig.errors import BundleRefused, NextStep
from tests.support import payouts

GROUP = typer.main.get_command(app)
SHARED = {"--deny", "--cap-line", "--cap-month", "--change", "--history"}
CHECKING = ("build", "verify", "approve", "payload", "submit")


def options(name: str) -> set[str]:
    command = GROUP.get_command(typer.Context(GROUP), name)  # type: ignore[attr-defined]  # a group
    assert command is not None
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("name", CHECKING)
def test_every_command_that_checks_has_the_whole_group(name: str) -> None:
    assert options(name) >= SHARED
    assert "--policy" not in options(name)


def test_a_cap_is_the_same_wherever_it_is_given() -> None:
    stated = payouts.bundle().statement.rules
    given = PolicyOptions(cap_line="3000", change=10).policy(None, stated)
    assert (str(given.caps.line), given.caps.line_item, given.change) == ("3000", None, 100_000)
    usual = PolicyOptions().policy(None, stated)
    assert usual.caps.line == load_rules().payout.usd_per_month


def test_what_was_not_checked_for_want_of_a_file_is_said() -> None:
    said = PolicyOptions().not_run()
    assert said is not None
    assert "deny-list (no --deny), month-cap (no --cap-month), budget-cap and large-change" in said
    everything = PolicyOptions(deny=Path("d"), cap_month="1", history=Path("h"))
    assert everything.not_run() is None


def test_the_next_command_has_every_option_that_was_given() -> None:
    policy = PolicyOptions(deny=Path("deny.toml"), cap_line="3000", history=Path("months"))
    own = Own("sqlite:///l.db", None, Path("rows"), Path("rules.toml"), Path("bill.json"), policy)
    commands = Commands(Path("b.json"), "ws://node", *own.given(), ("--keystore", Path("k.json")))
    approve = commands.line(NextStep.APPROVE)
    for option in (
        "--rows rows", "--db sqlite:///l.db", "--rules rules.toml", "--bill bill.json",
        "--deny deny.toml", "--cap-line 3000", "--history months", "--keystore k.json",
    ):  # fmt: skip
        assert option in approve
    assert "--change" not in approve
    assert commands.line(NextStep.RECHECK).endswith("--node ws://node --db sqlite:///l.db")
    for step in NextStep:
        words = {word for word in commands.line(step).split() if word.startswith("--")}
        assert words <= options(step.value)


def test_recheck_refuses_a_bundle_that_names_the_hash_of_another_call(tmp_path: Path) -> None:
    forged = payouts.bundle().model_copy(update={"call": payouts.batch_all(payouts.remark("x"))})
    path = tmp_path / "bundle.json"
    write_file(path, forged.encoded)
    done = CliRunner().invoke(ibp, ["multisig", "recheck", str(path), "--node", "ws://nowhere"])
    assert isinstance(done.exception, BundleRefused)
    assert "its call hashes to 0x" in str(done.exception)
