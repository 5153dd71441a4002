"""Child bounties: parts of a bounty that its curator hands on.

Mirrors: `substrate/frame/child-bounties/src/lib.rs`: errors, calls by `call_index`,
`ChildBountyManager`, internals. Rule: spec/pallets.md C.5.
Contract: a call returns the events that the pallet deposits, or raises one of its errors, or of
`bounties`, with storage untouched.
Out of scope: balances. That the parent could pay and a deposit could be reserved shows in the
call's success, and what a claim paid out in its event.
"""

from dataclasses import dataclass
from typing import ClassVar

from ibp_chain.errors import PalletError
from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.pallets import bounties
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.child_bounties import types
from ledger.pallets.child_bounties.events import Added, Awarded, Canceled, Claimed, Event
from ledger.pallets.child_bounties.types import Active, ChildBounty, CuratorProposed, Storage
from ledger.pallets.dispatch_origin import BadOrigin, ensure_signed

# --- Config -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constants:
    """`pallet_child_bounties::Config`, as far as it is in the metadata."""

    max_active_child_bounty_count: int
    child_bounty_value_minimum: Planck
    counts_per_parent: bool
    """Whether a child's number is its parent's; since release 1.5."""
    declared: frozenset[str]
    """The events that the runtime has."""


@dataclass(frozen=True, slots=True)
class Config:
    constants: Constants
    bounty_constants: bounties.Constants
    parents: bounties.Storage
    now: RelayBlockNumber
    """By the treasury's clock."""

    def ensure_bounty_active(self, bounty_id: BountyIndex) -> bounties.Active:
        """Curator and expiry of a parent that is active."""
        bounty = self.parents.bounties.find(bounty_id)
        if bounty is None:
            raise bounties.InvalidIndex
        if not isinstance(bounty.status, bounties.Active):
            raise ParentBountyNotActive
        return bounty.status


# --- Errors -----------------------------------------------------------------------


class Error(PalletError):
    """Base of this pallet's errors, numbered in pallet order."""

    pallet: ClassVar[str] = "ChildBounties"


class ParentBountyNotActive(Error):
    index = 0


class InsufficientBountyBalance(Error):
    """Depends on a balance: never raised here."""

    index = 1


class TooManyChildBounties(Error):
    """Raised here for one more than runtimes let through at most: until it was repaired (#10652)
    one more fitted than the constant says, and of one spec version there are both.
    """

    index = 2


# --- Calls, by call_index -----------------------------------------------------------


def add_child_bounty(  # call_index 0
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    parent_bounty_id: BountyIndex,
    value: Planck,
    description: bytes,
) -> list[Event]:
    """Set a part of an active bounty aside. Its curator only."""
    signer, constants = ensure_signed(origin), config.constants
    if len(description) > config.bounty_constants.maximum_reason_length:
        raise bounties.ReasonTooBig
    if value < constants.child_bounty_value_minimum:
        raise bounties.InvalidValue
    active = storage.parent_child_bounties.get(parent_bounty_id)
    if active > constants.max_active_child_bounty_count:
        raise TooManyChildBounties
    if signer != config.ensure_bounty_active(parent_bounty_id).curator:
        raise bounties.RequireCurator

    storage.parent_child_bounties.insert(parent_bounty_id, active + 1)
    child = _next_child(storage, config, parent_bounty_id)
    nothing = Planck(0)
    storage.child_bounties.insert(
        (parent_bounty_id, child),
        ChildBounty(parent_bounty_id, value, nothing, nothing, types.Added()),
    )
    if constants.counts_per_parent:
        storage.child_bounty_descriptions_v1.insert((parent_bounty_id, child), description)
    else:
        storage.child_bounty_descriptions.insert(child, description)
    return [Added(parent_bounty_id, child)]


