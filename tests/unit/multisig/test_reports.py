"""What a watch says of a payout: every step once, counted, each line by an event of its own."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ibp_chain.blocks import BlockRef, EventRecord, Phase
from ibp_chain.errors import DecodeError
from ibp_chain.explorers import EXPLORERS
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from multisig.operations import OpenOperation
from multisig.reports import Gap, Report, Standing, across, fields, tally_of, text
from multisig.steps import Point, Step, StepKind, steps_in
from tests.support import heard, payouts, recording

BUNDLE = payouts.bundle()
CALL = BUNDLE.call_hash
AT = BlockRef(BlockNumber(7), Hash(b"b" * 32))
ERROR = ("Err", "CannotLookup")


def event(name: str, position: int = 0, extrinsic: int | None = 2, **args: Any) -> EventRecord:
    phase = Phase.APPLY_EXTRINSIC if extrinsic is not None else Phase.INITIALIZATION
    said = {"multisig": heard.party().account, "call_hash": CALL, **args}
    return EventRecord(position, phase, extrinsic, "Multisig", name, said, ())


def steps(*events: EventRecord) -> list[Step]:
    return list(steps_in(AT, events, (heard.party().account,), str))


def said(reports: Sequence[Report]) -> list[str]:
    return [text(report, heard.watched()).partition(": ")[2] for report in reports]


# --- The recorded payout ------------------------------------------------------------------


def test_every_step_of_a_payout_is_reported_in_order() -> None:
    reports = [each for each in heard.heard(heard.hearing()) if each.step.call_hash == CALL]
    kinds = [(report.step.kind, report.approvals) for report in reports]
    opened, approved = (StepKind.OPENED, 1), (StepKind.APPROVED, 2)
    assert kinds == [
        opened,
        approved,
        (StepKind.FAILED, None),
        opened,
        approved,
        (StepKind.EXECUTED, None),
    ]
    about = f"payout 2026-01, call 0x{CALL.hex()}: "
    told = said(reports)
    assert all(line.startswith(about) for line in told)
    assert told[0].endswith(", 1 of 3")
    assert told[1].endswith(", 2 of 3")
    assert told[2].endswith("failed inside: Token.FundsUnavailable; nothing was paid")
    assert told[5].endswith(f"; all {len(BUNDLE.statement.lines)} lines paid")


def test_lines_that_ended_in_several_ways_are_counted_apart() -> None:
    (paid,) = [
        report
        for report in heard.heard(heard.hearing())
        if report.step.call_hash == CALL and report.step.kind is StepKind.EXECUTED
    ]
    first, *rest = paid.lines
    mixed = replace(paid, lines=(*rest, first._replace(done="claimed")))
    assert said([mixed])[0].endswith(f"; {len(rest)} of {len(paid.lines)} paid, "
                                     f"1 of {len(paid.lines)} claimed")  # fmt: skip


def test_a_failure_inside_pays_no_line_and_an_execution_every_line() -> None:
    reports = [each for each in heard.heard(heard.hearing()) if each.lines]
    failed, paid = (report for report in reports if report.step.call_hash == CALL)
    assert {line.done for line in failed.lines} == {None}
    assert [(line.member, line.item, line.amount, line.done) for line in paid.lines] == [
        (line.member, line.item, line.planck, "paid") for line in BUNDLE.statement.lines
    ]


def test_a_watch_that_goes_on_where_another_stopped_says_the_same() -> None:
    whole = [report.key for report in heard.heard(heard.hearing())]
    for cut in range(0, len(heard.blocks()), 7):
        first, second = heard.hearing(), heard.hearing()
        keys = [report.key for report in heard.heard(first, heard.blocks()[:cut])]
        second.tally = dict(first.tally)
        keys += [report.key for report in heard.heard(second, heard.blocks()[cut:])]
        assert keys == whole
    assert len(set(whole)) == len(whole)


def test_only_the_calls_that_were_asked_for_are_reported_and_all_are_counted() -> None:
    other = heard.hearing(calls=frozenset({Hash(bytes(32))}))
    half = next(
        at + 1
        for at, block in enumerate(heard.blocks())
        if any(
            each.step.kind is StepKind.APPROVED for each in heard.heard(heard.hearing(), (block,))
        )
    )
    assert heard.heard(other, heard.blocks()[:half]) == []
    assert len(other.tally[CALL].approvals) == 2


def test_what_a_machine_hears_names_the_step_and_says_it_in_words() -> None:
    report = heard.heard(heard.hearing())[-1]
    body = fields(report, heard.watched())
    assert json.loads(json.dumps(body)) == body
    assert body["id"] == f"{body['block_hash']}-{body['extrinsic']}-{body['event_index']}"
    assert body["text"] == text(report, heard.watched())
    assert body["links"] == []  # a test chain is in no explorer


def test_on_a_known_chain_a_report_links_to_extrinsic_block_and_operation() -> None:
    report = heard.heard(heard.hearing())[-1]
    genesis = next(iter(EXPLORERS))
    body = fields(report, replace(heard.watched(), genesis_hash=genesis))
    page, apps, operation = body["links"]
    step = report.step
    assert page.endswith(f"/extrinsic/{step.block.number}-{step.extrinsic}")
    assert apps.endswith(f"#/explorer/query/0x{step.block.hash.hex()}")
    assert operation.endswith(
        f"/multisig_extrinsic/{step.point.height}-{step.point.extrinsic}"
        f"?call_hash=0x{step.call_hash.hex()}"
    )


# --- Events that are not as they should be --------------------------------------------------


def test_an_event_of_another_multisig_is_not_ours() -> None:
    assert steps(event("NewMultisig", multisig=AccountId(bytes(32)), approving=b"a" * 32)) == []


def test_what_a_hook_opened_has_the_timepoint_that_the_pallet_gives_it() -> None:
    (step,) = steps(event("NewMultisig", extrinsic=None, approving=b"a" * 32))
    assert step.point == Point(7, 0)
    assert step.key.endswith("-hook-0")


@pytest.mark.parametrize("result", ["Ok", None, ("Maybe", ())], ids=["bare", "none", "other"])
def test_a_result_that_is_none_is_refused(result: Any) -> None:
    point = {"height": 1, "index": 2}
    with pytest.raises(DecodeError, match=r"block 7: Multisig\.MultisigExecuted has other fields"):
        steps(event("MultisigExecuted", approving=b"a" * 32, timepoint=point, result=result))


@pytest.mark.parametrize("name", ["NewMultisig", "MultisigApproval", "MultisigCancelled"])
def test_an_event_with_other_fields_is_refused(name: str) -> None:
    with pytest.raises(DecodeError, match="has other fields than we know"):
        steps(event(name, who=b"a" * 32))


def test_an_event_that_nobody_knows_is_passed_over() -> None:
    assert steps(event("DepositPoked", who=b"a" * 32)) == []


def _with_events(report: Report, keep: Sequence[int]) -> Report:
    """The last report again, with the block's transfers from the multisig at `keep` alone."""
    block = next(each for each in heard.blocks() if each.ref == report.step.block)
    runtime, hearing = recording.runtime(), heard.hearing()
    found = runtime.decode_events(block.events)
    paid = [
        each
        for each in found
        if (each.pallet, each.name) == ("Balances", "Transfer")
        and each.args["from"] == heard.party().account
    ]
    dropped = [each for at, each in enumerate(paid) if at not in keep]
    hearing.readings[CALL] = heard.read(runtime.spec_version, BUNDLE.call)
    return hearing._report(
        report.step, [each for each in found if each not in dropped], runtime.spec_version
    )


