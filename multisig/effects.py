"""What a payout call is to do to balances, and what the events of one that ran say that it did.

Pure. Source of the events' meaning: `pallet_balances::Event`. An event that is not known here is
never passed over: whoever judges a simulation is told of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from ibp_chain.accounts import multisig_account, pallet_account, ss58_decode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import InputError
from ibp_chain.runtime import Runtime
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, Hash
from multisig.batch import bounty_account, parts_of, payout_remark
from multisig.bundle import Bundle
from multisig.errors import BundleRefused
from multisig.plan import Kind
from multisig.statement import Line

_TREASURY = b"py/trsry"
_ADDS = frozenset({"Deposit", "Minted", "Restored"})
_TAKES = frozenset({"Withdraw", "Burned", "BurnedHeld", "Slashed", "Suspended", "DustLost"})
_MOVES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "Transfer": ("from", "to", "amount"),
        "ReserveRepatriated": ("from", "to", "amount"),
        "TransferOnHold": ("source", "dest", "amount"),
        "TransferAndHold": ("source", "dest", "transferred"),
    }
)
_NO_CHANGE = frozenset(
    {
        "Endowed", "Reserved", "Unreserved", "Held", "Released", "Locked", "Unlocked", "Frozen",
        "Thawed", "Upgraded", "Issued", "Rescinded", "TotalIssuanceForced", "MintedCredit",
        "BurnedDebt",
    }
)  # fmt: skip
"""What a whole balance, free and reserved together, is left alone by."""
_BESIDES = frozenset(
    {
        ("System", "NewAccount"),
        ("System", "KilledAccount"),
        ("Utility", "ItemCompleted"),
        ("Utility", "BatchCompleted"),
    }
)
"""What every payout batch may say beside its payments."""
_CHILDREN = frozenset({"Bounties", "ChildBounties"})


class Event(NamedTuple):
    """An event of the runtime. `args` have the shapes of `ibp_chain.scale.values`."""

    pallet: str
    name: str
    args: Any


@dataclass(frozen=True, slots=True)
class Effects:
    """What events say that happened."""

    changes: Mapping[AccountId, int]
    """Planck by which each account's whole balance, free and reserved, changed."""
    others: tuple[str, ...]
    """`Pallet.Event` of what no payout does, or what cannot be told about; each once."""
    remarks: tuple["Remarked", ...] = ()
    """That the call made, in order: `remark_with_event` leaves an event, `remark` none."""


class Remarked(NamedTuple):
    """What the event of a remark says of it."""

    sender: AccountId
    hash: Hash
    """blake2-256 of the remark's bytes."""


class Expected(NamedTuple):
    """What a payout is to do to one account."""

    name: str
    """Who it is, for people: `member/item`, `multisig`, `bounty 17`, `child bounty 17/4`."""
    change: int


def ensure_whole(bundle: Bundle) -> None:
    """Whether a bundle's own parts fit together, as far as that shows without a ledger.

    Raises `BundleRefused` with everything that does not hold.
    """
    multisig, wrong = bundle.multisig, []
    signatories = multisig.account_ids(bundle.network)
    if multisig_account(signatories, multisig.threshold) != multisig.account_id(bundle.network):
        wrong.append("its multisig is not that of its signatories")
    if bundle.call_hash != blake2_256(bundle.call):
        wrong.append(f"its call hashes to 0x{blake2_256(bundle.call).hex()}")
    if bundle.statement_hash != bundle.statement.hash:
        wrong.append(f"its statement hashes to 0x{bundle.statement.hash.hex()}")
    if wrong:
        raise BundleRefused(wrong)


def effects_of(events: Iterable[Event], *, children: bool = False) -> Effects:
    """`children` for a batch that is about child bounties, whose events are then no surprise."""
    changes: defaultdict[AccountId, int] = defaultdict(int)
    others: dict[str, None] = {}
    remarks: list[Remarked] = []
    for event in events:
        if (event.pallet, event.name) == ("System", "Remarked"):
            remarks.append(Remarked(AccountId(event.args["sender"]), Hash(event.args["hash"])))
            continue
        moves = _moves(event)
        if moves is None:
            known = (event.pallet, event.name) in _BESIDES or (
                children and event.pallet in _CHILDREN
            )
            if not known:
                others[f"{event.pallet}.{event.name}"] = None
            continue
        for account, amount in moves:
            changes[account] += amount
    changed = {who: amount for who, amount in changes.items() if amount}
    return Effects(changed, tuple(others), tuple(remarks))


