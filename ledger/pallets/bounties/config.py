"""What a runtime fixes for the pallet, and what a call of it looks at."""

from dataclasses import dataclass
from typing import Protocol

from ibp_chain.types import Planck, RelayBlockNumber
from ledger.pallets.bounties.types import BountyIndex
from ledger.pallets.per_things import permill_of

_U32_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Constants:
    """`pallet_bounties::Config`, as far as it is in the metadata. Periods count blocks."""

    bounty_deposit_base: Planck
    data_deposit_per_byte: Planck
    bounty_deposit_payout_delay: int
    bounty_update_period: int
    curator_deposit_multiplier: int
    """A `Permill`."""
    curator_deposit_max: Planck | None
    curator_deposit_min: Planck | None
    bounty_value_minimum: Planck
    maximum_reason_length: int
    """In bytes."""
    max_approvals: int
    """The treasury's, which bounds the bounties that wait for it too."""
    declared: frozenset[str]
    """The events that the runtime has."""

    def calculate_bounty_deposit(self, description: bytes) -> Planck:
        return Planck(self.bounty_deposit_base + self.data_deposit_per_byte * len(description))

    def calculate_curator_deposit(self, fee: Planck) -> Planck:
        deposit = permill_of(self.curator_deposit_multiplier, fee)
        if self.curator_deposit_max is not None:
            deposit = min(deposit, self.curator_deposit_max)
        if self.curator_deposit_min is not None:
            deposit = max(deposit, self.curator_deposit_min)
        return Planck(deposit)


class ChildBountyManager(Protocol):
    """What the pallet asks of child bounties, and does to them."""

    def child_bounties_count(self, bounty_id: BountyIndex) -> int: ...

    def children_curator_fees(self, bounty_id: BountyIndex) -> Planck: ...

    def bounty_removed(self, bounty_id: BountyIndex) -> None: ...


@dataclass(frozen=True, slots=True)
class Config:
    constants: Constants
    now: RelayBlockNumber
    """By the treasury's clock."""
    child_bounty_manager: ChildBountyManager

    def update_due(self) -> RelayBlockNumber:
        return RelayBlockNumber(min(self.now + self.constants.bounty_update_period, _U32_MAX))

    def unlock_at(self) -> RelayBlockNumber:
        return RelayBlockNumber(self.now + self.constants.bounty_deposit_payout_delay)
