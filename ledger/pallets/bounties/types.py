"""Bounties as the chain keeps them, and their storage.

Mirrors: `Bounty`, `BountyStatus` and the storage items of `substrate/frame/bounties/src/lib.rs`.
Units: amounts are planck; heights are those of the treasury's clock.
"""

from typing import NamedTuple, NewType, TypeAlias

from ibp_chain.scale import schema
from ibp_chain.scale.schema import Schema, Variant
from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.storage import Hasher, KeyPart, StorageMap, StorageValue

BountyIndex = NewType("BountyIndex", int)
"""A `u32`. Child bounties are counted with it too."""
_INDEX: Schema[BountyIndex] = schema.u32  # type: ignore[assignment]  # a NewType of int


# --- Status -----------------------------------------------------------------------


class Proposed(NamedTuple):
    """Waits for approval."""


class Approved(NamedTuple):
    """Waits for the next spend period."""


class Funded(NamedTuple):
    """Waits for a curator."""


class CuratorProposed(NamedTuple):
    """Waits for the curator to accept."""

    curator: AccountId


class Active(NamedTuple):
    """Waits to be awarded."""

    curator: AccountId
    update_due: RelayBlockNumber
    """Up to and including this block nobody may call the curator inactive."""


class PendingPayout(NamedTuple):
    """Awarded, and waits to be claimed."""

    curator: AccountId
    beneficiary: AccountId
    unlock_at: RelayBlockNumber


class ApprovedWithCurator(NamedTuple):
    """Waits for the next spend period, and then for the curator. Since stable2409."""

    curator: AccountId


BountyStatus: TypeAlias = (
    Proposed | Approved | Funded | CuratorProposed | Active | PendingPayout | ApprovedWithCurator
)


class Bounty(NamedTuple):
    proposer: AccountId
    value: Planck
    """What it pays in all, the fee included."""
    fee: Planck
    """The curator's."""
    curator_deposit: Planck
    bond: Planck
    """The proposer's deposit; kept as a number after it was returned."""
    status: BountyStatus


_CURATOR = {"curator": schema.account}

BOUNTY = schema.struct(
    Bounty,
    proposer=schema.account,
    value=schema.u128,
    fee=schema.u128,
    curator_deposit=schema.u128,
    bond=schema.u128,
    status=schema.union(
        Variant(0, Proposed, schema.struct(Proposed)),
        Variant(1, Approved, schema.struct(Approved)),
        Variant(2, Funded, schema.struct(Funded)),
        Variant(3, CuratorProposed, schema.struct(CuratorProposed, **_CURATOR)),
        Variant(4, Active, schema.struct(Active, **_CURATOR, update_due=schema.u32)),
        Variant(
            5,
            PendingPayout,
            schema.struct(
                PendingPayout, **_CURATOR, beneficiary=schema.account, unlock_at=schema.u32
            ),
        ),
        Variant(6, ApprovedWithCurator, schema.struct(ApprovedWithCurator, **_CURATOR)),
    ),
)


# --- Storage ----------------------------------------------------------------------


class Storage:
    def __init__(self) -> None:
        index = KeyPart(Hasher.TWOX_64_CONCAT, schema.u32)
        self.bounty_count: StorageValue[int] = StorageValue(
            "Bounties", "BountyCount", schema.u32, default=int
        )
        self.bounties: StorageMap[BountyIndex, Bounty] = StorageMap(
            "Bounties", "Bounties", (index,), BOUNTY
        )
        self.bounty_descriptions: StorageMap[BountyIndex, bytes] = StorageMap(
            "Bounties", "BountyDescriptions", (index,), schema.octets
        )
        self.bounty_approvals: StorageValue[tuple[BountyIndex, ...]] = StorageValue(
            "Bounties", "BountyApprovals", schema.vec(_INDEX), default=tuple
        )
