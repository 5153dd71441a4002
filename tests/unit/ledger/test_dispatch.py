"""Attribution over hand-built calls and events: each row of spec/pallets.md F.1."""

from collections.abc import Sequence
from typing import Any

import pytest

from ibp_chain.accounts import derivative_account, multisig_account
from ibp_chain.blocks import EventRecord, Extrinsic, Phase
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from ledger.dispatch import attribute
from ledger.origins import Dispatched, Failed, Origin, OriginKind, Unattributed

ALICE, BOB, CAROL = (AccountId(bytes([n]) * 32) for n in (1, 2, 3))
MULTISIG = multisig_account([ALICE, BOB, CAROL], 2)
BAD_ORIGIN = ("BadOrigin", ())
WHEN = {"height": 7, "index": 1}
OK, ERR = ("Ok", ()), ("Err", BAD_ORIGIN)


class Names:
    """The runtime's error names, of the one error that these tests raise."""

    def error_name(self, dispatch_error: Any) -> str:
        assert dispatch_error == BAD_ORIGIN
        return "BadOrigin"

    def decode_call(self, raw: bytes) -> Call:
        assert raw == b"opaque"
        return remark("opaque")


# --- Calls ------------------------------------------------------------------------


def call(pallet: str, name: str, **args: Any) -> Call:
    raw = f"{pallet}.{name}{args}".encode()
    return Call(pallet, name, args, raw, 0, len(raw))


def remark(text: str) -> Call:
    return call("System", "remark_with_event", remark=text.encode())


def batch(*calls: Call, kind: str = "batch") -> Call:
    return call("Utility", kind, calls=list(calls))


def proxied(inner: Call, real: AccountId = BOB) -> Call:
    return call("Proxy", "proxy", real=("Id", real), force_proxy_type=None, call=inner)


def as_multi(inner: Call | bytes) -> Call:
    return call(
        "Multisig", "as_multi", threshold=2, other_signatories=[BOB, CAROL],
        maybe_timepoint=WHEN, call=inner, max_weight={"ref_time": 1, "proof_size": 1},
    )  # fmt: skip


# --- Events -----------------------------------------------------------------------

Said = tuple[str, str, Any]
ITEM: Said = ("Utility", "ItemCompleted", ())
DONE: Said = ("Utility", "BatchCompleted", ())
WITH_ERRORS: Said = ("Utility", "BatchCompletedWithErrors", ())
ITEM_FAILED: Said = ("Utility", "ItemFailed", {"error": BAD_ORIGIN})


def interrupted(index: int) -> Said:
    return ("Utility", "BatchInterrupted", {"index": index, "error": BAD_ORIGIN})


def remarked(text: str) -> Said:
    return ("System", "Remarked", {"sender": text})


def proxy_executed(result: Any) -> Said:
    return ("Proxy", "ProxyExecuted", {"result": result})


def multisig_executed(inner: Call, result: Any) -> Said:
    return (
        "Multisig",
        "MultisigExecuted",
        {
            "approving": ALICE,
            "timepoint": WHEN,
            "multisig": MULTISIG,
            "call_hash": inner.hash,
            "result": result,
        },
    )


def new_multisig(inner: Call) -> Said:
    said = {"approving": ALICE, "multisig": MULTISIG, "call_hash": inner.hash}
    return ("Multisig", "NewMultisig", said)


def records(said: Sequence[Said], phase: Phase = Phase.APPLY_EXTRINSIC) -> list[EventRecord]:
    index = 0 if phase is Phase.APPLY_EXTRINSIC else None
    return [EventRecord(n, phase, index, *event, ()) for n, event in enumerate(said)]


SUCCESS: Said = ("System", "ExtrinsicSuccess", {"dispatch_info": {}})
FAILED: Said = ("System", "ExtrinsicFailed", {"dispatch_error": BAD_ORIGIN, "dispatch_info": {}})


def run(root: Call, *said: Said, outcome: Said = SUCCESS, signer: AccountId | None = ALICE) -> Any:
    extrinsic = Extrinsic(b"", signer, {"CheckNonce": 0} if signer else {}, root)
    return list(attribute(Names(), [extrinsic], records([*said, outcome])))


