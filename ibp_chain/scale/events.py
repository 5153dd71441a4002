"""The value of `System.Events`, read by compiled decoders: every event, or those of some pallets.

What is not asked for is passed over, mostly by a size known before, and not checked beyond where it
ends. For the rest the contract is that of `ibp_chain.scale.compiler`: any doubt is a failure, and
the caller asks the careful decoder.
"""

import struct
from typing import Any

from ibp_chain.blocks import EventRecord, Phase
from ibp_chain.scale import metadata as md
from ibp_chain.scale.compiler import Compiled, Compiler, Malformed, Skipper, Table
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.scale.values import NOT_READ
from ibp_chain.types import Hash

_HASH_SIZE = 32
_HEAD_SIZES = (7, 3, 3)
"""By phase: the phase, an extrinsic's index where it has one, pallet and event index."""
_INDEX = struct.Struct("<I").unpack_from
_PHASES = tuple(Phase)


class EventDecoder:
    """Decodes events of `pallets`, or all of them for None.

    The values of those named in `unread`, as `Pallet.Event`, are passed over and `NOT_READ`.
    """

    def __init__(
        self,
        metadata: md.Metadata,
        compiler: Compiler,
        pallets: frozenset[str] | None,
        unread: frozenset[str] = frozenset(),
    ) -> None:
        self._compiler, self._pallets, self._unread = compiler, pallets, unread
        self._variants = {
            pallet.index | variant.index << 8: (pallet.name, variant)
            for pallet in metadata.pallets.values()
            for variant in md.variants_of(metadata, pallet.events)
        }
        self._steps = Table(self._step)
        """By indices: a size to pass over, a skipper, or what reads the event: (pallet, name,
        decoder)."""

    def decode(self, raw: bytes) -> tuple[EventRecord, ...]:
        """Raises one of `compiler.FAILURES` for whatever is not exactly events."""
        count, at = decode_compact(raw)
        records: list[EventRecord] = []
        steps = self._steps
        for position in range(count):
            start = at
            at += _HEAD_SIZES[raw[at]]
            step = steps[raw[at - 2] | raw[at - 1] << 8]
            kind = step.__class__
            if kind is int:
                at += step
            elif kind is tuple:
                record, at = _record(position, raw, start, at, step)
                records.append(record)
                continue
            else:
                at = step(raw, at)
            if raw[at]:
                at = _topics(raw, at)[1]
            else:
                at += 1
        if at != len(raw):
            raise Malformed
        return tuple(records)

    def _step(self, key: int) -> Any:
        pallet, variant = self._variants[key]
        if self._pallets is not None and pallet not in self._pallets:
            return self._compiler.skip_fields(variant.fields)
        if f"{pallet}.{variant.name}" in self._unread:
            return pallet, variant.name, _passing(self._compiler.skip_fields(variant.fields))
        return pallet, variant.name, self._compiler.fields(variant.fields)


def _record(
    position: int, raw: bytes, start: int, at: int, step: tuple[str, str, Compiled]
) -> tuple[EventRecord, int]:
    pallet, name, decode = step
    phase = raw[start]
    index = None if phase else _INDEX(raw, start + 1)[0]
    args, at = decode(raw, at, 0)
    topics: tuple[Hash, ...] = ()
    if raw[at]:
        topics, at = _topics(raw, at)
    else:
        at += 1
    # EventRecord(…), without the call through Python that a named tuple costs
    values = position, _PHASES[phase], index, pallet, name, args, topics
    return tuple.__new__(EventRecord, values), at


def _passing(skip: int | Skipper) -> Compiled:
    if isinstance(skip, int):
        return lambda _raw, at, _depth: (NOT_READ, at + skip)
    return lambda raw, at, _depth: (NOT_READ, skip(raw, at))


def _topics(raw: bytes, at: int) -> tuple[tuple[Hash, ...], int]:
    count, at = decode_compact(raw, at)
    end = at + count * _HASH_SIZE
    if end > len(raw):
        raise Malformed
    return tuple(Hash(raw[i : i + _HASH_SIZE]) for i in range(at, end, _HASH_SIZE)), end
