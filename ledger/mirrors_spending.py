"""The treasury's pallets, kept in step together: each looks at the others' storage.

At the end of a spend period the treasury shares its pot out in a hook, which leaves events only.
The first of them names the pot, from which all others follow; they are held against what comes.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import InputError
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck, RelayBlockNumber, SpecVersion
from ledger.dispatch_values import field
from ledger.pallets import bounties, child_bounties, treasury
from ledger.pallets.deposited import agrees, confirmed
from ledger.storage import StorageMap

PALLETS = frozenset({"Treasury", "Bounties", "ChildBounties"})

PAYOUT_RENEWS_EXPIRY_SINCE = SpecVersion(1_006_000)
"""First release on stable2503 (#7959)."""

Event: TypeAlias = treasury.Event | bounties.Event | child_bounties.Event


class Runtime(Protocol):
    """What the constants are read from."""

    @property
    def spec_version(self) -> SpecVersion: ...

    def constant(self, pallet: str, name: str) -> Any: ...

    def has_event(self, pallet: str, name: str) -> bool: ...

    def storage_prefix(self, pallet: str, entry: str) -> bytes: ...

    def encode_storage(self, pallet: str, entry: str, value: Any) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Constants:
    """What one runtime fixes for the three pallets."""

    treasury: treasury.Constants
    bounties: bounties.Constants
    child_bounties: child_bounties.Constants

    @classmethod
    def of(cls, runtime: Runtime) -> "Constants":
        """Those of `runtime`; 0 or none for what it lacks, a whole pallet at times."""
        return cls(
            _treasury_constants(runtime),
            _bounties_constants(runtime),
            _child_bounties_constants(runtime),
        )

    def declared(self, pallet: str) -> frozenset[str]:
        """The events of a pallet that the runtime has."""
        of_pallet = {
            "Treasury": self.treasury.declared,
            "Bounties": self.bounties.declared,
            "ChildBounties": self.child_bounties.declared,
        }
        return of_pallet[pallet]


def _treasury_constants(runtime: Runtime) -> treasury.Constants:
    tail = {"valid_from": 0, "expire_at": 0, "status": ("Pending", ())}

    def constant(name: str, absent: Any = 0) -> Any:
        return _constant(runtime, "Treasury", name, absent)

    def encode_order(asset_kind: Any, amount: int, beneficiary: Any) -> bytes:
        order = {"asset_kind": asset_kind, "amount": amount, "beneficiary": beneficiary}
        return runtime.encode_storage("Treasury", "Spends", order | tail)[: -treasury.PENDING_TAIL]

    return treasury.Constants(
        proposal_bond=constant("ProposalBond"),
        proposal_bond_minimum=constant("ProposalBondMinimum"),
        proposal_bond_maximum=constant("ProposalBondMaximum", absent=None),
        max_approvals=constant("MaxApprovals"),
        payout_period=constant("PayoutPeriod"),
        payout_renews_expiry=runtime.spec_version >= PAYOUT_RENEWS_EXPIRY_SINCE,
        declared=_declared(runtime, "Treasury", treasury.EVENTS),
        encode_order=encode_order,
    )


def _bounties_constants(runtime: Runtime) -> bounties.Constants:
    def constant(name: str, absent: Any = 0) -> Any:
        return _constant(runtime, "Bounties", name, absent)

    return bounties.Constants(
        bounty_deposit_base=constant("BountyDepositBase"),
        data_deposit_per_byte=constant("DataDepositPerByte"),
        bounty_deposit_payout_delay=constant("BountyDepositPayoutDelay"),
        bounty_update_period=constant("BountyUpdatePeriod"),
        curator_deposit_multiplier=constant(
            "CuratorDepositMultiplier",
            absent=constant("BountyCuratorDeposit"),  # until 0.9.18, and without bounds
        ),
        curator_deposit_max=constant("CuratorDepositMax", absent=None),
        curator_deposit_min=constant("CuratorDepositMin", absent=None),
        bounty_value_minimum=constant("BountyValueMinimum"),
        maximum_reason_length=constant("MaximumReasonLength"),
        max_approvals=_constant(runtime, "Treasury", "MaxApprovals", 0),
        declared=_declared(runtime, "Bounties", bounties.EVENTS),
    )


def _child_bounties_constants(runtime: Runtime) -> child_bounties.Constants:
    def constant(name: str) -> Any:
        return _constant(runtime, "ChildBounties", name, 0)

    return child_bounties.Constants(
        max_active_child_bounty_count=constant("MaxActiveChildBountyCount"),
        child_bounty_value_minimum=constant("ChildBountyValueMinimum"),
        counts_per_parent=_has_item(runtime, "ChildBounties", "ParentTotalChildBounties"),
        declared=_declared(runtime, "ChildBounties", child_bounties.EVENTS),
    )


def _constant(runtime: Runtime, pallet: str, name: str, absent: Any) -> Any:
    try:
        return runtime.constant(pallet, name)
    except InputError:
        return absent


def _declared(runtime: Runtime, pallet: str, events: Sequence[type[Event]]) -> frozenset[str]:
    return frozenset(
        event.__name__ for event in events if runtime.has_event(pallet, event.__name__)
    )


def _has_item(runtime: Runtime, pallet: str, item: str) -> bool:
    try:
        runtime.storage_prefix(pallet, item)
    except InputError:
        return False
    return True


class SpendPeriod:
    """The end of a spend period, while its events come in."""

    def __init__(self, expected: Sequence[Event], budget: treasury.Budget) -> None:
        self._expected, self._budget = deque(expected), budget

    def takes(self, event: EventRecord) -> bool:
        """Whether `event` is what has to come now."""
        if event.name not in {"Burnt", "Rollover"}:
            return bool(self._expected) and agrees(self._expected.popleft(), event)
        if self._expected:
            return False
        if event.name == "Rollover":
            return bool(field(event, "rollover_balance", 0) == self._budget.remaining)
        burnt = Planck(field(event, "burnt_funds", 0))
        return not self._budget.missed_any and self._budget.take(burnt)

    def __str__(self) -> str:
        return f"{list(self._expected)} and {self._budget} left over"


class SpendingMirrors:
    """The storages of treasury, bounties and child bounties."""

    def __init__(self) -> None:
        self.treasury = treasury.Storage()
        self.bounties = bounties.Storage()
        self.child_bounties = child_bounties.Storage()
        self.period: SpendPeriod | None = None
        """Between two events of one hook only: no part of the state."""

    def mirrored_maps(self) -> tuple[StorageMap[Any, Any], ...]:
        """Items with the chain's keys and bytes."""
        return (
            self.treasury.proposal_count,
            self.treasury.proposals,
            self.treasury.approvals,
            self.treasury.spend_count,
            self.treasury.spends,
            self.bounties.bounty_count,
            self.bounties.bounties,
            self.bounties.bounty_descriptions,
            self.bounties.bounty_approvals,
            self.child_bounties.child_bounty_count,
            self.child_bounties.parent_child_bounties,
            self.child_bounties.parent_total_child_bounties,
            self.child_bounties.child_bounties,
            self.child_bounties.child_bounty_descriptions,
            self.child_bounties.child_bounty_descriptions_v1,
            self.child_bounties.children_curator_fees,
        )

    def dispatch(
        self,
        constants: Constants,
        now: RelayBlockNumber,
        origin: AccountId | None,
        call: Call,
        observed: Sequence[EventRecord],
    ) -> Sequence[Event]:
        """Apply a call of one of the pallets at `now`; `origin` is None for one that is no account.

        `observed` are its pallet's events. Raises `PalletError`, and `DecodeError` for a call or
        argument that we do not know.
        """
        match call.pallet:
            case "Treasury":
                config = treasury.Config(constants.treasury, now)
                return treasury.dispatch(self.treasury, config, origin, call, observed)
            case "Bounties":
                of_bounties = self._bounties_config(constants, now)
                return bounties.dispatch(self.bounties, of_bounties, origin, call, observed)
        of_children = self._child_bounties_config(constants, now)
        return child_bounties.dispatch(self.child_bounties, of_children, origin, call, observed)

    def replay(self, constants: Constants, now: RelayBlockNumber, event: EventRecord) -> bool:
        """Take over an event of one of the pallets without a call that the block shows.

        False where it does not tell enough, or not what had to come. Raises as `dispatch`.
        """
        if (event.pallet, event.name) == ("Treasury", "Spending"):
            self.period = self._spend_funds(Planck(field(event, "budget_remaining", 0)))
            return True
        if event.name in _OF_SPEND_PERIODS[event.pallet]:
            expected = self.period is not None and self.period.takes(event)
            if event.name == "Rollover":
                self.period = None
            return expected
        predicted = self._replay(constants, now, event)
        return predicted is not None and confirmed(
            predicted, [event], constants.declared(event.pallet)
        )

    def _replay(
        self, constants: Constants, now: RelayBlockNumber, event: EventRecord
    ) -> Sequence[Event] | None:
        match event.pallet:
            case "Treasury":
                config = treasury.Config(constants.treasury, now)
                return treasury.replay(self.treasury, config, event)
            case "Bounties":
                of_bounties = self._bounties_config(constants, now)
                return bounties.replay(self.bounties, of_bounties, event)
        of_children = self._child_bounties_config(constants, now)
        return child_bounties.replay(self.child_bounties, of_children, event)

    def _spend_funds(self, pot: Planck) -> SpendPeriod:
        budget = treasury.Budget(pot)
        awarded = treasury.spend_funds(self.treasury, budget)
        became_active = bounties.spend_funds(self.bounties, budget)
        return SpendPeriod([*awarded, *became_active], budget)

    def _bounties_config(self, constants: Constants, now: RelayBlockNumber) -> bounties.Config:
        manager = child_bounties.Manager(self.child_bounties, constants.child_bounties)
        return bounties.Config(constants.bounties, now, manager)

    def _child_bounties_config(
        self, constants: Constants, now: RelayBlockNumber
    ) -> child_bounties.Config:
        return child_bounties.Config(
            constants.child_bounties, constants.bounties, self.bounties, now
        )


def is_passed_over(event: EventRecord) -> bool:
    """Whether it tells of balances only."""
    return event.pallet == "Treasury" and event.name in treasury.PASSED_OVER


_OF_SPEND_PERIODS = {
    "Treasury": treasury.SPEND_PERIOD,
    "Bounties": bounties.OF_HOOKS,
    "ChildBounties": frozenset[str](),
}
"""What is deposited between Treasury.Spending and Treasury.Rollover only. `ChildBounties.Awarded`
is another thing."""
