"""Mirrors that follow a real runtime's calls and events, and say where they do not agree."""

from typing import Any

import pytest

from ibp_chain.accounts import multisig_account
from ibp_chain.blocks import EventRecord, Phase
from ibp_chain.errors import MirrorDivergence
from ibp_chain.networks import NETWORKS
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Planck, PollIndex, RelayBlockNumber, TrackId
from ledger.mirrors import BlockContext, Constants, Mirrors
from ledger.origins import Dispatched, Origin, OriginKind
from ledger.pallets import balances, multisig, referenda
from ledger.pallets import conviction_voting as cv
from tests.unit.mirrors.recorded_runtime import (
    ALICE,
    BOB,
    CAROL,
    ITEM,
    OK,
    WEIGHT,
    Said,
    attributed,
    call,
    runtime,
)

SPENDER = TrackId(34)
NOW, BEFORE = RelayBlockNumber(1_000), RelayBlockNumber(990)
VOTE = {"vote": 0x86, "balance": 10}
PERIOD = 100_800


def context(**constants: Any) -> BlockContext:
    """Block 7 of an Asset Hub whose relay parent is 1,000, and whose parent's was 990."""
    known = Constants.of(runtime())
    changed = {name: getattr(known, name) for name in known.__slots__} | constants
    network = NETWORKS["polkadot-asset-hub"]
    return BlockContext(network, BlockNumber(7), NOW, BEFORE, Constants(**changed))


def record(pallet: str, name: str, args: Any, phase: Phase = Phase.APPLY_EXTRINSIC) -> EventRecord:
    index = 2 if phase is Phase.APPLY_EXTRINSIC else None
    return EventRecord(0, phase, index, pallet, name, args, ())


def dispatched(made: Call, *events: EventRecord, who: AccountId | None = ALICE) -> Dispatched:
    origin = Origin(OriginKind.SIGNED, who) if who else Origin(OriginKind.ROOT)
    return Dispatched(origin, made, events, 2, ())


def vote(poll: int = 1) -> Call:
    return call("ConvictionVoting", "vote", poll_index=poll, vote=("Standard", VOTE))


def referendum(name: str, **args: Any) -> EventRecord:
    return record("Referenda", name, {"index": 1, **args}, Phase.INITIALIZATION)


@pytest.fixture
def mirrors() -> Mirrors:
    """With poll 1 open on big_spender."""
    mirrors = Mirrors()
    mirrors.apply(context(), referendum("Submitted", track=SPENDER, proposal=None))
    return mirrors


# --- What a runtime fixes -------------------------------------------------------------


def test_constants_are_the_runtimes() -> None:
    known = Constants.of(runtime())
    assert (known.max_votes, known.max_signatories, known.spec_version) == (512, 100, 1_001_002)
    assert {TrackId(0), SPENDER} <= known.tracks
    assert known.voting_events == {"Delegated", "Undelegated"}


# --- Calls and events -----------------------------------------------------------------


def test_only_what_succeeded_in_a_block_reaches_storage(mirrors: Mirrors) -> None:
    error = ("Module", {"index": runtime().metadata.pallets["ConvictionVoting"].index,
                        "error": bytes(4)})  # fmt: skip
    fell: Said = ("Utility", ("ItemFailed", {"error": error}))
    end: Said = ("Utility", ("BatchCompletedWithErrors", ()))
    batch = call("Utility", "force_batch", calls=[vote(9), vote(1)])
    for item in attributed(batch, fell, ITEM, end):
        if isinstance(item, Dispatched):
            mirrors.apply(context(), item)
    voting = mirrors.conviction_voting.voting_for
    assert dict(voting.items()) == {
        (ALICE, SPENDER): cv.Casting(
            ((PollIndex(1), cv.Standard(True, cv.Conviction.LOCKED_6X, Planck(10))),)
        )
    }
    assert mirrors.balances.locks.get(ALICE) == (
        balances.BalanceLock(b"pyconvot", Planck(10), balances.Reasons.ALL),
    )


def test_a_call_that_the_mirror_would_refuse_is_a_divergence(mirrors: Mirrors) -> None:
    with pytest.raises(
        MirrorDivergence, match=r"block 7.*vote at extrinsic 2.*NotOngoing.*success"
    ):
        mirrors.apply(context(), dispatched(vote(9)))


