"""A treasury with bounties and child bounties under the constants of the pallets' own mock."""

from dataclasses import replace

from ibp_chain.types import AccountId, Planck, RelayBlockNumber
from ledger import mirrors_spending as spending
from ledger.pallets import bounties, child_bounties, treasury
from ledger.pallets.bounties import BountyIndex
from tests.unit.mirrors.recorded_runtime import runtime

PROPOSER, CURATOR, OTHER, PAYEE, CHILDS = (AccountId(bytes([n]) * 32) for n in range(1, 6))
"""Who proposes, curates, does neither, is paid, and curates a child bounty."""
ROOT = None
"""An origin that is no account."""
ONE = BountyIndex(0)
VALUE = 50

OF_BOUNTIES = bounties.Constants(
    bounty_deposit_base=Planck(80),
    data_deposit_per_byte=Planck(1),
    bounty_deposit_payout_delay=3,
    bounty_update_period=20,
    curator_deposit_multiplier=500_000,
    curator_deposit_max=Planck(1_000),
    curator_deposit_min=Planck(3),
    bounty_value_minimum=Planck(1),
    maximum_reason_length=16_384,
    max_approvals=100,
    declared=frozenset(event.__name__ for event in bounties.EVENTS),
)
OF_CHILDREN = child_bounties.Constants(
    max_active_child_bounty_count=2,
    child_bounty_value_minimum=Planck(1),
    counts_per_parent=True,
    declared=frozenset(event.__name__ for event in child_bounties.EVENTS),
)
OF_TREASURY = treasury.Constants(
    proposal_bond=50_000,
    proposal_bond_minimum=Planck(1),
    proposal_bond_maximum=None,
    max_approvals=100,
    payout_period=5,
    payout_renews_expiry=False,
    declared=frozenset(event.__name__ for event in treasury.EVENTS),
    encode_order=spending.Constants.of(runtime()).treasury.encode_order,
)


class World:
    """At block 1. Calls take an origin first, as the pallets' do."""

    def __init__(self) -> None:
        self.mirrors = spending.SpendingMirrors()
        self.of_bounties, self.of_children = OF_BOUNTIES, OF_CHILDREN
        self.now = RelayBlockNumber(1)

    def at(self, now: int) -> "World":
        self.now = RelayBlockNumber(now)
        return self

    # --- bounties ---

    @property
    def storage(self) -> bounties.Storage:
        return self.mirrors.bounties

    @property
    def config(self) -> bounties.Config:
        manager = child_bounties.Manager(self.children, self.of_children)
        return bounties.Config(self.of_bounties, self.now, manager)

    def bounty(self, index: BountyIndex = ONE) -> bounties.Bounty:
        return self.storage.bounties.get(index)

    def propose(self, value: int = VALUE, description: bytes = b"12345") -> list[bounties.Event]:
        return bounties.propose_bounty(
            self.storage, self.config, PROPOSER, Planck(value), description
        )

    def approve(self, origin: AccountId | None = ROOT) -> list[bounties.Event]:
        return bounties.approve_bounty(self.storage, self.config, origin, ONE)

    def approve_with_curator(self, fee: int = 10) -> list[bounties.Event]:
        return bounties.approve_bounty_with_curator(
            self.storage, self.config, ROOT, ONE, CURATOR, Planck(fee)
        )

    def spend_funds(self, pot: int = 1_000) -> list[bounties.Event]:
        return bounties.spend_funds(self.storage, treasury.Budget(Planck(pot)))

    def offer(self, fee: int = 10, origin: AccountId | None = ROOT) -> list[bounties.Event]:
        """`propose_curator`."""
        return bounties.propose_curator(self.storage, origin, ONE, CURATOR, Planck(fee))

    def accept(self, origin: AccountId | None = CURATOR) -> list[bounties.Event]:
        return bounties.accept_curator(self.storage, self.config, origin, ONE)

    def unassign(self, origin: AccountId | None) -> list[bounties.Event]:
        return bounties.unassign_curator(self.storage, self.config, origin, ONE)

    def award(self, origin: AccountId | None = CURATOR) -> list[bounties.Event]:
        return bounties.award_bounty(self.storage, self.config, origin, ONE, PAYEE)

    def claim(self, origin: AccountId | None = OTHER) -> list[bounties.Event]:
        return bounties.claim_bounty(self.storage, self.config, origin, ONE, Planck(40))

    def close(self, origin: AccountId | None = ROOT) -> list[bounties.Event]:
        return bounties.close_bounty(self.storage, self.config, origin, ONE)

    def extend(self, origin: AccountId | None = CURATOR) -> list[bounties.Event]:
        return bounties.extend_bounty_expiry(self.storage, self.config, origin, ONE)

    def poke(self, origin: AccountId | None = OTHER) -> list[bounties.Event]:
        return bounties.poke_deposit(self.storage, self.config, origin, ONE)

    def funded(self) -> "World":
        self.propose()
        self.approve()
        self.spend_funds()
        return self

    def active(self) -> "World":
        """Since now: an update is due in 20 blocks."""
        self.funded().offer()
        self.accept()
        return self

    # --- child bounties ---

    @property
    def children(self) -> child_bounties.Storage:
        return self.mirrors.child_bounties

    @property
    def child_config(self) -> child_bounties.Config:
        return child_bounties.Config(self.of_children, self.of_bounties, self.storage, self.now)

    def counting_over_all(self) -> "World":
        """As before release 1.5."""
        self.of_children = replace(self.of_children, counts_per_parent=False)
        return self

    def child(self, child: int = 0) -> child_bounties.ChildBounty:
        return self.children.child_bounties.get((ONE, BountyIndex(child)))

    def add_child(
        self, origin: AccountId | None = CURATOR, value: int = 10, description: bytes = b"part"
    ) -> list[child_bounties.Event]:
        return child_bounties.add_child_bounty(
            self.children, self.child_config, origin, ONE, Planck(value), description
        )

    def offer_child(
        self,
        fee: int = 6,
        *,
        origin: AccountId | None = CURATOR,
        to: AccountId = CHILDS,
        child: int = 0,
    ) -> list[child_bounties.Event]:
        """`propose_curator`."""
        return child_bounties.propose_curator(
            self.children, self.child_config, origin, ONE, BountyIndex(child), to, Planck(fee)
        )

    def accept_child(self, origin: AccountId | None = CHILDS) -> list[child_bounties.Event]:
        return child_bounties.accept_curator(self.children, self.child_config, origin, ONE, ONE)

    def unassign_child(self, origin: AccountId | None) -> list[child_bounties.Event]:
        return child_bounties.unassign_curator(self.children, self.child_config, origin, ONE, ONE)

    def award_child(self, origin: AccountId | None = CHILDS) -> list[child_bounties.Event]:
        return child_bounties.award_child_bounty(
            self.children, self.child_config, origin, ONE, ONE, PAYEE
        )

    def claim_child(self, origin: AccountId | None = OTHER) -> list[child_bounties.Event]:
        return child_bounties.claim_child_bounty(
            self.children, self.child_config, origin, ONE, ONE, Planck(4)
        )

    def close_child(
        self, origin: AccountId | None = CURATOR, child: int = 0
    ) -> list[child_bounties.Event]:
        return child_bounties.close_child_bounty(
            self.children, self.child_config, origin, ONE, BountyIndex(child)
        )

    def with_active_child(self) -> "World":
        self.active().add_child()
        self.offer_child()
        self.accept_child()
        return self

    # --- both ---

    def bytes(self) -> dict[bytes, bytes]:
        return dict(entry for item in self.mirrors.mirrored_maps() for entry in item.raw_items())
