"""What a follower tells, summed up."""

from dataclasses import dataclass

import pytest

from ibp_chain.blocks import BlockRef
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger.progress import (
    AtWork,
    BestSeen,
    BlockApplied,
    BlocksRecorded,
    Committed,
    Disagreement,
    Event,
    HeadSeen,
    Meter,
    NodeBack,
    NodeFailed,
    NodeHealth,
    Opened,
    Stopped,
    Trouble,
)

NODES = ("ws://a", "ws://b")


@dataclass
class _Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def _ref(number: int) -> BlockRef:
    return BlockRef(BlockNumber(number), Hash(number.to_bytes(32, "big")))


def test_progress_is_what_was_heard_last() -> None:
    clock = _Clock()
    meter = Meter("paseo", NODES, clock)
    assert meter.progress.lag is None
    for event in (
        HeadSeen(_ref(20)),
        BlockApplied(_ref(12), 1_700_000_000_000, SpecVersion(7), 3, 1, 0),
        BlocksRecorded(_ref(12), 2),
        Committed(_ref(12), 2, 15),
        BestSeen(_ref(23), 3, 0),
        BestSeen(_ref(22), 2, 1),
    ):
        meter(event)
    progress = meter.progress
    assert (progress.finalised, progress.applied, progress.recorded) == (
        _ref(20), _ref(12), _ref(12)
    )  # fmt: skip
    assert progress.lag == 8
    assert (progress.block_time_ms, progress.spec_version) == (1_700_000_000_000, 7)
    assert (progress.blocks_applied, progress.last_commit_ms) == (2, 1_000_000)
    assert progress.commit_took_ms == 15
    assert (progress.best, progress.unfinalised, progress.rollbacks) == (_ref(22), 2, 1)
    assert progress.stopped is None
    meter(Stopped("why"))
    assert meter.progress.stopped == "why"
    meter(Stopped(None))
    assert meter.progress.stopped == ""


def test_a_ledger_stands_where_it_did_before_anything_is_committed() -> None:
    clock = _Clock()
    meter = Meter("paseo", NODES, clock)
    meter(HeadSeen(_ref(20)))
    meter(Opened(_ref(15)))
    assert (meter.progress.applied, meter.progress.lag) == (_ref(15), 5)
    assert meter.progress.last_commit_ms is None
    assert meter.progress.blocks_applied == 0
    meter(Opened(None))
    assert meter.progress.applied is None


@pytest.mark.parametrize(
    "event",
    [
        AtWork("entries", 7),
        BlocksRecorded(_ref(3), 3),
        BlockApplied(_ref(3), 0, SpecVersion(1), 0, 0, 0),
        Committed(_ref(3), 3, 1),
    ],
    ids=lambda event: type(event).__name__,
)
def test_whatever_is_done_is_work(event: Event) -> None:
    clock = _Clock()
    meter = Meter("paseo", NODES, clock)
    clock.now += 700
    meter(HeadSeen(_ref(20)))
    assert meter.progress.worked_ms is None, "a look at the head brings nothing on"
    meter(event)
    assert meter.progress.worked_ms == int(clock.now * 1_000)


def test_the_rate_is_of_the_last_minute_and_falls_when_nothing_comes() -> None:
    clock = _Clock()
    meter = Meter("paseo", NODES, clock)
    clock.now += 10
    meter(Committed(_ref(30), 30, 1))
    assert meter.progress.blocks_per_second == 3.0
    clock.now += 50
    assert meter.progress.blocks_per_second == 0.5
    clock.now += 50
    assert meter.progress.blocks_per_second == 0.0


def test_errors_are_counted_by_kind_and_nodes_come_back() -> None:
    meter = Meter("paseo", NODES, _Clock())
    assert meter.progress.nodes == tuple(NodeHealth(node, healthy=False) for node in NODES)
    meter(NodeBack("ws://a"))
    for _ in range(2):
        meter(NodeFailed("ws://b", Trouble.UNTRUE, "it lied", 8.0))
    meter(Disagreement(BlockNumber(3), (("ws://a", _ref(3).hash),), None))
    progress = meter.progress
    assert progress.errors == {"untrue": 2, "disagreement": 1}
    assert progress.nodes == (
        NodeHealth("ws://a", healthy=True),
        NodeHealth("ws://b", healthy=False, trouble=Trouble.UNTRUE, message="it lied", failures=2),
    )
    meter(NodeBack("ws://b"))
    assert meter.progress.nodes[1] == NodeHealth("ws://b", healthy=True, failures=2)
