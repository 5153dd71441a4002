"""What simulations are held against, on events and balances that a chain could answer with."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import BlockRef, blake2_256
from ibp_chain.cli import simulate
from ibp_chain.errors import DecodeError, InputError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from multisig.batch import payout_remark
from multisig.bundle import Bundle, wrong_reading
from multisig.dry_run import missing_dry_run, read_dry_run
from multisig.effects import (
    Effects,
    Event,
    child_account,
    effects_of,
    ensure_whole,
    expected_changes,
    lines_of,
)
from multisig.errors import BundleRefused
from multisig.fork import choose_signers
from multisig.operations import OpenOperation
from multisig.plan import Kind, PlanPart
from multisig.runs import Balance, DryRun, Path, PathStep, read_step
from multisig.simulate import Simulation, judge_dry_run, judge_fork, simulation_json
from tests.support import payouts, recording
from tests.support.command_line import ROOT, assert_done, ibp
from tests.support.payouts import PASEO
from tests.support.simulated import PREFIX, bundle_for, line, statement

RUNTIME = recording.runtime()
BUNDLE = payouts.bundle()
LINES = BUNDLE.statement.lines
MULTISIG = BUNDLE.multisig.account_id(PASEO)
SIGNATORIES = BUNDLE.multisig.account_ids(PASEO)
SIGNERS = SIGNATORIES[:3]
STRANGER, TREASURY = AccountId(b"\7" * 32), AccountId(b"\5" * 32)
AT = BlockRef(BlockNumber(100), Hash(bytes(32)))
FEE, DEPOSIT = 700, 20_000
TOTAL = sum(line.planck for line in LINES)


def payee(place: int) -> AccountId:
    return ss58_decode(LINES[place].payee, PREFIX)


def balances(name: str, who: AccountId, amount: int) -> Event:
    return Event("Balances", name, {"who": who, "amount": amount})


def transfer(source: AccountId, dest: AccountId, amount: int) -> Event:
    return Event("Balances", "Transfer", {"from": source, "to": dest, "amount": amount})


ITEM = Event("Utility", "ItemCompleted", ())


def remarked(text: bytes, sender: AccountId = MULTISIG) -> Event:
    return Event("System", "Remarked", {"sender": sender, "hash": blake2_256(text)})


REMARKED = remarked(payouts.parts().remark.args["remark"])


def paid() -> list[Event]:
    """The batch's own events, where it does what it should."""
    found = [REMARKED, ITEM]
    for place, each in enumerate(LINES):
        found += [transfer(MULTISIG, payee(place), each.planck), ITEM]
    return [*found, Event("Utility", "BatchCompleted", ())]


def approval(place: int, inner: Sequence[Event] = (), result: Any = ("Ok", ())) -> list[Event]:
    """The events of the signature of signer `place`, the last of whom executes."""
    signer, name = SIGNERS[place], ("NewMultisig", "MultisigApproval", "MultisigExecuted")[place]
    found = [balances("Withdraw", signer, FEE)]
    if place == 0:
        found.append(balances("Reserved", signer, DEPOSIT))
    if place == 2:
        found += [balances("Unreserved", SIGNERS[0], DEPOSIT), *inner]
    return [
        *found,
        Event("Multisig", name, {"result": result}),
        balances("Deposit", TREASURY, FEE),
        Event(
            "TransactionPayment",
            "TransactionFeePaid",
            {"who": signer, "actual_fee": FEE, "tip": 0},
        ),
        Event("System", "ExtrinsicSuccess", {}),
    ]


def step(place: int, events: Sequence[Event] | None = None) -> PathStep:
    found = events if events is not None else approval(place, paid())
    number = BlockNumber(AT.number + 1 + place)
    return read_step(SIGNERS[place], number, found, RUNTIME.error_name)


def path(**changed: Any) -> Path:
    """Three signatures that go well, and what is different about them."""
    watched = (MULTISIG, *SIGNERS, *(payee(place) for place in range(len(LINES))))
    before = {account: Balance(10**16, 0) for account in watched}
    after = dict(before)
    after[MULTISIG] = Balance(10**16 - TOTAL, 0)
    after |= {signer: Balance(10**16 - FEE, 0) for signer in SIGNERS}
    after |= {payee(place): Balance(10**16 + line.planck, 0) for place, line in enumerate(LINES)}
    steps = tuple(step(place) for place in range(3))
    good = Path(AT, RUNTIME.spec_version, None, steps, before, after, None)
    return replace(good, **changed)


