"""Several nodes read as one, where one of them lies, lags, has gaps or forgets."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from ibp_chain import node_pool
from ibp_chain.blocks import Block
from ibp_chain.errors import SourceError
from ibp_chain.node_events import NodeEvent, NodeFailed, NodeObserver, Trouble
from ibp_chain.node_pool import NodePool
from ibp_chain.node_wakes import Wakes
from ibp_chain.node_windows import Fetching
from ibp_chain.nodes import Nodes
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, SpecVersion
from tests.support import recording
from tests.support.chain import ScriptedNode, chain, hex_
from tests.support.patience import until
from tests.support.rpc_server import RpcFault, http_node, raw_http, reply, ws_node

TRUE = chain(range(1, 41))
HEAD = BlockNumber(40)
PATIENCE_SECONDS = 60.0
"""For one answer, and for the slowest of several: nobody here is slow by intent."""

Answer = Callable[[str, list[Any]], Any]


@dataclass
class Opened:
    """Nodes, each by its place among those that were given, and what they told."""

    nodes: Nodes
    urls: list[str]
    leaving: threading.Event
    events: list[NodeEvent] = field(default_factory=list)

    def troubles(self, place: int) -> set[Trouble]:
        return {
            event.trouble
            for event in self.events
            if isinstance(event, NodeFailed) and event.node.startswith(self.urls[place])
        }

    def read(self, first: int = 1, last: int = HEAD) -> list[Block]:
        blocks = list(self.nodes.blocks(BlockNumber(first), BlockNumber(last)))
        assert not self.leaving.is_set(), self.events
        return blocks


@contextmanager
def opened(
    urls: Sequence[str],
    trust: int | None = None,
    *,
    on_event: NodeObserver = lambda _: None,
    **options: Any,
) -> Iterator[Opened]:
    """`Nodes` over `urls`, one window at a time, that give up after twice `PATIENCE_SECONDS`.

    `on_event` is called with each event before whoever caused it goes on.
    """
    leaving, events = threading.Event(), list[NodeEvent]()
    given_up = threading.Timer(2 * PATIENCE_SECONDS, leaving.set)
    given_up.start()
    patient: dict[str, Any] = {"timeout": PATIENCE_SECONDS, "patience": PATIENCE_SECONDS}
    fetching = Fetching(trust=trust, window=4, workers=1, ahead=1, **patient, **options)

    def observer(event: NodeEvent) -> None:
        events.append(event)
        on_event(event)

    try:
        with Nodes(tuple(urls), fetching=fetching, observer=observer, leaving=leaving) as nodes:
            yield Opened(nodes, list(urls), leaving, events)
    finally:
        given_up.cancel()
        leaving.set()


@contextmanager
def scripted(*answers: Answer, trust: int | None = None, **options: Any) -> Iterator[Opened]:
    with ExitStack() as stack:
        urls = [stack.enter_context(http_node(answer)) for answer in answers]
        yield stack.enter_context(opened(urls, trust, **options))


# --- Gaps ---------------------------------------------------------------------------------


class _Forger:
    """A node that, asked for a window, names no block from there on but a forged head behind."""

    def __init__(self) -> None:
        self.node, self.forged = ScriptedNode(list(TRUE)), list[Block]()
        self._gap, self._shown, self._votes = 0, False, 0

    def respond(self, body: bytes) -> tuple[int, bytes]:
        asked = json.loads(body)
        several = asked if isinstance(asked, list) else [asked]
        a_window = all(each["method"] == "chain_getBlockHash" for each in several)
        if isinstance(asked, list) and a_window and not self._gap:
            first = several[0]["params"][0]
            if first > 1:
                self.forged = chain([HEAD], parent=TRUE[first - 2].hash, salt=b"forged")
                self.node.blocks += self.forged
                self._gap = first
        answers = [self._one(each) for each in several]
        return 200, json.dumps(answers if isinstance(asked, list) else answers[0]).encode()

    def _one(self, request: dict[str, Any]) -> Any:
        method, params = request["method"], request["params"]
        if self.forged and method == "chain_getHeader" and params == [hex_(self.forged[0].hash)]:
            self._shown = True
        if not self._gap or method != "chain_getBlockHash" or not params or params[0] < self._gap:
            return reply(self.node, request)
        digest = None
        if params[0] == HEAD:
            self._votes += self._shown
            honest = self._shown and self._votes <= 2
            digest = hex_(TRUE[-1].hash if honest else self.forged[0].hash)
        return {"jsonrpc": "2.0", "id": request["id"], "result": digest}


@pytest.mark.parametrize("trust", [None, 2])
def test_a_gap_that_only_one_node_claims_is_not_believed(trust: int | None) -> None:
    forger = _Forger()
    with ExitStack() as stack:
        urls = [stack.enter_context(raw_http(forger.respond))]
        urls += [stack.enter_context(http_node(ScriptedNode(TRUE))) for _ in range(2)]
        found = stack.enter_context(opened(urls, trust))
        assert found.read() == TRUE
        assert forger.forged, "it never lied"
        assert found.troubles(0)
        assert not found.troubles(1) | found.troubles(2)


@pytest.mark.parametrize("place", [0, 2])
def test_a_node_that_still_fills_its_history_costs_the_others_nothing(place: int) -> None:
    def filling(truth: Any, height: int | None = None) -> Any:
        return None if height and height < HEAD - 1 else truth

    answers = [ScriptedNode(TRUE) for _ in range(3)]
    answers[place] = ScriptedNode(TRUE, lies={"chain_getBlockHash": filling})
    with scripted(*answers, trust=2) as found:
        assert found.read() == TRUE
        assert found.troubles(place) <= {Trouble.LAGGING}
        assert not any(found.troubles(other) for other in range(3) if other != place)


@pytest.mark.parametrize("trust", [None, 2])
@pytest.mark.parametrize("first", [1, 7])
def test_heights_that_the_chain_itself_skips_are_crossed(trust: int | None, first: int) -> None:
    blocks = chain([*range(1, 7), *range(10, 21), *range(33, 41)])
    with scripted(*(ScriptedNode(blocks) for _ in range(3)), trust=trust) as found:
        assert found.read(first) == [each for each in blocks if each.header.number >= first]
        assert not any(found.troubles(place) for place in range(3))


def test_a_lie_of_where_the_chain_goes_on_behind_a_gap_costs_the_liar() -> None:
    blocks = chain([*range(1, 7), *range(20, 41)])
    (forged,) = chain([30], parent=blocks[5].hash, salt=b"forged")

    def lie(truth: Any, height: int | None = None) -> Any:
        if height == 30:
            return hex_(forged.hash)
        return None if height and 7 <= height < 30 else truth

    liar = ScriptedNode([*blocks, forged], 26, lies={"chain_getBlockHash": lie})
    honest = [ScriptedNode(blocks) for _ in range(2)]
    with scripted(liar, *honest, trust=2) as found:
        assert found.read() == blocks
        assert found.troubles(0)
        assert not found.troubles(1) | found.troubles(2)


# --- A block that does not go on where we stand -------------------------------------------


def _moving_on(*honest: ScriptedNode) -> NodeObserver:
    """They do once the liar is found out, and not before: they would disagree with it."""

    def hear(event: NodeEvent) -> None:
        if isinstance(event, NodeFailed) and event.trouble is Trouble.UNTRUE:
            for node in honest:
                node.blocks = TRUE[:31]

    return hear


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A liar stays away for as long as it may, that is longer than the others need."""
    monkeypatch.setattr(node_pool, "_LIAR_FACTOR", 1_000)


