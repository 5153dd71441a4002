"""In every era: votes inside other calls, events that do not fit, calls that no block shows."""

import pytest

from ibp_chain.accounts import multisig_account
from ibp_chain.blocks import EventRecord
from ibp_chain.errors import MirrorDivergence
from ledger.origins import Dispatched, Unattributed
from ledger.pallets import conviction_voting as cv
from tests.unit.mirrors import eras
from tests.unit.mirrors.era_blocks import (
    AYE1,
    AYE6,
    NAY6,
    NETWORK,
    SPENDER,
    Chain,
    Sent,
    assert_locks,
    assert_untouched,
    assert_voting,
    casting,
    failing,
    opened,
)
from tests.unit.mirrors.recorded_runtime import ALICE, BOB, CAROL, DAVE, ITEM, Said, told

WITH_VOTED = (eras.E1, eras.E2, eras.E2_HUB)
WITHOUT_VOTED = (eras.GOV1, eras.E0_KUSAMA, eras.E0)


@pytest.fixture(params=NETWORK)
def chain(request: pytest.FixtureRequest) -> Chain:
    return opened(request.param)


# --- Inside other calls ---------------------------------------------------------------


def test_a_batch_acts_until_the_item_that_failed(chain: Chain) -> None:
    inner = [chain.vote(1, AYE6), chain.vote(9, AYE6), chain.vote(2, AYE6)]
    batch = chain.call("Utility", "batch", calls=[sent.call for sent in inner])
    failed = {"index": 1, "error": chain.error(cv.NotOngoing)}
    interrupted: Said = ("Utility", ("BatchInterrupted", failed))
    chain.block(Sent(ALICE, batch, (*inner[0].said, ITEM, interrupted)))
    assert_voting(chain, ALICE, casting((1, AYE6)))


def test_a_forced_batch_acts_around_the_item_that_failed(chain: Chain) -> None:
    inner = [chain.vote(9, AYE1), chain.vote(1, AYE6), chain.remove(9), chain.unlock()]
    batch = chain.call("Utility", "force_batch", calls=[sent.call for sent in inner])
    errors = [chain.error(error) for error in (cv.NotOngoing, cv.NotVoter)]
    first, second = (("Utility", ("ItemFailed", {"error": error})) for error in errors)
    end: Said = ("Utility", ("BatchCompletedWithErrors", ()))
    said = (first, *inner[1].said, ITEM, second, *inner[3].said, ITEM, end)
    items = chain.block(Sent(ALICE, batch, said))
    assert [line.split(" by ")[0] for line in told(items)] == [
        "0. vote failed: ConvictionVoting.NotOngoing",
        "1. vote",
        "2. remove_vote failed: ConvictionVoting.NotVoter",
        "3. unlock",
        "root force_batch",
    ]
    assert_voting(chain, ALICE, casting((1, AYE6)))
    assert_locks(chain, ALICE, [(SPENDER, 10)])


def test_a_batch_all_acts_as_a_whole_or_not_at_all(chain: Chain) -> None:
    whole = chain.batch(chain.vote(1, AYE6), chain.vote(2, AYE1), kind="batch_all")
    refused = failing(whole, chain.error(cv.NotOngoing))
    chain.block(refused)
    assert_untouched(chain, ALICE)
    chain.block(whole)
    assert_voting(chain, ALICE, casting((1, AYE6), (2, AYE1)))
    chain.block(chain.batch(chain.remove(1, ongoing=AYE6), chain.unlock(), kind="batch_all"))
    assert_locks(chain, ALICE, [(SPENDER, 4)])


def test_removals_that_leave_no_event_are_told_by_the_calls_of_a_batch(chain: Chain) -> None:
    chain.block(chain.vote(1, AYE6), chain.vote(2, AYE1))
    chain.block(before=[*chain.serviced(1, "Cancelled"), *chain.serviced(2, "Rejected")])
    batch = chain.batch(chain.remove(1), chain.remove(2))
    assert [name for _, (name, _) in batch.said] == ["ItemCompleted"] * 2 + ["BatchCompleted"]
    chain.block(batch)
    assert_voting(chain, ALICE, casting())
    assert_locks(chain, ALICE, [(SPENDER, 10)])