def test_root_cannot_have_voted(mirrors: Mirrors) -> None:
    with pytest.raises(MirrorDivergence, match="signed"):
        mirrors.apply(context(), dispatched(vote(), who=None))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([("Delegated", (ALICE, CAROL))], id="another target"),
        pytest.param([("Delegated", (BOB, ALICE))], id="another account"),
        pytest.param([("Undelegated", ALICE)], id="another event"),
        pytest.param([], id="no event"),
        pytest.param([("Delegated", (ALICE, BOB))] * 2, id="twice"),
    ],
)
def test_an_event_that_was_not_predicted_is_a_divergence(
    mirrors: Mirrors, said: list[tuple[str, Any]]
) -> None:
    lent: dict[str, Any] = {"class": SPENDER, "conviction": "None", "balance": 5}
    made = call("ConvictionVoting", "delegate", to=("Id", BOB), **lent)
    events = [record("ConvictionVoting", name, args) for name, args in said]
    with pytest.raises(MirrorDivergence, match=r"events of ConvictionVoting\.delegate"):
        mirrors.apply(context(), dispatched(made, *events))


@pytest.mark.parametrize(
    ("said", "agrees"),
    [
        pytest.param({"who": ALICE, "vote": ("Standard", VOTE)}, True, id="before 2.0.4"),
        pytest.param(
            {"who": ALICE, "vote": ("Standard", VOTE), "poll_index": 1}, True, id="since 2.0.4"
        ),
        pytest.param(
            {"who": ALICE, "vote": ("Standard", VOTE), "poll_index": 2}, False, id="another poll"
        ),
        pytest.param(
            {"who": ALICE, "vote": ("Standard", {**VOTE, "vote": 0x06})}, False, id="the other way"
        ),
        pytest.param(
            {"who": ALICE, "vote": ("Standard", VOTE), "weight": 1}, False, id="an unknown field"
        ),
    ],
)
def test_vote_events_are_compared_in_what_they_say(
    mirrors: Mirrors, said: dict[str, Any], *, agrees: bool
) -> None:
    newer = context(voting_events=frozenset({"Voted"}))
    item = dispatched(vote(), record("ConvictionVoting", "Voted", said))
    if agrees:
        mirrors.apply(newer, item)
    else:
        with pytest.raises(MirrorDivergence):
            mirrors.apply(newer, item)


# --- Whose clock ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "end"), [(Phase.INITIALIZATION, BEFORE), (Phase.FINALIZATION, NOW)]
)
def test_a_poll_ends_on_the_clock_of_its_phase(mirrors: Mirrors, phase: Phase, end: int) -> None:
    event = record("Referenda", "Confirmed", {"index": 1, "tally": None}, phase)
    mirrors.apply(context(), event)
    status = mirrors.referenda.status(PollIndex(1))
    assert status == cv.Completed(RelayBlockNumber(end), approved=True)


def test_an_extrinsic_ends_a_poll_on_the_clock_of_its_block(mirrors: Mirrors) -> None:
    killed = record("Referenda", "Killed", {"index": 1, "tally": None})
    mirrors.apply(context(), dispatched(call("Referenda", "kill", index=1), killed, who=None))
    assert mirrors.referenda.polls.get(PollIndex(1)) == referenda.Poll(
        SPENDER, referenda.Status.KILLED, NOW
    )


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Confirmed", referenda.Status.APPROVED),
        ("Rejected", referenda.Status.REJECTED),
        ("Cancelled", referenda.Status.CANCELLED),
        ("TimedOut", referenda.Status.TIMED_OUT),
    ],
)
def test_every_end_of_a_poll_is_known(
    mirrors: Mirrors, name: str, status: referenda.Status
) -> None:
    mirrors.apply(context(), referendum(name, tally=None))
    assert mirrors.referenda.polls.get(PollIndex(1)).status is status
    has_result = status in {referenda.Status.APPROVED, referenda.Status.REJECTED}
    assert (mirrors.referenda.status(PollIndex(1)) is not None) == has_result


@pytest.mark.parametrize("name", ["ConfirmStarted", "DecisionStarted", "Approved"])
def test_a_poll_goes_on_through_all_other_events(mirrors: Mirrors, name: str) -> None:
    mirrors.apply(context(), referendum(name))
    assert mirrors.referenda.status(PollIndex(1)) == cv.Ongoing(SPENDER)


