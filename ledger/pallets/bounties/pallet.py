"""Bounties: proposed by anyone, funded by the treasury, awarded by a curator.

Mirrors: `substrate/frame/bounties/src/lib.rs`: calls by `call_index`, internals. Rule:
spec/pallets.md C.5.
Contract: a call returns the events that the pallet deposits, or raises one of its errors with
storage untouched.
Out of scope: balances. That a deposit could be reserved shows in the call's success, and what a
claim paid out in its event; the largest value that an origin may approve is no constant, so that
the treasury's InsufficientPermission is never raised here.
"""

from ibp_chain.types import AccountId, Planck
from ledger.pallets.bounties import types
from ledger.pallets.bounties.config import Config
from ledger.pallets.bounties.errors import (
    HasActiveChildBounty,
    InvalidFee,
    InvalidIndex,
    InvalidValue,
    PendingPayout,
    Premature,
    ReasonTooBig,
    RequireCurator,
    TooManyQueued,
    UnexpectedStatus,
)
from ledger.pallets.bounties.events import (
    BountyApproved,
    BountyAwarded,
    BountyBecameActive,
    BountyCanceled,
    BountyClaimed,
    BountyExtended,
    BountyProposed,
    BountyRejected,
    CuratorAccepted,
    CuratorProposed,
    CuratorUnassigned,
    DepositPoked,
    Event,
)
from ledger.pallets.bounties.types import (
    Active,
    Approved,
    ApprovedWithCurator,
    Bounty,
    BountyIndex,
    BountyStatus,
    Funded,
    Proposed,
    Storage,
)
from ledger.pallets.dispatch_origin import BadOrigin, ensure_not_signed, ensure_signed
from ledger.pallets.treasury.spending import Budget

# --- Calls, by call_index -----------------------------------------------------------


def propose_bounty(  # call_index 0
    storage: Storage, config: Config, origin: AccountId | None, value: Planck, description: bytes
) -> list[Event]:
    """Put a bounty up for approval, against a deposit."""
    proposer, constants = ensure_signed(origin), config.constants
    if len(description) > constants.maximum_reason_length:
        raise ReasonTooBig
    if value < constants.bounty_value_minimum:
        raise InvalidValue

    index = BountyIndex(storage.bounty_count.get(()))
    bond = constants.calculate_bounty_deposit(description)
    storage.bounty_count.put(index + 1)
    nothing = Planck(0)
    storage.bounties.insert(index, Bounty(proposer, value, nothing, nothing, bond, Proposed()))
    storage.bounty_descriptions.insert(index, description)
    return [BountyProposed(index)]


def approve_bounty(  # call_index 1
    storage: Storage, config: Config, origin: AccountId | None, bounty_id: BountyIndex
) -> list[Event]:
    """Queue it for the next spend period."""
    ensure_not_signed(origin)
    bounty = _bounty(storage, bounty_id)
    if not isinstance(bounty.status, Proposed):
        raise UnexpectedStatus
    _queue(storage, config, bounty_id)
    storage.bounties.insert(bounty_id, bounty._replace(status=Approved()))
    return [BountyApproved(bounty_id)]


def propose_curator(  # call_index 2
    storage: Storage,
    origin: AccountId | None,
    bounty_id: BountyIndex,
    curator: AccountId,
    fee: Planck,
) -> list[Event]:
    """Offer a funded bounty to a curator."""
    ensure_not_signed(origin)
    bounty = _bounty(storage, bounty_id)
    if not isinstance(bounty.status, Funded):
        raise UnexpectedStatus
    if fee >= bounty.value:
        raise InvalidFee
    status = types.CuratorProposed(curator)
    storage.bounties.insert(bounty_id, bounty._replace(status=status, fee=fee))
    return [CuratorProposed(bounty_id, curator)]


