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
_HEAD_SIZE, _INDEX_SIZE = 7, 4
"""Phase 0, an extrinsic's index, pallet and event index. The other phases have no such index."""
_INDEX = struct.Struct("<I").unpack_from
_PHASES = tuple(Phase)
_LAST_PHASE = len(_PHASES) - 1


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
        """By indices: how far to the event behind one that has no topics, a skipper up to the
        topics, or what makes a record: (pallet, name, decoder)."""

    def decode(self, raw: bytes) -> tuple[EventRecord, ...]:
        """Raises one of `compiler.FAILURES` for whatever is not exactly events."""
        count, at = decode_compact(raw)
        records: list[EventRecord] = []
        steps, new = self._steps, tuple.__new__
        for position in range(count):
            phase = raw[at]
            if phase:
                if phase > _LAST_PHASE:
                    raise Malformed
                at -= _INDEX_SIZE  # as if there were an index that is not looked at
            step = steps[raw[at + 5] | raw[at + 6] << 8]
            kind = step.__class__
            if kind is int:
                at += step
            elif kind is tuple:
                pallet, name, decode = step
                index = None if phase else _INDEX(raw, at + 1)[0]
                args, at = decode(raw, at + _HEAD_SIZE, 0)
                topics: tuple[Hash, ...] = ()
                if raw[at]:
                    topics, at = _topics(raw, at)
                else:
                    at += 1
                # EventRecord(…), without the call through Python that a named tuple costs
                values = position, _PHASES[phase], index, pallet, name, args, topics
                records.append(new(EventRecord, values))
                continue
            else:
                at = step(raw, at + _HEAD_SIZE) + 1
            if raw[at - 1]:
                at = _topics(raw, at - 1)[1]
        if at != len(raw):
            raise Malformed
        return tuple(records)

    def _step(self, key: int) -> Any:
        pallet, variant = self._variants[key]
        if self._pallets is not None and pallet not in self._pallets:
            skip = self._compiler.skip_fields(variant.fields)
            return _HEAD_SIZE + skip + 1 if isinstance(skip, int) else skip
        if f"{pallet}.{variant.name}" in self._unread:
            return pallet, variant.name, _passing(self._compiler.skip_fields(variant.fields))
        return pallet, variant.name, self._compiler.fields(variant.fields)


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
