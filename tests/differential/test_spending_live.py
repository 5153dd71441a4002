"""Treasury, bounties and child bounties beside the real runtime: after every block the same bytes.

Courses and seeds as in `test_mirrors_live`. A campaign of several courses goes on in each until
every call has taken effect; the one of every test run has random blocks, tasks and all refusals.
"""

from collections.abc import Iterator

import pytest

from ibp_chain.source import NodeSource
from ledger.pallets import bounties, child_bounties, treasury
from tests.conftest import StartDevnet
from tests.differential import spending_acts as acts
from tests.differential.live_chain import Chain, equipped_chain
from tests.differential.random_spending import SpendingDice
from tests.differential.test_mirrors_live import COURSES_EACH, FIRST_SEED, Course

pytestmark = pytest.mark.live

LONG_PERIODS = (1, 5)
"""A payout delay, if there is one, is over within one; after five a silent curator is inactive."""

CALLS = frozenset(
    {
        "Bounties.propose_bounty", "Bounties.approve_bounty", "Bounties.propose_curator",
        "Bounties.unassign_curator", "Bounties.accept_curator", "Bounties.award_bounty",
        "Bounties.claim_bounty", "Bounties.close_bounty", "Bounties.extend_bounty_expiry",
        "ChildBounties.add_child_bounty", "ChildBounties.propose_curator",
        "ChildBounties.accept_curator", "ChildBounties.unassign_curator",
        "ChildBounties.award_child_bounty", "ChildBounties.claim_child_bounty",
        "ChildBounties.close_child_bounty",
        "Treasury.spend_local", "Treasury.remove_approval", "Treasury.spend",
        "Treasury.check_status", "Treasury.void_spend",
    }
)  # fmt: skip
OLDER_CALLS = frozenset(
    {
        "Treasury.propose_spend", "Treasury.reject_proposal", "Treasury.approve_proposal",
        "Treasury.payout",
    }
)  # fmt: skip
"""Newer relay chains have moved to Asset Hub: their paymaster pays nobody."""
NEWER_CALLS = frozenset({"Bounties.approve_bounty_with_curator", "Bounties.poke_deposit"})

ERRORS = frozenset(
    f"{pallet.Error.pallet}.{error.__name__}"
    for pallet in (treasury, bounties, child_bounties)
    for error in pallet.Error.__subclasses__()
) - {"Bounties.NotProposer"}
"""All that the three pallets raise."""
OLDER_ERRORS = {"Treasury.InsufficientProposersBalance", "Treasury.InsufficientPermission"}

COURSES = [
    course._replace(seed=FIRST_SEED + n)
    for n in range(COURSES_EACH)
    for course in (
        Course("paseo-2024", 0, CALLS | OLDER_CALLS),
        Course("paseo-2026", 0, CALLS - {"Treasury.check_status"} | NEWER_CALLS),
    )
]


@pytest.fixture(scope="module", params=COURSES, ids=str)
def course(request: pytest.FixtureRequest) -> Course:
    assert isinstance(request.param, Course)
    return request.param


@pytest.fixture(scope="module")
def chain(course: Course, start_devnet: StartDevnet) -> Iterator[Chain]:
    with start_devnet(course.spec) as devnet, NodeSource(devnet.url) as node:
        yield equipped_chain(devnet, node, course.seed, SpendingDice)


def test_every_block_leaves_mirror_and_chain_with_the_same_bytes(
    chain: Chain, course: Course
) -> None:
    acts.prepare(chain)
    acts.random_blocks(chain, 2)
    for periods in LONG_PERIODS:
        acts.end_spend_periods(chain, periods)
        acts.random_blocks(chain, 2)
    acts.let_tasks_govern(chain)
    acts.provoke_treasury_errors(chain)
    acts.provoke_bounties_errors(chain)
    if COURSES_EACH > 1:  # which takes a minute more
        acts.random_blocks_until(chain, course.calls)
    proposes = chain.runtime.has_call("Treasury", "propose_spend")
    assert ERRORS - (set() if proposes else OLDER_ERRORS) <= chain.seen.keys()
