"""Candidate, member, suspended, exited: where somebody stands, and how it came there (F14).

The pallet keeps what curators said: registered, suspended, reinstated, removed, milestones granted
and revoked. Seed 002 calls candidate whoever the curators interview, which is milestone 2; so that
somebody is a member from that grant on, as long as it stands. The other two are the pallet's own.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ibp_chain.types import BlockNumber
from ledger.pallets.membership import MemberStatus, Transition, TransitionKind
from ledger.program.law import MembershipRules


class Standing(StrEnum):
    CANDIDATE = "candidate"
    MEMBER = "member"
    SUSPENDED = "suspended"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Move:
    """A transition and where it left the member."""

    block: BlockNumber
    place: int
    """Of the remark among the block's programme remarks."""
    transition: Transition
    standing: Standing
    """Behind it."""


def standing_of(status: MemberStatus, granted: Collection[int], rules: MembershipRules) -> Standing:
    """Where somebody with this status and these milestones stands."""
    match status:
        case MemberStatus.REMOVED:
            return Standing.EXITED
        case MemberStatus.SUSPENDED:
            return Standing.SUSPENDED
        case MemberStatus.ACTIVE:
            return Standing.MEMBER if rules.member_from in granted else Standing.CANDIDATE


def moves(
    transitions: Iterable[tuple[tuple[BlockNumber, int], Transition]], rules: MembershipRules
) -> Iterator[Move]:
    """A member's whole life, in order of what was said; `transitions` by (block, place)."""
    status, granted = MemberStatus.REMOVED, set[int]()
    for (block, place), transition in sorted(transitions, key=lambda each: each[0]):
        match transition.kind:
            case TransitionKind.REGISTERED | TransitionKind.REINSTATED:
                status = MemberStatus.ACTIVE
            case TransitionKind.SUSPENDED:
                status = MemberStatus.SUSPENDED
            case TransitionKind.REMOVED:
                status = MemberStatus.REMOVED
                granted.clear()
            case TransitionKind.GRANTED:
                assert transition.milestone is not None, "the pallet notes which"
                granted.add(transition.milestone)
            case TransitionKind.REVOKED:
                assert transition.milestone is not None, "the pallet notes which"
                granted.discard(transition.milestone)
        yield Move(block, place, transition, standing_of(status, granted, rules))
