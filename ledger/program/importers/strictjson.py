"""The programme's JSON files, read without losing a digit and without overlooking anything.

Numbers become `int` and `Decimal`, never float. A key that stands twice in an object is refused:
which of the two counts would depend on the reader.
"""

import json
import re
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from ibp_chain.errors import ConfigError
from ibp_chain.validation import first_problem

MAX_FILE_BYTES = 8 * 2**20
_MAX_DIGITS, _MAX_SCALE = 28, 18
# A fixed list: `str.isprintable` depends on Python's edition of Unicode, and bills must not.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f]"
)
T = TypeVar("T")


class Entry(BaseModel):
    """An object of which we read some fields, and let the programme have others beside them."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


def _exact(value: Any) -> Any:
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise ValueError("a number is expected")  # noqa: TRY004  # pydantic lets others pass
    sign, digits, exponent = value.as_tuple()
    if sign:
        raise ValueError("it is below zero")
    if not isinstance(exponent, int) or -exponent > _MAX_SCALE:
        raise ValueError(f"more than {_MAX_SCALE} decimals")
    if len(digits) + max(exponent, 0) > _MAX_DIGITS:
        raise ValueError(f"more than {_MAX_DIGITS} digits")
    return value


def _trimmed(value: str) -> str:
    if not (trimmed := value.strip()):
        raise ValueError("it is empty")
    if _UNPRINTABLE.search(trimmed):
        raise ValueError("it holds characters that do not print")
    return trimmed


Number = Annotated[Decimal, BeforeValidator(_exact)]
"""A JSON number of nothing or more, as it is written."""
Name = Annotated[str, Field(max_length=128), AfterValidator(_trimmed)]
Flag = Annotated[int, Field(ge=0, le=1)]


def parse_json(raw: bytes, where: str) -> Any:
    """Raises `ConfigError` naming `where` for what is no JSON, and for a key that stands twice."""
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{where}: longer than {MAX_FILE_BYTES} bytes")
    try:
        return json.loads(
            raw, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise ConfigError(f"{where}: no JSON: {error}") from error


def read(form: TypeAdapter[T], raw: bytes, where: str) -> T:
    """`raw` as `form` has it. Raises `ConfigError` naming `where` and the field."""
    try:
        return form.validate_python(parse_json(raw, where))
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_problem(error)}") from error


def folded(name: str) -> str:
    """How the programme's software compares names: without case, without blanks around."""
    return name.strip().lower()


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} stands there twice")
        found[key] = value
    return found
