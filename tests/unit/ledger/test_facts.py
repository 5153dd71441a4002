"""A replay's two halves: facts are the same wherever they are gathered, and small."""

import pickle

from ibp_chain.blocks import Block, EventRecord, Phase
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import NOT_READ
from ledger.dispatch import (
    READ_PALLETS,
    UNREAD_EVENTS,
    WATCHED_PALLETS,
    Item,
    by_phase,
    of_extrinsic,
)
from ledger.facts import BlockFacts, _Lean, _of_hooks, gather, pack, unpack
from ledger.replay import apply_facts
from ledger.state import State
from tests.unit.store.demo import CURATORS, PASEO, demo, roots


def facts_of(block: Block) -> BlockFacts:
    return gather(block, demo().runtime_of(block.spec_version), PASEO)


def every() -> list[BlockFacts]:
    return [facts_of(block) for block in demo().blocks]


def test_facts_give_the_root_and_the_reports_of_every_block() -> None:
    _, reports = demo().replay()
    state = State(PASEO, CURATORS)
    for facts, report, root in zip(every(), reports, roots()[1:], strict=True):
        assert apply_facts(state, facts, demo().runtime_of(facts.spec_version)) == report
        assert state.root() == root


def test_facts_of_another_process_give_the_same_roots() -> None:
    state = State(PASEO, CURATORS)
    for facts, root in zip(unpack(pack(every())), roots()[1:], strict=True):
        apply_facts(state, facts, demo().runtime_of(facts.spec_version))
        assert state.root() == root


def test_what_facts_leave_out_changes_nothing() -> None:
    """Every item of the recording is applied here, none left out and none made lean."""
    state, whole = State(PASEO, CURATORS), State(PASEO, CURATORS)
    left_out = 0
    for block in demo().blocks:
        runtime, lean = demo().runtime_of(block.spec_version), facts_of(block)
        items = tuple(_all_items(block, runtime))
        left_out += len(items) - len(lean.items)
        apply_facts(state, lean, runtime)
        apply_facts(whole, lean._replace(items=items), runtime)
        assert whole.root() == state.root()
    assert left_out > len(demo().blocks)


def _all_items(block: Block, runtime: Runtime) -> list[Item]:
    extrinsics = [runtime.decode_extrinsic(raw, pallets=READ_PALLETS) for raw in block.extrinsics]
    events = runtime.decode_events(block.events, pallets=WATCHED_PALLETS, unread=UNREAD_EVENTS)
    _, own, _ = by_phase(len(extrinsics), events)
    return [
        item
        for index, extrinsic in enumerate(extrinsics)
        for item in of_extrinsic(runtime, index, extrinsic, own[index])
    ]


def test_a_quiet_block_is_small() -> None:
    quiet = [facts for facts in every() if not (facts.items or facts.before or facts.after)]
    assert quiet
    for facts in quiet:
        assert len(pickle.dumps(facts)) < 400
        assert len(pack([facts])) < 350


def test_no_runtime_travels() -> None:
    raw = pickle.dumps(every())
    assert b"ibp_chain.runtime" not in raw
    assert b"compiler" not in raw


def test_arguments_that_were_passed_over_stay_so() -> None:
    assert pickle.loads(pickle.dumps(NOT_READ)) is NOT_READ


def nested(runtime: Runtime, depth: int, remark: bytes) -> bytes:
    """`as_multi_threshold_1` calls in each other: anybody may send them."""
    empty = runtime.encode_call("System", "remark", {"remark": b""})
    args = {"other_signatories": [bytes(32)], "call": runtime.decode_call(empty)}
    wrapper = runtime.encode_call("Multisig", "as_multi_threshold_1", args).removesuffix(empty)
    return wrapper * depth + runtime.encode_call("System", "remark", {"remark": remark})


def test_calls_nested_as_deep_as_a_runtime_allows_travel_and_weigh_what_they_weigh() -> None:
    runtime = demo().runtime_of(demo().blocks[0].spec_version)
    call = runtime.decode_call(nested(runtime, 200, bytes(100_000)))
    lean, every_call = _Lean(), []
    while call.name == "as_multi_threshold_1":
        every_call.append(lean.call(call))
        call = call.args["call"]
    raw = pickle.dumps(every_call)
    assert len(raw) < 2 * len(every_call[0].data)
    for travelled, sent in zip(pickle.loads(raw), every_call, strict=True):
        assert travelled == sent
        assert travelled.args["call"].data == sent.args["call"].data
        assert travelled.args["call"].args is NOT_READ


def test_hooks_in_which_a_task_ran_are_handed_over_whole() -> None:
    def event(pallet: str, name: str) -> EventRecord:
        return EventRecord(0, Phase.INITIALIZATION, None, pallet, name, {}, ())

    noise, task = event("Utility", "ItemCompleted"), event("Scheduler", "Dispatched")
    assert _of_hooks([noise]) == ()
    assert _of_hooks([noise, task]) == (noise, task)
