"""The mirrors beside the real runtime: after every block of random governance, the same bytes.

One course for each test runtime is part of every test run. A test's name ends in its seed, and the
same seed draws the same calls again. More and other courses:

    IBP_MIRROR_SEED=7 IBP_MIRROR_COURSES=50 python -m pytest tests/differential
"""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import pytest

from ibp_chain.scale.values import Call
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, TrackId
from ledger.locks import AccountLocks
from ledger.pallets import conviction_voting as cv
from ledger.pallets import multisig, referenda
from tests.conftest import StartDevnet
from tests.differential.governance_acts import (
    decide,
    let_tasks_vote,
    provoke_multisig_errors,
    provoke_voting_errors,
    random_blocks,
    random_blocks_until,
    submit,
    until_decided,
)
from tests.differential.live_chain import (
    BIG_TIPPER,
    ROOT,
    SMALL_TIPPER,
    TRACKS,
    WHALE,
    Chain,
    equipped_chain,
)

pytestmark = pytest.mark.live

FIRST_SEED = int(os.environ.get("IBP_MIRROR_SEED", "2026"))
COURSES_EACH = int(os.environ.get("IBP_MIRROR_COURSES", "1"))

CALLS = frozenset(
    {
        "ConvictionVoting.vote", "ConvictionVoting.delegate", "ConvictionVoting.undelegate",
        "ConvictionVoting.unlock", "ConvictionVoting.remove_vote",
        "ConvictionVoting.remove_other_vote",
        "Utility.batch", "Utility.batch_all", "Utility.force_batch", "Utility.as_derivative",
        "Utility.dispatch_as", "Utility.with_weight", "Proxy.proxy", "Sudo.sudo",
        "Multisig.as_multi", "Multisig.as_multi_threshold_1", "Multisig.approve_as_multi",
        "Multisig.cancel_as_multi",
    }
)  # fmt: skip
"""That a course goes on for until each has taken effect."""
NEWER_CALLS = frozenset(
    {"Utility.if_else", "Utility.dispatch_as_fallible", "Multisig.poke_deposit"}
)
ERRORS = frozenset(
    f"{pallet.Error.pallet}.{error.__name__}"
    for pallet in (cv, multisig)
    for error in pallet.Error.__subclasses__()
) - {"Multisig.NoApprovalsNeeded", "Multisig.AlreadyStored"}
"""All that the two pallets still raise."""


class Course(NamedTuple):
    """How random calls reach the runtime of a chain specification."""

    spec: str
    rooted_percent: int
    """Of extrinsics: through Sudo and `dispatch_as`, since a runtime filters governance calls."""
    calls: frozenset[str]
    seed: int = FIRST_SEED

    def __str__(self) -> str:
        return f"{self.spec}-seed-{self.seed}"


COURSES = [
    course._replace(seed=FIRST_SEED + n)
    for n in range(COURSES_EACH)
    for course in (
        Course("paseo-2024", 12, CALLS),
        Course("paseo-2026", 70, CALLS | NEWER_CALLS),
    )
]


@pytest.fixture(scope="module", params=COURSES, ids=str)
def course(request: pytest.FixtureRequest) -> Course:
    assert isinstance(request.param, Course)
    return request.param


@pytest.fixture(scope="module")
def chain(course: Course, start_devnet: StartDevnet) -> Iterator[Chain]:
    with start_devnet(course.spec) as devnet, NodeSource(devnet.url) as node:
        yield equipped_chain(devnet, node, course.seed)


