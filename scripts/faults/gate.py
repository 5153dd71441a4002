"""Two doors to one real node: one behind which it is well, and one where it has mishaps.

Both show the chain's finalised blocks little by little, so that a follower has something to do
whenever it is started. Over ws:// they tell followers every few milliseconds to look again.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from ibp_chain.source import EVENTS_KEY
from scripts.faults.faults import Kind, Mishap
from tests.support.rpc_server import raw_http, ws_node

_TELL_SECONDS = 0.05
_DELAY_SECONDS = 0.8
_SLOW_SECONDS = 0.03
_EVENTS = "0x" + EVENTS_KEY.hex()
_UNAVAILABLE = 503


@dataclass
class Horizon:
    """Which of the chain's blocks the nodes call finalised."""

    hashes: list[str] = field(default_factory=list)
    """Of all that are final, in order, 0x hex."""
    shown: int = 1
    pace: int = 1
    limit: int = 1
    """How many of them are shown at most, for now."""

    def head(self) -> str:
        """The finalised head for now; the next one who asks is told of a later one."""
        head = self.hashes[min(self.shown, self.limit) - 1]
        self.shown = min(self.shown + self.pace, self.limit)
        return head


@dataclass
class Calls:
    """How many there were since the process began, and what is to be done at one of them."""

    count: int = 0
    due: int | None = None
    reached: Event = field(default_factory=Event)

    def begin(self, due: int | None) -> None:
        self.count, self.due = 0, due
        self.reached.clear()

    def hear(self) -> None:
        self.count += 1
        if self.due is not None and self.count > self.due:
            self.reached.set()


@dataclass
class Door:
    """One node as the process under test sees it."""

    ask: Callable[[bytes], Any]
    """The real node's answer to a request or a batch."""
    horizon: Horizon
    calls: Calls
    lock: Lock
    mishaps: list[tuple[Mishap, int]] = field(default_factory=list)
    """Those that are to come or under way, each with how many answers are left."""
    happened: set[Mishap] = field(default_factory=set)

    def begin(self, mishaps: tuple[Mishap, ...]) -> None:
        with self.lock:
            self.mishaps = [(mishap, mishap.answers) for mishap in mishaps]
            self.happened.clear()

    def answer(self, body: bytes) -> tuple[Kind | None, Any]:
        """The node's words for a request or a batch, and what is to be done to them."""
        asked = json.loads(body)
        with self.lock:
            for _ in asked if isinstance(asked, list) else [asked]:
                self.calls.hear()
            kind = self._mishap()
        if kind is Kind.DISCONNECT:
            return kind, None
        if kind in (Kind.DELAYED, Kind.SLOW):
            time.sleep(_DELAY_SECONDS if kind is Kind.DELAYED else _SLOW_SECONDS)
        told = self.ask(body)
        if isinstance(asked, list):
            by_id = {reply["id"]: reply for reply in told}
            return kind, [self._said(one, by_id[one["id"]], kind) for one in asked]
        return kind, self._said(asked, told, kind)

    def _mishap(self) -> Kind | None:
        for place, (mishap, left) in enumerate(self.mishaps):
            if self.calls.count > mishap.at and left:
                self.mishaps[place] = mishap, left - 1
                self.happened.add(mishap)
                return mishap.kind
        return None

    def _said(self, request: Any, reply: Any, kind: Kind | None) -> Any:
        if "result" not in reply:
            return reply
        if request["method"] == "chain_getFinalizedHead":
            with self.lock:
                return {**reply, "result": self.horizon.head()}
        if kind is Kind.WRONG:
            return {**reply, "result": _lie(request, reply["result"])}
        return reply


def _lie(request: Any, truth: Any) -> Any:
    """Another answer than the true one, where it is about a block."""
    match request["method"], request["params"], truth:
        case "chain_getBlock", _, {"block": block}:
            header = {**block["header"], "stateRoot": "0x" + "11" * 32}
            cut = block["extrinsics"][:-1]
            return {"block": {**block, **({"extrinsics": cut} if cut else {"header": header})}}
        case "state_getStorage", [str() as key, *_], str() if key == _EVENTS:
            return truth[:-2] + ("00" if truth[-2:] != "00" else "01")
        case "state_getReadProof", _, {"proof": [_, *rest]}:
            return {**truth, "proof": rest}
        case _:
            return truth


@dataclass(frozen=True)
class Gate:
    """Where the two doors are."""

    bad: Door
    bad_urls: dict[str, str]
    """By scheme."""
    good_url: str
    """ws://"""
    good_http_url: str
    horizon: Horizon
    calls: Calls


@contextmanager
def gate(node_url: str) -> Iterator[Gate]:
    """Before the node at `node_url`, which speaks http."""
    horizon, calls, lock = Horizon(), Calls(), Lock()
    with httpx.Client(timeout=60) as client:

        def ask(body: bytes) -> Any:
            return client.post(node_url, content=body).json()

        bad, good = (Door(ask, horizon, calls, lock) for _ in range(2))
        with (
            raw_http(lambda body: _post(bad, body)) as bad_http,
            ws_node(lambda connection: _talk(bad, connection)) as bad_ws,
            ws_node(lambda connection: _talk(good, connection)) as good_ws,
            raw_http(lambda body: _post(good, body)) as good_http,
        ):
            urls = {"http": bad_http, "ws": bad_ws}
            yield Gate(bad, urls, good_ws, good_http, horizon, calls)


def _post(door: Door, body: bytes) -> tuple[int, bytes]:
    kind, told = door.answer(body)
    if kind is Kind.DISCONNECT:
        return _UNAVAILABLE, b""
    if kind is Kind.DUPLICATED:
        told = [*told, *told] if isinstance(told, list) else [told, told]
    raw = json.dumps(told).encode()
    return 200, raw[: len(raw) // 2] if kind is Kind.TRUNCATED else raw


def _talk(door: Door, connection: ServerConnection) -> None:
    ended = Event()
    try:
        for message in connection:
            body = message.encode() if isinstance(message, str) else message
            request = json.loads(body)
            if "subscribe" in request["method"]:
                reply = {"jsonrpc": "2.0", "id": request["id"], "result": "heads"}
                connection.send(json.dumps(reply))
                Thread(target=_wake, args=(connection, ended), daemon=True).start()
                continue
            kind, told = door.answer(body)
            if kind is Kind.DISCONNECT:
                return
            raw = json.dumps(told)
            connection.send(raw[: len(raw) // 2] if kind is Kind.TRUNCATED else raw)
            if kind is Kind.DUPLICATED:
                connection.send(raw)
    finally:
        ended.set()


def _wake(connection: ServerConnection, ended: Event) -> None:
    told = {"subscription": "heads", "result": None}
    notice = json.dumps({"jsonrpc": "2.0", "method": "chain_finalizedHead", "params": told})
    while not ended.wait(_TELL_SECONDS):
        try:
            connection.send(notice)
        except ConnectionClosed:
            return
