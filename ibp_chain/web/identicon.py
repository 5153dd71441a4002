"""The picture by which people recognise an account: that of polkadot-js, drawn by ourselves.

A ring of 18 discs around one, on a grey disc. Their colours come from 64 bytes: blake2b-512 of the
account id, minus blake2b-512 of 32 zero bytes, byte by byte. Two of them choose one of seven
schemes, one turns the ring by sixths, one sets the saturation. Source: `@polkadot/ui-shared`,
`icons/polkadot`; checked against it in tests/unit/web/test_identicon.py.
"""

from hashlib import blake2b
from itertools import accumulate
from math import sqrt
from typing import NamedTuple

from ibp_chain.types import AccountId

SIZE = 64
_MIDDLE, _DISC = SIZE / 2, 5.0
_ZERO = blake2b(bytes(32), digest_size=64).digest()
_LIGHTNESS = (53, 15, 35, 75)


class _Scheme(NamedTuple):
    """Which colour of the palette each disc has, and how often the scheme is drawn."""

    colours: tuple[int, ...]
    weight: int


_SCHEMES = (
    _Scheme((0, 28, 0, 0, 28, 0, 0, 28, 0, 0, 28, 0, 0, 28, 0, 0, 28, 0, 1), 1),
    _Scheme((0, 1, 3, 2, 4, 3, 0, 1, 3, 2, 4, 3, 0, 1, 3, 2, 4, 3, 5), 20),
    _Scheme((1, 2, 3, 1, 2, 4, 5, 5, 4, 1, 2, 3, 1, 2, 4, 5, 5, 4, 0), 16),
    _Scheme((0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 3), 32),
    _Scheme((0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6), 32),
    _Scheme((0, 1, 2, 3, 4, 5, 3, 4, 2, 0, 1, 6, 7, 8, 9, 7, 8, 6, 10), 128),
    _Scheme((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 8, 6, 7, 5, 3, 4, 2, 11), 128),
)
_REACHED = tuple(accumulate(scheme.weight for scheme in _SCHEMES))


class Disc(NamedTuple):
    x: float
    y: float
    colour: str


def discs(account: AccountId) -> tuple[Disc, ...]:
    """The 19 discs on a square of `SIZE`; a colour is CSS, or `transparent`."""
    places = zip(_places(), colours(account), strict=True)
    return tuple(Disc(x, y, colour) for (x, y), colour in places)


def colours(account: AccountId) -> tuple[str, ...]:
    """Of the discs, the one in the middle last."""
    whole = blake2b(account, digest_size=64).digest()
    parts = bytes((byte - zero) % 256 for byte, zero in zip(whole, _ZERO, strict=True))
    drawn = int.from_bytes(parts[30:32], "little") % _REACHED[-1]
    scheme = next(s for s, end in zip(_SCHEMES, _REACHED, strict=True) if drawn < end)
    saturation = (parts[29] * 70 // 256 + 26) % 80 + 30
    turn = parts[28] % 6 * 3
    chosen = [scheme.colours[(place + turn) % 18] for place in range(18)] + [scheme.colours[18]]
    return tuple(_colour((parts[at] + at % 28 * 58) % 256, saturation) for at in chosen)


def svg(account: AccountId) -> str:
    """A picture file, without a script and without a style."""
    drawn = "".join(
        f'<circle cx="{x:.3f}" cy="{y:.3f}" r="5" fill="{colour}"/>'
        for x, y, colour in discs(account)
        if colour != "transparent"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}">'
        f'<circle cx="32" cy="32" r="32" fill="#eee"/>{drawn}</svg>'
    )


def _colour(byte: int, saturation: int) -> str:
    if byte == 0:
        return "#444"
    if byte == 255:
        return "transparent"
    return f"hsl({byte % 64 * 360 // 64}, {saturation}%, {_LIGHTNESS[byte // 64]}%)"


def _places() -> tuple[tuple[float, float], ...]:
    """Six spokes of two discs and what lies between them, turned left from the top."""
    middle, far = _MIDDLE, _MIDDLE / 4 * 3
    near, wide, half = far / 2, far * sqrt(3) / 2, far * sqrt(3) / 4
    return (
        (middle, middle - far),
        (middle, middle - near),
        (middle - half, middle - far * 3 / 4),
        (middle - wide, middle - near),
        (middle - half, middle - far / 4),
        (middle - wide, middle),
        (middle - wide, middle + near),
        (middle - half, middle + far / 4),
        (middle - half, middle + far * 3 / 4),
        (middle, middle + far),
        (middle, middle + near),
        (middle + half, middle + far * 3 / 4),
        (middle + wide, middle + near),
        (middle + half, middle + far / 4),
        (middle + wide, middle),
        (middle + wide, middle - near),
        (middle + half, middle - far / 4),
        (middle + half, middle - far * 3 / 4),
        (middle, middle),
    )
