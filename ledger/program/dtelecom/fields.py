"""What the values of dTelecom's rules are made of."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ibp_chain.validation import Strict
from ledger.program.fields import Amount

Share = Annotated[Amount, Field(le=1)]
Percent = Annotated[Amount, Field(le=100)]
PositiveAmount = Annotated[Amount, Field(gt=0)]
Times = Annotated[Amount, Field(le=100)]
"""A factor; the bound only catches a slip of the pen."""
Month = Annotated[int, Field(ge=1)]
"""Of the programme, from 1."""


class Range(Strict):
    """From `low` to `high`, both included."""

    low: Amount
    high: Amount

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class ShareRange(Range):
    low: Share
    high: Share
