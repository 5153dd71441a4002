"""Open operations as the chain keeps them, the record of what became of each, and the events.

Mirrors: `substrate/frame/multisig/src/lib.rs`. The record, `Operations.Operations`, is our own.
Units: deposits are planck; timepoints count local blocks, on Asset Hub too.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from ibp_chain.scale import schema
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.storage import Hasher, KeyPart, StorageMap


@dataclass(frozen=True, slots=True)
class Timepoint:
    """Block and extrinsic that opened an operation."""

    height: BlockNumber
    index: int


class Multisig(NamedTuple):
    """An open operation as on chain: no threshold, no call."""

    when: Timepoint
    deposit: Planck
    depositor: AccountId
    approvals: tuple[AccountId, ...]
    """Sorted."""


class Position(NamedTuple):
    """Where something happened."""

    block: BlockNumber
    extrinsic: int | None
    """None in hooks."""


class Approval(NamedTuple):
    who: AccountId
    at: Position | None
    """None where it was given before our first block."""


class Status(IntEnum):
    OPEN = 0
    EXECUTED = 1
    CANCELLED = 2
    MIGRATED = 3
    """The Asset Hub Migration released the deposit and forgot the approvals."""


class Closing(NamedTuple):
    """The end of an operation."""

    by: AccountId
    """Who executed or cancelled; an approver only if also among the approvals."""
    at: Position
    error: str | None
    """Of the executed call, `Pallet.Error`; None where it was Ok, or for a cancelled operation."""


class Operation(NamedTuple):
    """What we know of an operation, also after the chain has forgotten it."""

    status: Status
    threshold: int
    signatories: tuple[AccountId, ...]
    """All of them, sorted."""
    depositor: AccountId
    deposit: Planck
    approvals: tuple[Approval, ...]
    """In the order in which they were given, the depositor's first."""
    call: bytes | None
    """The call's SCALE bytes, once anybody has submitted them."""
    closing: Closing | None


OperationKey: TypeAlias = tuple[AccountId, Hash, BlockNumber, int, int]
"""Multisig, call hash, timepoint's height and index, and a count: one extrinsic can open, cancel
and open the same operation again."""

_TIMEPOINT = schema.struct(Timepoint, height=schema.u32, index=schema.u32)
_POSITION = schema.struct(Position, block=schema.u32, extrinsic=schema.option(schema.u32))


# --- Storage ----------------------------------------------------------------------


class Storage:
    def __init__(self) -> None:
        self.multisigs: StorageMap[tuple[AccountId, Hash], Multisig] = StorageMap(
            "Multisig",
            "Multisigs",
            (
                KeyPart(Hasher.TWOX_64_CONCAT, schema.account),
                KeyPart(Hasher.BLAKE2_128_CONCAT, schema.hash256),
            ),
            schema.struct(
                Multisig,
                when=_TIMEPOINT,
                deposit=schema.u128,
                depositor=schema.account,
                approvals=schema.vec(schema.account),
            ),
        )
        number = KeyPart(Hasher.IDENTITY, schema.u32)
        self.operations: StorageMap[OperationKey, Operation] = StorageMap(
            "Operations",
            "Operations",
            (
                KeyPart(Hasher.TWOX_64_CONCAT, schema.account),
                KeyPart(Hasher.IDENTITY, schema.hash256),
                number,
                number,
                number,
            ),
            schema.struct(
                Operation,
                status=schema.enum(Status),
                threshold=schema.u16,
                signatories=schema.vec(schema.account),
                depositor=schema.account,
                deposit=schema.u128,
                approvals=schema.vec(
                    schema.struct(Approval, who=schema.account, at=schema.option(_POSITION))
                ),
                call=schema.option(schema.octets),
                closing=schema.option(
                    schema.struct(
                        Closing,
                        by=schema.account,
                        at=_POSITION,
                        error=schema.option(schema.text),
                    )
                ),
            ),
        )


# --- Events -----------------------------------------------------------------------


class NewMultisig(NamedTuple):
    approving: AccountId
    multisig: AccountId
    call_hash: Hash


class MultisigApproval(NamedTuple):
    approving: AccountId
    timepoint: Timepoint
    multisig: AccountId
    call_hash: Hash


class MultisigExecuted(NamedTuple):
    """Without the result, which is the call's and not ours to predict."""

    approving: AccountId
    timepoint: Timepoint
    multisig: AccountId
    call_hash: Hash


class MultisigCancelled(NamedTuple):
    cancelling: AccountId
    timepoint: Timepoint
    multisig: AccountId
    call_hash: Hash


class DepositPoked(NamedTuple):
    who: AccountId
    call_hash: Hash
    old_deposit: Planck
    new_deposit: Planck


Event: TypeAlias = (
    NewMultisig | MultisigApproval | MultisigExecuted | MultisigCancelled | DepositPoked
)
