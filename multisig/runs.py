"""What came back from a dry run or a fork, read and not yet judged.

Pure: events and balances have been decoded by whoever asked. Nothing that a chain could answer is
an exception here; what is missing is None, or an error in words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ibp_chain.blocks import BlockRef
from ibp_chain.types import AccountId, BlockNumber, Planck, SpecVersion
from multisig.effects import Event
from multisig.operations import OpenOperation

_RESERVED = frozenset({"Reserved", "Held"})
DEPOSIT_RETURNED = frozenset({"Unreserved", "Released"})
"""Events of `Balances` by which a deposit goes back: of a reserve, or of a hold."""
_APPROVALS = frozenset({"NewMultisig", "MultisigApproval", "MultisigExecuted"})
_NO_OUTCOME = "its events say neither that it succeeded nor that it failed"


class Balance(NamedTuple):
    """`System.Account`'s, in planck; an account that is not there has nothing."""

    free: int
    reserved: int

    @property
    def total(self) -> int:
        return self.free + self.reserved


@dataclass(frozen=True, slots=True)
class DryRun:
    """What `DryRunApi` answers."""

    at: BlockRef
    spec_version: SpecVersion
    error: str | None
    """Of the call, `Pallet.Error`; or what the API itself could not do."""
    events: tuple[Event, ...] = ()
    messages: int = 0
    """Cross-chain messages that the call would send."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One curator's `as_multi`, and what became of it."""

    signer: AccountId
    block: BlockNumber
    error: str | None
    """Of the extrinsic, or why the runtime refused it: nobody after it can sign then."""
    outcome: str | None = None
    """The multisig's own event: `NewMultisig`, `MultisigApproval` or `MultisigExecuted`."""
    fee: Planck | None = None
    """That the signer paid; None where no event says."""
    reserved: Planck | None = None
    """Of the signer, for opening the operation; None where it was not."""
    returned: tuple[AccountId, Planck] | None = None
    """To whom the deposit went back, and how much of it."""
    inner_error: str | None = None
    """Of the bundle's call, where it was dispatched: nothing was paid."""
    inner: tuple[Event, ...] = ()
    """Of the bundle's call alone."""

    @property
    def executed(self) -> bool:
        return self.outcome == "MultisigExecuted"


@dataclass(frozen=True, slots=True)
class Path:
    """The signatures that were missing, made on a fork."""

    at: BlockRef
    """The block that was forked."""
    spec_version: SpecVersion
    operation: OpenOperation | None
    """That was open before; its approvals count."""
    steps: tuple[PathStep, ...]
    before: Mapping[AccountId, Balance]
    after: Mapping[AccountId, Balance]
    still_open: OpenOperation | None
    """The operation as it is at the end; None once it was executed."""


def read_step(
    signer: AccountId,
    block: BlockNumber,
    events: Sequence[Event],
    error_name: Callable[[Any], str],
) -> PathStep:
    """What the events of one `as_multi` say. `error_name` is `Runtime.error_name`."""
    # the last: a call that is executed may itself be about multisigs
    place = next((at for at in range(len(events))[::-1] if _is_approval(events[at])), None)
    outcome = None if place is None else events[place]
    first, returned = _head(signer, events)
    inner: tuple[Event, ...] = ()
    inner_error = None
    if outcome is not None and outcome.name == "MultisigExecuted":
        inner = tuple(events[first:place])
        match outcome.args["result"]:
            case ("Ok", _):
                pass
            case ("Err", error):
                inner_error = error_name(error)
            case other:
                inner_error = f"unreadable result {other!r}"
    else:
        returned = None
    return PathStep(
        signer=signer,
        block=block,
        error=_extrinsic_error(events, error_name),
        outcome=None if outcome is None else outcome.name,
        fee=_fee(signer, events),
        reserved=_reserved(signer, events),
        returned=returned,
        inner_error=inner_error,
        inner=inner,
    )


# --- Internals ------------------------------------------------------------------------


def _head(
    signer: AccountId, events: Sequence[Event]
) -> tuple[int, tuple[AccountId, Planck] | None]:
    """Where the dispatched call's own events begin, behind the fee's and the deposit's, which
    `pallet_multisig` returns before it dispatches.
    """
    at = 0
    if events and _is_balances(events[0], {"Withdraw"}) and events[0].args["who"] == signer:
        at = 1
    if len(events) > at and _is_balances(events[at], DEPOSIT_RETURNED):
        args = events[at].args
        return at + 1, (AccountId(args["who"]), Planck(args["amount"]))
    return at, None


def _extrinsic_error(events: Sequence[Event], error_name: Callable[[Any], str]) -> str | None:
    match events:
        case [*_, Event("System", "ExtrinsicSuccess")]:
            return None
        case [*_, Event("System", "ExtrinsicFailed", args)]:
            return error_name(args["dispatch_error"])
        case _:
            return _NO_OUTCOME


def _fee(signer: AccountId, events: Sequence[Event]) -> Planck | None:
    for event in events:
        if (event.pallet, event.name) == ("TransactionPayment", "TransactionFeePaid"):
            return Planck(event.args["actual_fee"]) if event.args["who"] == signer else None
    return None


def _reserved(signer: AccountId, events: Sequence[Event]) -> Planck | None:
    for event in events:
        if _is_balances(event, _RESERVED) and event.args["who"] == signer:
            return Planck(event.args["amount"])
    return None


def _is_balances(event: Event, names: frozenset[str] | set[str]) -> bool:
    return event.pallet == "Balances" and event.name in names


def _is_approval(event: Event) -> bool:
    return event.pallet == "Multisig" and event.name in _APPROVALS
