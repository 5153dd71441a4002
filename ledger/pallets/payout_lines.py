"""What the calls of a payout batch pay, line by line.

A line is paid by a plain transfer, by a child bounty that is added, given to its parent's curator,
awarded and perhaps claimed in a row, or by the claim of a child bounty that an earlier batch
awarded. Pure: what the calls do not tell, a child's number and a claim's payout, comes from the
events that they deposited. Rule: `docs/remarks.md`, "payout".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from ibp_chain.blocks import EventRecord
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Planck
from ledger.dispatch_values import field

CHILD_BOUNTIES = "ChildBounties"
_ADD, _CLAIM = "add_child_bounty", "claim_child_bounty"
_COURSE = (_ADD, "propose_curator", "accept_curator", "award_child_bounty")

ChildKey: TypeAlias = tuple[int, int]
"""(parent bounty, child bounty)."""
Deposited: TypeAlias = Mapping[int, EventRecord]
"""`Added` and `Claimed`, by the place in the batch of the call that deposited them."""


class Transfer(NamedTuple):
    payee: AccountId
    amount: Planck


class ChildRun(NamedTuple):
    """Calls that pay by a child bounty: all but the claim in a row, and the claim where it fits."""

    key: ChildKey
    value: Planck
    fee: Planck
    curator: AccountId
    description: bytes
    payee: AccountId
    claimed: bool

    @property
    def amount(self) -> Planck:
        """What the payee gets."""
        return Planck(self.value - self.fee)


class Payment(NamedTuple):
    """What the calls of one line do."""

    transfer: Transfer | None
    """None for calls that pay nobody in a way that we know."""
    award: ChildKey | None
    """The child bounty that it was awarded by, in this batch."""
    claim: ChildKey | None
    """The child bounty, awarded in an earlier batch, that is claimed."""
    loose: Planck
    """Set aside in child bounties by calls that are no run of ours."""


def transfer_of(call: Call) -> Transfer | None:
    """What `call` transfers, and to whom; None for anything but a plain transfer."""
    if call.pallet != "Balances" or call.name not in {
        "transfer_keep_alive",
        "transfer_allow_death",
    }:
        return None
    match call.args:
        case {"dest": ("Id", bytes() as account), "value": int() as value}:
            return Transfer(AccountId(account), Planck(value))
    return None


def run_of(calls: Sequence[Call]) -> ChildRun | None:
    """The child bounty that `calls` add, award and perhaps claim; None for any other calls."""
    if any(call.pallet != CHILD_BOUNTIES for call in calls):
        return None
    names, claimed = tuple(call.name for call in calls), len(calls) == len(_COURSE) + 1
    if names != (*_COURSE, _CLAIM) if claimed else names != _COURSE:
        return None
    added, proposed, _, awarded, *_ = (call.args for call in calls)
    keys = {_key(call) for call in calls[1:]}
    match proposed.get("curator"), awarded.get("beneficiary"):
        case (("Id", bytes() as curator), ("Id", bytes() as payee)) if len(keys) == 1:
            key = keys.pop()
            if key[0] != added["parent_bounty_id"]:
                return None
            return ChildRun(
                key=key,
                value=Planck(added["value"]),
                fee=Planck(proposed["fee"]),
                curator=AccountId(curator),
                description=added["description"],
                payee=AccountId(payee),
                claimed=claimed,
            )
    return None


def claim_of(call: Call) -> ChildKey | None:
    """The child bounty that `call` claims; None for any other call."""
    return _key(call) if (call.pallet, call.name) == (CHILD_BOUNTIES, _CLAIM) else None


def groups(calls: Sequence[Call]) -> Iterator[tuple[int, tuple[Call, ...]]]:
    """The calls of each line, and where they begin: one call, or an added child's whole course.

    What follows an `add_child_bounty` is of its line as long as it is about that parent's child
    that the second call names: a claim of another child is a line of its own.
    """
    place = 0
    while place < len(calls):
        end = place + 1
        if _is(calls[place], _ADD) and end < len(calls) and not _is(calls[end], _ADD):
            about = _child_of(calls[end])
            while end < len(calls) and about is not None and _child_of(calls[end]) == about:
                end += 1
        yield place, tuple(calls[place:end])
        place = end


def payment_of(calls: Sequence[Call], place: int, deposited: Deposited) -> Payment:
    """What the calls of one line paid; the first of them stood at `place` in the batch."""
    first = calls[0]
    if len(calls) == 1 and (key := claim_of(first)) is not None:
        return Payment(_claimed(key, deposited.get(place)), None, key, Planck(0))
    run = run_of(calls)
    if run is not None and _added(deposited.get(place)) == run.key:
        return Payment(Transfer(run.payee, run.amount), run.key, None, Planck(0))
    loose = sum(call.args["value"] for call in calls if _is(call, _ADD))
    transfer = transfer_of(first) if len(calls) == 1 else None
    return Payment(transfer, None, None, Planck(loose))


def deposited_by(call: Call, events: Sequence[EventRecord]) -> EventRecord | None:
    """The event of `call` that `Deposited` holds, if it is a call that leaves one."""
    wanted = {_ADD: "Added", _CLAIM: "Claimed"}.get(call.name)
    if call.pallet != CHILD_BOUNTIES or wanted is None:
        return None
    of_pallet = (event for event in events if event.pallet == CHILD_BOUNTIES)
    return next((event for event in of_pallet if event.name == wanted), None)


def claims_in(events: Sequence[EventRecord]) -> Iterator[tuple[ChildKey, Transfer]]:
    """The child bounties that `events` say were claimed, and what went to whom."""
    for event in events:
        if (event.pallet, event.name) != (CHILD_BOUNTIES, "Claimed"):
            continue
        key = _added(event)
        claimed = None if key is None else _claimed(key, event)
        if key is not None and claimed is not None:
            yield key, claimed


# --- Internals ----------------------------------------------------------------------


def _is(call: Call, name: str) -> bool:
    return (call.pallet, call.name) == (CHILD_BOUNTIES, name)


def _key(call: Call) -> ChildKey:
    args: Mapping[str, Any] = call.args
    return args["parent_bounty_id"], args["child_bounty_id"]


def _child_of(call: Call) -> ChildKey | None:
    known = call.pallet == CHILD_BOUNTIES and "child_bounty_id" in call.args
    return _key(call) if known else None


def _added(event: EventRecord | None) -> ChildKey | None:
    if event is None:
        return None
    return field(event, "index", 0), field(event, "child_index", 1)


def _claimed(key: ChildKey, event: EventRecord | None) -> Transfer | None:
    if event is None or _added(event) != key:
        return None
    return Transfer(AccountId(field(event, "beneficiary", 3)), Planck(field(event, "payout", 2)))
