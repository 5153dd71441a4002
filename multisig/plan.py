"""How a statement is paid: the kind of batch, and what a rebuilt call depends on besides it.

Part of a bundle, so that every curator rebuilds the same bytes. A bundle without one is paid by
plain transfers, whole, with nothing overridden.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from ibp_chain.errors import InputError
from ibp_chain.remark_bodies import Count
from ibp_chain.runtime import Runtime
from multisig.checks import OVERRIDABLE, Check
from multisig.documents import Part
from multisig.errors import BatchRefused


class Kind(StrEnum):
    TRANSFERS = "transfers"
    """`Balances.transfer_keep_alive` out of the multisig."""
    CHILD_BOUNTIES = "child-bounties"
    """Child bounties of a bounty that the multisig is curator of."""
    CHILD_CLAIMS = "child-claims"
    """The claims of child bounties that an earlier batch awarded."""
    TREASURY_SPEND = "treasury-spend"
    """Straight out of the treasury: no multisig can."""


def _overridable(value: tuple[Check, ...]) -> tuple[Check, ...]:
    for check in value:
        if check not in OVERRIDABLE:
            raise ValueError(f"{check} cannot be overridden")
    if list(value) != sorted(set(value)):
        raise ValueError("overridden checks are in alphabetical order, each once")
    return value


class PlanPart(Part):
    """How this call pays its lines."""

    kind: Annotated[Kind, Field(strict=False)] = Kind.TRANSFERS
    parent: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """The bounty that child bounties are of."""
    children: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)] | None = None
    """Of each line of this part: the number that its child bounty will have, or has."""
    lines_per_part: Annotated[int, Field(ge=1, lt=2**32)] | None = None
    """The most lines in a part, where a block takes fewer than a remark."""
    allowed: (
        Annotated[
            tuple[Annotated[Check, Field(strict=False)], ...],
            Field(strict=False, min_length=1),
            AfterValidator(_overridable),
        ]
        | None
    ) = None
    """Checks that whoever built it has overridden, in alphabetical order."""


PLAIN = PlanPart()


def ensure_payable(plan: PlanPart, runtime: Runtime) -> None:
    """Raises `BatchRefused` for a kind that `runtime` lacks, that needs an origin which no multisig
    has, or whose payments the ledger does not recognise; `InputError` for one without its bounty.
    """
    match plan.kind:
        case Kind.TRANSFERS:
            if plan.parent is not None or plan.children is not None:
                raise InputError("transfers are of no bounty: leave the parent bounty out")
        case Kind.CHILD_BOUNTIES | Kind.CHILD_CLAIMS:
            if not runtime.has_call("ChildBounties", "add_child_bounty"):
                raise BatchRefused(
                    [f"{plan.kind}: spec version {runtime.spec_version} has no ChildBounties"]
                )
            if plan.kind is Kind.CHILD_BOUNTIES and plan.parent is None:
                raise InputError("child bounties need the bounty that they are of: --bounty N")
        case Kind.TREASURY_SPEND:
            raise BatchRefused([*_unspendable(runtime)])


def _unspendable(runtime: Runtime) -> list[str]:
    """What is wrong about each call of the treasury that could pay a line."""
    problems = {
        "spend_local": "needs root or a spender's origin, which a referendum has and no multisig",
        "spend": "needs root or a spender's origin, which a referendum has and no multisig",
        "propose_spend": "only asks; who approves it is no multisig",
        "payout": "is not recognised by the ledger yet: it could not tell whom it paid",
    }
    return [
        f"treasury-spend: Treasury.{name} {why}"
        for name, why in problems.items()
        if runtime.has_call("Treasury", name)
    ] + ["treasury-spend: fund the multisig or its bounty by a referendum, and pay from there"]
