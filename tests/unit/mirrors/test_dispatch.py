"""Attribution of a real runtime's calls and events: who did what, and what did not happen."""

from typing import Any

import pytest

from ibp_chain.accounts import derivative_account, multisig_account
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from ledger.origins import Dispatched, Failed, Origin, OriginKind, Unattributed
from ledger.pallets import conviction_voting as cv
from ledger.pallets import multisig
from tests.unit.mirrors.recorded_runtime import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    DONE,
    ITEM,
    OK,
    WEIGHT,
    Said,
    attributed,
    call,
    failed,
    module_error,
    told,
)

NOT_ONGOING = module_error(cv.NotOngoing, "ConvictionVoting")
NOT_VOTER = module_error(cv.NotVoter, "ConvictionVoting")
WHEN = {"height": 5, "index": 1}


def vote(poll: int) -> Call:
    standard = {"vote": 0x86, "balance": 10}
    return call("ConvictionVoting", "vote", poll_index=poll, vote=("Standard", standard))


def delegate(to: AccountId) -> Call:
    lent: dict[str, Any] = {"class": 33, "conviction": "Locked6x", "balance": 5}
    return call("ConvictionVoting", "delegate", to=("Id", to), **lent)


def delegated(who: AccountId, to: AccountId) -> Said:
    return ("ConvictionVoting", ("Delegated", (who, to)))


def batch(*calls: Call, kind: str = "batch") -> Call:
    return call("Utility", kind, calls=list(calls))


def proxy(real: AccountId, inner: Call) -> Call:
    return call("Proxy", "proxy", real=("Id", real), force_proxy_type=None, call=inner)


def proxied(result: Any = OK) -> Said:
    return ("Proxy", ("ProxyExecuted", {"result": result}))


def as_multi(others: list[AccountId], inner: Call, *, opens: bool = False) -> Call:
    return call(
        "Multisig",
        "as_multi",
        threshold=2,
        other_signatories=sorted(others),
        maybe_timepoint=None if opens else WHEN,
        call=inner,
        max_weight=WEIGHT,
    )


def executed(who: AccountId, others: list[AccountId], inner: Call, result: Any = OK) -> Said:
    said = {
        "approving": who,
        "timepoint": WHEN,
        "multisig": multisig_account([who, *others], 2),
        "call_hash": inner.hash,
        "result": result,
    }
    return ("Multisig", ("MultisigExecuted", said))


def interrupted(index: int, error: Any) -> Said:
    return ("Utility", ("BatchInterrupted", {"index": index, "error": error}))


def short(account: AccountId) -> str:
    return account.hex()[:4]


A = short(ALICE)

# --- Batches ----------------------------------------------------------------------


def test_a_batch_keeps_what_succeeded_before_the_item_that_failed() -> None:
    items = attributed(batch(vote(1), vote(2), vote(3)), ITEM, interrupted(1, NOT_ONGOING))
    assert told(items) == [
        f"0. vote by {A}",
        "1. vote failed: ConvictionVoting.NotOngoing",
        "2. vote failed: not reached",
        f"root batch by {A}",
    ]


def test_a_batch_whose_first_item_failed_did_nothing_and_succeeded() -> None:
    items = attributed(batch(vote(1), vote(2)), interrupted(0, NOT_VOTER))
    assert [type(item) for item in items] == [Failed, Failed, Dispatched]


def test_a_batch_all_happens_as_a_whole_or_not_at_all() -> None:
    both = batch(vote(1), delegate(BOB), kind="batch_all")
    whole = attributed(both, ITEM, delegated(ALICE, BOB), ITEM, DONE)
    assert told(whole) == [f"0. vote by {A}", f"1. delegate by {A}", f"root batch_all by {A}"]
    assert told(attributed(both, outcome=failed(NOT_ONGOING))) == [
        "root batch_all failed: ConvictionVoting.NotOngoing"
    ]


def test_a_batch_all_that_failed_inside_a_forced_batch_names_none_of_its_items() -> None:
    inner = batch(vote(1), vote(2), kind="batch_all")
    fell: Said = ("Utility", ("ItemFailed", {"error": NOT_ONGOING}))
    end: Said = ("Utility", ("BatchCompletedWithErrors", ()))
    items = attributed(batch(inner, vote(3), kind="force_batch"), fell, ITEM, end)
    assert told(items) == [
        "0. batch_all failed: ConvictionVoting.NotOngoing",
        f"1. vote by {A}",
        f"root force_batch by {A}",
    ]