def forked(**changed: Any) -> Simulation:
    return judge_fork(BUNDLE, RUNTIME, path(**changed))


def dry(events: Sequence[Event], error: str | None = None, messages: int = 0) -> Simulation:
    run = DryRun(AT, RUNTIME.spec_version, error, tuple(events), messages)
    return judge_dry_run(BUNDLE, RUNTIME, run)


def with_last(events: Sequence[Event]) -> tuple[PathStep, ...]:
    return step(0), step(1), step(2, events)


# --- Agreement ------------------------------------------------------------------------


def test_a_payout_that_does_what_its_lines_say_agrees_both_ways() -> None:
    by_fork, by_dry_run = forked(), dry(paid())
    for simulation in (by_fork, by_dry_run):
        assert (simulation.agrees, simulation.differences, simulation.error) == (True, (), None)
        assert {change.account: change.simulated for change in simulation.changes[:5]} == {
            MULTISIG: -TOTAL,
            **{payee(place): line.planck for place, line in enumerate(LINES)},
        }
    assert (by_fork.fees, by_dry_run.fees) == (3 * FEE, 0)
    assert by_fork.deposit is not None
    assert (by_fork.deposit.depositor, by_fork.deposit.held) == (SIGNERS[0], DEPOSIT)
    assert by_fork.deposit.returned == DEPOSIT


def test_a_signer_who_is_paid_too_pays_the_fee_out_of_it() -> None:
    bundle = bundle_for(
        RUNTIME,
        SIGNATORIES,
        statement(payouts.PERIOD, line(payee=SIGNERS[1])),
        genesis_hash=BUNDLE.chain.genesis_hash,
    )
    remark = payout_remark(bundle.statement, bundle.statement.lines)
    events = [remarked(remark), transfer(MULTISIG, SIGNERS[1], LINES[0].planck)]
    events += [transfer(MULTISIG, payee(place), LINES[place].planck) for place in (1, 2, 3)]
    good = path(steps=with_last(approval(2, events)))
    assert not judge_fork(bundle, RUNTIME, good).agrees
    before = {who: amount for who, amount in good.before.items() if who != payee(0)}
    after = {who: good.after[who] for who in before}
    after[SIGNERS[1]] = Balance(10**16 + LINES[0].planck - FEE, 0)
    simulation = judge_fork(bundle, RUNTIME, replace(good, before=before, after=after))
    assert simulation.differences == ()
    assert simulation.changes[0].name == f"{LINES[0].member}/services, fee"


def test_signatures_that_are_there_already_count_with_their_deposit() -> None:
    operation = OpenOperation({"height": 90, "index": 2}, SIGNERS[0], Planck(DEPOSIT), SIGNERS[:1])
    after = {**path().after, SIGNERS[0]: Balance(10**16, 0)}
    before = {**path().before, SIGNERS[0]: Balance(10**16 - DEPOSIT, DEPOSIT)}
    given = {"operation": operation, "steps": (step(1), step(2)), "before": before, "after": after}
    assert forked(**given).agrees
    more = replace(operation, deposit=Planck(DEPOSIT + 1))
    (difference,) = forked(**given | {"operation": more}).differences
    assert difference.startswith(f"of the deposit of {DEPOSIT + 1} planck {DEPOSIT} go back to ")


