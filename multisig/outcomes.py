"""What became of an approval or a cancellation, by the events of its extrinsic. Pure."""

from dataclasses import dataclass

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import CallFailed
from ibp_chain.extrinsics import Inclusion
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Planck
from multisig.runs import DEPOSIT_RETURNED


@dataclass(frozen=True, slots=True)
class Approval:
    """A finalised approval, and what it led to."""

    inclusion: Inclusion
    executed: bool
    """Whether it completed the threshold, so that the call was dispatched."""
    error: str | None
    """Of the dispatched call, `Pallet.Error`: nothing was moved. None for success."""

    def __str__(self) -> str:
        block = self.inclusion.block.number
        if not self.executed:
            return f"Approved in block {block}; more signatures are needed"
        if self.error is None:
            return f"Approved and executed in block {block}"
        return f"executed in block {block} and failed inside: {self.error}; nothing was paid"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A finalised cancellation."""

    inclusion: Inclusion
    returned: Planck
    """To the depositor, as the chain's own event says."""


def approval_of(inclusion: Inclusion, executed: EventRecord | None, runtime: Runtime) -> Approval:
    """`executed` is the operation's own `MultisigExecuted`, where there is one.

    Raises `CallFailed` for one with neither a result nor an error.
    """
    if executed is None:
        return Approval(inclusion, executed=False, error=None)
    match executed.args["result"]:
        case ("Ok", _):
            return Approval(inclusion, executed=True, error=None)
        case ("Err", error):
            return Approval(inclusion, executed=True, error=str(runtime.error_name(error)))
    raise CallFailed("a MultisigExecuted event has neither a result nor an error")


def returned(events: tuple[EventRecord, ...], depositor: AccountId) -> Planck:
    """What came back to `depositor` of a deposit, by the events of one extrinsic."""
    return Planck(
        sum(
            event.args["amount"]
            for event in events
            if event.pallet == "Balances"
            and event.name in DEPOSIT_RETURNED
            and event.args["who"] == depositor
        )
    )
