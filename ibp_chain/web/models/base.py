"""What all answers are made of."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Model(BaseModel):
    """What all answers share: no field more, nothing changed once it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Listed(Model, Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    total: int = Field(description="How many there are in all.")
    offset: int
    limit: int


class Problem(Model):
    """Why a request was not answered."""

    status: int
    detail: str


class Amount(Model):
    """Planck, and the same for people: exact, with its unit."""

    planck: str = Field(pattern=r"^[0-9]+$")
    display: str


class Moment(Model):
    """A block and its own time."""

    block: int
    time: str | None = Field(description="ISO 8601, UTC; null where the ledger has no such block.")


class Estimate(Model):
    """A block of the governance clock, and about when it is due."""

    clock: int
    time: str = Field(description="By the nominal block time: an estimate.")
    past: bool