# --- Differences ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([*paid(), transfer(MULTISIG, STRANGER, 1)], "whom no line names: +1 planck by the call"),
        (paid()[:-3], "a difference of -"),
        ([], (f"amforc/services ({LINES[0].payee}): expected +{LINES[0].planck} planck, "
              f"simulated +0, a difference of -{LINES[0].planck}")),
        ([*paid(), balances("Slashed", payee(0), 5)], "a difference of -5"),
        ([*paid(), balances("BalanceSet", payee(0), 5)], "also causes Balances.BalanceSet"),
        ([*paid(), Event("Balances", "Unexpected", ("X",))], "also causes Balances.Unexpected"),
        ([*paid(), Event("Assets", "Transferred", {})], "also causes Assets.Transferred"),
        ([*paid(), Event("ChildBounties", "Added", {})], "also causes ChildBounties.Added"),
        ([*paid(), Event("System", "CodeUpdated", ())], "also causes System.CodeUpdated"),
    ],
    ids=["stranger", "lacking", "none", "slashed", "set", "unexpected", "asset", "child", "code"],
)  # fmt: skip
def test_what_the_call_does_besides_or_does_not_do_is_a_difference_both_ways(
    events: Sequence[Event], said: str
) -> None:
    by_dry_run = dry(events)
    assert not by_dry_run.agrees
    assert any(said in difference for difference in by_dry_run.differences)
    if "expected" not in said and "of -" not in said:  # balances tell a fork, not events
        by_fork = forked(steps=with_last(approval(2, events)))
        assert any(said in difference for difference in by_fork.differences)


def test_one_planck_more_or_less_in_storage_is_a_difference() -> None:
    for account in path().after:
        for planck in (-1, 1):
            after = dict(path().after)
            after[account] = Balance(after[account].free, planck)
            (difference,) = forked(after=after).differences
            assert ss58_encode(account, PREFIX) in difference
            assert difference.endswith(f"a difference of {planck:+}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda events: events[:-1], "its events say neither that it succeeded nor"),
        (lambda _: [], "its events say neither that it succeeded nor that it failed"),
        (lambda events: [e for e in events if e.name != "TransactionFeePaid"],
         "no event says what it costs"),
        (lambda events: [e for e in events if e.pallet != "Multisig"],
         "the multisig says nothing of it"),
        (lambda events: [e for e in events if e.name != "Unreserved"],
         f"of the deposit of {DEPOSIT} planck 0 go back"),
        (lambda events: [*events[:-1], Event("System", "ExtrinsicFailed",
         {"dispatch_error": ("Token", "Frozen")})], "fails: Token.Frozen"),
    ],
    ids=["no outcome", "no events", "no fee", "no multisig", "no deposit", "failed"],
)  # fmt: skip
def test_events_that_lack_something_are_a_difference_and_no_exception(
    change: Callable[[list[Event]], list[Event]], said: str
) -> None:
    simulation = forked(steps=with_last(change(approval(2, paid()))))
    assert any(said in difference for difference in simulation.differences)


def test_a_fee_that_the_events_put_on_somebody_else_is_nobodys() -> None:
    events = [
        event._replace(args=event.args | {"who": STRANGER})
        if event.name == "TransactionFeePaid"
        else event
        for event in approval(2, paid())
    ]
    simulation = forked(steps=with_last(events))
    assert any("no event says what it costs" in text for text in simulation.differences)
    assert any("a difference of -700" in text for text in simulation.differences)


def test_the_error_inside_is_told_although_the_extrinsic_succeeds() -> None:
    error = ("Err", ("Token", "FundsUnavailable"))
    untouched = {**path().before, **{who: path().after[who] for who in SIGNERS}}
    simulation = forked(steps=with_last(approval(2, (), error)), after=untouched)
    assert simulation.error == "Token.FundsUnavailable"
    assert "which fails inside: Token.FundsUnavailable" in simulation.differences[0]
    assert len(simulation.differences) == 1 + len(LINES) + 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": (step(0), step(1))}, "the call is not executed"),
        ({"steps": ()}, "nobody signed"),
        ({"steps": (step(0), step(2), step(1))}, "before everybody has signed"),
        (
            {"still_open": OpenOperation({"height": 1, "index": 1}, SIGNERS[0], Planck(1), ())},
            "still open after it was executed",
        ),
    ],
    ids=["short", "nobody", "early", "open"],
)
def test_a_path_that_does_not_end_as_it_should_is_a_difference(
    changed: dict[str, Any], said: str
) -> None:
    assert any(said in difference for difference in forked(**changed).differences)


def test_a_refused_signature_is_named_with_the_runtimes_reason() -> None:
    refused = PathStep(SIGNERS[0], BlockNumber(101), "refused: Payment")
    simulation = forked(steps=(refused,), after=path().before)
    assert simulation.deposit is None
    assert simulation.differences[0].endswith("in block 101 fails: refused: Payment")


