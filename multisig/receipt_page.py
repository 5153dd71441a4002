"""A receipt as a page to print: one HTML file without scripts, in which all text is escaped."""

import base64
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ibp_chain.blocks import blake2_256
from ibp_chain.networks import network
from ledger.program.usd import plain
from multisig.documents import printable
from multisig.receipts import Receipt

_STYLE = files("multisig").joinpath("templates/receipt.css").read_text(encoding="utf-8")
POLICY = (
    "default-src 'none'; style-src 'sha256-"
    f"{base64.b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)
"""The page's Content-Security-Policy: its own style and nothing else. It is in the page too."""


def receipt_page(receipt: Receipt, name: str, file: str) -> str:
    """`receipt` for people; `name` is the member's own, `file` where the receipt itself is."""
    chain = network(receipt.network)
    return _ENVIRONMENT.get_template("receipt.html").render(
        receipt=receipt,
        name=printable(name),
        file=file,
        hash=blake2_256(receipt.encoded),
        format=chain.format,
        symbol=chain.symbol,
        price=plain(receipt.statement.price.usd),
        style=Markup(_STYLE),  # noqa: S704 - a file of this package
        policy=Markup(POLICY),  # noqa: S704 - no attribute can end in it
    )


_ENVIRONMENT = Environment(
    loader=PackageLoader("multisig"),
    autoescape=True,
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)
