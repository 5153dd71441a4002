"""QR codes of frames: for a terminal, as PNG, as SVG, and all frames in one SVG that moves.

Each code is one segment in byte mode, which is what Vault cuts the payload out of.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import segno

from ibp_chain.errors import InputError

_BORDER = 4
"""Light modules around a code; scanners need them."""
_CORRECTION = "m"
_WHITE_ON_BLACK, _PLAIN = "\x1b[97;40m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Code:
    """One frame as a QR code."""

    frame: bytes
    symbol: segno.QRCode

    @property
    def version(self) -> int:
        """Of the QR code, 1 to 40."""
        return int(self.symbol.version)

    @property
    def modules(self) -> int:
        """In a row, without the border."""
        return int(self.symbol.symbol_size(border=0)[0])

    def terminal(self, *, coloured: bool) -> str:
        """Two rows of modules in each line; black on white whatever the terminal's own colours,
        where it is `coloured`. Without, only a dark terminal shows it as scanners want it.
        """
        out = io.StringIO()
        self.symbol.terminal(out, border=_BORDER, compact=True)
        if not coloured:
            return out.getvalue()
        lines = out.getvalue().splitlines()
        return "".join(f"{_WHITE_ON_BLACK}{line}{_PLAIN}\n" for line in lines)

    def png(self, scale: int = 6) -> bytes:
        """`scale` pixels for each module."""
        return self._saved("png", scale=scale)

    def svg(self, scale: int = 6) -> bytes:
        return self._saved("svg", scale=scale, light="#fff")

    def path(self) -> str:
        """Of an SVG in units of one module, the border included."""
        out = io.BytesIO()
        self.symbol.save(out, kind="svg", border=_BORDER, xmldecl=False, nl=False, svgns=False)
        text = out.getvalue().decode()
        start = text.index("<path ")
        return text[start : text.index("/>", start) + 2]

    def _saved(self, kind: str, **options: int | str) -> bytes:
        out = io.BytesIO()
        self.symbol.save(out, kind=kind, border=_BORDER, **options)
        return out.getvalue()


def code(frame: bytes) -> Code:
    """Raises `InputError` for more bytes than a QR code holds."""
    try:
        symbol = segno.make(frame, mode="byte", error=_CORRECTION, boost_error=False, micro=False)
    except segno.DataOverflowError as error:
        raise InputError(
            f"a frame of {len(frame)} bytes fits into no QR code: choose smaller frames"
        ) from error
    return Code(frame, symbol)


def moving_svg(codes: Sequence[Code], milliseconds: int = 300, scale: int = 6) -> bytes:
    """All codes, one after the other, again and again, as browsers show it."""
    side = max(one.modules for one in codes) + 2 * _BORDER
    seconds = f"{milliseconds * len(codes) / 1000:g}s"
    shown = []
    for at, one in enumerate(codes):
        values = ";".join("inline" if other == at else "none" for other in range(len(codes)))
        shown.append(
            f'<g display="none">{one.path()}<animate attributeName="display" values="{values}" '
            f'dur="{seconds}" calcMode="discrete" repeatCount="indefinite"/></g>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side * scale}" height="{side * scale}" '
        f'viewBox="0 0 {side} {side}"><path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f"{''.join(shown)}</svg>\n"
    ).encode()