def test_the_multisigs_own_event_is_the_last_whatever_is_executed_inside() -> None:
    nested = Event("Multisig", "MultisigExecuted", {"result": ("Err", ("Token", "Frozen"))})
    simulation = forked(steps=with_last(approval(2, [*paid(), nested])))
    assert simulation.error is None
    assert simulation.differences == ("the call also causes Multisig.MultisigExecuted",)


def test_a_dry_run_that_fails_or_sends_messages_disagrees() -> None:
    failed = dry([], "Token.FundsUnavailable")
    assert failed.differences[0] == "the call fails: Token.FundsUnavailable"
    assert len(failed.differences) == 1 + len(LINES) + 1
    assert dry(paid(), messages=2).differences == ("the call sends 2 messages to other chains",)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([*paid(), remarked(b"IBP/1 member {}")], "the call also makes a remark with hash 0x"),
        ([*paid(), REMARKED], "the call also makes a remark with hash 0x"),
        (paid()[1:], "does not make the remark of its statement's lines"),
        ([remarked(b"IBP/1 payout {}"), *paid()[1:]], "does not make the remark of its"),
        ([remarked(payouts.parts().remark.args["remark"], STRANGER), *paid()[1:]],
         "does not make the remark of its"),
    ],
    ids=["another remark", "the remark twice", "no remark", "another payout", "somebody else's"],
)  # fmt: skip
def test_a_call_makes_its_own_remark_once_and_no_other(events: Sequence[Event], said: str) -> None:
    for simulation in (dry(events), forked(steps=with_last(approval(2, events)))):
        assert any(said in difference for difference in simulation.differences)


@pytest.mark.parametrize(
    "more",
    [
        payouts.call("System", "remark", remark=b"IBP/1 member {}"),
        payouts.remark("IBP/1 member {}"),
        payouts.call("Staking", "set_payee", payee="Staked"),
    ],
    ids=["remark", "remark with event", "set_payee"],
)
def test_a_call_that_does_more_is_read_otherwise_even_where_it_leaves_no_event(more: Call) -> None:
    first, rest = payouts.parts()
    forged = payouts.resealed(BUNDLE, payouts.batch_all(first, *rest, more))
    assert [*wrong_reading(BUNDLE, LINES, RUNTIME, recording.peer())] == []
    assert [*wrong_reading(forged, LINES, RUNTIME, recording.peer())] != []


# --- The runtime's answers ------------------------------------------------------------


def effects(**given: Any) -> dict[str, Any]:
    return {
        "execution_result": ("Ok", {"actual_weight": None, "pays_fee": "Yes"}),
        "emitted_events": [("Utility", ("ItemCompleted", ())), ("Other", "Plain")],
        "local_xcm": None,
        "forwarded_xcms": [],
    } | given


def test_an_answer_of_the_dry_run_is_read_whole() -> None:
    run = read_dry_run(("Ok", effects()), RUNTIME, AT)
    assert (run.error, run.messages) == (None, 0)
    assert run.events == (ITEM, Event("Other", "Plain", ()))
    sent = effects(local_xcm=("V4", []), forwarded_xcms=[("here", [1, 2]), ("there", [3])])
    assert read_dry_run(("Ok", sent), RUNTIME, AT).messages == 4
    error = ("Err", {"post_info": {}, "error": ("Token", "Frozen")})
    assert read_dry_run(("Ok", effects(execution_result=error)), RUNTIME, AT).error == (
        "Token.Frozen"
    )
    unable = read_dry_run(("Err", "Unimplemented"), RUNTIME, AT)
    assert unable.error == "DryRunApi answers Unimplemented"
    assert not judge_dry_run(BUNDLE, RUNTIME, unable).agrees


@pytest.mark.parametrize(
    "answer",
    [
        None,
        ("Ok", {}),
        ("Ok", effects(execution_result=("Err", {}))),
        ("Ok", effects(emitted_events=[("Utility",)])),
        ("Ok", effects(execution_result="Ok")),
    ],
    ids=["none", "empty", "no error", "no event", "no result"],
)
def test_an_answer_of_another_form_is_an_error(answer: Any) -> None:
    with pytest.raises(DecodeError, match="DryRunApi"):
        read_dry_run(answer, RUNTIME, AT)


