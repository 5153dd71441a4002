"""The forms of what a request may name: bounded, and refused with 422 where they are another."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, Field

from ibp_chain.types import BlockNumber, Hash
from ibp_chain.web.queries.listing import DEFAULT_LIMIT, MAX_LIMIT
from ledger.pallets.payouts import BatchKey

MAX_BLOCK = 2**32 - 1


def _since_1970(value: date) -> date:
    if value.year < 1970:
        raise ValueError("days are counted from 1970-01-01")
    return value


MemberId = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="The member's id in remarks.")
]
DayOf = Annotated[date, Path(description="A UTC day."), AfterValidator(_since_1970)]
CallHashText = Annotated[str, Path(pattern=r"^0x[0-9a-f]{64}$", description="Of a bundle's call.")]
BATCH = r"^[0-9]{1,10}-[0-9]{1,5}$"
BatchName = Annotated[str, Path(pattern=BATCH, description="Block and place in it.")]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Text = Annotated[str, Query(max_length=64, description="In id, name or region.")]
Block = Annotated[int, Field(ge=1, le=MAX_BLOCK)]
SERVICE = r"^[a-z0-9][a-z0-9-]{0,63}$"
EMPTY_OR_SLUG = r"^([a-z0-9][a-z0-9-]{0,63})?$"

__all__ = ["DEFAULT_LIMIT", "MAX_LIMIT"]


def hash_of(text: str) -> Hash:
    """Of text that `CallHashText` took."""
    return Hash(bytes.fromhex(text[2:]))


def batch_key(name: str) -> BatchKey:
    """Of text that `BatchName` took."""
    block, _, place = name.partition("-")
    return BlockNumber(int(block)), int(place)