def told(items: Sequence[Any]) -> list[str]:
    """A line per item: what, by whom, where, its own events or its error."""
    lines = []
    for item in items:
        path = ".".join(map(str, item.path)) if not isinstance(item, EventRecord) else ""
        match item:
            case Dispatched():
                own = ",".join(event.name for event in item.events)
                lines.append(f"{item.call.name}@{path} {own}".strip())
            case Failed():
                lines.append(f"{item.call.name}@{path} !{item.error}")
            case Unattributed():
                lines.append(f"{item.call.name}@{path} ?")
            case EventRecord():
                lines.append(f"event {item.name}")
    return lines


# --- Leaves -----------------------------------------------------------------------


def test_a_plain_call_has_its_signer_and_all_its_events() -> None:
    (item,) = run(remark("a"), remarked("a"))
    assert item.origin == Origin(OriginKind.SIGNED, ALICE)
    assert [event.name for event in item.events] == ["Remarked"]
    assert (item.path, item.parent, item.extrinsic_index) == ((), None, 0)


def test_a_failed_extrinsic_fails_as_a_whole() -> None:
    assert told(run(batch(remark("a"), remark("b")), outcome=FAILED)) == ["batch@ !BadOrigin"]


def test_a_bare_extrinsic_has_no_origin() -> None:
    (item,) = run(call("Timestamp", "set", now=1), signer=None)
    assert item.origin == Origin(OriginKind.NONE)


def test_fee_events_belong_to_no_call() -> None:
    (item,) = run(
        remark("a"),
        ("Balances", "Withdraw", {"who": ALICE, "amount": 5}),
        remarked("a"),
        ("Balances", "Deposit", {"who": BOB, "amount": 5}),
        ("TransactionPayment", "TransactionFeePaid", {"who": ALICE}),
    )
    assert [event.name for event in item.events] == ["Remarked"]


def test_fee_deposits_may_stand_behind_a_wrapper() -> None:
    items = run(batch(remark("a")), remarked("a"), ITEM, DONE, ("Balances", "Deposit", {}))
    assert told(items) == ["remark_with_event@0 Remarked", "batch@ BatchCompleted"]


def test_an_extrinsic_without_outcome_is_reported() -> None:
    extrinsic = Extrinsic(b"", ALICE, {}, remark("a"))
    assert told(list(attribute(Names(), [extrinsic], []))) == ["remark_with_event@ ?"]


def test_a_voting_event_under_a_foreign_call_is_reported() -> None:
    items = run(remark("a"), ("ConvictionVoting", "Voted", {"who": BOB}))
    assert told(items) == ["remark_with_event@ ?", "event Voted"]


# --- Batches ----------------------------------------------------------------------


def test_batch_all_dispatches_every_item_before_itself() -> None:
    items = run(
        batch(remark("a"), remark("b"), kind="batch_all"),
        remarked("a"), ITEM, remarked("b"), ITEM, DONE,
    )  # fmt: skip
    assert told(items) == [
        "remark_with_event@0 Remarked",
        "remark_with_event@1 Remarked",
        "batch_all@ BatchCompleted",
    ]
    assert items[1].parent == items[2].call


def test_an_empty_batch_completes() -> None:
    assert told(run(batch(), DONE)) == ["batch@ BatchCompleted"]


@pytest.mark.parametrize("failing", range(3))
def test_a_batch_stops_at_its_first_failing_item(failing: int) -> None:
    texts = "abc"
    said = [event for text in texts[:failing] for event in (remarked(text), ITEM)]
    items = run(batch(*map(remark, texts)), *said, interrupted(failing))
    assert told(items) == [
        *(f"remark_with_event@{k} Remarked" for k in range(failing)),
        f"remark_with_event@{failing} !BadOrigin",
        *(f"remark_with_event@{k} !not reached" for k in range(failing + 1, 3)),
        "batch@ BatchInterrupted",
    ]


@pytest.mark.parametrize("failing", range(3))
def test_a_forced_batch_goes_on_behind_a_failing_item(failing: int) -> None:
    said: list[Said] = []
    for k, text in enumerate("abc"):
        said += [ITEM_FAILED] if k == failing else [remarked(text), ITEM]
    items = run(batch(*map(remark, "abc"), kind="force_batch"), *said, WITH_ERRORS)
    assert told(items) == [
        *(
            f"remark_with_event@{k} " + ("!BadOrigin" if k == failing else "Remarked")
            for k in range(3)
        ),
        "force_batch@ BatchCompletedWithErrors",
    ]


