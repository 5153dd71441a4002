"""What a failed approval means: one sentence, what happened, and which command comes next."""

import re

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.cli.operation_views import Commands, age_text, public_url
from ibp_chain.errors import CallFailed, CheckFailed
from ibp_chain.extrinsics import Inclusion, Weight
from ibp_chain.types import BlockNumber, Hash
from ledger.pallets.multisig import pallet
from multisig import troubles
from multisig.errors import ApprovalRefused, NextStep, OpenedAnew, WeightTooLow
from multisig.operations import Age
from multisig.steps import Point, Step, StepKind
from tests.support import heard, payouts
from tests.support.command_line import ROOT

WHO = heard.party().signatories[0]
ADDRESS = ss58_encode(WHO, payouts.PASEO.ss58_prefix)
AT = BlockRef(BlockNumber(70), Hash(b"b" * 32))


def included(error: str | None) -> Inclusion:
    return Inclusion(AT, 3, Hash(bytes(32)), (), error)


def closing(kind: StepKind, error: str | None = None) -> Step:
    block = BlockRef(BlockNumber(69), Hash(b"c" * 32))
    party, call = heard.party().account, payouts.bundle().call_hash
    return Step(kind, block, 2, 9, party, call, Point(60, 2), WHO, error)


@pytest.mark.parametrize(
    ("kind", "said", "following"),
    [
        (StepKind.EXECUTED, "nothing more is to be signed", NextStep.RECONCILE),
        (StepKind.FAILED, "failed inside: Token.FundsUnavailable", NextStep.APPROVE),
        (StepKind.CANCELLED, "ask why, and approve again only if", NextStep.APPROVE),
    ],
)
def test_a_closed_operation_is_told_with_block_person_and_what_to_do(
    kind: StepKind, said: str, following: NextStep
) -> None:
    refused = troubles.closed(closing(kind, "Token.FundsUnavailable"), 70, payouts.PASEO)
    assert f"in block 69 by {ADDRESS}" in str(refused)
    assert said in str(refused)
    assert refused.following is following


def test_an_operation_that_ended_without_a_trace_is_to_be_looked_at_again() -> None:
    refused = troubles.closed(None, 70, payouts.PASEO)
    assert "no final block up to 70 says how it ended" in str(refused)
    assert refused.following is NextStep.STATUS


def test_an_execution_in_between_is_never_approved_again() -> None:
    with pytest.raises(ApprovalRefused, match="would pay it again"):
        troubles.ensure_not_executed(closing(StepKind.EXECUTED), payouts.PASEO)
    for harmless in (None, closing(StepKind.CANCELLED), closing(StepKind.FAILED, "x")):
        troubles.ensure_not_executed(harmless, payouts.PASEO)


def test_opening_is_meant_where_nothing_was_open_and_nothing_was_executed() -> None:
    troubles.ensure_meant(included(None), None, None)
    troubles.ensure_meant(included(None), None, closing(StepKind.FAILED, "x"))
    troubles.ensure_meant(included(None), None, closing(StepKind.CANCELLED))
    with pytest.raises(OpenedAnew, match="THIS OPENED A NEW OPERATION at block 70, extrinsic 3"):
        troubles.ensure_meant(included(None), Point(60, 2), None)
    with pytest.raises(OpenedAnew, match="the same call was executed in block 69"):
        troubles.ensure_meant(included(None), None, closing(StepKind.EXECUTED))


def test_the_same_curator_elsewhere_counts_once() -> None:
    refused = troubles.failed(included("Multisig.AlreadyApproved"), WHO, payouts.PASEO)
    assert isinstance(refused, ApprovalRefused)
    assert f"{ADDRESS} approved this call from elsewhere" in str(refused)


def test_an_approval_from_elsewhere_that_was_overtaken_is_signed_again() -> None:
    refused = troubles.failed(included("Multisig.NoTimepoint"), WHO, payouts.PASEO)
    assert "sign again for the one that is open" in str(refused)


@pytest.mark.parametrize("error", ["Multisig.NotOwner", "Multisig.WrongTimepoint"])
def test_what_was_opened_again_is_not_cancelled_by_accident(error: str) -> None:
    refused = troubles.failed(included(error), WHO, payouts.PASEO)
    assert "another one of the same call was opened" in str(refused)


def test_any_other_failure_is_named_as_the_runtime_names_it() -> None:
    refused = troubles.failed(included("System.CallFiltered"), WHO, payouts.PASEO)
    assert isinstance(refused, CallFailed)
    assert "block 70: System.CallFiltered" in str(refused)


@pytest.mark.parametrize("error", sorted(troubles.NO_DEPOSIT))
def test_a_deposit_that_cannot_be_reserved_is_told_with_who_else_can(error: str) -> None:
    refused = troubles.failed(included(error), WHO, payouts.PASEO)
    assert isinstance(refused, ApprovalRefused)
    assert f"{error} in block 70: who opens an operation has a deposit reserved" in str(refused)
    assert f"{ADDRESS} has too little left for it" in str(refused)
    assert refused.following is NextStep.STATUS


def test_errors_are_spelled_as_the_pallet_spells_them() -> None:
    names = {f"Multisig.{error.__name__}" for error in pallet.Error.__subclasses__()}
    known = {*troubles.OVERTAKEN, *troubles.CLOSED, troubles.TOO_LITTLE_WEIGHT}
    source = (ROOT / "multisig" / "troubles.py").read_text()
    assert known | set(re.findall(r"Multisig\.[A-Z]\w+", source)) <= names


def test_a_weight_that_was_short_is_told_in_both_dimensions() -> None:
    told = str(WeightTooLow(Weight(1_000, 2), Weight(1_001, 3)))
    assert "allowed the call 1,000 ps and 2 bytes of proof, it weighs 1,001 ps and 3 bytes" in told


# --- Commands -----------------------------------------------------------------------------------


def test_what_comes_next_is_a_whole_command_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "my bundle.json"
    url = "wss://user:secret@node.example/rpc?key=secret"
    commands = Commands(path, url, ("--rows", "rows"), ("--archive", None), ("--db", "sqlite:///l"))
    line = commands.line(NextStep.APPROVE)
    assert line == (
        f"ibp multisig approve '{path}' --node wss://node.example/rpc --rows rows --db sqlite:///l"
    )
    assert commands.line(NextStep.RECONCILE) == (
        f"ibp multisig reconcile '{path}' --db sqlite:///l"
    )
    with (
        pytest.raises(
            CheckFailed, match=r"gone\. Next: ibp multisig status '.*' --node wss://node"
        ),
        commands.pointing(),
    ):
        raise ApprovalRefused("it is gone", NextStep.STATUS)
    with pytest.raises(ApprovalRefused, match=r"^no$"), commands.pointing():
        raise ApprovalRefused("no")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
        ("http://a:b@[::1]:80/x?y#z", "http://[::1]:80/x"),
    ],
)
def test_no_secret_of_a_url_is_shown(url: str, shown: str) -> None:
    assert public_url(url) == shown


@pytest.mark.parametrize(
    ("blocks", "milliseconds", "exact", "said"),
    [
        (0, 0, True, "0 blocks, 0 h 0 min"),
        (1_234, 7_404_000, True, "1,234 blocks, 2 h 3 min"),
        (14_400, 86_400_000, False, "14,400 blocks, about 1 d 0 h"),
    ],
)
def test_an_age_is_told_in_blocks_and_in_time(
    blocks: int, milliseconds: int, exact: bool, said: str
) -> None:
    assert age_text(Age(blocks, milliseconds, exact)) == said