def test_a_vote_removed_in_an_extrinsic_locks_by_the_clock_of_its_block(mirrors: Mirrors) -> None:
    mirrors.apply(context(), dispatched(vote()))
    mirrors.apply(context(), referendum("Confirmed", tally=None))
    remove = call("ConvictionVoting", "remove_vote", **{"class": SPENDER}, index=1)
    mirrors.apply(context(vote_locking_period=PERIOD), dispatched(remove))
    voting = mirrors.conviction_voting.voting_for.get((ALICE, SPENDER))
    assert voting.prior == cv.PriorLock(RelayBlockNumber(BEFORE + 32 * PERIOD), Planck(10))


# --- Calls that the block does not show -------------------------------------------------


def test_a_task_is_followed_by_its_events_where_they_say_enough(mirrors: Mirrors) -> None:
    said = {"who": BOB, "vote": ("Standard", VOTE), "poll_index": 1}
    mirrors.apply(context(), record("ConvictionVoting", "Voted", said, Phase.INITIALIZATION))
    assert mirrors.conviction_voting.voting_for.get((BOB, SPENDER)).locked_balance == 10


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Voted", {"who": BOB, "vote": ("Standard", VOTE)}),
        ("Delegated", (BOB, CAROL, SPENDER)),
        ("Undelegated", BOB),
    ],
)
def test_a_task_that_says_too_little_is_a_divergence(
    mirrors: Mirrors, name: str, args: Any
) -> None:
    with pytest.raises(MirrorDivergence, match=f"ConvictionVoting.{name} of a call"):
        mirrors.apply(context(), record("ConvictionVoting", name, args, Phase.INITIALIZATION))


def test_a_task_that_the_mirror_would_refuse_is_a_divergence(mirrors: Mirrors) -> None:
    undelegated = record("ConvictionVoting", "Undelegated", (BOB, SPENDER), Phase.INITIALIZATION)
    with pytest.raises(MirrorDivergence, match="NotDelegating"):
        mirrors.apply(context(), undelegated)


def test_a_multisig_that_a_task_used_is_a_divergence(mirrors: Mirrors) -> None:
    said = {"approving": BOB, "multisig": CAROL, "call_hash": bytes(32)}
    with pytest.raises(MirrorDivergence, match=r"Multisig\.NewMultisig"):
        mirrors.apply(context(), record("Multisig", "NewMultisig", said, Phase.INITIALIZATION))


# --- Multisigs ----------------------------------------------------------------------

OURS = multisig_account([ALICE, BOB, CAROL], 2)


def test_an_execution_closes_with_the_error_that_the_event_has(mirrors: Mirrors) -> None:
    here = context()
    opened = {"approving": BOB, "multisig": OURS, "call_hash": vote().hash}
    approve = call(
        "Multisig", "approve_as_multi", threshold=2, other_signatories=[ALICE, CAROL],
        maybe_timepoint=None, call_hash=vote().hash, max_weight=WEIGHT,
    )  # fmt: skip
    mirrors.apply(here, dispatched(approve, record("Multisig", "NewMultisig", opened), who=BOB))
    when = {"height": 7, "index": 2}
    execute = call(
        "Multisig", "as_multi", threshold=2, other_signatories=[BOB, CAROL],
        maybe_timepoint=when, call=vote(), max_weight=WEIGHT,
    )  # fmt: skip
    said = {**opened, "approving": ALICE, "timepoint": when, "result": ("Err", "BadOrigin")}
    mirrors.apply(here, dispatched(execute, record("Multisig", "MultisigExecuted", said)))
    (operation,) = (operation for _, operation in mirrors.multisig.operations.items())
    assert operation.status is multisig.Status.EXECUTED
    assert operation.closing is not None
    assert operation.closing.error == "BadOrigin"


@pytest.mark.parametrize("multisig_", [OURS, CAROL], ids=["executed", "opened"])
def test_a_multisig_event_must_name_what_was_predicted(
    mirrors: Mirrors, multisig_: AccountId
) -> None:
    execute = call(
        "Multisig", "as_multi", threshold=2, other_signatories=[BOB, CAROL],
        maybe_timepoint=None, call=vote(), max_weight=WEIGHT,
    )  # fmt: skip
    said = {"approving": ALICE, "multisig": multisig_, "call_hash": vote().hash}
    executed = {**said, "timepoint": {"height": 7, "index": 2}, "result": OK}
    name, args = ("MultisigExecuted", executed) if multisig_ == OURS else ("NewMultisig", said)
    with pytest.raises(MirrorDivergence, match=r"events of Multisig\.as_multi"):
        mirrors.apply(context(), dispatched(execute, record("Multisig", name, args)))
