"""Fold blocks into a state: the one way in which a ledger comes about.

`apply_block` is a function of the state before, the block and its runtime, and of nothing else.
The same blocks give the same root on any machine. It has two halves: `ledger.facts.gather`, which
needs no state, and `apply_facts`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ibp_chain.blocks import Block, BlockRef, EventRecord
from ibp_chain.errors import InputError
from ibp_chain.remarks import Kind
from ibp_chain.runtime import Runtime
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger import clock
from ledger.dispatch import Item, of_hooks
from ledger.facts import VOTING, BlockFacts, gather
from ledger.mirrors import BlockContext, Constants
from ledger.origins import Dispatched, Failed, Unattributed
from ledger.pallets import payouts, scores
from ledger.pallets.payout_lines import ChildKey, Transfer, claims_in, deposited_by
from ledger.pallets.payouts import Batch, BatchKey
from ledger.remark_routing import Accepted, Refused, remark_of, take_batch, take_remark
from ledger.state import Head, State

constants_of = lru_cache(maxsize=16)(Constants.of)
"""What a runtime fixes, read once."""

Runtimes = Callable[[SpecVersion], Runtime]
"""The runtime of a spec version. Raises `InputError` for one that is not known."""


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What a block brought, in words and values that the state does not keep."""

    ref: BlockRef
    parent_hash: Hash
    spec_version: SpecVersion
    timestamp_ms: int
    """The block's own time."""
    extrinsics: int
    accepted: tuple[Accepted, ...]
    refused: tuple[Refused, ...]
    batches: tuple[tuple[BatchKey, Batch], ...]
    touched_votes: bool
    """Whether anything about votes or referenda may have changed."""
    unattributed: tuple[Unattributed, ...]
    """Calls whose effects the events do not tell apart. Their remarks, if any, do not count."""


def apply_block(state: State, block: Block, runtime: Runtime) -> BlockReport:
    """Take over `block`, executed by `runtime`, into `state`.

    Raises `InputError` for a block that does not follow the last one, `DecodeError` where bytes and
    metadata disagree, and `MirrorDivergence` where a mirrored pallet does. After any of them the
    state is unusable: the caller starts again from what it committed last.
    """
    _check_follows(state, block.ref, block.header.parent_hash)
    return apply_facts(state, gather(block, runtime, state.network), runtime)


def apply_facts(state: State, facts: BlockFacts, runtime: Runtime) -> BlockReport:
    """`apply_block` for a block of which the facts were gathered, here or by another process.

    `runtime` executed the block; it reads the calls of tasks and what a runtime fixes.
    """
    _check_follows(state, facts.ref, facts.parent_hash)
    context = _context(state, facts, runtime)
    fold = _Fold(state, context.number, facts.timestamp_ms)
    fold.on_initialize()
    fold.touched_votes = facts.votes
    state.mirrors.on_runtime_upgrade(context)
    for item in _in_order(state, facts, runtime):
        match item:
            case Unattributed():
                fold.unattributed.append(item)
            case Failed():
                fold.batch(item)
            case Dispatched():
                state.mirrors.apply(context, item)
                fold.touched_votes = fold.touched_votes or item.call.pallet in VOTING
                fold.remark(item)
                fold.child(item)
                fold.claims(item.events)
                fold.batch(item)
            case _:
                state.mirrors.apply(context, item)
                fold.claims((item,))
    state.head.put(Head(*facts.ref, context.now))
    return BlockReport(
        ref=facts.ref,
        parent_hash=facts.parent_hash,
        spec_version=facts.spec_version,
        timestamp_ms=facts.timestamp_ms,
        extrinsics=facts.extrinsics,
        accepted=tuple(fold.accepted),
        refused=tuple(fold.refused),
        batches=tuple(fold.batches),
        touched_votes=fold.touched_votes,
        unattributed=tuple(fold.unattributed),
    )