def propose_curator(  # call_index 1
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    parent_bounty_id: BountyIndex,
    child_bounty_id: BountyIndex,
    curator: AccountId,
    fee: Planck,
) -> list[Event]:
    """Offer it to a curator. The parent's curator only; the fee is part of theirs."""
    signer = ensure_signed(origin)
    if signer != config.ensure_bounty_active(parent_bounty_id).curator:
        raise bounties.RequireCurator
    key = parent_bounty_id, child_bounty_id
    child = _child(storage, *key)
    if not isinstance(child.status, types.Added):
        raise bounties.UnexpectedStatus
    if fee >= child.value:
        raise bounties.InvalidFee

    fees = storage.children_curator_fees.get(parent_bounty_id)
    storage.children_curator_fees.insert(parent_bounty_id, Planck(fees + fee))
    storage.child_bounties.insert(key, child._replace(fee=fee, status=CuratorProposed(curator)))
    return []


def accept_curator(  # call_index 2
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    parent_bounty_id: BountyIndex,
    child_bounty_id: BountyIndex,
) -> list[Event]:
    """Become curator, against a deposit; the parent's curator owes none."""
    signer = ensure_signed(origin)
    parent_curator = config.ensure_bounty_active(parent_bounty_id).curator
    key = parent_bounty_id, child_bounty_id
    child = _child(storage, *key)
    if not isinstance(child.status, CuratorProposed):
        raise bounties.UnexpectedStatus
    if signer != child.status.curator:
        raise bounties.RequireCurator
    deposit = Planck(0)
    if signer != parent_curator:
        deposit = config.bounty_constants.calculate_curator_deposit(child.fee)
    storage.child_bounties.insert(
        key, child._replace(curator_deposit=deposit, status=Active(signer))
    )
    return []


def unassign_curator(  # call_index 3
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    parent_bounty_id: BountyIndex,
    child_bounty_id: BountyIndex,
) -> list[Event]:
    """Take it from its curator, who gives it up, is inactive, or is overruled.

    Its fee stays, also among its siblings'. Where the deposit goes is no part of this storage.
    """
    key = parent_bounty_id, child_bounty_id
    child = _child(storage, *key)
    match child.status:
        case types.Added():
            raise bounties.UnexpectedStatus
        case CuratorProposed(curator):
            if origin not in {None, curator, _active_curator(config, parent_bounty_id)}:
                raise BadOrigin
        case Active(curator):
            if origin not in {None, curator}:
                parent = config.ensure_bounty_active(parent_bounty_id)
                if origin != parent.curator and parent.update_due >= config.now:
                    raise bounties.Premature
            child = child._replace(curator_deposit=Planck(0))
        case types.PendingPayout():
            if origin not in {None, config.ensure_bounty_active(parent_bounty_id).curator}:
                raise BadOrigin
            child = child._replace(curator_deposit=Planck(0))
    storage.child_bounties.insert(key, child._replace(status=types.Added()))
    return []


def award_child_bounty(  # call_index 4
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    parent_bounty_id: BountyIndex,
    child_bounty_id: BountyIndex,
    beneficiary: AccountId,
) -> list[Event]:
    """Promise it to a beneficiary. Its curator or the parent's."""
    signer = ensure_signed(origin)
    parent_curator = config.ensure_bounty_active(parent_bounty_id).curator
    key = parent_bounty_id, child_bounty_id
    child = _child(storage, *key)
    if not isinstance(child.status, Active):
        raise bounties.UnexpectedStatus
    if signer not in {child.status.curator, parent_curator}:
        raise bounties.RequireCurator
    unlock_at = RelayBlockNumber(config.now + config.bounty_constants.bounty_deposit_payout_delay)
    status = types.PendingPayout(signer, beneficiary, unlock_at)
    storage.child_bounties.insert(key, child._replace(status=status))
    return [Awarded(parent_bounty_id, child_bounty_id, beneficiary)]


