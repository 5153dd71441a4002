"""Payloads for Polkadot Vault, as bytes: Universal Offline Signatures, and their frames.

    0x53 | scheme | 0x02 | public key | compact length, call | extensions | signed only | genesis

Source: `docs/src/development/UOS.md` and `qr_reader_phone` of parity-signer, `@polkadot/react-qr`.
`0x02` is a transaction, mortal or not; the scheme is a `MultiSignature`'s. Vault signs what stands
between public key and genesis hash, without the length.

Two ways to split what one code cannot hold. Static multipart, which every version reads and which
needs every frame: `0x00`, number of frames and index (big-endian u16), then the piece. Fountain
frames, of which any few more than the pieces suffice, in any order: the whole length with its top
bit set (big-endian u32), then a RaptorQ packet (RFC 6330) of the size that Vault expects. Vault has
release 1 of the raptorq library: release 2 numbers spare packets as the RFC does, and neither reads
the other's (cberner/raptorq, pull request 165).
"""

from raptorq import Encoder

from ibp_chain.errors import InputError
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.signatures import Scheme
from ibp_chain.signing import extension_bytes
from multisig.payload import Asked

FRAME_BYTES = 1_024
"""Of a static frame's piece; what polkadot-js uses."""
FOUNTAIN_BYTES = 1_072
"""Of a packet's content. Vault decodes with this number alone: it is in no frame."""
_SUBSTRATE, _TRANSACTION, _MULTIPART = b"\x53", b"\x02", b"\x00"
_FOUNTAIN_BIT = 1 << 31
_MAX_FRAMES = 2**16 - 1


def uos_payload(asked: Asked, scheme: Scheme = Scheme.SR25519) -> bytes:
    """The transaction that a device of `scheme` is to sign."""
    return b"".join(
        (
            _SUBSTRATE,
            bytes((scheme,)),
            _TRANSACTION,
            asked.curator,
            encode_compact(len(asked.call)),
            asked.call,
            *extension_bytes(asked.context),
            asked.context.genesis_hash,
        )
    )


def static_frames(payload: bytes, frame_bytes: int = FRAME_BYTES) -> tuple[bytes, ...]:
    """`payload` in pieces of `frame_bytes`. Raises `InputError` where that makes too many."""
    if frame_bytes < 1:
        raise InputError("a frame holds at least one byte")
    pieces = [payload[at : at + frame_bytes] for at in range(0, len(payload), frame_bytes)]
    if not 0 < len(pieces) <= _MAX_FRAMES:
        raise InputError(f"{len(payload)} bytes cannot be shown in frames of {frame_bytes}")
    total = len(pieces).to_bytes(2, "big")
    return tuple(
        _MULTIPART + total + index.to_bytes(2, "big") + piece for index, piece in enumerate(pieces)
    )


def fountain_frames(payload: bytes) -> tuple[bytes, ...]:
    """As many packets as there are pieces, and as many again that replace any lost ones."""
    if not 0 < len(payload) < _FOUNTAIN_BIT:
        raise InputError(f"{len(payload)} bytes cannot be shown in fountain frames")
    head = (_FOUNTAIN_BIT | len(payload)).to_bytes(4, "big")
    spare = -(-len(payload) // FOUNTAIN_BYTES)
    packets = Encoder.with_defaults(payload, FOUNTAIN_BYTES).get_encoded_packets(spare)
    return tuple(head + bytes(packet) for packet in packets)
