"""`docs/multisig.md` says what the code does: commands, errors, numbers, messages."""

import re

import pytest
import typer

from ibp_chain.cli.multisig import app
from multisig import troubles
from multisig.onchain import MOST_BLOCKS
from multisig.operations import Age, OpenOperation, survey, warnings
from multisig.watch import MOST_WAITING
from multisig.webhook import ATTEMPTS
from tests.support import heard, payouts
from tests.support.command_line import ROOT

TEXT = (ROOT / "docs" / "multisig.md").read_text()
GROUP = typer.main.get_command(app)
NAMED = sorted(set(re.findall(r"`ibp multisig ([a-z]+)", TEXT)))


def options(name: str) -> set[str]:
    context = typer.Context(GROUP)
    command = GROUP.get_command(context, name)  # type: ignore[attr-defined]  # a group
    assert command is not None, name
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("name", NAMED)
def test_every_command_of_the_page_is_there(name: str) -> None:
    assert "--node" in options(name) or name in ("build", "reconcile")


def test_every_option_of_the_page_is_one_of_its_commands() -> None:
    said = set(re.findall(r"`(--[a-z-]+)", TEXT)) | set(re.findall(r" (--[a-z-]+) ", TEXT))
    known = set[str]().union(*(options(name) for name in (*NAMED, "approve")))
    assert said <= known
    assert {"--state", "--webhook", "--once", "--first", "--all"} <= said


@pytest.mark.parametrize(
    "error",
    sorted({*troubles.OVERTAKEN, troubles.TOO_LITTLE_WEIGHT, "Multisig.AlreadyApproved"}),
)
def test_every_error_that_is_explained_has_its_row(error: str) -> None:
    assert f"| `{error.removeprefix('Multisig.')}` |" in TEXT


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"more than {MOST_BLOCKS:,} blocks behind" in TEXT
    assert f"the newest {MOST_WAITING} of them" in TEXT
    assert f"tried {ATTEMPTS} times" in TEXT


def test_the_warning_of_the_page_is_the_one_that_is_given() -> None:
    party, age = heard.party(), Age(1, 1, exact=True)
    operation = OpenOperation(
        {"height": 1, "index": 1}, party.account, payouts.bundle().statement.total, ()
    )
    (pending,) = survey([(party, payouts.bundle().call_hash, operation, age)], {}, ())
    assert next(warnings(pending)) in TEXT
