"""Gaps in a promise, on the recorded programme and on locks that run out unseen."""

from datetime import UTC, datetime

import pytest

from ibp_chain.blocks import BlockRef
from ibp_chain.networks import NETWORKS
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, RelayBlockNumber, SpecVersion
from ledger.life import Chapter, gaps, life
from ledger.locks import promise
from ledger.mirrors import Constants
from ledger.pallets.conviction_voting import PriorLock
from ledger.promise_history import PromiseHistory, Span
from ledger.replay import BlockReport, apply_block
from ledger.state import Head, State
from tests.support import recording

PASEO = NETWORKS["paseo"]
REQUIRED = PASEO.planck(5_000)
CONSTANTS = Constants.of(recording.runtime())
BEGINNING = datetime(2026, 1, 27, tzinfo=UTC)
WHO = AccountId(b"\x07" * 32)


def members() -> dict[str, AccountId]:
    state = State(PASEO)
    for block in recording.blocks():
        apply_block(state, block, recording.runtime())
    found = {name: record.account("paseo") for name, record in state.membership.members.items()}
    return {name: account for name, account in found.items() if account is not None}


def test_the_history_is_what_every_single_block_says() -> None:
    histories = {name: PromiseHistory(who, REQUIRED) for name, who in members().items()}
    said: dict[str, list[tuple[int, object]]] = {name: [] for name in histories}
    state = State(PASEO)
    for block in recording.blocks():
        report = apply_block(state, block, recording.runtime())
        head = state.head.value
        assert head is not None
        config = state.mirrors.voting_config(CONSTANTS, head.now)
        for name, history in histories.items():
            history.observe(state, CONSTANTS, report)
            storage = state.mirrors.conviction_voting
            said[name].append((head.number, promise(storage, config, history.account, REQUIRED)))
    for name, history in histories.items():
        for number, found in said[name]:
            (span,) = (s for s in history.spans if s.first.block <= number <= s.last.block)
            assert span.promise == found, (name, number)


def test_a_member_that_moves_its_vote_on_in_time_has_no_gap() -> None:
    history = replayed(members()["stake-plus"])
    (before_the_first_vote,) = gaps_of(history, BEGINNING)
    assert (before_the_first_vote.first.block, before_the_first_vote.last.block) == (1, 18)
    assert gaps_of(history, datetime(2026, 1, 29, tzinfo=UTC)) == []


def test_a_lock_that_falls_short_is_one_gap_to_the_end() -> None:
    (gap,) = gaps_of(replayed(members()["dwellir"]), BEGINNING)
    assert (gap.first.block, gap.last.block) == (1, 60_108)


def gaps_of(history: PromiseHistory, since: datetime) -> list[Span]:
    found = gaps(life([Chapter(PASEO, history)]), since)
    return [gap.span for gap in found if gap.span is not None]


def replayed(account: AccountId) -> PromiseHistory:
    history, state = PromiseHistory(account, REQUIRED), State(PASEO)
    for block in recording.blocks():
        history.observe(state, CONSTANTS, apply_block(state, block, recording.runtime()))
    return history


# --- Locks that run out -----------------------------------------------------------------


@pytest.fixture
def state() -> State:
    """Locked at maximum conviction until relay block 100."""
    state = State(PASEO)
    lock = PriorLock(RelayBlockNumber(100), REQUIRED)
    state.mirrors.conviction_voting.maximum_priors.insert((WHO, CONSTANTS_TRACK), (lock,))
    return state


CONSTANTS_TRACK = min(CONSTANTS.tracks)


def pass_block(
    state: State, history: PromiseHistory, now: int, *, touched: bool = False, spec: int = 1
) -> None:
    state.head.put(Head(BlockNumber(now), Hash(bytes(32)), RelayBlockNumber(now)))
    report = BlockReport(
        ref=BlockRef(BlockNumber(now), Hash(bytes(32))),
        parent_hash=Hash(bytes(32)),
        spec_version=SpecVersion(spec),
        timestamp_ms=now * 6_000,
        extrinsics=0,
        accepted=(),
        refused=(),
        batches=(),
        touched_votes=touched,
        unattributed=(),
    )
    history.observe(state, CONSTANTS, report)


def test_a_lock_runs_out_in_a_block_that_touches_nothing(state: State) -> None:
    history = PromiseHistory(WHO, REQUIRED)
    for now in (50, 98, 99, 100, 101):
        pass_block(state, history, now)
    kept, gap = history.spans
    assert (kept.first.block, kept.last.block, kept.promise.kept) == (50, 99, True)
    assert (gap.first.block, gap.last.block, gap.promise.kept) == (100, 101, False)


def test_heights_that_were_skipped_hide_no_gap(state: State) -> None:
    history = PromiseHistory(WHO, REQUIRED)
    for now in (50, 5_000):
        pass_block(state, history, now)
    assert [span.promise.kept for span in history.spans] == [True, False]


def test_gaps_that_adjoin_are_one_and_those_apart_are_two(state: State) -> None:
    history = PromiseHistory(WHO, REQUIRED)
    priors = state.mirrors.conviction_voting.maximum_priors
    pass_block(state, history, 100)
    priors.insert((WHO, CONSTANTS_TRACK), (PriorLock(RelayBlockNumber(900), Planck(1)),))
    pass_block(state, history, 101, touched=True)
    priors.insert((WHO, CONSTANTS_TRACK), (PriorLock(RelayBlockNumber(110), REQUIRED),))
    pass_block(state, history, 102, touched=True)
    pass_block(state, history, 111)
    found = gaps_of(history, datetime.fromtimestamp(0, UTC))
    assert [(gap.first.block, gap.last.block) for gap in found] == [(100, 101), (111, 111)]


def test_gaps_that_ended_before_the_date_are_left_out(state: State) -> None:
    history = PromiseHistory(WHO, REQUIRED)
    pass_block(state, history, 50)
    pass_block(state, history, 100)
    assert gaps_of(history, datetime.fromtimestamp(601, UTC)) == []
    assert len(gaps_of(history, datetime.fromtimestamp(600, UTC))) == 1


def test_a_new_runtime_is_a_reason_to_look_again(state: State) -> None:
    history = PromiseHistory(WHO, REQUIRED)
    pass_block(state, history, 50)
    state.mirrors.conviction_voting.maximum_priors.remove((WHO, CONSTANTS_TRACK))
    pass_block(state, history, 51)
    assert len(history.spans) == 1
    pass_block(state, history, 52, spec=2)
    assert [span.promise.kept for span in history.spans] == [True, False]