def test_an_interrupted_inner_batch_is_told_from_an_interrupted_outer_one() -> None:
    inner = batch(remark("a"), remark("b"))
    assert told(run(batch(inner, remark("c")), interrupted(0))) == [
        "batch@0 !BadOrigin",
        "remark_with_event@1 !not reached",
        "batch@ BatchInterrupted",
    ]
    said = interrupted(0), ITEM, remarked("c"), ITEM, DONE
    assert told(run(batch(inner, remark("c")), *said)) == [
        "remark_with_event@0.0 !BadOrigin",
        "remark_with_event@0.1 !not reached",
        "batch@0 BatchInterrupted",
        "remark_with_event@1 Remarked",
        "batch@ BatchCompleted",
    ]


def test_silent_items_are_counted_by_their_closes() -> None:
    items = run(batch(*(call("ConvictionVoting", "remove_vote") for _ in range(3))), *[ITEM] * 3,
                DONE)  # fmt: skip
    assert told(items)[:3] == [f"remove_vote@{k}" for k in range(3)]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([remarked("a"), ITEM, DONE], id="an item too few"),
        pytest.param([remarked("a"), ITEM, ITEM, ITEM, DONE], id="an item too many"),
        pytest.param([remarked("a"), ITEM, remarked("b"), ITEM], id="no end"),
        pytest.param([remarked("a"), ITEM, interrupted(0)], id="interrupted at a wrong item"),
        pytest.param([remarked("a"), ITEM, ITEM, WITH_ERRORS], id="errors that no item had"),
        pytest.param([ITEM_FAILED, ITEM, WITH_ERRORS], id="another batch's event"),
    ],
)
def test_events_that_do_not_fit_are_reported_and_passed_on(said: list[Said]) -> None:
    items = told(run(batch(remark("a"), remark("b")), *said))
    assert items == ["batch@ ?", *(f"event {name}" for _, name, _ in said)]


# --- Wrappers of one call -----------------------------------------------------------


def test_a_derivative_account_acts_in_silence() -> None:
    items = run(call("Utility", "as_derivative", index=3, call=remark("a")), remarked("a"))
    assert told(items) == ["remark_with_event@0 Remarked", "as_derivative@"]
    assert items[0].origin.account == derivative_account(ALICE, 3)


