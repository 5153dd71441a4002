"""Mirror of `pallet_child_bounties`: `types`, `events`, `pallet`, and `calls` to drive it."""

from ledger.pallets.child_bounties.calls import dispatch, replay
from ledger.pallets.child_bounties.events import EVENTS, Event
from ledger.pallets.child_bounties.pallet import (
    Config,
    Constants,
    Error,
    InsufficientBountyBalance,
    Manager,
    ParentBountyNotActive,
    TooManyChildBounties,
    accept_curator,
    add_child_bounty,
    award_child_bounty,
    claim_child_bounty,
    close_child_bounty,
    propose_curator,
    unassign_curator,
)
from ledger.pallets.child_bounties.types import (
    Active,
    Added,
    ChildBounty,
    ChildBountyStatus,
    CuratorProposed,
    PendingPayout,
    Storage,
)

__all__ = [
    "EVENTS",
    "Active",
    "Added",
    "ChildBounty",
    "ChildBountyStatus",
    "Config",
    "Constants",
    "CuratorProposed",
    "Error",
    "Event",
    "InsufficientBountyBalance",
    "Manager",
    "ParentBountyNotActive",
    "PendingPayout",
    "Storage",
    "TooManyChildBounties",
    "accept_curator",
    "add_child_bounty",
    "award_child_bounty",
    "claim_child_bounty",
    "close_child_bounty",
    "dispatch",
    "propose_curator",
    "replay",
    "unassign_curator",
]