def unassign_curator(  # call_index 3
    storage: Storage, config: Config, origin: AccountId | None, bounty_id: BountyIndex
) -> list[Event]:
    """Take the bounty from its curator, who gives it up, is inactive, or is overruled.

    Where the deposit goes, back or to the treasury, is no part of this storage.
    """
    bounty = _bounty(storage, bounty_id)
    status: BountyStatus = Funded()
    match bounty.status:
        case Proposed() | Approved() | Funded():
            raise UnexpectedStatus
        case ApprovedWithCurator(curator):
            if origin not in {None, curator}:
                raise BadOrigin
            status = Approved()
        case types.CuratorProposed(curator):
            if origin not in {None, curator}:
                raise BadOrigin
        case Active(curator, update_due):
            if origin not in {None, curator} and update_due >= config.now:
                raise Premature
            bounty = bounty._replace(curator_deposit=Planck(0))
        case types.PendingPayout():
            ensure_not_signed(origin)
            bounty = bounty._replace(curator_deposit=Planck(0))
    storage.bounties.insert(bounty_id, bounty._replace(status=status))
    return [CuratorUnassigned(bounty_id)]


def accept_curator(  # call_index 4
    storage: Storage, config: Config, origin: AccountId | None, bounty_id: BountyIndex
) -> list[Event]:
    """Become curator, against a deposit."""
    signer = ensure_signed(origin)
    bounty = _bounty(storage, bounty_id)
    if not isinstance(bounty.status, types.CuratorProposed):
        raise UnexpectedStatus
    if signer != bounty.status.curator:
        raise RequireCurator
    deposit = config.constants.calculate_curator_deposit(bounty.fee)
    status = Active(signer, config.update_due())
    storage.bounties.insert(bounty_id, bounty._replace(curator_deposit=deposit, status=status))
    return [CuratorAccepted(bounty_id, signer)]


def award_bounty(  # call_index 5
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    bounty_id: BountyIndex,
    beneficiary: AccountId,
) -> list[Event]:
    """Promise the bounty to a beneficiary, who may claim it after the payout delay."""
    signer = ensure_signed(origin)
    bounty = _bounty(storage, bounty_id)
    if config.child_bounty_manager.child_bounties_count(bounty_id):
        raise HasActiveChildBounty
    _active_by(bounty, signer)
    status = types.PendingPayout(signer, beneficiary, config.unlock_at())
    storage.bounties.insert(bounty_id, bounty._replace(status=status))
    return [BountyAwarded(bounty_id, beneficiary)]


def claim_bounty(  # call_index 6
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    bounty_id: BountyIndex,
    payout: Planck,
) -> list[Event]:
    """Pay out an awarded bounty, and forget it. Anyone may call it.

    `payout` is what the block says that the beneficiary got.
    """
    ensure_signed(origin)
    bounty = _bounty(storage, bounty_id)
    if not isinstance(bounty.status, types.PendingPayout):
        raise UnexpectedStatus
    if config.now < bounty.status.unlock_at:
        raise Premature
    config.child_bounty_manager.children_curator_fees(bounty_id)
    storage.bounties.remove(bounty_id)
    storage.bounty_descriptions.remove(bounty_id)
    config.child_bounty_manager.bounty_removed(bounty_id)
    return [BountyClaimed(bounty_id, payout, bounty.status.beneficiary)]


def close_bounty(  # call_index 7
    storage: Storage, config: Config, origin: AccountId | None, bounty_id: BountyIndex
) -> list[Event]:
    """Reject a proposed bounty, or cancel a funded one; its money goes back to the treasury."""
    ensure_not_signed(origin)
    bounty = _bounty(storage, bounty_id)
    if config.child_bounty_manager.child_bounties_count(bounty_id):
        raise HasActiveChildBounty
    match bounty.status:
        case Approved() | ApprovedWithCurator():
            raise UnexpectedStatus
        case types.PendingPayout():
            raise PendingPayout
    storage.bounties.remove(bounty_id)
    storage.bounty_descriptions.remove(bounty_id)
    if isinstance(bounty.status, Proposed):
        return [BountyRejected(bounty_id, bounty.bond)]
    config.child_bounty_manager.bounty_removed(bounty_id)
    return [BountyCanceled(bounty_id)]


