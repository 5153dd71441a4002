"""The lines of a statement: what a member is owed for an item, or why it gets nothing."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from ibp_chain.remark_bodies import Day, Slug
from multisig.documents import Part, PlanckText, Text, UsdText

IAAS = "iaas"
"""The item of what a bill pays."""


def _some_unless_billed(days: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if not days and info.data.get("item") != IAAS:
        raise ValueError(f"a line without days is of the item {IAAS}")
    return days


class Line(Part):
    """What one member is owed."""

    member: Slug
    item: Slug
    payee: Text
    """SS58 of the network."""
    days: Annotated[tuple[Day, ...], Field(strict=False), AfterValidator(_some_unless_billed)]
    """Days served, ascending; the root of each is in the statement's `scores`. None for what a
    bill pays, which has uptimes of its own.
    """
    usd: UsdText
    planck: PlanckText


class Reason(StrEnum):
    """Why a member gets no line. Where several hold, the first of them is given."""

    SUSPENDED = "suspended"
    NO_PAYEE = "no payee"
    PAID = "paid before"
    PENDING = "in an open operation"
    LOCK_FALLS_SHORT = "lock falls short"
    NOT_SERVED = "no day served"


class Withheld(Part):
    """A member that gets nothing this time, and why."""

    member: Slug
    item: Slug
    reason: Annotated[Reason, Field(strict=False)]
    detail: Text