def test_a_runtime_without_the_api_says_so() -> None:
    assert missing_dry_run(RUNTIME) == "spec version 1001002 has no DryRunApi in its metadata"


def test_every_event_that_moves_balances_counts_for_whom_it_should() -> None:
    one, two = AccountId(b"\1" * 32), AccountId(b"\2" * 32)
    held = {"reason": "Preimage", "source": one, "dest": two}
    events = [
        balances("Deposit", one, 100),
        balances("Minted", one, 10),
        balances("Restored", one, 1),
        balances("Burned", two, 7),
        balances("Suspended", two, 2),
        Event("Balances", "DustLost", {"account": two, "amount": 1}),
        Event("Balances", "BurnedHeld", {"reason": "Preimage", "who": two, "amount": 3}),
        Event("Balances", "TransferOnHold", held | {"amount": 4}),
        Event("Balances", "TransferAndHold", held | {"transferred": 5}),
        Event(
            "Balances",
            "ReserveRepatriated",
            {"from": one, "to": two, "amount": 6, "destination_status": "Free"},
        ),
        balances("Reserved", one, 50),
        balances("Endowed", one, 50),
    ]
    assert effects_of(events) == Effects({one: 111 - 15, two: -13 + 15}, ())


# --- What is expected -----------------------------------------------------------------


def children_bundle(kind: Kind, numbers: tuple[int, ...] = (4, 5, 6, 7)) -> Bundle:
    plan = PlanPart(kind=kind, parent=17, children=numbers)
    genesis = BUNDLE.chain.genesis_hash
    return bundle_for(RUNTIME, SIGNATORIES, BUNDLE.statement, genesis_hash=genesis, plan=plan)


def test_awards_are_paid_by_the_bounty_and_reach_no_payee_before_the_claim() -> None:
    expected = expected_changes(children_bundle(Kind.CHILD_BOUNTIES), RUNTIME)
    assert dict(expected.values()) == {
        **{f"{line.member}/services": 0 for line in LINES},
        "multisig": 0,
        "bounty 17": -TOTAL,
        **{f"child bounty 17/{4 + n}": line.planck for n, line in enumerate(LINES)},
    }
    claims = expected_changes(children_bundle(Kind.CHILD_CLAIMS), RUNTIME)
    assert dict(claims.values()) == {
        **{f"{line.member}/services": line.planck for line in LINES},
        "multisig": 0,
        "bounty 17": 0,
        **{f"child bounty 17/{4 + n}": -line.planck for n, line in enumerate(LINES)},
    }


def test_the_account_of_a_child_is_that_of_the_pallet() -> None:
    """`modl`, `py/trsry`, "cb" and the number; this runtime numbers all children together."""
    assert child_account(RUNTIME, 17, 258).hex() == (
        "6d6f646c" + "70792f7472737279" + "086362" + "02010000" + "00" * 13
    )


def test_a_bundle_that_does_not_number_its_children_cannot_be_simulated() -> None:
    short = children_bundle(Kind.CHILD_CLAIMS)
    assert short.plan is not None
    plan = short.plan.model_copy(update={"children": (4, 5)})
    with pytest.raises(InputError, match="does not number the child bounties of its 4 lines"):
        expected_changes(short.model_copy(update={"plan": plan}), RUNTIME)
    with pytest.raises(InputError, match="part 2, there are 1"):
        expected_changes(BUNDLE.model_copy(update={"part": 2}), RUNTIME)


def test_a_bundle_whose_parts_do_not_fit_is_refused_before_anything_is_simulated() -> None:
    ensure_whole(BUNDLE)
    other = BUNDLE.multisig.model_copy(update={"threshold": 2})
    wrong = BUNDLE.model_copy(
        update={"multisig": other, "call_hash": bytes(32), "statement_hash": bytes(32)}
    )
    with pytest.raises(BundleRefused) as refused:
        ensure_whole(wrong)
    assert len(refused.value.differences) == 3


# --- Who signs ------------------------------------------------------------------------


def opened(*approvals: AccountId) -> OpenOperation:
    return OpenOperation({"height": 1, "index": 1}, approvals[0], Planck(DEPOSIT), approvals)


