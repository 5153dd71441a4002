"""Compact integers and the few fixed shapes that are needed without any metadata.

Source: the SCALE reference (parity-scale-codec), `Compact<T>` in its four modes.
"""

from ibp_chain.errors import DecodeError

COMPACT_MAX = 2**536 - 1


def encode_compact(value: int) -> bytes:
    """`value` in the shortest of the four compact modes. Raises `ValueError` out of range."""
    if value < 0 or value > COMPACT_MAX:
        raise ValueError(f"{value} has no compact encoding")
    if value < 1 << 6:
        return bytes((value << 2,))
    if value < 1 << 14:
        return (value << 2 | 1).to_bytes(2, "little")
    if value < 1 << 30:
        return (value << 2 | 2).to_bytes(4, "little")
    raw = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return bytes(((len(raw) - 4) << 2 | 3,)) + raw


def decode_compact(data: bytes, offset: int = 0) -> tuple[int, int]:
    """The compact integer at `offset` and the offset behind it.

    Refuses encodings longer than needed, as parity-scale-codec does. Raises `DecodeError`.
    """
    if offset + 1 < len(data):  # the two short modes at once: nearly all there are
        first = data[offset]
        if not first & 3:
            return first >> 2, offset + 1
        if first & 3 == 1 and data[offset + 1]:
            return (first | data[offset + 1] << 8) >> 2, offset + 2
    return _decode_any_compact(data, offset)


def _decode_any_compact(data: bytes, offset: int) -> tuple[int, int]:
    if offset >= len(data):
        raise DecodeError("compact integer expected, input ends", offset)
    mode = data[offset] & 3
    size = (1, 2, 4, (data[offset] >> 2) + 5)[mode]
    end = offset + size
    if end > len(data):
        raise DecodeError(f"compact integer of {size} bytes, input ends", offset)
    if mode == 3:
        value = int.from_bytes(data[offset + 1 : end], "little")
        least = 1 << 30 if size == 5 else 1 << 8 * (size - 2)
    else:
        value = int.from_bytes(data[offset:end], "little") >> 2
        least = (0, 1 << 6, 1 << 14)[mode]
    if value < least:
        raise DecodeError(f"compact integer {value} is not in its shortest form", offset)
    return value, end
