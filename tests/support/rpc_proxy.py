"""A JSON-RPC proxy before a real node that does to its answers what a test wants, at any time.

It can be down, slow, cut an answer short, answer twice, lie, and have forgotten old blocks. Over
ws:// it answers calls and refuses subscriptions, so that followers poll.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import httpx
from websockets.sync.server import ServerConnection

from tests.support.rpc_server import raw_http, ws_node

Lie = Callable[[Any, list[Any]], Any]
"""The true result and the params to what is said instead."""
Mangle = Callable[[bytes], bytes]
"""The bytes of an answer to what is sent instead."""


@dataclass
class Faults:
    """What is wrong with the node; may be changed while it is asked."""

    down: bool = False
    delay: float = 0.0
    """Seconds before each answer."""
    lies: dict[str, Lie] = field(default_factory=dict)
    """By method."""
    mangle: Mangle | None = None
    pruned: frozenset[str] = frozenset()
    """Hashes of blocks whose bodies and states are gone."""
    asked: int = 0
    """How many calls there were."""
    heard: Callable[[str], object] = lambda _: None
    """Told of each method before it is answered; may change all of this."""


@dataclass(frozen=True)
class Proxy:
    """Where it is to be reached, and what it does."""

    http_url: str
    ws_url: str
    faults: Faults


_AT_A_BLOCK = {
    "chain_getBlock": 0,
    "chain_getHeader": 0,
    "state_getMetadata": 0,
    "state_getRuntimeVersion": 0,
    "state_getStorage": 1,
    "state_getReadProof": 1,
    "state_call": 2,
}
"""Where the block's hash stands in the params of a method; what it answers never changes then."""
_NODE_SECONDS = 300.0
Known = dict[str | None, str]
"""Results of such calls: a node computes each of them once, however many proxies there are."""


@contextmanager
def rpc_proxy(node_url: str, known: Known | None = None) -> Iterator[Proxy]:
    """Before the node at `node_url`, which speaks http."""
    faults, lock = Faults(), Lock()
    told_before: Known = {} if known is None else known
    # whoever asks has a limit of its own: the proxy's would be taken for a fault of the node
    with httpx.Client(timeout=_NODE_SECONDS) as client:

        def exchange(body: bytes) -> bytes:
            """The node's answer to one request or a batch, as `faults` have it."""
            asked = json.loads(body)
            with lock:
                for request in asked if isinstance(asked, list) else [asked]:
                    faults.asked += 1
                    faults.heard(request["method"])
            time.sleep(faults.delay)
            several = asked if isinstance(asked, list) else [asked]
            told = [
                _twisted(faults, one, reply)
                for one, reply in zip(
                    several, _replies(client, node_url, several, told_before), strict=True
                )
            ]
            raw = json.dumps(told if isinstance(asked, list) else told[0]).encode()
            return raw if faults.mangle is None else faults.mangle(raw)

        def respond(body: bytes) -> tuple[int, bytes]:
            return (503, b"") if faults.down else (200, exchange(body))

        def talk(connection: ServerConnection) -> None:
            for message in connection:
                if faults.down:
                    return
                body = message.encode() if isinstance(message, str) else message
                request = json.loads(body)
                if "subscribe" in request["method"]:
                    refusal = {"code": -32601, "message": "no subscriptions"}
                    answer = {"jsonrpc": "2.0", "id": request["id"], "error": refusal}
                    connection.send(json.dumps(answer))
                else:
                    connection.send(exchange(body).decode())

        with raw_http(respond) as http_url, ws_node(talk) as ws_url:
            yield Proxy(http_url, ws_url, faults)


def _replies(client: httpx.Client, url: str, asked: list[Any], known: Known) -> list[Any]:
    """The node's, in the order of what was asked; from `known` what it has told before."""
    unknown = [request for request in asked if _name(request) not in known]
    fresh = client.post(url, json=unknown).json() if unknown else []
    by_id = {reply["id"]: reply for reply in fresh}
    for request in unknown:
        name, reply = _name(request), by_id[request["id"]]
        if name is not None and "result" in reply:
            known[name] = json.dumps(reply["result"])
    return [
        by_id.get(request["id"])
        or {"jsonrpc": "2.0", "id": request["id"], "result": json.loads(known[_name(request)])}
        for request in asked
    ]


def _name(request: Any) -> str | None:
    """Of a call whose answer never changes."""
    place = _AT_A_BLOCK.get(request["method"])
    if place is None or len(request["params"]) <= place or request["params"][place] is None:
        return None
    return json.dumps([request["method"], request["params"]])


_PRUNED = {"state_getStorage": 1, "state_getReadProof": 1, "state_getRuntimeVersion": 0}
"""Where the block stands in a method's params."""


def _twisted(faults: Faults, request: Any, reply: Any) -> Any:
    method, params = request["method"], request["params"]
    if method == "chain_getBlock" and params and params[0] in faults.pruned:
        return {**reply, "result": None}
    place = _PRUNED.get(method)
    if place is not None and len(params) > place and params[place] in faults.pruned:
        error = {"code": 4003, "message": f"Client error: State already discarded: {params[place]}"}
        return {"jsonrpc": "2.0", "id": reply["id"], "error": error}
    lie = faults.lies.get(method)
    if lie is None or "result" not in reply:
        return reply
    return {**reply, "result": lie(reply["result"], params)}
