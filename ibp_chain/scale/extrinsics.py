"""Extrinsics of every format version, read by compiled decoders.

Contract as in `ibp_chain.scale.compiler`: any doubt about what is read is a failure, and the caller
asks the careful decoder. Source: `sp_runtime::generic::{Preamble, UncheckedExtrinsic}`.
"""

from typing import Any

from ibp_chain.blocks import Extrinsic
from ibp_chain.scale import metadata as md
from ibp_chain.scale.compiler import Compiled, Compiler, Malformed, Table
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.scale.values import NOT_READ, Call
from ibp_chain.types import AccountId

BARE = frozenset({4, 5})
SIGNED = 0x84
GENERAL = 0x45
"""The version byte: kind in the upper two bits, format version below."""


class ExtrinsicDecoder:
    """Decodes extrinsics of one runtime.

    With `pallets`, the arguments of other pallets' calls are `NOT_READ`, except where they may hold
    a call. They are what is left of the extrinsic, and not looked at.
    """

    def __init__(
        self, metadata: md.Metadata, compiler: Compiler, pallets: frozenset[str] | None
    ) -> None:
        self._format, self._compiler, self._pallets = metadata.extrinsic, compiler, pallets
        self._steps = Table(self._step)
        """By pallet and call index: what reads the call, or the name of one that is passed over."""
        self._signed: Compiled | None = None
        self._extensions: dict[int, Compiled] = {}

    def decode(self, raw: bytes) -> Extrinsic:
        """Raises one of `compiler.FAILURES` for whatever is not exactly one extrinsic."""
        length, at = decode_compact(raw)
        if length != len(raw) - at:
            raise Malformed
        version, at = raw[at], at + 1
        signer: AccountId | None = None
        extensions: dict[str, Any] = {}
        if version == SIGNED:
            (address, _signature), at = self._head()(raw, at, 0)
            signer = signer_of(address)
            extensions, at = self._extended(0)(raw, at, 0)
        elif version == GENERAL:
            extensions, at = self._extended(raw[at])(raw, at + 1, 0)
        elif version not in BARE:
            raise Malformed
        step = self._steps[raw[at] | raw[at + 1] << 8]
        # Call(…) and Extrinsic(…), without the call through Python that a named tuple costs
        if step.__class__ is tuple:
            pallet, name = step
            call = tuple.__new__(Call, (pallet, name, NOT_READ, raw, at, len(raw)))
        else:
            call, at = step(raw, at, 1)
            if at != len(raw):
                raise Malformed
        return tuple.__new__(Extrinsic, (raw, signer, extensions, call))

    def _step(self, key: int) -> Any:
        indices = key & 0xFF, key >> 8
        pallet, variant = self._compiler.calls[indices]
        carriers = self._compiler.layout.carriers
        wanted = self._pallets is None or pallet in self._pallets
        if wanted or any(field.type in carriers for field in variant.fields):
            return self._compiler.call(indices)
        return pallet, variant.name

    def _head(self) -> Compiled:
        if self._signed is None:
            parts = md.Field(None, self._format.address), md.Field(None, self._format.signature)
            self._signed = self._compiler.fields(parts)
        return self._signed

    def _extended(self, version: int) -> Compiled:
        if version not in self._extensions:
            fields = [
                md.Field(self._format.extensions[at].identifier, self._format.extensions[at].type)
                for at in self._format.by_version[version]
            ]
            self._extensions[version] = self._compiler.fields(fields) if fields else _no_fields
        return self._extensions[version]


def _no_fields(_raw: bytes, at: int, _depth: int) -> tuple[dict[str, Any], int]:
    return {}, at


def signer_of(address: Any) -> AccountId | None:
    """The account of an extrinsic's address; None for addresses that are no plain account id."""
    if isinstance(address, tuple) and len(address) == 2 and address[0] == "Id":
        return AccountId(address[1]) if isinstance(address[1], bytes) else None
    return AccountId(address) if isinstance(address, bytes) and len(address) == 32 else None