@pytest.mark.usefixtures("lasting")
def test_who_is_ahead_of_all_others_with_a_block_that_does_not_link_is_set_aside() -> None:
    honest = [ScriptedNode(list(TRUE[:30])) for _ in range(2)]
    liar = ScriptedNode(list(TRUE[:30]))
    with scripted(liar, *honest, on_event=_moving_on(*honest)) as found:
        assert found.read(1, 30) == TRUE[:30]
        (forged,) = chain([31], parent=b"\x07" * 32, salt=b"forged")  # type: ignore[arg-type]
        liar.blocks.append(forged)
        found.nodes.head()
        assert found.read(31, 31) == TRUE[30:31]
        assert found.troubles(0) == {Trouble.UNTRUE}
        assert not found.troubles(1) | found.troubles(2)


@pytest.mark.usefixtures("lasting")
def test_the_first_block_must_follow_what_is_stood_on() -> None:
    (forged,) = chain([31], parent=b"\x07" * 32, salt=b"forged")  # type: ignore[arg-type]
    liar = ScriptedNode([*TRUE[:30], forged])
    honest = ScriptedNode(list(TRUE[:30]))
    with scripted(liar, honest, on_event=_moving_on(honest)) as found:
        found.nodes.stand_on(TRUE[29].ref)
        found.nodes.head()
        assert found.read(31, 31) == TRUE[30:31]
        assert found.troubles(0) == {Trouble.UNTRUE}


