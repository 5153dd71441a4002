"""A follower in a thread of the test's own, what it said, and waiting for what it does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import IbpError
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash
from ledger.following import Ears, Followed, follow_chain
from ledger.indexer import replay_into
from ledger.progress import Committed, Event, NodeFailed
from ledger.store import Identity, Store
from ledger.unfinalised import Unfinalised
from scripts.scenario.play import NETWORK
from tests.support.patience import PATIENCE_SECONDS


@dataclass
class Follower:
    """What a running follower told."""

    leaving: threading.Event = field(default_factory=threading.Event)
    events: list[Event] = field(default_factory=list)
    seen: list[Unfinalised] = field(default_factory=list)
    error: list[Exception] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def committed(self) -> BlockRef | None:
        found = [event.head for event in self.events if isinstance(event, Committed)]
        return found[-1] if found else None

    @property
    def failed(self) -> list[NodeFailed]:
        return [event for event in self.events if isinstance(event, NodeFailed)]

    def wait_for(self, holds: Callable[[], object]) -> None:
        """Until `holds`. Raises the follower's own error if it ends first."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if self.ended.wait(0.02) and not holds():
                raise AssertionError("the follower has ended") from next(iter(self.error), None)
            assert time.monotonic() < deadline, (self.events[-5:], self.seen[-1:])

    def wait_for_end(self) -> Exception:
        """Its error."""
        assert self.ended.wait(PATIENCE_SECONDS), self.events[-5:]
        (error,) = self.error
        return error


@contextmanager
def following(plan: Followed) -> Iterator[Follower]:
    """`plan` followed until the block ends; nothing may be left of it then."""
    follower, before = Follower(), set(threading.enumerate())
    ears = Ears(observer=follower.events.append, seen=follower.seen.append)

    def run() -> None:
        try:
            follow_chain(plan, follower.leaving, ears)
        except (IbpError, AssertionError, OSError) as error:  # for the thread of the test
            follower.error.append(error)
        finally:
            follower.ended.set()

    thread = threading.Thread(target=run, name="follower")
    thread.start()
    try:
        yield follower
    finally:
        follower.leaving.set()
        thread.join(PATIENCE_SECONDS)
    left = {t.name for t in set(threading.enumerate()) - before if not t.daemon}
    assert not {name for name in left if "process_request" not in name and "conn" not in name}


def clean_root(url: str, folder: Path) -> tuple[BlockRef, Hash]:
    """Where a replay of the node's finalised chain stands that nothing happened to."""
    with NodeSource(url) as node:
        identity = Identity(NETWORK.name, node.genesis_hash)
        place = f"sqlite:///{folder / 'clean.db'}"
        with Store(place, identity) as store:
            state = replay_into(store, node, runtimes(node))
            head = store.head()
    assert head is not None
    return head, state.root()


def stored_root(db: str) -> Hash:
    with Store(db) as store:
        return store.load_state().root()