def expected_changes(bundle: Bundle, runtime: Runtime) -> dict[AccountId, Expected]:
    """What the bundle's lines come to, with accounts that must not change at all, by account.

    From the statement and the plan alone: what the call itself says is for the simulation to find
    out. Raises `InputError` for a part that the statement does not have, and for child bounties on
    a runtime without them.
    """
    lines, plan = lines_of(bundle), bundle.paid_by
    if plan.kind is not Kind.TRANSFERS and not runtime.has_pallet("ChildBounties"):
        raise InputError(f"{runtime} has no child bounties")
    prefix, total = bundle.network.ss58_prefix, sum(line.planck for line in lines)
    found: dict[AccountId, Expected] = {}

    def expect(account: AccountId, name: str, change: int) -> None:
        known = found.get(account, Expected("", 0))
        names = f"{known.name}, {name}" if known.name else name
        found[account] = Expected(names, known.change + change)

    transfers, claims = plan.kind is Kind.TRANSFERS, plan.kind is Kind.CHILD_CLAIMS
    now = transfers or claims or claimed_at_once(runtime)
    for line in lines:
        name = f"{line.member}/{line.item}"
        expect(ss58_decode(line.payee, prefix), name, line.planck if now else 0)
    expect(bundle.multisig.account_id(bundle.network), "multisig", -total if transfers else 0)
    if transfers:
        return found
    assert plan.parent is not None
    assert plan.children is not None
    expect(bounty_account(plan.parent), f"bounty {plan.parent}", 0 if claims else -total)
    for line, child in zip(lines, plan.children, strict=True):
        change = -line.planck if claims else 0 if now else line.planck
        account = child_account(runtime, plan.parent, child)
        expect(account, f"child bounty {plan.parent}/{child}", change)
    return found


def expected_remark(bundle: Bundle) -> Remarked:
    """The one remark that the bundle's part is to make. Raises `InputError` as `lines_of`."""
    remark = payout_remark(bundle.statement, lines_of(bundle))
    return Remarked(bundle.multisig.account_id(bundle.network), blake2_256(remark))


def lines_of(bundle: Bundle) -> Sequence[Line]:
    """The lines that this part of the statement pays. Raises `InputError` as `expected_changes`."""
    parts = parts_of(bundle.statement, bundle.paid_by.lines_per_part)
    if bundle.part > len(parts):
        raise InputError(f"the bundle says to be part {bundle.part}, there are {len(parts)}")
    lines, plan = parts[bundle.part - 1], bundle.paid_by
    if plan.kind is not Kind.TRANSFERS and (
        plan.parent is None or len(plan.children or ()) != len(lines)
    ):
        raise InputError(f"the bundle does not number the child bounties of its {len(lines)} lines")
    return lines


def claimed_at_once(runtime: Runtime) -> bool:
    """Whether child bounties are claimed in the batch that awards them: without payout delay."""
    return not runtime.constant("Bounties", "BountyDepositPayoutDelay")


def child_account(runtime: Runtime, parent: int, child: int) -> AccountId:
    """`pallet_child_bounties::child_bounty_account_id`.

    Runtimes that number children per parent have the parent in it too.
    """
    per_parent = "ParentTotalChildBounties" in runtime.metadata.pallets["ChildBounties"].storage
    numbers = (parent, child) if per_parent else (child,)
    sub = schema.text.encode("cb") + b"".join(map(schema.u32.encode, numbers))
    return pallet_account(_TREASURY, sub)


# --- Internals ------------------------------------------------------------------------


def _moves(event: Event) -> list[tuple[AccountId, int]] | None:
    """What the event takes from accounts and gives to them; None where that is not known."""
    if event.pallet != "Balances":
        return None
    args = event.args
    if event.name in _NO_CHANGE:
        return []
    if event.name in _ADDS or event.name in _TAKES:
        who = args["account"] if event.name == "DustLost" else args["who"]
        return [(AccountId(who), args["amount"] if event.name in _ADDS else -args["amount"])]
    if event.name in _MOVES:
        source, dest, amount = (args[name] for name in _MOVES[event.name])
        return [(AccountId(source), -amount), (AccountId(dest), amount)]
    return None