SINGLE = [
    pytest.param(proxied, ("Proxy", "ProxyExecuted"), BOB, id="proxy"),
    pytest.param(
        lambda inner: call("Proxy", "proxy_announced", delegate=ALICE, real=BOB, call=inner),
        ("Proxy", "ProxyExecuted"), BOB, id="proxy_announced of old, with a plain account",
    ),
    pytest.param(
        lambda inner: call("Utility", "dispatch_as", as_origin=("system", ("Signed", CAROL)),
                           call=inner),
        ("Utility", "DispatchedAs"), CAROL, id="dispatch_as",
    ),
    pytest.param(
        lambda inner: call("Sudo", "sudo_as", who=("Id", CAROL), call=inner),
        ("Sudo", "SudoAsDone"), CAROL, id="sudo_as",
    ),
    pytest.param(lambda inner: call("Sudo", "sudo", call=inner), ("Sudo", "Sudid"), None,
                 id="sudo"),
    pytest.param(
        lambda inner: call("Sudo", "sudo_unchecked_weight", call=inner, weight={}),
        ("Sudo", "Sudid"), None, id="sudo_unchecked_weight",
    ),
    pytest.param(
        lambda inner: call("RemoteProxyRelayChain", "remote_proxy", real=("Id", BOB), call=inner),
        ("Proxy", "ProxyExecuted"), BOB, id="remote_proxy",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("wrap", "closes", "account"), SINGLE)
def test_a_wrapper_changes_the_origin_and_carries_the_result(
    wrap: Any, closes: tuple[str, str], account: AccountId | None
) -> None:
    inner, outer = run(wrap(remark("a")), remarked("a"), (*closes, {"sudo_result": OK}))
    expected = OriginKind.SIGNED if account else OriginKind.ROOT
    assert inner.origin == Origin(expected, account)
    assert [event.name for event in outer.events] == [closes[1]]

    failed, outer = run(wrap(remark("a")), (*closes, (ERR,)))
    assert (failed.error, failed.path) == ("BadOrigin", (0,))
    assert isinstance(outer, Dispatched)


def test_a_whitelisted_call_with_preimage_runs_as_root() -> None:
    wrapped = call("Whitelist", "dispatch_whitelisted_call_with_preimage", call=remark("a"))
    closes = ("Whitelist", "WhitelistedCallDispatched")
    info = {"actual_weight": None, "pays_fee": "Yes"}
    inner, _ = run(wrapped, remarked("a"), (*closes, {"call_hash": b"", "result": ("Ok", info)}))
    assert inner.origin.kind is OriginKind.ROOT
    error = ("Err", {"post_info": info, "error": BAD_ORIGIN})
    failed, _ = run(wrapped, (*closes, {"call_hash": b"", "result": error}))
    assert failed.error == "BadOrigin"


def test_if_else_runs_its_fallback_when_the_main_call_fails() -> None:
    both = call("Utility", "if_else", main=remark("a"), fallback=remark("b"))
    assert told(run(both, remarked("a"), ("Utility", "IfElseMainSuccess", ()))) == [
        "remark_with_event@0 Remarked",
        "remark_with_event@1 !not reached",
        "if_else@ IfElseMainSuccess",
    ]
    called = ("Utility", "IfElseFallbackCalled", {"main_error": BAD_ORIGIN})
    assert told(run(both, remarked("b"), called)) == [
        "remark_with_event@0 !BadOrigin",
        "remark_with_event@1 Remarked",
        "if_else@ IfElseFallbackCalled",
    ]


@pytest.mark.parametrize("name", ["with_weight", "dispatch_as_fallible"])
def test_a_fallible_wrapper_has_no_failed_inner_call(name: str) -> None:
    inner_only = call(
        "Utility", name, as_origin=("system", ("Root", ())), call=remark("a"), weight={}
    )
    done: list[Said] = [("Utility", "DispatchedAs", {"result": OK})]
    said = done if name == "dispatch_as_fallible" else []
    inner, _ = run(inner_only, remarked("a"), *said)
    assert inner.origin.kind is OriginKind.ROOT
    failed: Said = ("Utility", "DispatchedAs", {"result": ERR})
    assert told(run(inner_only, failed))[0] == f"{name}@ ?"


def test_a_foreign_origin_stays_nameless() -> None:
    caller = ("Origins", "Treasurer")
    inner, _ = run(
        call("Utility", "dispatch_as", as_origin=caller, call=remark("a")),
        remarked("a"), ("Utility", "DispatchedAs", {"result": OK}),
    )  # fmt: skip
    assert inner.origin == Origin(OriginKind.OTHER)


# --- Multisig -----------------------------------------------------------------------


def test_the_last_approval_runs_the_call_as_the_multisig() -> None:
    inner = remark("a")
    items = run(as_multi(inner), remarked("a"), multisig_executed(inner, OK))
    assert told(items) == ["remark_with_event@0 Remarked", "as_multi@ MultisigExecuted"]
    assert items[0].origin.account == MULTISIG


def test_the_returned_deposit_is_the_multisigs_own_event() -> None:
    inner = remark("a")
    back: Said = ("Balances", "Unreserved", {"who": BOB, "amount": 1})
    assert told(run(as_multi(inner), back, remarked("a"), multisig_executed(inner, OK))) == [
        "remark_with_event@0 Remarked",
        "as_multi@ Unreserved,MultisigExecuted",
    ]


def test_a_failing_call_of_a_multisig_leaves_the_operation_executed() -> None:
    inner = remark("a")
    assert told(run(as_multi(inner), multisig_executed(inner, ERR))) == [
        "remark_with_event@0 !BadOrigin",
        "as_multi@ MultisigExecuted",
    ]


def test_an_approval_dispatches_nothing() -> None:
    inner = remark("a")
    reserved: Said = ("Balances", "Reserved", {"who": ALICE, "amount": 1})
    said = ("Multisig", "MultisigApproval", {**multisig_executed(inner, OK)[2]})
    assert told(run(as_multi(inner), reserved, new_multisig(inner))) == [
        "as_multi@ Reserved,NewMultisig"
    ]
    assert told(run(as_multi(inner), said)) == ["as_multi@ MultisigApproval"]
    approve = call(
        "Multisig", "approve_as_multi", threshold=2, other_signatories=[BOB, CAROL],
        maybe_timepoint=None, call_hash=inner.hash, max_weight={},
    )  # fmt: skip
    assert told(run(approve, new_multisig(inner))) == ["approve_as_multi@ NewMultisig"]


def test_several_approvals_in_a_batch_are_kept_apart() -> None:
    first, second = remark("a"), remark("b")
    items = run(
        batch(as_multi(first), as_multi(second), as_multi(first)),
        new_multisig(first), ITEM, new_multisig(second), ITEM,
        remarked("a"), multisig_executed(first, OK), ITEM, DONE,
    )  # fmt: skip
    assert told(items) == [
        "as_multi@0 NewMultisig",
        "as_multi@1 NewMultisig",
        "remark_with_event@2.0 Remarked",
        "as_multi@2 MultisigExecuted",
        "batch@ BatchCompleted",
    ]


def test_an_event_of_another_operation_does_not_close_this_one() -> None:
    items = run(as_multi(remark("a")), remarked("a"), multisig_executed(remark("b"), OK))
    assert told(items)[0] == "as_multi@ ?"


def test_an_opaque_call_of_old_is_decoded() -> None:
    items = run(as_multi(b"opaque"), remarked("x"), multisig_executed(remark("opaque"), OK))
    assert items[0].call == remark("opaque")


@pytest.mark.parametrize("announced", [True, False])
def test_threshold_1_runs_at_once_with_an_event_in_newer_runtimes(announced: bool) -> None:
    inner = remark("a")
    alone = call("Multisig", "as_multi_threshold_1", other_signatories=[BOB], call=inner)
    account = multisig_account([ALICE, BOB], 1)
    said = {**multisig_executed(inner, OK)[2], "multisig": account}
    close: list[Said] = [("Multisig", "MultisigExecuted", said)] if announced else []
    items = run(batch(alone, remark("b")), remarked("a"), *close, ITEM, remarked("b"), ITEM, DONE)
    assert items[0].origin.account == account
    assert told(items)[1] == "as_multi_threshold_1@0" + " MultisigExecuted" * announced


# --- Nesting ------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["nothing", "leaf", "multisig call", "proxied call"])
def test_three_deep_a_failure_is_placed_where_it_happened(fails: str) -> None:
    leaf = remark("a")
    middle = batch(leaf)
    multi = as_multi(middle)
    root = batch(proxied(multi, ALICE), remark("z"))
    said: list[Said] = {
        "nothing": [remarked("a"), ITEM, DONE, multisig_executed(middle, OK), proxy_executed(OK)],
        "leaf": [interrupted(0), multisig_executed(middle, OK), proxy_executed(OK)],
        "multisig call": [multisig_executed(middle, ERR), proxy_executed(OK)],
        "proxied call": [proxy_executed(ERR)],
    }[fails]
    inside = {
        "nothing": [
            "remark_with_event@0.0.0.0 Remarked",
            "batch@0.0.0 BatchCompleted",
            "as_multi@0.0 MultisigExecuted",
        ],
        "leaf": [
            "remark_with_event@0.0.0.0 !BadOrigin",
            "batch@0.0.0 BatchInterrupted",
            "as_multi@0.0 MultisigExecuted",
        ],
        "multisig call": ["batch@0.0.0 !BadOrigin", "as_multi@0.0 MultisigExecuted"],
        "proxied call": ["as_multi@0.0 !BadOrigin"],
    }[fails]
    items = told(run(root, *said, ITEM, remarked("z"), ITEM, DONE))
    assert items == [
        *inside,
        "proxy@0 ProxyExecuted",
        "remark_with_event@1 Remarked",
        "batch@ BatchCompleted",
    ]


def test_calls_may_nest_as_deep_as_the_runtime_allows() -> None:
    root = remark("a")
    for _ in range(255):
        root = proxied(root)._replace(buffer=b"", end=0)
    items = run(root, remarked("a"), *[proxy_executed(OK)] * 255)
    assert len(items) == 256
    assert len(items[0].path) == 255


def test_a_long_batch_of_batches_is_read_in_one_pass() -> None:
    root = batch(*(batch(*map(remark, "abcd"), kind="force_batch") for _ in range(200)))
    one = [remarked("a"), ITEM, ITEM_FAILED, remarked("c"), ITEM, ITEM_FAILED, WITH_ERRORS, ITEM]
    items = run(root, *(one * 200), DONE)
    assert sum(isinstance(item, Failed) for item in items) == 400
    assert sum(isinstance(item, Dispatched) for item in items) == 601


# --- Opaque calls -------------------------------------------------------------------

TRANSACT = ("V4", [("WithdrawAsset", []), ("Transact", {"call": b""})])
TRANSFER = ("V4", [("WithdrawAsset", []), ("BuyExecution", {"fees": 1})])


def test_an_xcm_program_is_opaque_exactly_when_it_transacts() -> None:
    opaque = call("PolkadotXcm", "execute", message=TRANSACT)
    voted: Said = ("ConvictionVoting", "Voted", {})
    assert told(run(opaque, ITEM, voted)) == ["execute@ ?", "event ItemCompleted", "event Voted"]
    assert told(run(call("PolkadotXcm", "execute", message=TRANSFER))) == ["execute@"]


def test_what_stands_beside_an_opaque_call_is_attributed_only_if_it_can_be() -> None:
    opaque = call("PolkadotXcm", "execute", message=TRANSACT)
    items = run(batch(opaque, remark("b")), ITEM, remarked("b"), ITEM, DONE)
    assert told(items) == ["execute@0 ?", "remark_with_event@1 Remarked", "batch@ BatchCompleted"]
    # the first two events are an inner batch's: nothing tells where the program ends
    items = run(batch(opaque, remark("b")), ITEM, DONE, ITEM, remarked("b"), ITEM, DONE)
    assert told(items)[0] == "batch@ ?"


@pytest.mark.parametrize("argument", ["call", "calls", "meta_tx"])
def test_an_unknown_call_that_carries_another_is_reported(argument: str) -> None:
    inner: Any = remark("a")
    carried = {"call": inner, "calls": [inner], "meta_tx": {"call": inner, "signer": ALICE}}
    root = call("Strange", "dispatch", **{argument: carried[argument]})
    assert told(run(root, remarked("a"))) == ["dispatch@ ?", "event Remarked"]


def test_a_call_put_off_is_not_dispatched() -> None:
    items = run(
        call("Scheduler", "schedule", when=9, call=remark("a")), ("Scheduler", "Scheduled", {})
    )
    assert told(items) == ["schedule@ Scheduled"]


def test_a_whitelisted_call_known_by_hash_is_reported() -> None:
    root = call("Whitelist", "dispatch_whitelisted_call", call_hash=bytes(32))
    said: Said = ("Whitelist", "WhitelistedCallDispatched", {"result": OK})
    assert told(run(root, said))[0] == "dispatch_whitelisted_call@ ?"


# --- Hooks --------------------------------------------------------------------------

TASK: Said = ("Scheduler", "Dispatched", {"task": (9, 0), "id": None, "result": OK})


def hooks(*said: Said, phase: Phase = Phase.INITIALIZATION) -> list[str]:
    return told(list(attribute(Names(), [], records(said, phase))))


def test_hooks_events_pass_as_they_are() -> None:
    confirmed: Said = ("Referenda", "Confirmed", {"index": 1})
    assert hooks(confirmed, TASK) == ["event Confirmed", "event Dispatched"]


def test_a_task_that_voted_is_reported_behind_its_end() -> None:
    undelegated: Said = ("ConvictionVoting", "Undelegated", (ALICE,))
    assert hooks(TASK, undelegated, TASK, TASK) == [
        "event Dispatched",
        "event Undelegated",
        "event Dispatched",
        "Undelegated@ ?",
        "event Dispatched",
    ]


def test_a_message_that_used_a_multisig_is_reported() -> None:
    said: Said = ("Multisig", "NewMultisig", {"approving": ALICE})
    assert hooks(said, phase=Phase.FINALIZATION) == ["event NewMultisig", "NewMultisig@ ?"]


def test_hooks_stand_around_the_extrinsics() -> None:
    extrinsic = Extrinsic(b"", ALICE, {}, remark("a"))
    late: Said = ("System", "Late", {})
    events = [*records([TASK], Phase.INITIALIZATION), *records([remarked("a"), SUCCESS]),
              *records([late], Phase.FINALIZATION)]  # fmt: skip
    items = list(attribute(Names(), [extrinsic], events))
    assert told(items) == ["event Dispatched", "remark_with_event@ Remarked", "event Late"]
