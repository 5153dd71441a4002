"""The bytes that are being decoded, and how far they have been read.

Every length and every tag is checked against what is left: hostile bytes give `DecodeError` with
the offset, never a value that is not there, and never more memory than the input could fill.
"""

from ibp_chain.errors import DecodeError
from ibp_chain.scale.primitives import decode_compact

MAX_DEPTH = 256 + 1
"""`sp_api::MAX_EXTRINSIC_DEPTH`: the runtime decodes no call that nests deeper. It does not count
the outermost one, this does."""


class Input:
    """A cursor over `data`."""

    __slots__ = ("at", "data", "depth")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at, self.depth = data, at, 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self.at + size
        if end > len(self.data):
            raise DecodeError(f"{size} bytes expected, {len(self.data) - self.at} left", self.at)
        raw = self.data[self.at : end]
        self.at = end
        return raw

    def u8(self) -> int:
        if self.at >= len(self.data):
            self.take(1)
        self.at += 1
        return self.data[self.at - 1]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def compact(self) -> int:
        value, self.at = decode_compact(self.data, self.at)
        return value

    def count(self) -> int:
        """The length of a sequence, whose elements take at least a byte each."""
        count, self.at = decode_compact(self.data, self.at)
        if count > len(self.data) - self.at:
            self.ensure_room(count)
        return count

    def ensure_room(self, count: int) -> None:
        """Raises `DecodeError` where `count` elements of a byte at least cannot follow."""
        left = len(self.data) - self.at
        if count > left:
            raise DecodeError(f"{count} elements announced, {left} bytes left", self.at)

    def octets(self) -> bytes:
        """`Vec<u8>`."""
        count, self.at = decode_compact(self.data, self.at)
        start, end = self.at, self.at + count
        if end > len(self.data):
            self.ensure_room(count)
        self.at = end
        return self.data[start:end]

    def text(self) -> str:
        start = self.at
        try:
            return self.octets().decode()
        except UnicodeDecodeError as error:
            raise DecodeError("text is no UTF-8", start) from error

    def flag(self) -> bool:
        """A byte that is 0 or 1: a bool, or the tag of an `Option`."""
        value = self.u8()
        if value > 1:
            raise DecodeError(f"{value:#04x} is neither 0 nor 1", self.at - 1)
        return value == 1

    def descend(self) -> None:
        """Enter a type that may hold itself; `ascend` leaves it."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DecodeError(f"nested deeper than {MAX_DEPTH}", self.at)

    def ascend(self) -> None:
        self.depth -= 1

    def end(self) -> None:
        """Raises `DecodeError` unless all has been read."""
        if self.at != len(self.data):
            raise DecodeError(f"{len(self.data) - self.at} bytes too many", self.at)
