"""The pallet's events, in its order. Proposed and Rejected went with release 1.3."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger.pallets.treasury.types import ProposalIndex, SpendIndex

PASSED_OVER = frozenset({"Deposit", "UpdatedInactive"})
"""Of balances only: fees and slashes that came in, and what issuance leaves out. Another pallet's
call may deposit the first."""

SPEND_PERIOD = frozenset({"Awarded", "Burnt", "Rollover"})
"""Of a spend period's end, behind `Spending`. No call deposits them."""

OF_HOOKS = PASSED_OVER | SPEND_PERIOD | {"Spending"}
"""What the pallet's hook deposits."""


@dataclass(frozen=True, slots=True)
class Proposed:
    proposal_index: ProposalIndex


@dataclass(frozen=True, slots=True)
class Awarded:
    """Paid, at the end of a spend period."""

    proposal_index: ProposalIndex
    award: Planck
    account: AccountId


@dataclass(frozen=True, slots=True)
class Rejected:
    proposal_index: ProposalIndex
    slashed: Planck


@dataclass(frozen=True, slots=True)
class SpendApproved:
    proposal_index: ProposalIndex
    amount: Planck
    beneficiary: AccountId


@dataclass(frozen=True, slots=True)
class AssetSpendApproved:
    """Asset kind and beneficiary in the shapes of `ibp_chain.scale.values`."""

    index: SpendIndex
    asset_kind: Any
    amount: int
    beneficiary: Any
    valid_from: RelayBlockNumber
    expire_at: RelayBlockNumber


@dataclass(frozen=True, slots=True)
class AssetSpendVoided:
    index: SpendIndex


@dataclass(frozen=True, slots=True)
class Paid:
    """The payment was made or sent, as the paymaster does it."""

    index: SpendIndex
    payment_id: int


@dataclass(frozen=True, slots=True)
class PaymentFailed:
    index: SpendIndex
    payment_id: int


@dataclass(frozen=True, slots=True)
class SpendProcessed:
    """Gone: paid, or expired without a payment."""

    index: SpendIndex


Event: TypeAlias = (
    Proposed
    | Awarded
    | Rejected
    | SpendApproved
    | AssetSpendApproved
    | AssetSpendVoided
    | Paid
    | PaymentFailed
    | SpendProcessed
)
EVENTS: tuple[type[Event], ...] = (
    Proposed, Awarded, Rejected, SpendApproved, AssetSpendApproved, AssetSpendVoided, Paid,
    PaymentFailed, SpendProcessed,
)  # fmt: skip
