"""The treasury: what was promised from it, and what of that was paid.

Mirrors: `substrate/frame/treasury/src/lib.rs`: calls by `call_index`, `spend_funds`. Rule:
spec/pallets.md C.5.
Units: proposals are planck of the chain's token; spends are of any asset.
Contract: a call returns the events that the pallet deposits, or raises one of its errors with
storage untouched.
Out of scope: balances, exchange rates, payments and the most that an origin may spend. They show in
a call's success, and in the events of `Payment`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.pallets.dispatch_origin import ensure_not_signed, ensure_signed
from ledger.pallets.per_things import permill_of
from ledger.pallets.treasury.errors import (
    AlreadyAttempted,
    EarlyPayout,
    InvalidIndex,
    NotAttempted,
    ProposalNotApproved,
    SpendExpired,
    TooManyApprovals,
)
from ledger.pallets.treasury.events import (
    AssetSpendApproved,
    AssetSpendVoided,
    Awarded,
    Event,
    Paid,
    PaymentFailed,
    Proposed,
    Rejected,
    SpendApproved,
    SpendProcessed,
)
from ledger.pallets.treasury.spending import Budget
from ledger.pallets.treasury.types import (
    Attempted,
    Failed,
    Pending,
    Proposal,
    ProposalIndex,
    Spend,
    SpendIndex,
    Storage,
)

_U32_MAX = 2**32 - 1


# --- Config -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constants:
    """`pallet_treasury::Config`, as far as it is in the metadata. Periods count blocks."""

    proposal_bond: int
    """A `Permill`; this and the bounds are 0 in runtimes without proposals."""
    proposal_bond_minimum: Planck
    proposal_bond_maximum: Planck | None
    max_approvals: int
    payout_period: int
    payout_renews_expiry: bool
    """Since stable2503 (#7959)."""
    declared: frozenset[str]
    """The events that the runtime has."""
    encode_order: Callable[[Any, int, Any], bytes]
    """SCALE of asset kind, amount and beneficiary, as the runtime stores them."""

    def calculate_bond(self, value: Planck) -> Planck:
        bond = max(self.proposal_bond_minimum, permill_of(self.proposal_bond, value))
        if self.proposal_bond_maximum is not None:
            bond = min(bond, self.proposal_bond_maximum)
        return Planck(bond)


@dataclass(frozen=True, slots=True)
class Config:
    constants: Constants
    now: RelayBlockNumber
    """`BlockNumberProvider::current_block_number`."""

    def expire_at(self, start: RelayBlockNumber) -> RelayBlockNumber:
        return RelayBlockNumber(min(start + self.constants.payout_period, _U32_MAX))


class Payment(NamedTuple):
    """What the paymaster did, as the block's events tell."""

    id: int = 0
    failed: bool = False


# --- Calls, by call_index -----------------------------------------------------------


def propose_spend(  # call_index 0, until release 1.3
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    value: Planck,
    beneficiary: AccountId,
) -> list[Event]:
    """Ask for money, against a deposit."""
    proposer = ensure_signed(origin)
    bond = config.constants.calculate_bond(value)
    index = _next_proposal(storage)
    storage.proposals.insert(index, Proposal(proposer, value, beneficiary, bond))
    return [Proposed(index)]


def reject_proposal(  # call_index 1, until release 1.3
    storage: Storage, origin: AccountId | None, proposal_id: ProposalIndex
) -> list[Event]:
    """Refuse it, and slash its deposit. An approval stays in the queue and comes to nothing."""
    ensure_not_signed(origin)
    proposal = storage.proposals.find(proposal_id)
    if proposal is None:
        raise InvalidIndex
    storage.proposals.remove(proposal_id)
    return [Rejected(proposal_id, proposal.bond)]


def approve_proposal(  # call_index 2, until release 1.3
    storage: Storage, config: Config, origin: AccountId | None, proposal_id: ProposalIndex
) -> list[Event]:
    """Queue it for the next spend period. No event tells of it."""
    ensure_not_signed(origin)
    if proposal_id not in storage.proposals:
        raise InvalidIndex
    _queue(storage, config, proposal_id)
    return []


def spend_local(  # call_index 3
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    amount: Planck,
    beneficiary: AccountId,
) -> list[Event]:
    """Propose and approve in one; the beneficiary counts as the proposer."""
    ensure_not_signed(origin)
    index = ProposalIndex(storage.proposal_count.get(()))
    _queue(storage, config, index)
    _next_proposal(storage)
    storage.proposals.insert(index, Proposal(beneficiary, amount, beneficiary, Planck(0)))
    return [SpendApproved(index, amount, beneficiary)]


def remove_approval(  # call_index 4
    storage: Storage, origin: AccountId | None, proposal_id: ProposalIndex
) -> list[Event]:
    """Take it from the queue. The proposal stays, and no event tells of it."""
    ensure_not_signed(origin)
    queue = list(storage.approvals.get(()))
    if proposal_id not in queue:
        raise ProposalNotApproved
    queue.remove(proposal_id)  # the first of several
    storage.approvals.put(tuple(queue))
    return []


def spend(  # call_index 5
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    asset_kind: Any,
    amount: int,
    beneficiary: Any,
    valid_from: RelayBlockNumber | None,
) -> list[Event]:
    """Promise an amount of an asset, to be claimed within the payout period."""
    ensure_not_signed(origin)
    if valid_from is None:
        valid_from = config.now
    expire_at = config.expire_at(valid_from)
    if expire_at <= config.now:
        raise SpendExpired

    index = SpendIndex(storage.spend_count.get(()))
    order = config.constants.encode_order(asset_kind, amount, beneficiary)
    storage.spends.insert(index, Spend(order, valid_from, expire_at, Pending()))
    storage.spend_count.put(index + 1)
    return [AssetSpendApproved(index, asset_kind, amount, beneficiary, valid_from, expire_at)]


def payout(  # call_index 6
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    index: SpendIndex,
    payment: Payment,
) -> list[Event]:
    """Claim a spend. Anyone may call it."""
    ensure_signed(origin)
    spend = _spend(storage, index)
    if config.now < spend.valid_from:
        raise EarlyPayout
    if spend.expire_at <= config.now:
        raise SpendExpired
    if isinstance(spend.status, Attempted):
        raise AlreadyAttempted

    spend = spend._replace(status=Attempted(payment.id))
    if config.constants.payout_renews_expiry:
        spend = spend._replace(expire_at=config.expire_at(config.now))
    storage.spends.insert(index, spend)
    return [Paid(index, payment.id)]


def check_status(  # call_index 7
    storage: Storage,
    config: Config,
    origin: AccountId | None,
    index: SpendIndex,
    payment: Payment,
) -> list[Event]:
    """Forget a spend that was paid or has expired; let one that failed be claimed again."""
    ensure_signed(origin)
    spend = _spend(storage, index)
    if config.now > spend.expire_at and not isinstance(spend.status, Attempted):
        storage.spends.remove(index)
        return [SpendProcessed(index)]
    if not isinstance(spend.status, Attempted):
        raise NotAttempted
    if payment.failed:
        storage.spends.insert(index, spend._replace(status=Failed()))
        return [PaymentFailed(index, spend.status.id)]
    storage.spends.remove(index)
    return [SpendProcessed(index)]


def void_spend(  # call_index 8
    storage: Storage, origin: AccountId | None, index: SpendIndex
) -> list[Event]:
    """Take back a promise that nobody has claimed."""
    ensure_not_signed(origin)
    spend = _spend(storage, index)
    if isinstance(spend.status, Attempted):
        raise AlreadyAttempted
    storage.spends.remove(index)
    return [AssetSpendVoided(index)]


# --- Hooks ------------------------------------------------------------------------


def spend_funds(storage: Storage, budget: Budget) -> list[Event]:
    """Pay the approved proposals that `budget` reaches for, in their order.

    The others wait; an approval whose proposal is gone is dropped.
    """
    events: list[Event] = []
    waiting = []
    for index in storage.approvals.get(()):
        proposal = storage.proposals.find(index)
        if proposal is None:
            continue
        if not budget.take(proposal.value):
            waiting.append(index)
            continue
        storage.proposals.remove(index)
        events.append(Awarded(index, proposal.value, proposal.beneficiary))
    storage.approvals.put(tuple(waiting))  # an empty queue is stored too
    return events


# --- Internals ------------------------------------------------------------------------


def _next_proposal(storage: Storage) -> ProposalIndex:
    index = ProposalIndex(storage.proposal_count.get(()))
    storage.proposal_count.put(index + 1)
    return index


def _queue(storage: Storage, config: Config, proposal_id: ProposalIndex) -> None:
    """`Approvals::try_append`."""
    queue = storage.approvals.get(())
    if len(queue) >= config.constants.max_approvals:
        raise TooManyApprovals
    storage.approvals.put((*queue, proposal_id))


def _spend(storage: Storage, index: SpendIndex) -> Spend:
    found = storage.spends.find(index)
    if found is None:
        raise InvalidIndex
    return found