def claim_child_bounty(  # call_index 5
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    parent_bounty_id: BountyIndex,
    child_bounty_id: BountyIndex,
    payout: Planck,
) -> list[Event]:
    """Pay it out, and forget it. Anyone may call it.

    `payout` is what the block says that the beneficiary got.
    """
    ensure_signed(origin)
    child = _child(storage, parent_bounty_id, child_bounty_id)
    if not isinstance(child.status, types.PendingPayout):
        raise bounties.UnexpectedStatus
    if config.now < child.status.unlock_at:
        raise bounties.Premature
    _remove(storage, config, parent_bounty_id, child_bounty_id)
    return [Claimed(parent_bounty_id, child_bounty_id, payout, child.status.beneficiary)]


def close_child_bounty(  # call_index 6
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    parent_bounty_id: BountyIndex,
    child_bounty_id: BountyIndex,
) -> list[Event]:
    """Give its money back to the parent bounty, whose curator or governance wants it."""
    parent_curator = config.ensure_bounty_active(parent_bounty_id).curator
    if origin not in {None, parent_curator}:
        raise BadOrigin
    child = _child(storage, parent_bounty_id, child_bounty_id)
    if isinstance(child.status, types.PendingPayout):
        raise bounties.PendingPayout
    fees = max(storage.children_curator_fees.get(parent_bounty_id) - child.fee, 0)
    storage.children_curator_fees.insert(parent_bounty_id, Planck(fees))
    _remove(storage, config, parent_bounty_id, child_bounty_id)
    return [Canceled(parent_bounty_id, child_bounty_id)]


# --- `pallet_bounties::ChildBountyManager` ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Manager:
    """`bounties.ChildBountyManager` on this storage."""

    storage: Storage
    constants: Constants

    def child_bounties_count(self, bounty_id: BountyIndex) -> int:
        return self.storage.parent_child_bounties.get(bounty_id)

    def children_curator_fees(self, bounty_id: BountyIndex) -> Planck:
        """Also forgets them: a parent asks once, when it is claimed."""
        fees = self.storage.children_curator_fees.get(bounty_id)
        self.storage.children_curator_fees.remove(bounty_id)
        return fees

    def bounty_removed(self, bounty_id: BountyIndex) -> None:
        """Before children were counted by parent their parent's counts stayed for ever."""
        if self.constants.counts_per_parent:
            self.storage.parent_child_bounties.remove(bounty_id)
            self.storage.parent_total_child_bounties.remove(bounty_id)


# --- Internals ------------------------------------------------------------------------


def _child(
    storage: Storage, parent_bounty_id: BountyIndex, child_bounty_id: BountyIndex
) -> ChildBounty:
    child = storage.child_bounties.find((parent_bounty_id, child_bounty_id))
    if child is None:
        raise bounties.InvalidIndex
    return child


def _active_curator(config: Config, parent_bounty_id: BountyIndex) -> AccountId | None:
    try:
        return config.ensure_bounty_active(parent_bounty_id).curator
    except PalletError:
        return None


def _next_child(storage: Storage, config: Config, parent_bounty_id: BountyIndex) -> BountyIndex:
    if config.constants.counts_per_parent:
        child = storage.parent_total_child_bounties.get(parent_bounty_id)
        storage.parent_total_child_bounties.insert(parent_bounty_id, child + 1)
    else:
        child = storage.child_bounty_count.get(())
        storage.child_bounty_count.put(child + 1)
    return BountyIndex(child)


def _remove(
    storage: Storage, config: Config, parent_bounty_id: BountyIndex, child_bounty_id: BountyIndex
) -> None:
    active = max(storage.parent_child_bounties.get(parent_bounty_id) - 1, 0)
    storage.parent_child_bounties.insert(parent_bounty_id, active)
    storage.child_bounties.remove((parent_bounty_id, child_bounty_id))
    if config.constants.counts_per_parent:
        storage.child_bounty_descriptions_v1.remove((parent_bounty_id, child_bounty_id))
    else:
        storage.child_bounty_descriptions.remove(child_bounty_id)
