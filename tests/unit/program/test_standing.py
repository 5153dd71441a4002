"""Candidate, member, suspended, exited: F14."""

import pytest

from ibp_chain.types import BlockNumber
from ledger.pallets.membership import MemberStatus, Transition, TransitionKind
from ledger.program.standing import Standing, moves, standing_of
from tests.support.law import LAW

RULES = LAW.membership


@pytest.mark.parametrize(
    ("status", "granted", "standing"),
    [
        (MemberStatus.ACTIVE, (), Standing.CANDIDATE),
        (MemberStatus.ACTIVE, (1,), Standing.CANDIDATE),
        (MemberStatus.ACTIVE, (1, 2), Standing.MEMBER),
        (MemberStatus.ACTIVE, (2,), Standing.MEMBER),
        (MemberStatus.SUSPENDED, (1, 2), Standing.SUSPENDED),
        (MemberStatus.SUSPENDED, (), Standing.SUSPENDED),
        (MemberStatus.REMOVED, (), Standing.EXITED),
    ],
)
def test_where_somebody_stands(
    status: MemberStatus, granted: tuple[int, ...], standing: Standing
) -> None:
    assert standing_of(status, granted, RULES) is standing


def life(*kinds: tuple[TransitionKind, int | None]) -> list[Standing]:
    told = [
        ((BlockNumber(block), 0), Transition(kind, number, 2))
        for block, (kind, number) in enumerate(kinds, start=1)
    ]
    found = list(moves(reversed(told), RULES))
    assert [move.block for move in found] == list(range(1, len(kinds) + 1))
    return [move.standing for move in found]


def test_a_life_goes_from_candidate_to_member_to_exit_and_begins_anew() -> None:
    kind = TransitionKind
    assert life(
        (kind.REGISTERED, None), (kind.GRANTED, 1), (kind.GRANTED, 2), (kind.SUSPENDED, None),
        (kind.REINSTATED, None), (kind.REMOVED, None), (kind.REGISTERED, None),
    ) == [
        Standing.CANDIDATE, Standing.CANDIDATE, Standing.MEMBER, Standing.SUSPENDED,
        Standing.MEMBER, Standing.EXITED, Standing.CANDIDATE,
    ]  # fmt: skip


def test_who_loses_milestone_2_is_a_candidate_again() -> None:
    kind = TransitionKind
    assert life((kind.REGISTERED, None), (kind.GRANTED, 2), (kind.REVOKED, 2)) == [
        Standing.CANDIDATE, Standing.MEMBER, Standing.CANDIDATE,
    ]  # fmt: skip


def test_a_milestone_granted_while_suspended_counts_afterwards() -> None:
    kind = TransitionKind
    assert life(
        (kind.REGISTERED, None), (kind.SUSPENDED, None), (kind.GRANTED, 2), (kind.REINSTATED, None)
    ) == [Standing.CANDIDATE, Standing.SUSPENDED, Standing.SUSPENDED, Standing.MEMBER]
