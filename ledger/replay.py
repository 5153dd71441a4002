"""Fold blocks into a state: the one way in which a ledger comes about.

`apply_block` is a function of the state before, the block and its runtime, and of nothing else.
The same blocks give the same root on any machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from ibp_chain.blocks import Block, BlockRef, Extrinsic, Phase
from ibp_chain.errors import DecodeError, InputError
from ibp_chain.remarks import Kind
from ibp_chain.runtime import Runtime
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger import clock
from ledger.dispatch import READ_PALLETS, UNREAD_EVENTS, WATCHED_PALLETS, attribute
from ledger.mirrors import BlockContext, Constants
from ledger.origins import Dispatched, Failed, Unattributed
from ledger.pallets.payouts import Batch, BatchKey
from ledger.remark_routing import Accepted, Refused, remark_of, take_batch, take_remark
from ledger.state import Head, State

constants_of = lru_cache(maxsize=16)(Constants.of)
"""What a runtime fixes, read once."""

Runtimes = Callable[[SpecVersion], Runtime]
"""The runtime of a spec version. Raises `InputError` for one that is not known."""


_VOTING = frozenset({"ConvictionVoting", "Referenda", "Democracy"})


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
    _check_follows(state, block)
    extrinsics = tuple(
        runtime.decode_extrinsic(raw, pallets=READ_PALLETS) for raw in block.extrinsics
    )
    events = runtime.decode_events(block.events, pallets=WATCHED_PALLETS, unread=UNREAD_EVENTS)
    context = _context(state, block, runtime)
    fold = _Fold(state, context.number, _timestamp(block, extrinsics))
    fold.touched_votes = not _VOTING.isdisjoint([event.pallet for event in events])
    for item in attribute(runtime, extrinsics, events, state.mirrors.tasks(runtime)):
        match item:
            case Unattributed():
                fold.unattributed.append(item)
            case Failed():
                fold.batch(item)
            case Dispatched():
                state.mirrors.apply(context, item)
                fold.touched_votes = fold.touched_votes or item.call.pallet in _VOTING
                fold.remark(item)
                fold.batch(item)
            case _:
                state.mirrors.apply(context, item)
    state.head.put(Head(block.header.number, block.hash, context.now))
    return BlockReport(
        ref=block.ref,
        parent_hash=block.header.parent_hash,
        spec_version=block.spec_version,
        timestamp_ms=fold.timestamp_ms,
        extrinsics=len(extrinsics),
        accepted=tuple(fold.accepted),
        refused=tuple(fold.refused),
        batches=tuple(fold.batches),
        touched_votes=fold.touched_votes,
        unattributed=tuple(fold.unattributed),
    )


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

    def batch(self, item: Dispatched | Failed) -> None:
        key = self.number, len(self.batches)
        place = item.extrinsic_index, item.path
        announced = place in self._announced
        self._announced.discard(place)
        taken = take_batch(self.state, item, key, announced=announced)
        if taken is not None:
            self.batches.append((key, taken))


def _check_follows(state: State, block: Block) -> None:
    head = state.head.value
    if head is None:
        if block.header.number > 1:
            raise InputError(
                f"a ledger starts with the first block of its chain, not with "
                f"{block.header.number}; to begin there, add the storage before it: "
                "ibp archive start, or ibp ledger follow --first"
            )
    elif block.header.parent_hash != head.hash or block.header.number <= head.number:
        raise InputError(
            f"block {block.header.number} (0x{block.hash.hex()}) does not follow block "
            f"{head.number} (0x{head.hash.hex()})"
        )


def _context(state: State, block: Block, runtime: Runtime) -> BlockContext:
    now = clock.clock_of(state.network, block.header)
    head = state.head.value
    return BlockContext(
        network=state.network,
        number=block.header.number,
        now=now,
        init_now=clock.provider_now(
            state.network,
            block.header,
            Phase.INITIALIZATION,
            previous=now if head is None else head.now,
        ),
        constants=constants_of(runtime),
    )


def _timestamp(block: Block, extrinsics: tuple[Extrinsic, ...]) -> int:
    """What `Timestamp.set` said, milliseconds since 1970."""
    for extrinsic in extrinsics:
        if (extrinsic.call.pallet, extrinsic.call.name) == ("Timestamp", "set"):
            return checked_time(block.header.number, extrinsic.call.args["now"])
    if block.header.number == 0:
        return 0
    raise DecodeError(f"block {block.header.number} has no Timestamp.set")


def checked_time(block: BlockNumber, timestamp_ms: int) -> int:
    """Raises `DecodeError` for a time that no calendar has."""
    if timestamp_ms > _LAST_MS:
        raise DecodeError(f"block {block} was made {timestamp_ms} ms after 1970: no such year")
    return timestamp_ms


_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""