def test_a_forced_batch_goes_on_after_each_failure() -> None:
    fell = [
        ("Utility", ("ItemFailed", {"error": error})) for error in (NOT_ONGOING, NOT_VOTER)
    ]  # fmt: skip
    end: Said = ("Utility", ("BatchCompletedWithErrors", ()))
    items = attributed(
        batch(vote(1), vote(2), vote(3), vote(4), kind="force_batch"),
        ITEM, fell[0], fell[1], ITEM, end,
    )  # fmt: skip
    assert told(items)[:4] == [
        f"0. vote by {A}",
        "1. vote failed: ConvictionVoting.NotOngoing",
        "2. vote failed: ConvictionVoting.NotVoter",
        f"3. vote by {A}",
    ]


def test_the_events_of_an_item_are_its_own() -> None:
    items = attributed(
        batch(delegate(BOB), vote(1), delegate(CAROL)),
        delegated(ALICE, BOB), ITEM, ITEM, delegated(ALICE, CAROL), ITEM, DONE,
    )  # fmt: skip
    own = [[event.args for event in item.events] for item in items if isinstance(item, Dispatched)]
    assert own[:3] == [[(ALICE, BOB)], [], [(ALICE, CAROL)]]


# --- Other accounts -----------------------------------------------------------------


def test_a_proxy_votes_for_the_real_account() -> None:
    assert told(attributed(proxy(BOB, vote(1)), proxied())) == [
        f"0. vote by {short(BOB)}",
        f"root proxy by {A}",
    ]


def test_a_proxied_vote_that_failed_leaves_the_proxy_call_a_success() -> None:
    assert told(attributed(proxy(BOB, vote(1)), proxied(("Err", NOT_ONGOING)))) == [
        "0. vote failed: ConvictionVoting.NotOngoing",
        f"root proxy by {A}",
    ]


def test_a_derivative_of_a_proxied_account_votes_without_any_event_of_its_own() -> None:
    inner = call("Utility", "as_derivative", index=7, call=vote(1))
    derivative = derivative_account(BOB, 7)
    assert told(attributed(proxy(BOB, inner), proxied())) == [
        f"0.0. vote by {short(derivative)}",
        f"0. as_derivative by {short(BOB)}",
        f"root proxy by {A}",
    ]


def test_a_derivative_fails_with_its_call() -> None:
    inner = call("Utility", "as_derivative", index=7, call=vote(1))
    items = attributed(batch(inner, vote(2)), interrupted(0, NOT_ONGOING))
    assert told(items)[0] == "0. as_derivative failed: ConvictionVoting.NotOngoing"


def test_sudo_votes_for_anybody_through_dispatch_as() -> None:
    dispatch_as = call(
        "Utility", "dispatch_as", as_origin=("system", ("Signed", DAVE)), call=vote(1)
    )
    sudid: Said = ("Sudo", ("Sudid", {"sudo_result": OK}))
    as_done: Said = ("Utility", ("DispatchedAs", {"result": OK}))
    assert told(attributed(call("Sudo", "sudo", call=dispatch_as), as_done, sudid)) == [
        f"0.0. vote by {short(DAVE)}",
        "0. dispatch_as by root",
        f"root sudo by {A}",
    ]
    refused: Said = ("Sudo", ("Sudid", {"sudo_result": ("Err", "BadOrigin")}))
    assert told(attributed(call("Sudo", "sudo", call=vote(1)), refused))[0] == (
        "0. vote failed: BadOrigin"
    )


@pytest.mark.parametrize("kind", ["Root", "None"])
def test_an_origin_without_an_account_is_named_as_it_is(kind: str) -> None:
    remark = call("System", "remark", remark=b"")
    dispatch_as = call("Utility", "dispatch_as", as_origin=("system", (kind, ())), call=remark)
    inner, _ = attributed(dispatch_as, ("Utility", ("DispatchedAs", {"result": OK})))
    assert isinstance(inner, Dispatched)
    assert inner.origin == Origin(OriginKind(kind.lower()))


# --- Multisigs ----------------------------------------------------------------------

PAIR = [BOB, CAROL]
OURS = multisig_account([ALICE, *PAIR], 2)
"""Alice's, Bob's and Carol's."""


def test_a_multisig_that_is_a_signatory_of_another_acts_for_both() -> None:
    theirs = multisig_account([OURS, DAVE], 2)
    inner = as_multi([DAVE], vote(1))
    items = attributed(
        as_multi(PAIR, inner), executed(OURS, [DAVE], vote(1)), executed(ALICE, PAIR, inner)
    )
    assert told(items) == [
        f"0.0. vote by {short(theirs)}",
        f"0. as_multi by {short(OURS)}",
        f"root as_multi by {A}",
    ]


