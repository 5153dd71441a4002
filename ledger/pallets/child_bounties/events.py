"""The pallet's events. None tells of curators: proposed, accepted, unassigned."""

from dataclasses import dataclass
from typing import TypeAlias

from ibp_chain.types import AccountId, Planck
from ledger.pallets.bounties.types import BountyIndex


@dataclass(frozen=True, slots=True)
class Added:
    index: BountyIndex
    child_index: BountyIndex


@dataclass(frozen=True, slots=True)
class Awarded:
    index: BountyIndex
    child_index: BountyIndex
    beneficiary: AccountId


@dataclass(frozen=True, slots=True)
class Claimed:
    index: BountyIndex
    child_index: BountyIndex
    payout: Planck
    """What was left in the child's account, less the curator's fee."""
    beneficiary: AccountId


@dataclass(frozen=True, slots=True)
class Canceled:
    index: BountyIndex
    child_index: BountyIndex


Event: TypeAlias = Added | Awarded | Claimed | Canceled
EVENTS: tuple[type[Event], ...] = (Added, Awarded, Claimed, Canceled)
