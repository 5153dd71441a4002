"""What became of child bounties that a batch awarded: an award is not yet a payment.

Between award and claim the parent's curator can take an award back, close the child or award it to
somebody else. So a line counts as paid out once the ledger has seen its claim pay the line's payee,
and as waiting only while the child is still awarded to that payee. Pure.
Rule: `docs/payouts.md`, "Child bounties".
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ibp_chain.accounts import ss58_encode
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.child_bounties import PendingPayout
from ledger.pallets.payout_lines import ChildKey
from ledger.pallets.payouts import PaidKey, PaidLine
from ledger.state import State


class Course(StrEnum):
    CLAIMED = "claimed"
    WAITING = "awarded, and waits to be claimed"
    ASTRAY = "went another way than to the line's payee"


@dataclass(frozen=True, slots=True)
class Award:
    """A child bounty that was awarded for a line, as the ledger stands now."""

    child: ChildKey
    line: PaidKey
    course: Course
    why: str
    """For people; of one that went astray, what became of it."""

    def __str__(self) -> str:
        return f"child bounty {self.child[0]}/{self.child[1]} {self.why}"


def awards_of(state: State, lines: Collection[PaidKey]) -> Iterator[Award]:
    """Of every line in `lines` that was paid by a child bounty, in the children's order."""
    for child, line in sorted(state.payouts.awards.items()):
        paid = state.payouts.paid.find(line)
        if line in lines and paid is not None:
            yield Award(child, line, *_course(state, child, paid))


# --- Internals ----------------------------------------------------------------------


def _course(state: State, child: ChildKey, paid: PaidLine) -> tuple[Course, str]:
    prefix = state.network.ss58_prefix
    claim = state.payouts.claims.find(child)
    if claim is not None:
        if claim.beneficiary != paid.payee:
            who = ss58_encode(claim.beneficiary, prefix)
            return Course.ASTRAY, f"was claimed for {who} in block {claim.block}"
        if claim.amount < paid.amount:
            return Course.ASTRAY, f"paid {claim.amount} of {paid.amount} planck when it was claimed"
        return Course.CLAIMED, f"was claimed in block {claim.block}"
    key = BountyIndex(child[0]), BountyIndex(child[1])
    open_child = state.mirrors.spending.child_bounties.child_bounties.find(key)
    if open_child is None:
        return Course.ASTRAY, "was closed, and the ledger has seen no claim of it"
    status = open_child.status
    if not isinstance(status, PendingPayout):
        return Course.ASTRAY, "is not awarded any more: nobody can claim it"
    if status.beneficiary != paid.payee:
        return Course.ASTRAY, f"is awarded to {ss58_encode(status.beneficiary, prefix)} now"
    return Course.WAITING, "is awarded and waits to be claimed"
