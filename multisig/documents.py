"""Statements and bundles as files: one canonical JSON form each, written whole, read strictly."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
)

from ibp_chain.errors import ConfigError, RemarkError
from ibp_chain.files import write_whole
from ibp_chain.remarks import canonical_json, read_canonical
from ibp_chain.types import Planck
from ibp_chain.validation import Strict, first_problem
from multisig.errors import DocumentError

FROM_FILE = "from a file"
"""Context of a validation of what was read, and not of what was made here."""
MAX_BYTES = 4 * 2**20
MAX_PLANCK = 2**128 - 1
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,27})(?:\.[0-9]{1,18})?")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,38}")
# A fixed list: `str.isprintable` depends on Python's edition of Unicode, and documents must not.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f]"
)


class Part(Strict):
    """What every part of a document shares: no unknown field, no conversion, no change."""


class Document(Part):
    """A whole file."""

    @property
    def encoded(self) -> bytes:
        """The one form in which it is written and hashed: RFC 8785."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True))


D = TypeVar("D", bound=Document)


def _decimal(value: Any) -> Any:
    if isinstance(value, Decimal):
        value = _plain(value)
    # one spelling only: Decimal itself also takes 1E+3, 1_000, and digits of other scripts
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValueError('a decimal is written as text in plain digits, such as "2.15"')
    return Decimal(value)


def _plain(value: Decimal) -> str:
    """Without the exponent that `str` gives to small numbers; large ones keep theirs."""
    return f"{value:f}" if value.is_finite() and abs(value) < 1 else str(value)


def _printable(value: str) -> str:
    # curators read these on a terminal, where an escape sequence could rewrite what they sign
    if _UNPRINTABLE.search(value):
        raise ValueError("it holds characters that do not print")
    return value


def _planck(value: Any) -> Any:
    """JSON integers end at 2**53, so amounts are text."""
    if type(value) is int:
        return value
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError("an amount is written as text of digits")
    return int(value)


def _octets(value: Any) -> Any:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"0x(?:[0-9a-f]{2})*", value):
        raise ValueError("0x and lower-case hex digits are expected")
    return bytes.fromhex(value[2:])


Text = Annotated[str, AfterValidator(_printable)]
"""Text that people read: no control or formatting characters."""
PriceText = Annotated[Decimal, BeforeValidator(_decimal), Field(gt=0), PlainSerializer(_plain)]
UsdText = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0), PlainSerializer(_plain)]
PlanckText = Annotated[
    Planck, BeforeValidator(_planck), Field(ge=0, le=MAX_PLANCK), PlainSerializer(str)
]
Octets = Annotated[
    bytes, BeforeValidator(_octets), PlainSerializer(lambda value: "0x" + value.hex())
]


def printable(text: str) -> str:
    """`text` with U+FFFD for each control or formatting character."""
    return _UNPRINTABLE.sub("\ufffd", text)


def write_file(path: Path, data: bytes) -> None:
    """Write a document, whole or not at all. Raises `ConfigError`."""
    try:
        write_whole(path, data + b"\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def read_file(path: Path, form: type[D]) -> D:
    """The document in `path`. Raises `DocumentError` for anything but canonical JSON of `form`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise DocumentError(f"{path}: longer than {MAX_BYTES} bytes")
    try:
        return parse(data.removesuffix(b"\n"), form)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error


def parse(data: bytes, form: type[D]) -> D:
    """The document that `data` is. Raises `DocumentError`."""
    name = form.__name__.lower()
    try:
        value = read_canonical(data, name)
        document = form.model_validate(value, context=FROM_FILE)
    except RemarkError as error:
        raise DocumentError(str(error)) from error
    except ValidationError as error:
        raise DocumentError(f"no {name}: {first_problem(error)}") from error
    if document.encoded != data:
        raise DocumentError("a value is not in its one form")
    return document
