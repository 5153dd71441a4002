"""multistream-select 1.0.0, the dialler's half up to the offer of noise.

A message is an unsigned varint length, the text, a newline (the length counts it). Source: the
multistream-select specification of libp2p.
"""

from typing import Protocol

from oracles.probes.outcomes import Fault, Reason
from oracles.probes.timing import Clock

HEADER = "/multistream/1.0.0"
NOISE = "/noise"
NOT_AVAILABLE = "na"
_UNHEARD_OF = "/ibp-oracle/round-trip/1"
"""Nobody speaks it: "na" comes back at once, which is a round trip."""
_MAX_MESSAGE = 1_024
"""Bytes; a protocol's name is far shorter."""


class Stream(Protocol):
    """Bytes there and back."""

    async def write(self, data: bytes) -> None: ...

    async def read(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises `EOFError` or `OSError`."""


def encode(text: str) -> bytes:
    """One message; texts of this module are shorter than two bytes of length can say."""
    body = text.encode() + b"\n"
    assert len(body) < 128
    return bytes([len(body)]) + body


async def read_message(stream: Stream) -> str:
    """Raises `Fault` for what is no message."""
    length = shift = 0
    while True:
        (byte,) = await stream.read(1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
        if shift > 14:
            raise Fault(Reason.MALFORMED, "no multistream-select: a message without end")
    if not 1 <= length <= _MAX_MESSAGE:
        raise Fault(Reason.MALFORMED, f"no multistream-select: a message of {length} bytes")
    body = await stream.read(length)
    if body[-1:] != b"\n":
        raise Fault(Reason.MALFORMED, f"no multistream-select: {body[:32]!r} has no newline")
    return body[:-1].decode("ascii", "backslashreplace")


class Negotiation:
    """One dialler's talk on one stream."""

    def __init__(self, stream: Stream, clock: Clock) -> None:
        self._stream, self._clock = stream, clock

    async def begin(self) -> None:
        """Both say which protocol this is. Raises `Fault`."""
        await self._stream.write(encode(HEADER))
        if (told := await read_message(self._stream)) != HEADER:
            raise Fault(Reason.MALFORMED, f"speaks {told!r}, not {HEADER}")

    async def round_trip(self) -> int:
        """Nanoseconds of one answer that needs no work. Raises `Fault`."""
        start = self._clock()
        await self._stream.write(encode(_UNHEARD_OF))
        told = await read_message(self._stream)
        took = self._clock() - start
        if told != NOT_AVAILABLE:
            raise Fault(Reason.MALFORMED, f"answered {told!r} to a protocol that does not exist")
        return took

    async def offer_noise(self) -> int:
        """Nanoseconds until noise is agreed on. Raises `Fault`."""
        start = self._clock()
        await self._stream.write(encode(NOISE))
        told = await read_message(self._stream)
        took = self._clock() - start
        if told != NOISE:
            raise Fault(Reason.NO_NOISE, f"answered {told!r} to {NOISE}")
        return took
