"""What the values of a rules file are made of."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_AMOUNT = re.compile(r"[0-9]{1,28}(?:\.[0-9]{1,18})?")
_NUMBER = re.compile(r"[1-9][0-9]?")


def _decimal_from_text(value: Any) -> Any:
    # TOML floats would already have lost what they stood for, and Decimal takes many spellings
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ValueError('an amount is written as text in plain digits, such as "2500.00"')
    return Decimal(value)


def _numbered(value: Any) -> Any:
    # the keys of a TOML table are text
    if not isinstance(value, Mapping) or not all(_NUMBER.fullmatch(key) for key in value):
        raise ValueError("a table whose keys are numbers is expected")
    return {int(key): each for key, each in value.items()}


Amount = Annotated[Decimal, BeforeValidator(_decimal_from_text), Field(ge=0, allow_inf_nan=False)]
"""An exact amount of a token or of USD."""
PpmValue = Annotated[int, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
MilestoneNumber = Annotated[int, Field(ge=1, le=8)]
Numbered = BeforeValidator(_numbered)
"""For a `dict[int, ...]`."""
