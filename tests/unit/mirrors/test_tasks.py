"""Calls that a block does not show when they run: learnt when they were scheduled."""

from collections.abc import Sequence
from typing import Any

import pytest

from ibp_chain.blocks import EventRecord, blake2_256
from ibp_chain.errors import MirrorDivergence
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from ledger.dispatch import Item
from ledger.origins import Dispatched, Failed, OriginKind, Unattributed
from ledger.pallets import conviction_voting as cv
from ledger.pallets import scheduler
from tests.unit.mirrors import eras
from tests.unit.mirrors.era_blocks import AYE6, SPENDER, Chain, Sent, assert_locks, opened
from tests.unit.mirrors.recorded_runtime import ALICE, BOB, OK, Said

DUE = 2_000
ROOT = ("system", ("Root", ()))


@pytest.fixture(params=[eras.E0, eras.E2, eras.E2_HUB])
def chain(request: pytest.FixtureRequest) -> Chain:
    return opened(request.param)


def voting(chain: Chain) -> tuple[Call, Sequence[Said]]:
    """Alice's vote, made by whoever is root."""
    sent = chain.vote(1, AYE6)
    origin = ("system", ("Signed", ALICE))
    call = chain.call("Utility", "dispatch_as", as_origin=origin, call=sent.call)
    return call, [*sent.said, ("Utility", ("DispatchedAs", {"result": OK}))]


def dispatched(address: tuple[int, int] = (DUE, 0), *, name: Any = None, result: Any = OK) -> Said:
    return ("Scheduler", ("Dispatched", {"task": address, "id": name, "result": result}))


def scheduled(chain: Chain, call: Call, *, periodic: Any = None) -> None:
    """By somebody whom the runtime lets schedule: nothing here depends on whom."""
    args = {"when": DUE, "maybe_periodic": periodic, "priority": 0, "call": call}
    said: Said = ("Scheduler", ("Scheduled", {"when": DUE, "index": 0}))
    chain.block(Sent(BOB, chain.call("Scheduler", "schedule", **args), [said]))


def proposed(chain: Chain, proposal: Any, poll: int = 7) -> bytes:
    """A referendum with root's origin; the name of the task that enacts it."""
    args = {"proposal_origin": ROOT, "proposal": proposal, "enactment_moment": ("After", 1)}
    said = {"index": poll, "track": SPENDER, "proposal": proposal}
    submit = chain.call("Referenda", "submit", **args)
    chain.block(Sent(BOB, submit, [("Referenda", ("Submitted", said))]))
    return scheduler.enactment_name(poll)


def passed(chain: Chain, poll: int = 7) -> None:
    chain.block(before=chain.serviced(poll, "Confirmed"))


def noted(chain: Chain, raw: bytes) -> None:
    said: Said = ("Preimage", ("Noted", {"hash": blake2_256(raw)}))
    chain.block(Sent(BOB, chain.call("Preimage", "note_preimage", bytes=raw), [said]))


def votes_of(items: Sequence[Item]) -> list[tuple[AccountId | None, int | None]]:
    return [
        (item.origin.account, item.extrinsic_index)
        for item in items
        if isinstance(item, Dispatched) and item.call.name == "vote"
    ]


def test_a_scheduled_vote_counts_where_no_event_tells_of_it(chain: Chain) -> None:
    call, said = voting(chain)
    args = {"when": DUE, "maybe_periodic": None, "priority": 0, "call": call}
    scheduling = chain.call("Scheduler", "schedule", **args)
    place: Said = ("Scheduler", ("Scheduled", {"when": DUE, "index": 0}))
    # root schedules, so that the task may dispatch as Alice
    sudo = chain.call("Utility", "batch", calls=[scheduling])
    completed: list[Said] = [
        ("Utility", ("ItemCompleted", ())),
        ("Utility", ("BatchCompleted", ())),
    ]
    chain.block(Sent(BOB, sudo, [place, *completed]))
    items = chain.block(before=[*said, dispatched()])
    assert votes_of(items) == [(ALICE, None)]
    assert_locks(chain, ALICE, [(SPENDER, 10)])
    assert not [item for item in items if isinstance(item, Unattributed)]