def test_every_block_leaves_mirror_and_chain_with_the_same_bytes(
    chain: Chain, course: Course
) -> None:
    polls = submit(chain, (SMALL_TIPPER, BIG_TIPPER, *[SMALL_TIPPER] * 3, ROOT))
    approved, (rejected, cancelled, killed, timed_out) = polls[:2], polls[2:]
    decide(chain, approved, [rejected])
    random_blocks(chain, course.rooted_percent, 3)
    chain.force(
        [
            chain.dice.call("Referenda", "cancel", index=cancelled),
            chain.dice.call("Referenda", "kill", index=killed),
        ]
    )
    random_blocks(chain, course.rooted_percent, 2)
    until_decided(chain, approved)
    ongoing, _ = submit(chain, (SMALL_TIPPER, BIG_TIPPER))
    provoke_voting_errors(chain, ongoing, approved[1])
    provoke_multisig_errors(chain)
    assert chain.seen.keys() >= ERRORS
    let_tasks_vote(chain, ongoing)
    random_blocks(chain, course.rooted_percent, 2)
    until_decided(chain, [rejected])
    random_blocks(chain, course.rooted_percent, 2)
    until_decided(chain, [timed_out])
    random_blocks_until(chain, course.rooted_percent, course.calls)

    ends = {poll.status for _, poll in chain.mirrors.referenda.polls.items()}
    assert ends == set(referenda.Status)


def test_locks_are_what_unlocking_and_removing_leave(chain: Chain, course: Course) -> None:
    won, _ = submit(chain, (SMALL_TIPPER, ROOT))
    decide(chain, [won])
    random_blocks(chain, course.rooted_percent, 2)

    foretold, now = _all_do(chain, _unlock)
    assert any(locks.actual > locks.after_unlock for locks in foretold.values())
    for who, locks in foretold.items():
        assert chain.locks(who, now).actual == locks.after_unlock

    until_decided(chain, [won])
    foretold, now = _all_do(chain, _remove_and_unlock)
    assert any(locks.releasable for locks in foretold.values())
    for who, locks in foretold.items():
        assert chain.locks(who, now).actual == locks.required_now

    free_at = {
        who: max((held.free_at or 0 for held in locks.classes), default=0)
        for who, locks in ((who, chain.locks(who, now)) for who in foretold)
        if not any(held.delegation for held in locks.classes)
    }
    last = max(free_at.values())
    assert last > now
    who = next(who for who, at in free_at.items() if at == last)
    chain.block(last - 2)
    foretold, now = _all_do(chain, _unlock)
    assert (now, foretold[who].after_unlock > 0) == (last - 1, True)
    assert chain.locks(who, now).actual == foretold[who].after_unlock
    foretold, now = _all_do(chain, _unlock)
    assert (now, foretold[who].after_unlock) == (last, 0)
    assert chain.locks(who, now).actual == 0


Foretold: TypeAlias = Mapping[AccountId, AccountLocks]


def _all_do(
    chain: Chain, act: Callable[[Chain, AccountId, TrackId], list[Call]]
) -> tuple[Foretold, int]:
    """Let everybody do `act` in every class; what was foretold for that block, and its number."""
    head = chain.node.head().number
    accounts = [*chain.dice.accounts, WHALE.account]
    foretold = {n: {who: chain.locks(who, n) for who in accounts} for n in (head + 1, head + 2)}
    block = chain.force(
        [
            call
            for who in accounts
            for track in _classes(chain, who)
            for call in act(chain, who, track)
        ]
    )
    return foretold[block.header.number], block.header.number


def _classes(chain: Chain, who: AccountId) -> list[TrackId]:
    locked = dict(chain.mirrors.conviction_voting.class_locks_for.get(who))
    return sorted({*TRACKS, *locked})


def _unlock(chain: Chain, who: AccountId, track: TrackId) -> list[Call]:
    args = {"class": track, "target": ("Id", who)}
    return [chain.as_(who, "ConvictionVoting", "unlock", **args)]


def _remove_and_unlock(chain: Chain, who: AccountId, track: TrackId) -> list[Call]:
    voting = chain.mirrors.conviction_voting.voting_for.get((who, track))
    polls = [poll for poll, _ in voting.votes] if isinstance(voting, cv.Casting) else []
    removals = [
        chain.as_(who, "ConvictionVoting", "remove_vote", **{"class": track}, index=poll)
        for poll in polls
    ]
    return [*removals, *_unlock(chain, who, track)]