def test_an_inner_multisig_may_only_have_approved() -> None:
    inner = as_multi([DAVE], vote(1), opens=True)
    opened: Said = (
        "Multisig",
        (
            "NewMultisig",
            {
                "approving": OURS,
                "multisig": multisig_account([OURS, DAVE], 2),
                "call_hash": vote(1).hash,
            },
        ),
    )
    items = attributed(as_multi(PAIR, inner), opened, executed(ALICE, PAIR, inner))
    assert told(items) == [f"0. as_multi by {short(OURS)}", f"root as_multi by {A}"]


def test_an_inner_multisig_that_failed_voted_for_nobody() -> None:
    inner = as_multi([DAVE], vote(1))
    error = module_error(multisig.WrongTimepoint, "Multisig")
    items = attributed(as_multi(PAIR, inner), executed(ALICE, PAIR, inner, ("Err", error)))
    assert told(items) == ["0. as_multi failed: Multisig.WrongTimepoint", f"root as_multi by {A}"]


def test_a_batch_of_a_multisig_may_be_interrupted_though_its_execution_is_ok() -> None:
    inner = batch(vote(1), vote(2))
    items = attributed(
        as_multi(PAIR, inner), ITEM, interrupted(1, NOT_ONGOING), executed(ALICE, PAIR, inner)
    )
    assert told(items) == [
        f"0.0. vote by {short(OURS)}",
        "0.1. vote failed: ConvictionVoting.NotOngoing",
        f"0. batch by {short(OURS)}",
        f"root as_multi by {A}",
    ]


def test_an_execution_for_another_multisig_is_not_taken_for_this_one() -> None:
    items = attributed(as_multi(PAIR, vote(1)), executed(ALICE, [BOB, DAVE], vote(1)))
    assert isinstance(items[0], Unattributed)


@pytest.mark.parametrize(("who", "others"), [(BOB, [ALICE, CAROL]), (ALICE, [BOB, DAVE])])
def test_an_approval_is_taken_only_from_its_own_event(
    who: AccountId, others: list[AccountId]
) -> None:
    said = {
        "approving": who,
        "multisig": multisig_account([who, *others], 2),
        "call_hash": vote(1).hash,
    }
    items = attributed(as_multi(PAIR, vote(1), opens=True), ("Multisig", ("NewMultisig", said)))
    assert isinstance(items[0], Unattributed)


# --- Opaque calls -------------------------------------------------------------------


def transact() -> Call:
    program = [
        (
            "Transact",
            {
                "origin_kind": "SovereignAccount",
                "require_weight_at_most": WEIGHT,
                "call": {"encoded": vote(1).data},
            },
        )
    ]
    return call("XcmPallet", "execute", message=("V3", program), max_weight=WEIGHT)


ATTEMPTED: Said = ("XcmPallet", ("Attempted", {"outcome": ("Complete", WEIGHT)}))


def test_a_program_that_transacts_is_reported_and_its_events_pass() -> None:
    items = attributed(transact(), delegated(DAVE, BOB), ATTEMPTED)
    assert told(items) == [
        "root execute unattributed: an XCM program with Transact",
        "event ConvictionVoting.Delegated",
        "event XcmPallet.Attempted",
    ]


def test_the_other_items_beside_an_opaque_one_keep_their_names() -> None:
    items = attributed(batch(vote(1), transact(), vote(2)), ITEM, ATTEMPTED, ITEM, ITEM, DONE)
    assert told(items) == [
        f"0. vote by {A}",
        "1. execute unattributed: an XCM program with Transact",
        "event XcmPallet.Attempted",
        f"2. vote by {A}",
        f"root batch by {A}",
    ]


def test_a_whitelisted_call_that_the_block_does_not_show_is_reported() -> None:
    by_hash = call(
        "Whitelist",
        "dispatch_whitelisted_call",
        call_hash=vote(1).hash,
        call_encoded_len=10,
        call_weight_witness=WEIGHT,
    )
    info = {"actual_weight": None, "pays_fee": "Yes"}
    done: Said = (
        "Whitelist",
        ("WhitelistedCallDispatched", {"call_hash": vote(1).hash, "result": ("Ok", info)}),
    )
    assert told(attributed(by_hash, done))[0].startswith("root dispatch_whitelisted_call unattri")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([ITEM, ITEM, ITEM, DONE], id="an item too many"),
        pytest.param([ITEM, interrupted(0, NOT_VOTER)], id="interrupted at a wrong item"),
    ],
)
def test_events_that_fit_no_reading_are_reported_never_guessed(said: list[Said]) -> None:
    items = attributed(batch(vote(1), vote(2)), *said)
    assert isinstance(items[0], Unattributed)
    assert "do not fit Utility.batch" in items[0].reason