def extend_bounty_expiry(  # call_index 8
    storage: Storage, config: Config, origin: AccountId | None, bounty_id: BountyIndex
) -> list[Event]:
    """The curator is alive: the update is due a period from now."""
    signer = ensure_signed(origin)
    bounty = _bounty(storage, bounty_id)
    active = _active_by(bounty, signer)
    status = active._replace(update_due=max(config.update_due(), active.update_due))
    storage.bounties.insert(bounty_id, bounty._replace(status=status))
    return [BountyExtended(bounty_id)]


def approve_bounty_with_curator(  # call_index 9
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    bounty_id: BountyIndex,
    curator: AccountId,
    fee: Planck,
) -> list[Event]:
    """`approve_bounty` and `propose_curator` in one."""
    ensure_not_signed(origin)
    bounty = _bounty(storage, bounty_id)
    if not isinstance(bounty.status, Proposed):
        raise UnexpectedStatus
    if fee >= bounty.value:
        raise InvalidFee
    _queue(storage, config, bounty_id)
    status = ApprovedWithCurator(curator)
    storage.bounties.insert(bounty_id, bounty._replace(status=status, fee=fee))
    return [BountyApproved(bounty_id), CuratorProposed(bounty_id, curator)]


def poke_deposit(  # call_index 10
    storage: Storage, config: Config, origin: AccountId | None, bounty_id: BountyIndex
) -> list[Event]:
    """Bring a proposed bounty's bond to what it costs now. Anyone may call it."""
    ensure_signed(origin)
    bounty = _bounty(storage, bounty_id)
    description = storage.bounty_descriptions.find(bounty_id)
    if description is None:
        raise InvalidIndex
    if not isinstance(bounty.status, Proposed):
        raise UnexpectedStatus
    bond = config.constants.calculate_bounty_deposit(description)
    if bond == bounty.bond:
        return []
    storage.bounties.insert(bounty_id, bounty._replace(bond=bond))
    return [DepositPoked(bounty_id, bounty.proposer, bounty.bond, bond)]


# --- `pallet_treasury::SpendFunds` ------------------------------------------------------


def spend_funds(storage: Storage, budget: Budget) -> list[Event]:
    """Fund the approved bounties that the treasury's `budget` reaches for, in their order."""
    events: list[Event] = []
    waiting = []
    for index in storage.bounty_approvals.get(()):
        bounty = storage.bounties.find(index)
        if bounty is None:
            continue
        if not budget.take(bounty.value):
            waiting.append(index)
            continue
        status: BountyStatus = Funded()
        if isinstance(bounty.status, ApprovedWithCurator):
            status = types.CuratorProposed(bounty.status.curator)
        storage.bounties.insert(index, bounty._replace(status=status))
        events.append(BountyBecameActive(index))
    storage.bounty_approvals.put(tuple(waiting))  # an empty queue is stored too
    return events


# --- Internals ------------------------------------------------------------------------


def _bounty(storage: Storage, bounty_id: BountyIndex) -> Bounty:
    bounty = storage.bounties.find(bounty_id)
    if bounty is None:
        raise InvalidIndex
    return bounty


def _active_by(bounty: Bounty, signer: AccountId) -> Active:
    """The status of an active bounty whose curator signed."""
    if not isinstance(bounty.status, Active):
        raise UnexpectedStatus
    if signer != bounty.status.curator:
        raise RequireCurator
    return bounty.status


def _queue(storage: Storage, config: Config, bounty_id: BountyIndex) -> None:
    """`BountyApprovals::try_append`."""
    queue = storage.bounty_approvals.get(())
    if len(queue) >= config.constants.max_approvals:
        raise TooManyQueued
    storage.bounty_approvals.put((*queue, bounty_id))