def test_where_all_nodes_are_on_another_fork_than_we_its_blocks_come_out() -> None:
    with scripted(ScriptedNode(TRUE), ScriptedNode(TRUE)) as found:
        found.nodes.stand_on(chain([30], salt=b"ours")[0].ref)
        assert found.read(31) == TRUE[30:]
        assert not found.troubles(0) | found.troubles(1)


# --- Nulls --------------------------------------------------------------------------------


def _null(times: int, of: Callable[[Any], bool]) -> Callable[..., Any]:
    left = [times]

    def lie(truth: Any, *params: Any) -> Any:
        if left[0] and params and of(params[0]):
            left[0] -= 1
            return None
        return truth

    return lie


@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_a_head_that_an_endpoint_does_not_know_for_a_moment_is_waited_for(times: int) -> None:
    lies = {"chain_getBlockHash": _null(times, lambda height: height == HEAD)}
    with scripted(ScriptedNode(TRUE, lies=lies)) as found:
        assert found.read(36) == TRUE[35:]


@pytest.mark.parametrize("height", [40, 38])
def test_a_body_near_the_head_that_is_not_there_is_not_forgotten(height: int) -> None:
    digest = hex_(TRUE[height - 1].hash)
    lies = {"chain_getBlock": _null(2, lambda asked: asked == digest)}
    with scripted(ScriptedNode(TRUE, lies=lies)) as found:
        assert found.read(36) == TRUE[35:]
        assert found.troubles(0) == {Trouble.LAGGING}


def test_an_old_body_that_is_not_there_once_is_asked_for_again() -> None:
    long = chain(range(1, 101))
    lies = {"chain_getBlock": _null(1, lambda asked: asked == hex_(long[1].hash))}
    with scripted(ScriptedNode(long, lies=lies)) as found:
        assert found.read(1, 8) == long[:8]


def test_what_is_forgotten_is_found_out_anew_after_a_while() -> None:
    now = [0.0]
    with http_node(ScriptedNode(TRUE)) as url:
        pool = NodePool(
            (url,),
            expected_genesis=None,
            observer=lambda _: None,
            leaving=threading.Event(),
            timeout=PATIENCE_SECONDS,
            patience=PATIENCE_SECONDS,
            clock=lambda: now[0],
        )
        (member,) = pool.members
        for later, known in ((0.0, False), (100.0, False), (101.0, True), (800.0, False)):
            now[0] = later
            if later < 800:
                pool.note_pruned(member, BlockNumber(5))
            pool.ready()
            assert member.has_forgotten(BlockNumber(5)) == known
        pool.close()


# --- Runtimes -----------------------------------------------------------------------------


class _Running(ScriptedNode):
    """Says which spec version it runs, with the recorded runtime's metadata."""

    says = recording.SPEC_VERSION

    def state_getRuntimeVersion(self, digest: str) -> dict[str, Any]:  # noqa: N802 (JSON-RPC's name)
        return {**super().state_getRuntimeVersion(digest), "apis": [], "specVersion": self.says}

    def state_getMetadata(self, _digest: str) -> str:  # noqa: N802 (JSON-RPC's name)
        return hex_(recording.source().metadata_v14(recording.SPEC_VERSION))


