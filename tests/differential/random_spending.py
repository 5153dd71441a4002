"""Random calls on treasury, bounties and child bounties, for a real runtime.

`SpendingDice` knows what the chain says of them, and draws mostly what somebody may do now: calls
of curators by curators, claims of what was awarded. The rest is nonsense, to be refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from tests.differential.random_governance import UNIT, Dice

NOBODYS = 777
"""An index that nothing has."""


@dataclass(frozen=True)
class Open:
    """What the chain has, decoded by its metadata."""

    bounties: Mapping[int, Any] = field(default_factory=dict)
    children: Mapping[tuple[int, int], Any] = field(default_factory=dict)
    proposals: Mapping[int, Any] = field(default_factory=dict)
    approvals: tuple[int, ...] = ()
    spends: Mapping[int, Any] = field(default_factory=dict)


@dataclass
class SpendingDice(Dice):
    open: Open = Open()
    height: int = 0

    # --- what a call may be ---

    def leaf(self, who: AccountId) -> Call:
        """A call of one of the pallets, by `who`."""
        good = self._by(who)
        return self.random.choice(good)() if good and self.chance(75) else self._anything(who)

    def rooted(self, depth: int = 0) -> Call:
        """A call for root: root's own, or somebody's."""
        if self.chance(40):
            good = self._by_root()
            return self.random.choice(good)() if good and self.chance(80) else self._roots()
        return super().rooted(depth)

    def somebody(self) -> AccountId:
        """Most of the time one who is to do something."""
        curators = [
            bounty["status"][1]["curator"]
            for bounty in (*self.open.bounties.values(), *self.open.children.values())
            if "curator" in dict(bounty["status"][1] or {})
        ]
        known = [AccountId(who) for who in curators if who in self.accounts]
        return self.random.choice(known if known and self.chance(85) else self.accounts)

    # --- by accounts ---

    def _by(self, who: AccountId) -> list[Callable[[], Call]]:
        """What `who` may do with good reason."""
        found: list[Callable[[], Call]] = [self._propose_bounty]
        if self.runtime.has_call("Treasury", "propose_spend"):
            found.append(self._propose_spend)
        for index, bounty in self.open.bounties.items():
            found += self._of_bounty(who, index, bounty)
        for (parent, child), bounty in self.open.children.items():
            found += self._of_child(who, parent, child, bounty)
        for index, spend in self.open.spends.items():
            attempted = spend["status"][0] == "Attempted"
            name = "check_status" if attempted else "payout"
            found.append(self._call("Treasury", name, index=index))
        return found

    def _of_bounty(self, who: AccountId, index: int, bounty: Any) -> list[Callable[[], Call]]:
        status, args = bounty["status"]

        def call(name: str, **given: Any) -> Callable[[], Call]:
            return self._call("Bounties", name, bounty_id=index, **given)

        mine = dict(args or {}).get("curator") == who
        match status:
            case "Proposed" if self.runtime.has_call("Bounties", "poke_deposit"):
                return [call("poke_deposit")]
            case "CuratorProposed" if mine:
                return [call("accept_curator")] * 4 + [call("unassign_curator")]
            case "ApprovedWithCurator" if mine:
                return [call("unassign_curator")]
            case "Active" if mine:
                return [
                    call("award_bounty", beneficiary=self.address()),
                    call("extend_bounty_expiry", remark=b"alive"),
                    call("unassign_curator"),
                    *[partial(self._add_child, index)] * 5,
                ]
            case "Active" if args["update_due"] < self.height:
                return [call("unassign_curator")]
            case "PendingPayout" if args["unlock_at"] <= self.height:
                return [call("claim_bounty")] * 2
        return []

    def _of_child(
        self, who: AccountId, parent: int, child: int, bounty: Any
    ) -> list[Callable[[], Call]]:
        status, args = bounty["status"]

        def call(name: str, **given: Any) -> Callable[[], Call]:
            ids = {"parent_bounty_id": parent, "child_bounty_id": child}
            return self._call("ChildBounties", name, **ids, **given)

        of_parent = self.open.bounties[parent]["status"]
        over = of_parent[0] == "Active" and of_parent[1]["curator"] == who
        mine = dict(args or {}).get("curator") == who
        found = [call("close_child_bounty")] if over and status != "PendingPayout" else []
        match status:
            case "Added" if over:
                return [*found, *[partial(self._propose_for, parent, child)] * 5]
            case "CuratorProposed" if mine:
                return [*found, *[call("accept_curator")] * 4, call("unassign_curator")]
            case "Active" if mine or over:
                award = call("award_child_bounty", beneficiary=self.address())
                return [*found, *[award] * 4, call("unassign_curator")]
            case "PendingPayout" if args["unlock_at"] <= self.height:
                return [call("claim_child_bounty")] * 2
            case "PendingPayout" if over:
                return [call("unassign_curator")]
        return found

    def _propose_bounty(self) -> Call:
        value = self.random.choice((9, 10, 20, 35, 50)) * UNIT
        description = bytes(self.random.randrange(40))
        return self.call("Bounties", "propose_bounty", value=value, description=description)

    def _propose_spend(self) -> Call:
        value, to = self.amount(), self.address()
        return self.call("Treasury", "propose_spend", value=value, beneficiary=to)

    def _add_child(self, parent: int) -> Call:
        value = self.random.choice((UNIT - 1, UNIT, 2 * UNIT + 1, 30 * UNIT))
        args = {"parent_bounty_id": parent, "value": value, "description": b"a part"}
        return self.call("ChildBounties", "add_child_bounty", **args)

    def _propose_for(self, parent: int, child: int) -> Call:
        args = {"parent_bounty_id": parent, "child_bounty_id": child, "fee": self._fee(UNIT)}
        curator = self.address()
        return self.call("ChildBounties", "propose_curator", **args, curator=curator)

    def _anything(self, who: AccountId) -> Call:
        """Whatever `who` is, with numbers that need not fit."""
        bounty = {"bounty_id": self._index(self.open.bounties)}
        parent = self._index(self.open.bounties)
        mine = [key for key in self.open.children if key[0] == parent]
        child = {
            "parent_bounty_id": parent,
            "child_bounty_id": self.random.choice(mine)[1] if mine else NOBODYS,
        }
        to = self.address()
        spend = {"index": self._index(self.open.spends)}
        calls: list[Callable[[], Call]] = [
            self._call("Bounties", "unassign_curator", **bounty),
            self._call("Bounties", "accept_curator", **bounty),
            self._call("Bounties", "award_bounty", **bounty, beneficiary=to),
            self._call("Bounties", "claim_bounty", **bounty),
            self._call("Bounties", "extend_bounty_expiry", **bounty, remark=b""),
            self._call("Bounties", "close_bounty", **bounty),
            partial(self._add_child, parent),
            self._call(
                "ChildBounties", "propose_curator", **child, curator=to, fee=self._fee(UNIT)
            ),
            self._call("ChildBounties", "accept_curator", **child),
            self._call("ChildBounties", "unassign_curator", **child),
            self._call("ChildBounties", "award_child_bounty", **child, beneficiary=to),
            self._call("ChildBounties", "claim_child_bounty", **child),
            self._call("ChildBounties", "close_child_bounty", **child),
            self._call("Treasury", "payout", **spend),
            self._call("Treasury", "check_status", **spend),
            self._call("Treasury", "void_spend", **spend),
            self._call("Treasury", "spend_local", amount=UNIT, beneficiary=("Id", who)),
        ]
        return self.random.choice(calls)()

    # --- by root ---

    def _by_root(self) -> list[Callable[[], Call]]:
        found: list[Callable[[], Call]] = [self._spend, self._spend_local]
        with_curator = self.runtime.has_call("Bounties", "approve_bounty_with_curator")
        for index, bounty in self.open.bounties.items():
            match bounty["status"][0]:
                case "Proposed":
                    found += [self._call("Bounties", "approve_bounty", bounty_id=index)] * 3
                    if with_curator:
                        found += [partial(self._approve_with, index)] * 3
                case "Funded":
                    found += [partial(self._offer, index)] * 5
        for index in self.open.proposals:
            if self.runtime.has_call("Treasury", "approve_proposal"):
                found.append(self._call("Treasury", "approve_proposal", proposal_id=index))
        return found

    def _roots(self) -> Call:
        """Any other call of root's, right or wrong."""
        bounty = {"bounty_id": self._index(self.open.bounties)}
        proposal = {"proposal_id": self._index(self.open.proposals)}
        parent, child = self.random.choice([*self.open.children, (NOBODYS, NOBODYS)])
        ids = {"parent_bounty_id": parent, "child_bounty_id": child}
        calls: list[Callable[[], Call]] = [
            self._call("Bounties", "close_bounty", **bounty),
            self._call("Bounties", "unassign_curator", **bounty),
            self._call("ChildBounties", "close_child_bounty", **ids),
            self._call("ChildBounties", "unassign_curator", **ids),
            self._call("Treasury", "remove_approval", **proposal),
            self._call("Treasury", "void_spend", index=self._index(self.open.spends)),
            partial(self._offer, bounty["bounty_id"]),
        ]
        if self.runtime.has_call("Treasury", "reject_proposal"):
            calls.append(self._call("Treasury", "reject_proposal", **proposal))
        return self.random.choice(calls)()

    def _offer(self, index: int) -> Call:
        args = {"bounty_id": index, "fee": self._fee(9 * UNIT)}
        return self.call("Bounties", "propose_curator", **args, curator=self.address())

    def _approve_with(self, index: int) -> Call:
        args = {"bounty_id": index, "fee": self._fee(9 * UNIT)}
        return self.call("Bounties", "approve_bounty_with_curator", **args, curator=self.address())

    def _spend_local(self) -> Call:
        amount, to = self.amount(), self.address()
        return self.call("Treasury", "spend_local", amount=amount, beneficiary=to)

    def _spend(self) -> Call:
        start = self.random.choice((None, None, self.height, self.height + 20, 1))
        return self.spend(AccountId(self.address()[1]), valid_from=start)

    def spend(
        self, to: AccountId, *, valid_from: int | None = None, para: int | None = 1000
    ) -> Call:
        """`Treasury.spend` of the chain's token on a parachain."""
        return self.call(
            "Treasury",
            "spend",
            asset_kind=self.asset_kind(para),
            amount=5 * UNIT,
            beneficiary=self._versioned(self._x1("AccountId32", {"network": None, "id": to})),
            valid_from=valid_from,
        )

    def asset_kind(self, para: int | None) -> tuple[str, Any]:
        """On the chain itself, which takes no messages, for no parachain."""
        token: Any = {"parents": 1, "interior": ("Here", ())}
        if not self._newer:
            token = ("Concrete", token)
        here: Any = {"parents": 0, "interior": ("Here", ())}
        location = here if para is None else self._x1("Parachain", para)
        return self._versioned({"location": location, "asset_id": token})

    def parachain(self, para: int) -> tuple[str, Any]:
        """A location."""
        return self._versioned(self._x1("Parachain", para))

    # --- values ---

    @property
    def _newer(self) -> bool:
        """Whether locations are of XCM 5, not 3."""
        return self.runtime.has_call("Bounties", "approve_bounty_with_curator")

    def _versioned(self, value: Any) -> tuple[str, Any]:
        return ("V5" if self._newer else "V3", value)

    def _x1(self, junction: str, value: Any) -> Any:
        one = (junction, value)
        return {"parents": 0, "interior": ("X1", [one] if self._newer else one)}

    def _fee(self, most: int) -> int:
        """Odd ones too: half a planck of deposit is rounded."""
        return self.random.choice((0, 1, most // 3, most - 1, 10**15))

    def _index(self, known: Mapping[int, Any]) -> int:
        return self.random.choice([*known, NOBODYS])

    def _call(self, pallet: str, name: str, **args: Any) -> Callable[[], Call]:
        return partial(self.call, pallet, name, **args)
