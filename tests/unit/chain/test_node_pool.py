"""Who is set aside, for how long, and who is asked again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

import pytest

from ibp_chain.errors import ConfigError, SourceError
from ibp_chain.node import Untrue
from ibp_chain.node_events import NodeBack, NodeEvent, NodeFailed, Trouble
from ibp_chain.node_pool import NodePool, public_names
from ibp_chain.rpc import Unreachable
from ibp_chain.source import NodeSource, WrongChain
from ibp_chain.types import BlockNumber, Hash
from tests.support.chain import GENESIS, ScriptedNode, chain
from tests.support.rpc_server import http_node

NOBODY = "http://127.0.0.1:9"


@dataclass
class Watched:
    """A pool with a clock of the test's, and what it told."""

    now: float = 0.0
    events: list[NodeEvent] = field(default_factory=list)

    @contextmanager
    def pool(self, *urls: str, genesis: Hash | None = None) -> Iterator[NodePool]:
        before = set(threading.enumerate())
        pool = NodePool(
            urls,
            expected_genesis=genesis,
            observer=self.events.append,
            leaving=Event(),
            timeout=60.0,  # for who is there, and has little time
            patience=60.0,
            clock=lambda: self.now,
        )
        try:
            yield pool
        finally:
            pool.close()
        left = {t.name for t in set(threading.enumerate()) - before}
        assert not {name for name in left if name.startswith("node")}


@pytest.fixture
def url() -> Iterator[str]:
    with http_node(ScriptedNode(chain(range(1, 4)))) as running:
        yield running


def _fails(error: Callable[[], SourceError]) -> Callable[[NodeSource], None]:
    def question(_source: NodeSource) -> None:
        raise error()

    return question


@pytest.mark.parametrize(
    ("error", "trouble", "first"),
    [
        (lambda: Unreachable("away"), Trouble.UNREACHABLE, 1.0),
        (lambda: SourceError("odd"), Trouble.MALFORMED, 1.0),
        (lambda: Untrue("lie"), Trouble.UNTRUE, 8.0),
    ],
    ids=["unreachable", "malformed", "untrue"],
)
def test_who_fails_is_left_alone_twice_as_long_each_time_up_to_a_minute(
    url: str, error: Callable[[], SourceError], trouble: Trouble, first: float
) -> None:
    watched = Watched()
    with watched.pool(url) as pool:
        (member,) = pool.members
        watched.events.clear()
        seconds = first
        for _ in range(8):
            assert pool.ready() == [member]
            with pytest.raises(SourceError):
                pool.ask(member, _fails(error))
            (event,) = watched.events
            assert isinstance(event, NodeFailed)
            assert (event.node, event.trouble) == (url, trouble)
            assert event.retry_seconds == pytest.approx(seconds)
            assert pool.ready() == []
            watched.now += seconds - 0.01
            assert pool.ready() == []
            assert pool.seconds_to_retry() == pytest.approx(0.01)
            watched.now += 0.02
            watched.events.clear()
            seconds = min(2 * seconds, 60.0)
        pool.ask(member, NodeSource.head)
        assert watched.events == [NodeBack(url)]
        pool.absolve(member)
        with pytest.raises(SourceError):
            pool.ask(member, _fails(error))
        assert isinstance(watched.events[-1], NodeFailed)
        assert watched.events[-1].retry_seconds == first


def test_who_has_forgotten_a_block_is_asked_for_others(url: str) -> None:
    with Watched().pool(url) as pool:
        (member,) = pool.members
        pool.note_pruned(member, BlockNumber(5))
        pool.note_pruned(member, BlockNumber(3))
        assert member.has_forgotten(BlockNumber(5))
        assert not member.has_forgotten(BlockNumber(6))
        assert pool.ready() == [member]


def test_a_survey_leaves_out_who_does_not_answer(url: str) -> None:
    watched = Watched()
    with watched.pool(url, NOBODY) as pool:
        one, two = pool.members
        answers = pool.survey([one, two], lambda member, source: (member.name, source.head()))
        assert list(answers) == [one]
        assert answers[one][0] == url
        assert pool.ready() == [one]
        failed = [event for event in watched.events if isinstance(event, NodeFailed)]
        assert {event.node for event in failed} == {NOBODY}


def test_nodes_take_turns(url: str) -> None:
    with Watched().pool(url, url + "/") as pool:
        first = [pool.in_turn(pool.members)[0].name for _ in range(4)]
        assert first[:2] == first[2:]
        assert len(set(first)) == 2


def test_a_pool_needs_a_node_that_answers_on_one_chain(url: str) -> None:
    with pytest.raises(Unreachable, match="is the node running"), Watched().pool(NOBODY):
        pass
    wrong = Hash(b"x" * 32)
    with pytest.raises(WrongChain) as caught, Watched().pool(url, genesis=wrong):
        pass
    assert GENESIS.hash.hex() in str(caught.value)
    assert wrong.hex() in str(caught.value)
    with pytest.raises(ConfigError, match="given twice"), Watched().pool(url, url):
        pass
    with pytest.raises(ConfigError, match="no node is given"), Watched().pool():
        pass


def test_names_hide_secrets_and_tell_accounts_apart() -> None:
    urls = "wss://u:secret@one/?key=a", "wss://one/?key=b", "wss://two"
    assert public_names(urls) == ("wss://one#1", "wss://one#2", "wss://two")