def test_a_line_that_no_event_shows_is_named() -> None:
    paid = [each for each in heard.heard(heard.hearing()) if each.lines][-1]
    short = _with_events(paid, keep=(0, 2, 3))
    second = BUNDLE.statement.lines[1]
    assert [line.done for line in short.lines] == ["paid", None, "paid", "paid"]
    assert text(short, heard.watched()).endswith(
        f"; 3 of 4 lines done, no event shows {second.member}/{second.item}: reconcile it"
    )


# --- Gaps -----------------------------------------------------------------------------------


def test_behind_a_gap_what_was_closed_and_opened_meanwhile_is_named() -> None:
    who, other = AccountId(b"a" * 32), AccountId(b"b" * 32)
    stays, goes, again, comes = (Hash(bytes((n,)) * 32) for n in range(4))
    before = {
        stays: Standing(Point(1, 1), (who,)),
        goes: Standing(Point(2, 1), (who,)),
        again: Standing(Point(3, 1), (who,)),
    }
    after = {
        stays: Standing(Point(1, 1), (who,)),
        again: Standing(Point(9, 1), (other,)),
        comes: Standing(Point(8, 1), (who, other)),
    }
    gap = across(before, after, BlockNumber(4), BlockNumber(9))
    assert gap == Gap(BlockNumber(4), BlockNumber(9), (goes, again), (again, comes))
    told = text(gap, heard.watched())
    assert told.startswith("blocks 4 to 9 could not be read, the node has pruned them")
    assert fields(gap, heard.watched())["event"] == "gap"
    assert across(before, before, BlockNumber(1), BlockNumber(1)).closed == ()


def test_a_tally_is_what_storage_has() -> None:
    found = OpenOperation(
        {"height": 5, "index": 3}, AccountId(b"b" * 32), Planck(1), (AccountId(b"b" * 32),)
    )
    assert tally_of({CALL: found}) == {CALL: Standing(Point(5, 3), (AccountId(b"b" * 32),))}
