"""Bytes in one zstd frame, unpacked within a bound."""

import zstandard

_DESCRIPTOR_AT, _UNUSED_BIT = 4, 0x10
"""RFC 8878, 3.1.1.1.1: decoders overlook that bit, so that a change of it shows nowhere else."""


class PackedError(ValueError):
    """Not one whole zstd frame that says its size, or one above the bound."""


def pack(raw: bytes) -> bytes:
    """One frame that says its size."""
    return zstandard.ZstdCompressor(level=19).compress(raw)


def unpack(packed: bytes, limit: int) -> bytes:
    """What the frame holds, at most `limit` bytes. Raises `PackedError`.

    The size that it says is believed up to `limit` only: a damaged one must not reserve memory.
    """
    try:
        frame = zstandard.get_frame_parameters(packed)
        if frame.content_size > limit:
            raise PackedError(f"says that it holds {frame.content_size} bytes")
        if packed[_DESCRIPTOR_AT] & _UNUSED_BIT:
            raise PackedError("the frame's unused bit is set")
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        raw = decompressor.decompress(packed)
    except zstandard.ZstdError as error:
        raise PackedError(str(error)) from error
    if not decompressor.eof or decompressor.unused_data:
        raise PackedError("not one whole frame")
    return raw
