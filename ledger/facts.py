"""What a block tells that no state is needed for: the half of a replay that can be done anywhere.

`gather` decodes a block and works out who did what; `ledger.replay.apply_facts` takes the result
over into a state. Whatever depends on earlier blocks stays with the second: hooks in which the
scheduler ran a task are handed over as their events.

Contract: pure. Facts hold no runtime and survive pickling. Of calls that a call carries they keep
the bytes, shared with it, and no arguments beyond those that a payout batch is judged by: however
deep somebody wraps calls, neither size nor depth of facts grows with it.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import zstandard

from ibp_chain.blocks import Block, BlockRef, EventRecord, Extrinsic
from ibp_chain.errors import DecodeError
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import NOT_READ, Call
from ibp_chain.types import BlockNumber, Hash, RelayBlockNumber, SpecVersion
from ledger import clock
from ledger.dispatch import (
    READ_PALLETS,
    UNREAD_EVENTS,
    WATCHED_PALLETS,
    Item,
    by_phase,
    of_extrinsic,
)
from ledger.mirrors import concerns
from ledger.origins import Dispatched, Failed, Unattributed
from ledger.pallets import payouts
from ledger.remark_routing import remark_of

FACTS_VERSION = 1
"""Of the form of `BlockFacts`, items included: to be raised with every change of it."""

VOTING = frozenset({"ConvictionVoting", "Referenda", "Democracy"})

_PAYING = frozenset({"System", "Balances", "ChildBounties"})
"""The pallets whose arguments say what a batch pays, and to whom."""
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""


class BlockFacts(NamedTuple):
    """One block, verified by whoever delivered it, decoded and attributed.

    A tuple, as events are: there is one for every block, and it travels.
    """

    ref: BlockRef
    parent_hash: Hash
    spec_version: SpecVersion
    now: RelayBlockNumber
    """The governance clock from the inherents on."""
    timestamp_ms: int
    """The block's own time, ms since 1970."""
    extrinsics: int
    before: tuple[EventRecord, ...]
    """What hooks deposited in front of the extrinsics."""
    items: tuple[Item, ...]
    """What extrinsics did, in block order; without what changes nothing anywhere."""
    after: tuple[EventRecord, ...]
    """What hooks deposited behind them."""
    votes: bool
    """Whether an event of the block is about votes or referenda."""


def gather(block: Block, runtime: Runtime, network: Network) -> BlockFacts:
    """The facts of `block`, which `runtime` executed; raises `DecodeError`.

    Neither its hashes nor its proofs are looked at here: a source has done that.
    """
    extrinsics = tuple(
        runtime.decode_extrinsic(raw, pallets=READ_PALLETS) for raw in block.extrinsics
    )
    events = runtime.decode_events(block.events, pallets=WATCHED_PALLETS, unread=UNREAD_EVENTS)
    before, own, after = by_phase(len(extrinsics), events)
    return BlockFacts(
        block.ref,
        block.header.parent_hash,
        block.spec_version,
        clock.clock_of(network, block.header),
        _timestamp(block, extrinsics),
        len(extrinsics),
        _of_hooks(before),
        tuple(_of_extrinsics(runtime, extrinsics, own)),
        _of_hooks(after),
        not VOTING.isdisjoint([event.pallet for event in events]),
    )


def _of_hooks(events: Sequence[EventRecord]) -> tuple[EventRecord, ...]:
    """All of them where a task ran, since what it did is read from what they are together."""
    if not events:
        return ()
    if any(event.pallet == "Scheduler" and event.name == "Dispatched" for event in events):
        return tuple(events)
    return tuple(filter(concerns, events))


def _of_extrinsics(
    runtime: Runtime, extrinsics: Sequence[Extrinsic], own: Sequence[Sequence[EventRecord]]
) -> Iterator[Item]:
    lean = _Lean()
    for index, extrinsic in enumerate(extrinsics):
        for item in of_extrinsic(runtime, index, extrinsic, own[index]):
            match item:
                case Dispatched():
                    if concerns(item) or remark_of(item.call) is not None or _pays(item.call):
                        parent = None if item.parent is None else lean.call(item.parent)
                        yield replace(item, call=lean.call(item.call), parent=parent)
                case Failed():
                    if _pays(item.call):
                        yield replace(item, call=lean.call(item.call))
                case Unattributed():
                    yield replace(item, call=_bare(item.call))
                case _:
                    if concerns(item):
                        yield item


def _pays(call: Call) -> bool:
    """Whether it is a batch that may be a payout: `ledger.remark_routing.take_batch`."""
    calls = payouts.batch_calls(call)
    return calls is not None and remark_of(calls[0]) is not None


class _Lean:
    """Calls without what nobody asks for. One call stays one object, however often it is met."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Call, Call]] = {}
        """By identity; the call itself is kept, so that no other one gets its id."""

    def call(self, call: Call) -> Call:
        if id(call) not in self._known:
            inner = _payment if _pays(call) else _bare
            args = {name: _lean_value(value, inner) for name, value in call.args.items()}
            self._known[id(call)] = call, _with(call, args or call.args)  # which may be NOT_READ
        return self._known[id(call)][1]


def _lean_value(value: Any, inner: Callable[[Call], Call]) -> Any:
    match value:
        case Call():
            return inner(value)
        case dict():
            return {name: _lean_value(item, inner) for name, item in value.items()}
        case list():
            return [_lean_value(item, inner) for item in value]
        case tuple():
            return tuple(_lean_value(item, inner) for item in value)
    return value


def _bare(call: Call) -> Call:
    return _with(call, NOT_READ)


def _payment(call: Call) -> Call:
    return _with(call, call.args if call.pallet in _PAYING else NOT_READ)


def _with(call: Call, args: dict[str, Any]) -> Call:
    # all calls of an extrinsic share its bytes, in a pickle too: copies would add up with depth
    return call._replace(args=args)


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


# --- Between processes ------------------------------------------------------------------


def pack(facts: Iterable[BlockFacts]) -> bytes:
    """As they travel between processes that trust each other: unpacking runs what is in it."""
    return zstandard.ZstdCompressor(level=1).compress(
        pickle.dumps(tuple(facts), protocol=pickle.HIGHEST_PROTOCOL)
    )


def unpack(packed: bytes) -> tuple[BlockFacts, ...]:
    """What `pack` made, by a worker of ours: see docs/backfill.md, "Who may reach it"."""
    raw = zstandard.ZstdDecompressor().decompress(packed)
    facts: tuple[BlockFacts, ...] = pickle.loads(raw)  # noqa: S301  # as Dask's own messages are
    return facts
