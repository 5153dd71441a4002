"""The pallet's events, in its order."""

from dataclasses import dataclass
from typing import TypeAlias

from ibp_chain.types import AccountId, Planck
from ledger.pallets.bounties.types import BountyIndex

OF_HOOKS = frozenset({"BountyBecameActive"})
"""What the pallet deposits at the end of the treasury's spend period. No call deposits it."""


@dataclass(frozen=True, slots=True)
class BountyProposed:
    index: BountyIndex


@dataclass(frozen=True, slots=True)
class BountyRejected:
    """Closed before it was approved; the bond is gone."""

    index: BountyIndex
    bond: Planck


@dataclass(frozen=True, slots=True)
class BountyBecameActive:
    """Funded, at the end of a spend period."""

    index: BountyIndex


@dataclass(frozen=True, slots=True)
class BountyAwarded:
    index: BountyIndex
    beneficiary: AccountId


@dataclass(frozen=True, slots=True)
class BountyClaimed:
    index: BountyIndex
    payout: Planck
    """What was left in the bounty's account, less the curator's fee."""
    beneficiary: AccountId


@dataclass(frozen=True, slots=True)
class BountyCanceled:
    index: BountyIndex


@dataclass(frozen=True, slots=True)
class BountyExtended:
    index: BountyIndex


@dataclass(frozen=True, slots=True)
class BountyApproved:
    """Since release 1.1, as are those of curators."""

    index: BountyIndex


@dataclass(frozen=True, slots=True)
class CuratorProposed:
    """Without the fee."""

    bounty_id: BountyIndex
    curator: AccountId


@dataclass(frozen=True, slots=True)
class CuratorUnassigned:
    bounty_id: BountyIndex


@dataclass(frozen=True, slots=True)
class CuratorAccepted:
    bounty_id: BountyIndex
    curator: AccountId


@dataclass(frozen=True, slots=True)
class DepositPoked:
    bounty_id: BountyIndex
    proposer: AccountId
    old_deposit: Planck
    new_deposit: Planck


Event: TypeAlias = (
    BountyProposed
    | BountyRejected
    | BountyBecameActive
    | BountyAwarded
    | BountyClaimed
    | BountyCanceled
    | BountyExtended
    | BountyApproved
    | CuratorProposed
    | CuratorUnassigned
    | CuratorAccepted
    | DepositPoked
)
EVENTS: tuple[type[Event], ...] = (
    BountyProposed, BountyRejected, BountyBecameActive, BountyAwarded, BountyClaimed,
    BountyCanceled, BountyExtended, BountyApproved, CuratorProposed, CuratorUnassigned,
    CuratorAccepted, DepositPoked,
)  # fmt: skip
