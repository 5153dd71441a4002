"""Extrinsics and events read step by step: slow, and exact about what is wrong and where.

The meaning of the bytes; the compiled decoders only get there faster.
"""

from collections.abc import Mapping
from typing import Any

from ibp_chain.blocks import EventRecord, Extrinsic, Phase
from ibp_chain.errors import DecodeError
from ibp_chain.scale import metadata as md
from ibp_chain.scale.decoder import Decoder, Decoders
from ibp_chain.scale.extrinsics import BARE, GENERAL, SIGNED, signer_of
from ibp_chain.scale.input import Input
from ibp_chain.types import AccountId, Hash

HASH_SIZE = 32


class Careful:
    """The careful decoders of one runtime. All raise `DecodeError`."""

    def __init__(self, metadata: md.Metadata, decoders: Decoders) -> None:
        self._format, self._decoders = metadata.extrinsic, decoders
        self._events: Mapping[tuple[int, int], tuple[str, str, Decoder]] = {
            (pallet.index, variant.index): (
                pallet.name,
                variant.name,
                decoders.fields(variant.fields),
            )
            for pallet in metadata.pallets.values()
            for variant in md.variants_of(metadata, pallet.events)
        }

    def extrinsic(self, raw: bytes) -> Extrinsic:
        """One extrinsic, with its length prefix."""
        source = Input(raw)
        length = source.compact()
        if length != len(raw) - source.at:
            raise DecodeError(f"{length} bytes announced, {len(raw) - source.at} left", 0)
        signer: AccountId | None = None
        extensions: dict[str, Any] = {}
        start, version = source.at, source.u8()
        if version == SIGNED:
            signer = signer_of(self._decoders.of(self._format.address)(source))
            self._decoders.of(self._format.signature)(source)
            extensions = self._extensions(source, 0)
        elif version == GENERAL:
            extensions = self._extensions(source, source.u8())
        elif version not in BARE:
            raise DecodeError(f"extrinsic version {version:#04x} is unknown", start)
        call = self._decoders.of(self._format.call)(source)
        source.end()
        return Extrinsic(raw, signer, extensions, call)

    def events(self, raw: bytes, pallets: frozenset[str] | None) -> tuple[EventRecord, ...]:
        """The value of `System.Events`; of `pallets` only, where given."""
        source, records = Input(raw), []
        for position in range(source.count()):
            record = self._event(source, position)
            if pallets is None or record.pallet in pallets:
                records.append(record)
        source.end()
        return tuple(records)

    def _extensions(self, source: Input, version: int) -> dict[str, Any]:
        if version not in self._format.by_version:
            raise DecodeError(f"extension version {version} is unknown", source.at)
        present = (self._format.extensions[at] for at in self._format.by_version[version])
        return {each.identifier: self._decoders.of(each.type)(source) for each in present}

    def _event(self, source: Input, position: int) -> EventRecord:
        phase = _phase(source)
        index = source.u32() if phase is Phase.APPLY_EXTRINSIC else None
        start, key = source.at, (source.u8(), source.u8())
        if key not in self._events:
            raise DecodeError(f"the runtime has no event {key[0]}.{key[1]}", start)
        pallet, name, decode = self._events[key]
        args = decode(source)
        topics = tuple(Hash(source.take(HASH_SIZE)) for _ in range(source.count()))
        return EventRecord(position, phase, index, pallet, name, args, topics)


def _phase(source: Input) -> Phase:
    start, tag = source.at, source.u8()
    try:
        return Phase(tag)
    except ValueError as error:
        raise DecodeError(f"phase {tag} is unknown", start) from error