def test_a_proxy_votes_for_the_account_that_it_stands_for(chain: Chain) -> None:
    batch = chain.batch(chain.vote(1, AYE6), chain.delegate(DAVE, "None", 1, class_=0))
    chain.block(chain.proxy(batch, by=CAROL))
    assert_voting(chain, ALICE, casting((1, AYE6)))
    assert_untouched(chain, CAROL)
    refused = chain.proxy(chain.vote(9, AYE1), by=CAROL, error=chain.error(cv.NotOngoing))
    items = chain.block(refused)
    assert [line.split(" by ")[0] for line in told(items)] == [
        "0. vote failed: ConvictionVoting.NotOngoing",
        "root proxy",
    ]
    assert_voting(chain, ALICE, casting((1, AYE6)))


def test_an_announced_proxy_votes_for_the_account_that_it_stands_for(chain: Chain) -> None:
    inner = chain.vote(1, AYE6)
    announced = chain.call(
        "Proxy", "proxy_announced",
        delegate=("Id", BOB), real=("Id", ALICE), force_proxy_type=None, call=inner.call,
    )  # fmt: skip
    items = chain.block(Sent(CAROL, announced, chain.proxied(inner)))
    assert [type(item) for item in items] == [Dispatched, Dispatched]
    assert_voting(chain, ALICE, casting((1, AYE6)))
    assert_untouched(chain, BOB)
    assert_untouched(chain, CAROL)


def test_a_multisig_votes_once_it_executes(chain: Chain) -> None:
    ours = multisig_account([ALICE, BOB, CAROL], 2)
    inner = chain.vote(1, AYE6, who=ours)
    chain.block(chain.as_multi(inner, ALICE, [BOB, CAROL], None))
    assert_untouched(chain, ours)
    when = {"height": chain.number, "index": 0}
    chain.block(chain.as_multi(inner, CAROL, [ALICE, BOB], when))
    assert_voting(chain, ours, casting((1, AYE6)))
    assert_locks(chain, ours, [(SPENDER, 10)])
    assert len(chain.mirrors.multisig.multisigs) == 0


def test_a_multisig_whose_call_failed_has_executed_and_not_voted(chain: Chain) -> None:
    ours = multisig_account([ALICE, BOB, CAROL], 2)
    inner = chain.vote(9, AYE6, who=ours)
    chain.block(chain.as_multi(inner, ALICE, [BOB, CAROL], None))
    when = {"height": chain.number, "index": 0}
    error = chain.error(cv.NotOngoing)
    chain.block(chain.as_multi(inner, CAROL, [ALICE, BOB], when, error))
    assert_untouched(chain, ours)
    ((_, operation),) = chain.mirrors.multisig.operations.items()
    assert operation.closing is not None
    assert operation.closing.error == "ConvictionVoting.NotOngoing"


def test_calls_nest(chain: Chain) -> None:
    """A proxy of a multisig runs a batch, of which an item is itself a proxy call that fails."""
    ours = multisig_account([ALICE, BOB, CAROL], 2)
    lost = chain.proxy(chain.vote(9, AYE1, who=DAVE), by=ours, error=chain.error(cv.NotOngoing))
    batch = chain.batch(chain.vote(2, NAY6, who=ours), lost, chain.unlock(ours, by=ours))
    chain.block(chain.as_multi(batch, ALICE, [BOB, CAROL], None))
    when = {"height": chain.number, "index": 0}
    final = chain.as_multi(batch, BOB, [ALICE, CAROL], when)
    items = chain.block(chain.proxy(final, by=DAVE))
    assert [line.split(" by ")[0] for line in told(items)] == [
        "0.0.0. vote",
        "0.0.1.0. vote failed: ConvictionVoting.NotOngoing",
        "0.0.1. proxy",
        "0.0.2. unlock",
        "0.0. batch",
        "0. as_multi",
        "root proxy",
    ]
    assert_voting(chain, ours, casting((2, NAY6)))
    assert_untouched(chain, DAVE)


# --- Events that do not fit -----------------------------------------------------------


@pytest.mark.parametrize("era", WITH_VOTED)
def test_votes_whose_events_are_in_another_order_are_a_divergence(era: str) -> None:
    chain = opened(era)
    first, second = chain.vote(1, AYE6), chain.vote(2, AYE1)
    batch = chain.batch(first, second)
    swapped = (*second.said, ITEM, *first.said, ITEM, batch.said[-1])
    with pytest.raises(MirrorDivergence, match=r"events of ConvictionVoting\.vote"):
        chain.block(batch._replace(said=swapped))