@pytest.mark.parametrize("noted_first", [True, False])
def test_an_enactment_dispatches_what_was_proposed(chain: Chain, *, noted_first: bool) -> None:
    call, said = voting(chain)
    digest = blake2_256(call.data)
    if noted_first:
        noted(chain, call.data)
    name = proposed(chain, ("Lookup", {"hash": digest, "len": len(call.data)}))
    if not noted_first:
        noted(chain, call.data)
    passed(chain)
    items = chain.block(before=[*said, dispatched((DUE, 3), name=name)])
    (root,) = [i for i in items if isinstance(i, Dispatched) and i.call.name == "dispatch_as"]
    assert root.origin.kind is OriginKind.ROOT
    assert_locks(chain, ALICE, [(SPENDER, 10)])


def test_an_enactment_of_a_short_call_needs_no_preimage(chain: Chain) -> None:
    call, said = voting(chain)
    name = proposed(chain, ("Inline", call.data + b"\0"))  # the chain reads no further
    passed(chain)
    assert votes_of(chain.block(before=[*said, dispatched(name=name)])) == [(ALICE, None)]


def test_a_curator_that_a_referendum_proposes_is_known_with_its_fee() -> None:
    chain = opened(eras.E2_HUB)
    bounty = {"value": 10**13, "description": b"work"}
    proposing = Sent(
        BOB,
        chain.call("Bounties", "propose_bounty", **bounty),
        [("Bounties", ("BountyProposed", {"index": 0}))],
    )
    chain.block(proposing)
    curator = {"bounty_id": 0, "curator": ("Id", ALICE), "fee": 77}
    call = chain.call("Bounties", "approve_bounty_with_curator", **curator)
    name = proposed(chain, ("Inline", call.data))
    passed(chain)
    said: list[Said] = [
        ("Bounties", ("BountyApproved", {"index": 0})),
        ("Bounties", ("CuratorProposed", {"bounty_id": 0, "curator": ALICE})),
    ]
    chain.block(before=[*said, dispatched(name=name)])
    ((_, stored),) = chain.mirrors.spending.bounties.bounties.items()
    assert stored.fee == 77


def test_a_task_that_failed_changed_nothing(chain: Chain) -> None:
    call, _ = voting(chain)
    scheduled(chain, call)
    error = chain.error(cv.NotOngoing)
    items = chain.block(before=[dispatched(result=("Err", error))])
    (failed,) = [item for item in items if isinstance(item, Failed)]
    assert (failed.call, failed.extrinsic_index) == (call, None)
    assert chain.voting() is None


def test_what_is_over_is_forgotten(chain: Chain) -> None:
    call, said = voting(chain)
    tasks = chain.mirrors.scheduler
    scheduled(chain, call)
    noted(chain, call.data)
    proposed(chain, ("Inline", call.data), poll=8)
    proposed(chain, ("Inline", call.data), poll=9)
    assert (len(tasks.agenda), len(tasks.named), len(tasks.preimages)) == (1, 4, 1)
    chain.block(
        before=[
            ("Preimage", ("Cleared", {"hash": blake2_256(call.data)})),
            ("Scheduler", ("Canceled", {"when": DUE, "index": 0})),
            *chain.serviced(8, "Rejected"),
        ]
    )
    assert (len(tasks.agenda), len(tasks.named), len(tasks.preimages)) == (0, 3, 0)
    passed(chain, 9)
    chain.block(before=[*said, dispatched(name=scheduler.enactment_name(9))])
    assert len(tasks.named) == 2  # those of the polls that every chain here opens with