def _in_order(state: State, facts: BlockFacts, runtime: Runtime) -> Iterator[Item]:
    """What happened; a task's call is looked up when everything before it has been applied."""
    tasks = state.mirrors.tasks(runtime)
    yield from of_hooks(runtime, facts.before, tasks)
    yield from facts.items
    yield from of_hooks(runtime, facts.after, tasks)


class _Fold:
    """The programme's side of one block; counts its remarks and batches."""

    def __init__(self, state: State, number: BlockNumber, timestamp_ms: int) -> None:
        self.state, self.number, self.timestamp_ms = state, number, timestamp_ms
        self.accepted: list[Accepted] = []
        self.refused: list[Refused] = []
        self.batches: list[tuple[BatchKey, Batch]] = []
        self.unattributed: list[Unattributed] = []
        self.touched_votes = False
        self._remarks = 0
        self._announced: set[tuple[int | None, tuple[int, ...]]] = set()
        """Where the batches stand whose `payout` remark was accepted."""
        self._children: dict[tuple[int | None, tuple[int, ...]], EventRecord] = {}
        """What calls about child bounties deposited, by where they stand in a batch."""
        self._claimed: dict[ChildKey, Transfer] = {}
        """In this block, of children that no batch has awarded up to now."""

    def on_initialize(self) -> None:
        """What the programme's own pallets do before the block's first remark."""
        program = self.state.programme.program.value
        if program is not None:
            scores.on_initialize(
                self.state.scores, program, self.state.membership, self.number, self.timestamp_ms
            )

    def remark(self, item: Dispatched) -> None:
        raw = remark_of(item.call)
        if raw is None:
            return
        taken = take_remark(self.state, item, raw, (self.number, self._remarks), self.timestamp_ms)
        if taken is None:
            return
        self._remarks += 1
        if isinstance(taken, Accepted):
            self.accepted.append(taken)
            if taken.kind is Kind.PAYOUT:
                self._announced.add((item.extrinsic_index, item.path[:-1]))
        else:
            self.refused.append(taken)

    def child(self, item: Dispatched) -> None:
        """Keep what a batch that comes behind its calls has to know of them."""
        event = deposited_by(item.call, item.events)
        if event is not None and item.path:
            self._children[item.extrinsic_index, item.path] = event

    def claims(self, events: Sequence[EventRecord]) -> None:
        """Keep what claims of the programme's child bounties paid, whoever made them."""
        self._claimed.update(claims_in(events))
        self._settle_claims()

    def batch(self, item: Dispatched | Failed) -> None:
        key = self.number, len(self.batches)
        place = item.extrinsic_index, item.path
        announced = place in self._announced
        self._announced.discard(place)
        deposited = {
            path[-1]: event
            for (extrinsic, path), event in self._children.items()
            if (extrinsic, path[:-1]) == place
        }
        taken = take_batch(self.state, item, key, announced=announced, deposited=deposited)
        if taken is not None:
            self.batches.append((key, taken))
            self._settle_claims()  # a batch that awards and claims is registered behind its calls

    def _settle_claims(self) -> None:
        for child, transfer in list(self._claimed.items()):
            if payouts.claimed(self.state.payouts, self.number, child, transfer):
                del self._claimed[child]


def _check_follows(state: State, ref: BlockRef, parent_hash: Hash) -> None:
    head = state.head.value
    if head is None:
        if ref.number > 1:
            raise InputError(
                f"a ledger starts with the first block of its chain, not with {ref.number}; to "
                "begin there, add the storage before it: ibp archive start, or ibp ledger follow "
                "--first"
            )
    elif parent_hash != head.hash or ref.number <= head.number:
        raise InputError(
            f"block {ref.number} (0x{ref.hash.hex()}) does not follow block "
            f"{head.number} (0x{head.hash.hex()})"
        )


def _context(state: State, facts: BlockFacts, runtime: Runtime) -> BlockContext:
    head = state.head.value
    previous = facts.now if head is None else head.now
    return BlockContext(
        network=state.network,
        number=facts.ref.number,
        now=facts.now,
        init_now=clock.initial_now(state.network, facts.now, previous),
        constants=constants_of(runtime),
    )