@pytest.mark.parametrize("era", WITH_VOTED)
@pytest.mark.parametrize("forged", ["missing", "twice", "of another", "of another vote"])
def test_a_vote_whose_event_is_forged_is_a_divergence(era: str, forged: str) -> None:
    chain = opened(era)
    vote = chain.vote(1, AYE6)
    said = {
        "missing": (),
        "twice": (*vote.said, *vote.said),
        "of another": chain.vote(1, AYE6, who=BOB).said,
        "of another vote": chain.vote(1, NAY6).said,
    }
    with pytest.raises(MirrorDivergence, match=r"events of ConvictionVoting\.vote"):
        chain.block(vote._replace(said=said[forged]))


@pytest.mark.parametrize("era", WITH_VOTED)
def test_a_silent_removal_of_an_ongoing_vote_is_a_divergence(era: str) -> None:
    chain = opened(era)
    chain.block(chain.vote(1, AYE6))
    with pytest.raises(MirrorDivergence, match=r"events of ConvictionVoting\.remove_vote"):
        chain.block(chain.remove(1))


def test_a_delegation_to_somebody_else_is_a_divergence(chain: Chain) -> None:
    made, other = chain.delegate(BOB, "None", 5), chain.delegate(CAROL, "None", 5)
    with pytest.raises(MirrorDivergence, match=r"events of ConvictionVoting\.delegate"):
        chain.block(made._replace(said=other.said))


def test_events_behind_the_wrong_item_are_a_divergence(chain: Chain) -> None:
    made = chain.delegate(BOB, "None", 5)
    batch = chain.batch(chain.vote(1, AYE6), made)
    said = (*made.said, ITEM, *chain.vote(1, AYE6).said, ITEM, batch.said[-1])
    with pytest.raises(MirrorDivergence):
        chain.block(batch._replace(said=said))


@pytest.mark.parametrize("cut", [-1, -2])
def test_a_batch_without_its_end_is_reported_and_nothing_is_guessed(chain: Chain, cut: int) -> None:
    """Whose events do not fit is `Unattributed`; what they say themselves is compared still."""
    batch = chain.batch(chain.remove(1), chain.unlock())
    said = [event for event in batch.said if event[0] == "Utility"][:cut]
    items = chain.block(batch._replace(said=said))
    assert [type(item) for item in items if not isinstance(item, EventRecord)] == [Unattributed]
    assert_untouched(chain, ALICE)


# --- Calls that no block shows --------------------------------------------------------


def test_a_delegation_by_a_task_is_reported(chain: Chain) -> None:
    said = [*chain.delegate(BOB, "Locked6x", 5).said, chain.task_done()]
    with pytest.raises(MirrorDivergence, match=r"Delegated of a call that the block does not show"):
        chain.block(before=said)
    assert_untouched(chain, ALICE)


@pytest.mark.parametrize("era", WITH_VOTED)
def test_a_vote_by_a_task_is_reported_where_the_event_names_no_poll(era: str) -> None:
    chain = opened(era)
    with pytest.raises(MirrorDivergence, match=r"Voted of a call that the block does not show"):
        chain.block(before=[*chain.vote(1, AYE6).said, chain.task_done()])
    assert_untouched(chain, ALICE)


@pytest.mark.parametrize("era", [eras.E2, eras.E2_HUB])
def test_an_unlocking_by_a_task_is_followed_on_the_clock_of_hooks(era: str) -> None:
    chain = opened(era)
    chain.block(chain.delegate(BOB, "Locked1x", 5))
    chain.block(chain.undelegate())
    until = chain.relay + chain.period
    said = [*chain.unlock().said, chain.task_done()]
    chain.skip_to(until - 1)
    items = chain.block(before=said)
    assert [type(item) for item in items] == [EventRecord, EventRecord, Unattributed]
    assert_locks(chain, ALICE, [(SPENDER, 5)])
    chain.block(before=said)
    late = era == eras.E2_HUB
    assert_locks(chain, ALICE, [(SPENDER, 5)] if late else [])
    chain.block(before=said)
    assert_locks(chain, ALICE, [])


@pytest.mark.parametrize("era", WITHOUT_VOTED)
def test_a_vote_by_a_task_leaves_no_trace_before_1_4(era: str) -> None:
    """Nothing in such a block tells: only an audit of storage finds it."""
    chain = opened(era)
    assert chain.vote(1, AYE6).said == []
    items = chain.block(before=[*chain.vote(1, AYE6).said, chain.task_done()])
    assert [type(item) for item in items] == [EventRecord]
    assert_untouched(chain, ALICE)
