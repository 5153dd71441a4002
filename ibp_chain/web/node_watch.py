"""How far a node is: asked now and then, beside the requests, so that no page waits for it."""

import threading
from collections.abc import Callable
from datetime import datetime

from ibp_chain.errors import IbpError
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash
from ibp_chain.web.queries.chain import NodeView


class NodeWatch:
    """Remembers what the node at `url` said last. `clock` tells the time in UTC."""

    def __init__(self, url: str, genesis_hash: Hash, clock: Callable[[], datetime]) -> None:
        self._url, self._genesis, self._clock = url, genesis_hash, clock
        self.view: NodeView | None = None

    def ask(self) -> None:
        try:
            with NodeSource(self._url, expected_genesis=self._genesis) as node:
                self.view = NodeView(node.head().number, self._clock(), None)
        except IbpError as error:
            last = None if self.view is None else self.view.finalised
            # an address may hold a key, and strangers read this
            told = str(error).replace(self._url, "the node")
            self.view = NodeView(last, self._clock(), told)

    def run(self, stop: threading.Event, every_s: float) -> None:
        """`ask` until `stop`."""
        while True:
            self.ask()
            if stop.wait(every_s):
                return
