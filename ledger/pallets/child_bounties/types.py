"""Child bounties as the chain keeps them, and their storage.

Mirrors: `ChildBounty`, `ChildBountyStatus` and the storage items of
`substrate/frame/child-bounties/src/lib.rs`. Units: amounts are planck.

Until release 1.5 children were counted over all bounties, since then for each parent (#6255): a
child's number alone says nothing. Each generation has its own count and its own descriptions.
Left out: `V0ToV1ChildBountyIds`, which the migration between them wrote and nothing reads.
"""

from functools import partial
from typing import NamedTuple, TypeAlias

from ibp_chain.scale import schema
from ibp_chain.scale.schema import Schema, Variant
from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.pallets.bounties.types import BountyIndex
from ledger.storage import Hasher, KeyPart, StorageMap, StorageValue

# --- Status -----------------------------------------------------------------------


class Added(NamedTuple):
    """Waits for a curator."""


class CuratorProposed(NamedTuple):
    """Waits for the curator to accept."""

    curator: AccountId


class Active(NamedTuple):
    """Waits to be awarded."""

    curator: AccountId


class PendingPayout(NamedTuple):
    """Awarded, and waits to be claimed."""

    curator: AccountId
    """Who awarded it: the child's curator or the parent's."""
    beneficiary: AccountId
    unlock_at: RelayBlockNumber


ChildBountyStatus: TypeAlias = Added | CuratorProposed | Active | PendingPayout


class ChildBounty(NamedTuple):
    parent_bounty: BountyIndex
    value: Planck
    """What it pays in all, the fee included."""
    fee: Planck
    """The curator's."""
    curator_deposit: Planck
    status: ChildBountyStatus


_AMOUNT: Schema[Planck] = schema.u128  # type: ignore[assignment]  # a NewType of int
_CURATOR = {"curator": schema.account}

CHILD_BOUNTY = schema.struct(
    ChildBounty,
    parent_bounty=schema.u32,
    value=schema.u128,
    fee=schema.u128,
    curator_deposit=schema.u128,
    status=schema.union(
        Variant(0, Added, schema.struct(Added)),
        Variant(1, CuratorProposed, schema.struct(CuratorProposed, **_CURATOR)),
        Variant(2, Active, schema.struct(Active, **_CURATOR)),
        Variant(
            3,
            PendingPayout,
            schema.struct(
                PendingPayout, **_CURATOR, beneficiary=schema.account, unlock_at=schema.u32
            ),
        ),
    ),
)


# --- Storage ----------------------------------------------------------------------


class Storage:
    def __init__(self) -> None:
        index = KeyPart(Hasher.TWOX_64_CONCAT, schema.u32)
        self.child_bounty_count: StorageValue[int] = StorageValue(
            "ChildBounties", "ChildBountyCount", schema.u32, default=int
        )
        self.parent_child_bounties: StorageMap[BountyIndex, int] = StorageMap(
            "ChildBounties", "ParentChildBounties", (index,), schema.u32, default=int
        )
        """How many are open."""
        self.parent_total_child_bounties: StorageMap[BountyIndex, int] = StorageMap(
            "ChildBounties", "ParentTotalChildBounties", (index,), schema.u32, default=int
        )
        """How many there ever were."""
        self.child_bounties: StorageMap[tuple[BountyIndex, BountyIndex], ChildBounty] = StorageMap(
            "ChildBounties", "ChildBounties", (index, index), CHILD_BOUNTY
        )
        self.child_bounty_descriptions: StorageMap[BountyIndex, bytes] = StorageMap(
            "ChildBounties", "ChildBountyDescriptions", (index,), schema.octets
        )
        self.child_bounty_descriptions_v1: StorageMap[tuple[BountyIndex, BountyIndex], bytes] = (
            StorageMap("ChildBounties", "ChildBountyDescriptionsV1", (index, index), schema.octets)
        )
        self.children_curator_fees: StorageMap[BountyIndex, Planck] = StorageMap(
            "ChildBounties",
            "ChildrenCuratorFees",
            (index,),
            _AMOUNT,
            default=partial(Planck, 0),
        )