def test_another_pallets_task_of_the_same_name_is_not_taken_for_the_enactment(
    chain: Chain,
) -> None:
    """Referenda of the fellowship name theirs alike: while a poll goes on, it is not that one."""
    call, _ = voting(chain)
    name = proposed(chain, ("Inline", call.data))
    items = chain.block(before=[dispatched(name=name)])
    assert not [item for item in items if isinstance(item, Dispatched)]
    assert chain.voting() is None


def test_a_task_that_lost_its_call_is_forgotten(chain: Chain) -> None:
    call, _ = voting(chain)
    scheduled(chain, call)
    lost = {"task": (DUE, 0), "id": None}
    chain.block(before=[("Scheduler", ("CallUnavailable", lost))])
    assert len(chain.mirrors.scheduler.agenda) == 0


def test_what_another_hook_deposited_is_no_part_of_a_task() -> None:
    """On Kusama the treasury's hook runs before the scheduler's."""
    chain = opened(eras.E1)
    remark = chain.call("System", "remark", remark=b"")
    proposing = {"value": 10**13, "description": b"work"}
    said = [("Bounties", ("BountyProposed", {"index": 0}))]
    chain.block(Sent(BOB, chain.call("Bounties", "propose_bounty", **proposing), said))
    approve = chain.call("Bounties", "approve_bounty", bounty_id=0)
    name = proposed(chain, ("Inline", approve.data))
    passed(chain)
    chain.block(before=[("Bounties", ("BountyApproved", {"index": 0})), dispatched(name=name)])
    scheduled(chain, remark)
    spending: list[Said] = [
        ("Treasury", ("Spending", {"budget_remaining": 10**14})),
        ("Bounties", ("BountyBecameActive", {"index": 0})),
        ("Treasury", ("Rollover", {"rollover_balance": 10**14 - 10**13})),
    ]
    items = chain.block(before=[*spending, dispatched()])
    assert [str(i.call) for i in items if isinstance(i, Dispatched)] == ["System.remark"]
    ((_, bounty),) = chain.mirrors.spending.bounties.bounties.items()
    assert type(bounty.status).__name__ == "Funded"


def test_what_the_task_before_left_behind_is_no_part_of_a_task(chain: Chain) -> None:
    call, said = voting(chain)
    scheduled(chain, call)
    cleared: Said = ("Preimage", ("Cleared", {"hash": blake2_256(b"another")}))
    items = chain.block(before=[dispatched((DUE - 1, 0)), cleared, *said, dispatched()])
    assert votes_of(items) == [(ALICE, None)]


def test_a_call_that_its_events_do_not_fit_is_reported_never_guessed() -> None:
    chain = opened(eras.E2)
    call, _ = voting(chain)
    scheduled(chain, call)
    other = chain.vote(2, AYE6, BOB).said
    with pytest.raises(MirrorDivergence):
        chain.block(before=[*other, dispatched()])


@pytest.mark.parametrize("periodic", [(10, 3)])
def test_a_periodic_task_is_not_known(chain: Chain, periodic: Any) -> None:
    call, _ = voting(chain)
    scheduled(chain, call, periodic=periodic)
    assert len(chain.mirrors.scheduler.agenda) == 0


def test_a_preimage_that_is_too_long_or_no_call_is_not_known(chain: Chain) -> None:
    noted(chain, bytes(scheduler.MAX_PREIMAGE + 1))
    assert len(chain.mirrors.scheduler.preimages) == 0
    rubbish = b"\xff" * 40
    noted(chain, rubbish)
    name = proposed(chain, ("Lookup", {"hash": blake2_256(rubbish), "len": 40}))
    items = chain.block(before=[dispatched(name=name)])
    assert all(isinstance(item, EventRecord) for item in items)


def test_the_name_of_an_enactment_is_the_chains() -> None:
    # blake2_256("assembly" ++ SCALE("enactment") ++ 7u32)
    raw = b"assembly" + b"\x24enactment" + b"\x07\0\0\0"
    assert scheduler.enactment_name(7) == blake2_256(raw)
