"""Child bounties in a batch: their numbers as the ledger predicts them, their calls, their claims.

Every child is added, proposed to and accepted by the multisig, which is the parent's curator and so
owes no deposit, and awarded to the payee, in one batch; claimed there too where the runtime has no
payout delay. A curator other than the multisig could award it to anybody: refused, because the
ledger would not see it. Pure. Rule: `docs/payouts.md`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.errors import DecodeError
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash
from ledger import mirrors_spending
from ledger.pallets import bounties
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.child_bounties import PendingPayout
from ledger.pallets.multisig.types import Status
from ledger.pallets.payout_lines import CHILD_BOUNTIES, ChildKey
from ledger.pallets.payouts import PaidKey
from ledger.state import State
from multisig.errors import BatchRefused
from multisig.nested import calls_in
from multisig.statement import Line


@dataclass(frozen=True, slots=True)
class Parent:
    """The bounty that children are of, and what the runtime fixes for them."""

    index: BountyIndex
    curator: AccountId
    """The multisig."""
    at_once: bool
    """Whether a child can be claimed in the block in which it was awarded."""


def parent_of(
    state: State, runtime: Runtime, index: int, multisig: AccountId, lines: int
) -> Parent:
    """Raises `BatchRefused` unless bounty `index` is active, the multisig its curator, and there is
    room for `lines` more children.
    """
    constants, spending = mirrors_spending.Constants.of(runtime), state.mirrors.spending
    bounty = spending.bounties.bounties.find(BountyIndex(index))
    if bounty is None:
        raise BatchRefused([f"there is no bounty {index}"])
    if not isinstance(bounty.status, bounties.Active):
        raise BatchRefused(
            [f"bounty {index} is not active: its curator has to accept it first, or it has ended"]
        )
    if bounty.status.curator != multisig:
        prefix = state.network.ss58_prefix
        theirs = ss58_encode(bounty.status.curator, prefix)
        raise BatchRefused([f"the curator of bounty {index} is {theirs}, not the multisig"])
    children = spending.child_bounties.parent_child_bounties.get(BountyIndex(index))
    most = constants.child_bounties.max_active_child_bounty_count
    if children + lines > most:
        raise BatchRefused(
            [f"bounty {index} has {children} open children, {most} are the most: claim some first"]
        )
    delay = constants.bounties.bounty_deposit_payout_delay
    return Parent(BountyIndex(index), multisig, at_once=not delay)


def next_child(state: State, runtime: Runtime, parent: BountyIndex) -> int:
    """The number that the next child of `parent` gets."""
    storage = state.mirrors.spending.child_bounties
    constants = mirrors_spending.Constants.of(runtime).child_bounties
    if constants.counts_per_parent:
        return storage.parent_total_child_bounties.get(parent)
    return storage.child_bounty_count.get(())


def predicted(
    state: State, period: str, parts: Sequence[Sequence[Line]], first: int
) -> list[tuple[int, ...]]:
    """The children's numbers of each part: those that they got, or will get in the parts' order."""
    found: list[tuple[int, ...]] = []
    by_line = _by_line(state)
    for lines in parts:
        known = [by_line.get((period, line.member, line.item)) for line in lines]
        if all(known):
            found.append(tuple(key[1] for key in known if key is not None))
            continue
        found.append(tuple(range(first, first + len(lines))))
        first += len(lines)
    return found


def adds_elsewhere(
    state: State, runtime: Runtime, multisig: AccountId, besides: frozenset[Hash]
) -> Iterator[str]:
    """Open operations that add children too, and would take the numbers: one run at a time."""
    for (account, call_hash, height, extrinsic, _), operation in sorted(
        state.mirrors.multisig.operations.items()
    ):
        if account != multisig or operation.status is not Status.OPEN or call_hash in besides:
            continue
        if operation.call is None:
            continue
        try:
            call = runtime.decode_call(operation.call)
        except DecodeError:
            continue
        if any((c.pallet, c.name) == (CHILD_BOUNTIES, "add_child_bounty") for c in calls_in(call)):
            yield (
                f"the open operation of {height}-{extrinsic} adds child bounties too: execute or "
                "cancel it first, the numbers follow from the order"
            )


def run_calls(
    parent: Parent, child: int, line: Line, period: str, prefix: int, runtime: Runtime
) -> list[Call]:
    """The calls that pay one line by child `child`."""
    about = {"parent_bounty_id": parent.index, "child_bounty_id": child}

    def call(name: str, args: Mapping[str, object]) -> Call:
        return runtime.call(CHILD_BOUNTIES, name, args)

    payee = ("Id", ss58_decode(line.payee, prefix))
    added = {
        "parent_bounty_id": parent.index,
        "value": line.planck,
        "description": description(period, line),
    }
    calls = [
        call("add_child_bounty", added),
        call("propose_curator", about | {"curator": ("Id", parent.curator), "fee": 0}),
        call("accept_curator", about),
        call("award_child_bounty", about | {"beneficiary": payee}),
    ]
    return [*calls, call("claim_child_bounty", about)] if parent.at_once else calls


def description(period: str, line: Line) -> bytes:
    """What the chain and its explorers show of a child."""
    return f"{period} {line.member}/{line.item}".encode()


# --- Claims ---------------------------------------------------------------------------


def awarded(state: State, period: str, lines: Sequence[Line]) -> tuple[ChildKey, ...]:
    """The child bounty of each line, as the ledger registered it when it was awarded.

    Raises `BatchRefused` naming every line that no child bounty was awarded for.
    """
    by_line = _by_line(state)
    missing = [line for line in lines if (period, line.member, line.item) not in by_line]
    if missing:
        raise BatchRefused(
            [f"{line.member}/{line.item}: no child bounty was awarded for it" for line in missing]
        )
    return tuple(by_line[period, line.member, line.item] for line in lines)


def claimed_numbers(
    state: State, period: str, parts: Sequence[Sequence[Line]]
) -> tuple[int, list[tuple[int, ...]]]:
    """The bounty that the lines' children are of, and their numbers. Raises `BatchRefused` as
    `awarded`, and for children of two bounties.
    """
    keys = [awarded(state, period, lines) for lines in parts]
    parents = sorted({parent for part in keys for parent, _ in part})
    if len(parents) > 1:
        raise BatchRefused([f"the child bounties are of several bounties: {parents}"])
    return parents[0], [tuple(child for _, child in part) for part in keys]


def unclaimable(state: State, period: str, lines: Sequence[Line]) -> Iterator[str]:
    """Why the claim of a line's child bounty would fail as the ledger stands."""
    head, prefix = state.head.value, state.network.ss58_prefix
    for line, key in zip(lines, awarded(state, period, lines), strict=True):
        where, name = f"{line.member}/{line.item}", f"child bounty {key[0]}/{key[1]}"
        child = state.mirrors.spending.child_bounties.child_bounties.find(
            (BountyIndex(key[0]), BountyIndex(key[1]))
        )
        if child is None:
            yield f"{where}: {name} is claimed already, by whomever; claim the others alone"
        elif not isinstance(child.status, PendingPayout):
            yield f"{where}: {name} is not awarded any more: read its bounty's history"
        elif ss58_encode(child.status.beneficiary, prefix) != line.payee:
            yield f"{where}: {name} is awarded to another account than {line.payee}"
        elif head is None or head.now < child.status.unlock_at:
            yield f"{where}: {name} can be claimed from block {child.status.unlock_at} on"


def claim_call(key: ChildKey, runtime: Runtime) -> Call:
    """Whoever dispatches it, it pays the beneficiary."""
    about = {"parent_bounty_id": key[0], "child_bounty_id": key[1]}
    return runtime.call(CHILD_BOUNTIES, "claim_child_bounty", about)


# --- Internals ----------------------------------------------------------------------


def _by_line(state: State) -> dict[PaidKey, ChildKey]:
    return {key: child for child, key in state.payouts.awards.items()}
