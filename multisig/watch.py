"""Follow a multisig over finalised blocks, report each step once, and survive everything.

What was reported and what a webhook still waits for is kept in a small file, written whole: after a
kill nothing is lost. A report is printed before the file says so, and posted before it leaves the
file, so both may see it twice: `id` tells, which is the same each time. A fork that is never
finalised is never seen.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import CheckFailed, InputError, SourceError
from ibp_chain.node import Pruned
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash
from multisig.documents import read_file, write_file
from multisig.errors import DocumentError
from multisig.onchain import Runtimes, operations_of
from multisig.reports import Gap, Hearing, Report, Tally, across, fields, tally_of
from multisig.watch_state import OpenPart, WatchState
from multisig.webhook import TryLater, Undelivered, Webhook

MOST_WAITING = 200
"""Reports that are kept for a webhook that is away; older ones are given up."""
POLL_SECONDS = 6.0
_KEPT_EVERY = 64
_LONGEST_PAUSE = 60.0
STILL_SECONDS = 300.0
"""So long may the finalised head stand before it is said: 50 blocks of a relay chain."""


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of it."""

    report: Callable[[dict[str, Any]], None]
    """Each report, as `reports.fields`; to stdout."""
    warn: Callable[[str], None]
    """What is in the way: node, webhook, gap; to stderr."""
    webhook: Webhook | None = None


