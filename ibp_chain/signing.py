"""Signed extrinsics, version 4, as bytes: what is signed, by which rules, and what goes out.

Nothing here asks a node: nonce, era and hashes come in, so that an offline machine can sign.
Source: `sp_runtime::generic::{UncheckedExtrinsic, SignedPayload, Era}`, spec/pallets.md H.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ibp_chain.blocks import BlockRef, blake2_256
from ibp_chain.errors import CheckFailed, InputError
from ibp_chain.keys import Signer
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, SpecVersion

_SIGNED_V4 = b"\x84"
_ID_ADDRESS = b"\0"
_SR25519 = b"\1"
_METADATA_HASH_OFF, _METADATA_HASH_ON = b"\0", b"\1"
_NO_ASSET = b"\0"
_LARGEST_PLAIN_PAYLOAD = 256
MIN_PERIOD, MAX_PERIOD = 4, 65_536
NO_TIP = Planck(0)


class Era(NamedTuple):
    """A mortal era: valid for `period` blocks, a power of two, from its birth block on."""

    period: int
    phase: int

    @classmethod
    def born_at(cls, block: BlockNumber, period: int) -> "Era":
        """The era whose birth block is `block`, or just below it for periods above 4,096."""
        if period & (period - 1) or not MIN_PERIOD <= period <= MAX_PERIOD:
            raise InputError(
                f"an era of {period} blocks: a power of two from {MIN_PERIOD} to {MAX_PERIOD} is "
                "needed"
            )
        factor = max(period >> 12, 1)
        return cls(period, block % period // factor * factor)

    @classmethod
    def decode(cls, raw: bytes) -> "Era":
        """Raises `InputError` for the immortal era, and for what no era encodes to."""
        if len(raw) != 2:
            raise InputError(f"0x{raw.hex()} is no mortal era")
        value = int.from_bytes(raw, "little")
        period = 2 << value % 16
        era = cls(period, (value >> 4) * max(period >> 12, 1))
        if not MIN_PERIOD <= period <= MAX_PERIOD or era.phase >= period or era.encode() != raw:
            raise InputError(f"0x{raw.hex()} is no mortal era")
        return era

    def encode(self) -> bytes:
        factor = max(self.period >> 12, 1)
        bits = min(max(self.period.bit_length() - 2, 1), 15)
        return (bits | self.phase // factor << 4).to_bytes(2, "little")

    def birth(self, current: BlockNumber) -> BlockNumber:
        """The first block that an extrinsic of this era could be in, seen from `current`."""
        late = max(current, self.phase) - self.phase
        return BlockNumber(late // self.period * self.period + self.phase)


@dataclass(frozen=True, slots=True)
class SigningContext:
    """What a signature binds itself to beside the call."""

    codec: PeerCodec
    genesis_hash: Hash
    spec_version: SpecVersion
    transaction_version: int
    birth: BlockRef
    """The block that the era is counted from; its hash is signed."""
    period: int
    """Of the mortal era, in blocks."""
    nonce: int
    tip: Planck = NO_TIP
    metadata_hash: Hash | None = None
    """With it, mode 1 of `CheckMetadataHash`: the runtime must have been built with this hash."""

    @property
    def era(self) -> Era:
        """Raises `InputError` where `birth` begins no era of this period."""
        era = Era.born_at(self.birth.number, self.period)
        if era.birth(self.birth.number) != self.birth.number:
            raise InputError(
                f"an era of {self.period} blocks cannot begin at block {self.birth.number}"
            )
        return era

    @property
    def death(self) -> BlockNumber:
        """The first block that can no longer include the extrinsic."""
        return BlockNumber(self.birth.number + self.period)


def extension_bytes(context: SigningContext) -> tuple[bytes, bytes]:
    """The extensions' part of the extrinsic, and the part that is signed only.

    An extension that we do not know contributes nothing. Each part must read as the type in the
    metadata, so one that needs a value is refused: `CheckFailed`.
    """
    tip = encode_compact(context.tip)
    mortality = (context.era.encode(), context.birth.hash)
    known = {
        "CheckSpecVersion": (b"", context.spec_version.to_bytes(4, "little")),
        "CheckTxVersion": (b"", context.transaction_version.to_bytes(4, "little")),
        "CheckGenesis": (b"", context.genesis_hash),
        "CheckMortality": mortality,
        "CheckEra": mortality,
        "CheckNonce": (encode_compact(context.nonce), b""),
        "ChargeTransactionPayment": (tip, b""),
        "ChargeAssetTxPayment": (tip + _NO_ASSET, b""),
        "CheckMetadataHash": _metadata_hash(context.metadata_hash),
    }
    if context.metadata_hash is not None and all(
        extension.name != "CheckMetadataHash" for extension in context.codec.extensions
    ):
        raise InputError("the runtime cannot check a metadata hash")
    in_extrinsic, in_payload = b"", b""
    for extension in context.codec.extensions:
        explicit, implicit = known.get(extension.name, (b"", b""))
        what = f"transaction extension {extension.name}"
        context.codec.check_value(extension.in_extrinsic, explicit, what)
        context.codec.check_value(extension.in_payload, implicit, what)
        in_extrinsic += explicit
        in_payload += implicit
    return in_extrinsic, in_payload


def signed_payload(call: bytes, context: SigningContext) -> bytes:
    """What the signature is over: call and extensions, hashed when longer than 256 bytes."""
    payload = call + b"".join(extension_bytes(context))
    return blake2_256(payload) if len(payload) > _LARGEST_PLAIN_PAYLOAD else payload


def sign_extrinsic(call: bytes, signer: Signer, context: SigningContext) -> bytes:
    """The signed extrinsic, with its length prefix.

    Raises `CheckFailed` when substrate-interface disagrees with any part of it.
    """
    context.codec.check_call(call)
    signature = signer.sign(signed_payload(call, context))
    if len(signature) != 64:
        raise CheckFailed(f"the signer returned {len(signature)} bytes, no sr25519 signature")
    return assemble(call, signer.account, _SR25519 + signature, context)


def assemble(
    call: bytes, account: AccountId, multi_signature: bytes, context: SigningContext
) -> bytes:
    """The extrinsic around a signature with its scheme in front, with its length prefix."""
    extensions, _ = extension_bytes(context)
    body = b"".join((_SIGNED_V4, _ID_ADDRESS, account, multi_signature, extensions, call))
    return encode_compact(len(body)) + body


def _metadata_hash(expected: Hash | None) -> tuple[bytes, bytes]:
    if expected is None:
        return _METADATA_HASH_OFF, _METADATA_HASH_OFF  # mode, and `None`
    return _METADATA_HASH_ON, _METADATA_HASH_ON + expected  # mode, and `Some`
