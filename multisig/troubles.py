"""What a failed approval or cancellation means, for the person who sent it. Pure.

Errors are those of `pallet_multisig`, as the runtime names them.
"""

from ibp_chain.accounts import ss58_encode
from ibp_chain.errors import CallFailed, CheckFailed
from ibp_chain.extrinsics import Inclusion
from ibp_chain.networks import Network
from ibp_chain.types import AccountId
from multisig.errors import ApprovalRefused, NextStep, OpenedAnew
from multisig.steps import Point, Step, StepKind

OVERTAKEN = frozenset({"Multisig.NoTimepoint", "Multisig.WrongTimepoint"})
"""Somebody opened the operation, or opened it again, since it was looked at."""
CLOSED = frozenset({"Multisig.UnexpectedTimepoint", "Multisig.NotFound"})
"""It is open no more."""
TOO_LITTLE_WEIGHT = "Multisig.MaxWeightTooLow"
NO_DEPOSIT = frozenset(
    {"Balances.InsufficientBalance", "Balances.LiquidityRestrictions", "ConsumerRemaining"}
)
"""Of who opens an operation: the fee was taken, and what is left is no deposit."""


def overtaken(inclusion: Inclusion) -> str:
    """Of an approval that is tried again."""
    what = (
        "another curator opened the operation first"
        if inclusion.error == "Multisig.NoTimepoint"
        else "the operation was cancelled and opened again"
    )
    return (
        f"{inclusion.error} in block {inclusion.block.number}: {what}. Approving the one that is "
        "open now."
    )


def failed(inclusion: Inclusion, who: AccountId, network: Network) -> CheckFailed:
    """Of a failure that has no closed operation behind it."""
    error, block = inclusion.error, inclusion.block.number
    if error == "Multisig.AlreadyApproved":
        return ApprovalRefused(
            f"{error} in block {block}: {_address(who, network)} approved this call from elsewhere "
            "while this approval was on its way; it counts once, nothing is lost but the fee",
            NextStep.STATUS,
        )
    if error == "Multisig.NoTimepoint":
        return ApprovalRefused(
            f"{error} in block {block}: another curator opened the operation while this approval "
            "was on its way; nothing is lost but the fee, sign again for the one that is open",
            NextStep.STATUS,
        )
    if error in ("Multisig.WrongTimepoint", "Multisig.NotOwner"):
        return ApprovalRefused(
            f"{error} in block {block}: the operation was closed, and another one of the same call "
            "was opened, since it was looked at; nothing was changed",
            NextStep.STATUS,
        )
    if error in NO_DEPOSIT:
        return ApprovalRefused(
            f"{error} in block {block}: who opens an operation has a deposit reserved, and "
            f"{_address(who, network)} has too little left for it; nothing is lost but the fee, "
            "let another curator open it",
            NextStep.STATUS,
        )
    return CallFailed(
        f"the extrinsic failed in block {block}: {error}; it changed nothing but the fee"
    )


def closed(closing: Step | None, until: int, network: Network) -> ApprovalRefused:
    """Of an operation that is open no more; `closing` is its end, looked for up to `until`."""
    if closing is None:
        return ApprovalRefused(
            f"the operation is open no more, and no final block up to {until} says how it ended: "
            "look again",
            NextStep.STATUS,
        )
    by = f"in block {closing.block.number} by {_address(closing.who, network)}"
    match closing.kind:
        case StepKind.EXECUTED:
            return ApprovalRefused(
                f"the call was executed {by}, before this arrived: nothing more is to be signed",
                NextStep.RECONCILE,
            )
        case StepKind.FAILED:
            return ApprovalRefused(
                f"the call was executed {by} and failed inside: {closing.error}; nothing was paid. "
                "Once the reason is gone it can be approved again, from the first signature on",
                NextStep.APPROVE,
            )
        case _:
            return ApprovalRefused(
                f"the operation was cancelled {by}, before this arrived: ask why, and approve "
                "again only if it is to begin anew",
                NextStep.APPROVE,
            )


def ensure_not_executed(closing: Step | None, network: Network) -> None:
    """Before approving again what is open now. Raises `ApprovalRefused`."""
    if closing is not None and closing.kind is StepKind.EXECUTED:
        raise ApprovalRefused(
            f"this call was executed in block {closing.block.number} by "
            f"{_address(closing.who, network)}, and opened again after it: approving it would pay "
            "it again; whoever opened it again should cancel it",
            NextStep.STATUS,
        )


def ensure_meant(inclusion: Inclusion, point: Point | None, closing: Step | None) -> None:
    """After an extrinsic that opened an operation. Raises `OpenedAnew` where it was to approve the
    one of `point`, and where `closing` says that the call had been executed meanwhile.
    """
    at = f"block {inclusion.block.number}, extrinsic {inclusion.extrinsic_index}"
    if point is not None:
        raise OpenedAnew(
            f"THIS OPENED A NEW OPERATION at {at}, where it was to approve the one of "
            f"{point}: cancel it at once, nobody may approve it"
        )
    if closing is not None and closing.kind is StepKind.EXECUTED:
        raise OpenedAnew(
            f"THIS OPENED A SECOND OPERATION at {at}: the same call was executed in block "
            f"{closing.block.number}, while this approval was on its way. Executed again it would "
            "pay again: cancel it at once, nobody may approve it"
        )


def _address(account: AccountId, network: Network) -> str:
    return ss58_encode(account, network.ss58_prefix)