def test_the_first_signatories_who_have_not_signed_make_what_is_missing() -> None:
    assert choose_signers(BUNDLE, None, None) == SIGNATORIES[:3]
    assert choose_signers(BUNDLE, opened(SIGNATORIES[1]), None) == (SIGNATORIES[0], SIGNATORIES[2])
    wanted = (SIGNATORIES[4], SIGNATORIES[1], SIGNATORIES[3])
    assert choose_signers(BUNDLE, opened(SIGNATORIES[1]), wanted) == (wanted[0], wanted[2])
    # approved three times by hash alone: anybody may bring the call
    assert choose_signers(BUNDLE, opened(*SIGNATORIES[:3]), None) == SIGNATORIES[:1]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ((STRANGER,), "is not one of the multisig's signatories"),
        (SIGNATORIES[:2], "3 signatures are missing, and 2 of those named"),
        ((SIGNATORIES[0],) * 3, "is named twice"),
    ],
    ids=["stranger", "few", "twice"],
)
def test_who_cannot_make_what_is_missing_is_refused(
    wanted: tuple[AccountId, ...], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        choose_signers(BUNDLE, None, wanted)


# --- As JSON --------------------------------------------------------------------------


def test_as_json_every_amount_is_text_and_every_account_an_address() -> None:
    told = simulation_json(forked(), PASEO)
    back = json.loads(json.dumps(told))
    assert (back["way"], back["agrees"], back["fees"]) == ("fork", True, str(3 * FEE))
    assert back["changes"][0] == {
        "account": LINES[0].payee,
        "name": "amforc/services",
        "expected": str(LINES[0].planck),
        "simulated": str(LINES[0].planck),
        "difference": "0",
        "before": str(10**16),
    }
    assert [each["outcome"] for each in back["steps"]] == [
        "NewMultisig", "MultisigApproval", "MultisigExecuted"
    ]  # fmt: skip
    assert back["deposit"]["held"] == back["deposit"]["returned"] == str(DEPOSIT)
    assert back["block_hash"] == "0x" + "00" * 32
    by_dry_run = simulation_json(dry(paid()), PASEO)
    assert (by_dry_run["deposit"], by_dry_run["changes"][0]["before"]) == (None, None)


def test_people_are_told_every_account_signature_and_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    simulate._tell(forked(), PASEO)
    told = capsys.readouterr().out
    assert f"By fork at block 100, 0x{'00' * 32}, spec version 1001002" in told
    assert told.count("MultisigApproval") == 1
    assert "150.0372093023 PAS" in told
    assert "-0.00000007 PAS" in told
    assert "Deposit 0.000002 PAS of " in told
    assert "It agrees: what the bundle says happens, and nothing else." in told
    error = ("Err", ("Token", "FundsUnavailable"))
    simulate._tell(forked(steps=with_last(approval(2, (), error))), PASEO)
    told = capsys.readouterr().out
    assert "DIFFERENT: the signature of " in told
    assert told.count("Token.FundsUnavailable") == 2
    assert "It agrees" not in told


def test_the_page_about_it_names_only_options_and_modules_that_exist() -> None:
    text = (ROOT / "docs" / "simulation.md").read_text()
    told = assert_done(ibp("multisig", "simulate", "--help", env={"COLUMNS": "200"}))
    named = set(re.findall(r"--[a-z][a-z-]+", text))
    assert named == {"--node", "--dry-run-only", "--fork-only", "--signers", "--json"}
    assert not {option for option in named if option not in told}
    modules = re.findall(r"`((?:scripts|multisig)/[a-z_/]+\.(?:py|mjs))`", text)
    assert len(modules) == 7
    assert all((ROOT / module).is_file() for module in modules)
    for kind in (Kind.TRANSFERS, Kind.CHILD_BOUNTIES, Kind.CHILD_CLAIMS):
        assert f"\n| `{kind}` | " in text


def test_each_part_has_its_own_lines() -> None:
    plan = PlanPart(lines_per_part=3)
    bundle = BUNDLE.model_copy(update={"plan": plan, "parts": 2})
    assert tuple(lines_of(bundle)) == LINES[:3]
    assert tuple(lines_of(bundle.model_copy(update={"part": 2}))) == LINES[3:]