@dataclass(slots=True)
class Watch:
    """One multisig on one node. `path` may be None: then nothing is kept over a restart.

    Raises `DocumentError` for a state file of another multisig or chain, `CheckFailed` where the
    node's final chain is not the one that was reported.
    """

    node: NodeSource
    runtimes: Runtimes
    hearing: Hearing
    ears: Ears
    path: Path | None
    sleep: Callable[[float], None]
    at: BlockRef = field(init=False)
    waiting: list[str] = field(init=False, default_factory=list)
    away: bool = field(init=False, default=False)
    """Whether the webhook did not answer when it was asked last."""
    clock: Callable[[], float] = time.monotonic
    """Seconds, to tell a node that stands still."""
    _highest: int = field(init=False, default=-1)
    _moved: float = field(init=False, default=0.0)
    """When the finalised head was higher than ever before."""
    _said_still: bool = field(init=False, default=False)

    def begin(self, first: BlockNumber | None) -> bool:
        """Go on where the state file stopped, or begin with block `first`, or behind the head.

        Whether there was a state file. Raises `InputError` for a `first` that is not there, or is
        given beside a state file.
        """
        if self.path is not None and self.path.exists():
            if first is not None:
                raise InputError(
                    f"{self.path} says where to go on: leave --first out, or give another --state"
                )
            self._resume(read_file(self.path, WatchState))
            return True
        head = self.node.head()
        at = head if first is None else self._below(first, head)
        self.at, self.hearing.tally = at, self._open_at(at)
        self._keep()
        return False

    def run(self, stop: Callable[[], bool]) -> None:
        """Report until `stop`, which is asked whenever the head is reached or the node is away."""
        pause = 1.0
        while True:
            try:
                self.catch_up()
                pause, wait = 1.0, POLL_SECONDS
            except SourceError as error:
                self.ears.warn(f"{error}; trying again in {pause:g} s, nothing is missed meanwhile")
                wait, pause = pause, min(2 * pause, _LONGEST_PAUSE)
            self.deliver()
            if stop():
                return
            self.sleep(wait)

    def catch_up(self) -> None:
        """Report everything up to the finalised head. Raises `SourceError` as the node does."""
        head = self.node.head()
        self._mind(head)
        if head.number < self.at.number:
            return
        self._ensure_same_chain()
        if head.number == self.at.number:
            return
        try:
            self._hear(head)
        except Pruned:
            self._skip(head)

    def deliver(self) -> None:
        """Post what waits, oldest first; what is away stays, what is refused is given up."""
        webhook = self.ears.webhook
        while webhook is not None and self.waiting:
            body = self.waiting[0]
            try:
                # one that was away is tried once a round, so that it delays nothing
                webhook.post(json.loads(body)["id"], body, patient=not self.away)
                self.away = False
            except TryLater as error:
                if not self.away:  # said once, not in every round
                    self.ears.warn(
                        f"{webhook.name} took nothing: {error}; {len(self.waiting)} reports wait "
                        "for it, the watch goes on"
                    )
                self.away = True
                return
            except Undelivered as error:
                self.ears.warn(f"{webhook.name} refused a report, which is given up: {error}")
            self.waiting.pop(0)
            self._keep()

    # --- parts ---

    def _ensure_same_chain(self) -> None:
        if self.node.hashes([self.at.number]) != [self.at.hash]:
            raise CheckFailed(
                f"block {self.at.number} of the node is not 0x{self.at.hash.hex()}, which was "
                "final when it was reported: this node, or the one before, lies about finality"
            )

    def _mind(self, head: BlockRef) -> None:
        """Say once that the finalised head stands still, and once that it moves again."""
        now = self.clock()
        if head.number > self._highest:
            if self._said_still:
                self.ears.warn(f"the node's finalised head moves again: block {head.number}")
            self._highest, self._moved, self._said_still = head.number, now, False
        elif not self._said_still and now - self._moved >= STILL_SECONDS:
            self._said_still = True
            self.ears.warn(
                f"the node's finalised head has been block {self._highest} for "
                f"{(now - self._moved) / 60:.0f} minutes: whatever came since is not seen"
            )

    def _hear(self, head: BlockRef) -> None:
        for block in self.node.blocks(BlockNumber(self.at.number + 1), head.number):
            reports = self.hearing.block(block, self.runtimes(block.spec_version))
            self.at = block.ref
            self._tell(*reports)
            if reports or block.ref == head or block.header.number % _KEPT_EVERY == 0:
                self._keep()
            if reports and not self.away:
                self.deliver()

    def _tell(self, *reports: Report | Gap) -> None:
        for report in reports:
            said = fields(report, self.hearing.watched)
            self.ears.report(said)
            if self.ears.webhook is not None:
                self.waiting.append(json.dumps(said))
        if len(self.waiting) > MOST_WAITING:
            lost = len(self.waiting) - MOST_WAITING
            del self.waiting[:lost]
            self.ears.warn(f"{lost} reports are given up: the webhook was away for too long")

    def _skip(self, head: BlockRef) -> None:
        """Go on behind what the node has pruned, and say what is different there."""
        first, low, high = BlockNumber(self.at.number + 1), int(self.at.number), int(head.number)
        while high - low > 1:
            middle = (low + high) // 2
            if self._readable(BlockNumber(middle)):
                high = middle
            else:
                low = middle
        at = self._below(BlockNumber(high), head)
        after = self._open_at(at)
        gap = across(self.hearing.tally, after, first, at.number)
        self.at, self.hearing.tally = at, after
        self.ears.warn(f"a gap: blocks {first} to {at.number} are pruned; use an archive node")
        self._tell(gap)
        self._keep()

    def _readable(self, number: BlockNumber) -> bool:
        """Whether the node has the block, and the state before it."""
        if self.node.hashes([number]) == [None]:
            return False
        try:
            for _ in self.node.blocks(number, number):
                return True
        except Pruned:
            return False
        return False

    def _below(self, number: BlockNumber, head: BlockRef) -> BlockRef:
        """The block before block `number`."""
        if not 1 <= number <= head.number:
            raise InputError(f"there is no final block {number}: the last is {head.number}")
        (digest,) = self.node.hashes([number])
        if digest is None:
            raise InputError(f"the chain has no block {number}")
        parent = self.node.header(digest).parent_hash
        if parent == self.node.genesis_hash:
            return BlockRef(BlockNumber(0), parent)
        return BlockRef(self.node.header(parent).number, parent)

    def _open_at(self, at: BlockRef) -> Tally:
        runtime = self.runtimes(self.node.version_after(at.hash))
        account = self.hearing.watched.party.account
        return tally_of(operations_of(self.node, runtime, account, at.hash))

    # --- the file ---

    def _resume(self, state: WatchState) -> None:
        watched = self.hearing.watched
        network = watched.network
        own = ss58_encode(watched.party.account, network.ss58_prefix)
        if state.genesis_hash != watched.genesis_hash or state.multisig != own:
            raise DocumentError(
                f"{self.path}: it is of {state.multisig} on the chain with genesis "
                f"0x{state.genesis_hash.hex()}, watched is {own}: give another --state"
            )
        if state.calls != self._calls():
            raise DocumentError(
                f"{self.path}: it was kept for other calls than are watched now: give another "
                "--state, or the same --bundle and --all"
            )
        self.at = BlockRef(BlockNumber(state.block), Hash(state.block_hash))
        self.hearing.tally = {Hash(each.call_hash): each.standing(network) for each in state.open}
        self.waiting = list(state.waiting)

    def _calls(self) -> tuple[Hash, ...] | None:
        calls = self.hearing.watched.calls
        return None if calls is None else tuple(sorted(calls))

    def _keep(self) -> None:
        if self.path is None:
            return
        watched = self.hearing.watched
        prefix = watched.network.ss58_prefix
        state = WatchState(
            genesis_hash=watched.genesis_hash,
            multisig=ss58_encode(watched.party.account, prefix),
            calls=self._calls(),
            block=self.at.number,
            block_hash=self.at.hash,
            open=tuple(
                OpenPart(
                    call_hash=call_hash,
                    height=standing.point.height,
                    extrinsic=standing.point.extrinsic,
                    approvals=tuple(ss58_encode(who, prefix) for who in standing.approvals),
                )
                for call_hash, standing in sorted(self.hearing.tally.items())
            ),
            waiting=tuple(self.waiting),
        )
        write_file(self.path, state.encoded)