class _Boasting(_Running):
    says = SpecVersion(recording.SPEC_VERSION + 1)


@pytest.mark.parametrize("trust", [None, 2])
def test_metadata_is_not_taken_for_another_spec_version(trust: int | None) -> None:
    with scripted(_Boasting(TRUE), _Running(TRUE), _Running(TRUE), trust=trust) as found:
        for read in (found.nodes.metadata, found.nodes.metadata_v14):
            with pytest.raises(SourceError, match="spec version"):
                read(_Boasting.says)
        raw = found.nodes.metadata(recording.SPEC_VERSION)
        assert raw == recording.source().metadata_v14(recording.SPEC_VERSION)
        assert not found.troubles(1) | found.troubles(2)


def test_metadata_of_another_spec_version_than_its_blocks_is_refused() -> None:
    with http_node(_Boasting(TRUE)) as url, NodeSource(url) as source:
        runtime_of = runtimes(source)
        with pytest.raises(SourceError, match=f"is of {recording.SPEC_VERSION}"):
            runtime_of(_Boasting.says)


# --- Pauses -------------------------------------------------------------------------------


def test_who_is_well_is_not_asked_all_the_time_while_the_others_are_away() -> None:
    asked, away = list[str](), threading.Event()

    def counted(method: str, params: list[Any]) -> Any:
        asked.append(method)
        return ScriptedNode(TRUE)(method, params)

    def leaves(method: str, params: list[Any]) -> Any:
        if away.is_set():
            raise RpcFault(-32000, "busy")
        return ScriptedNode(TRUE)(method, params)

    with scripted(counted, leaves, leaves, trust=2) as found:
        found.nodes.head()
        away.set()
        asked.clear()
        began = time.monotonic()

        def leaves_later() -> None:
            while not asked and not found.leaving.wait(0.05):
                pass
            found.leaving.wait(3.0)
            found.leaving.set()

        leaver = threading.Thread(target=leaves_later)
        leaver.start()
        assert list(found.nodes.heads()) == []
        leaver.join()
        seconds = time.monotonic() - began
    surveys = asked.count("chain_getFinalizedHead")
    assert 1 <= surveys <= max(6, 2 * seconds), (surveys, seconds)


def test_a_flood_of_notifications_does_not_wake_all_the_time() -> None:
    leaving = threading.Event()

    def talk(connection: ServerConnection) -> None:
        request = json.loads(connection.recv())
        connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "s"}))
        news = json.dumps({"method": "x", "params": {"subscription": "s", "result": {}}})
        while not leaving.is_set():
            connection.send(news)
            time.sleep(0.002)

    with ws_node(talk) as url:
        wakes = Wakes([url], leaving, unfinalised=False)
        began, times = time.monotonic(), list[float]()
        for _ in range(5):
            wakes.wait(4 * PATIENCE_SECONDS, lambda: False)
            times.append(time.monotonic() - began)
        leaving.set()
        wakes.close()
    # the first at once, and then one every half second at most; by the news, not by the clock
    assert 1.999 <= times[-1] < 4 * PATIENCE_SECONDS, times


def test_what_is_no_json_does_not_end_a_subscription_nor_show_the_url() -> None:
    leaving, talks = threading.Event(), list[int]()

    def talk(connection: ServerConnection) -> None:
        request = json.loads(connection.recv())
        connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "s"}))
        talks.append(1)
        connection.send("no json")
        leaving.wait(PATIENCE_SECONDS)

    with ws_node(talk) as url:
        secret = url.replace("ws://", "ws://user:password@") + "/key?token=secret"
        wakes = Wakes([secret], leaving, unfinalised=False)
        until(lambda: len(talks) >= 2, lambda: talks)
        names = [thread.name for thread in threading.enumerate() if "heads of" in thread.name]
        leaving.set()
        wakes.close()
    assert len(talks) >= 2
    assert names == [f"heads of {url}"]
