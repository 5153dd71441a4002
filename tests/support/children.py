"""The recorded programme with a bounty that its multisig is curator of."""

from ibp_chain.types import AccountId, BlockNumber, Planck, RelayBlockNumber
from ledger.pallets import bounties
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.child_bounties import ChildBounty, PendingPayout
from ledger.pallets.payouts import PaidLine
from ledger.pallets.programme import curators_account
from ledger.state import State
from multisig.batch import Batch
from multisig.plan import Kind, PlanPart
from tests.support.payouts import PASEO, PERIOD

PARENT, FIRST = BountyIndex(17), 40
"""The bounty, and the number that the next child bounty gets."""
PLAN = PlanPart(kind=Kind.CHILD_BOUNTIES, parent=PARENT)
CLAIMS = PlanPart(kind=Kind.CHILD_CLAIMS)


def multisig_of(state: State) -> AccountId:
    program = state.programme.program.value
    assert program is not None
    return curators_account(program)


def curated(state: State, curator: AccountId | None = None) -> State:
    """`state` with bounty `PARENT`, active."""
    who = multisig_of(state) if curator is None else curator
    status = bounties.Active(who, RelayBlockNumber(10**6))
    bounty = bounties.Bounty(who, Planck(10**15), Planck(0), Planck(0), Planck(0), status)
    spending = state.mirrors.spending
    spending.bounties.bounties.insert(PARENT, bounty)
    spending.child_bounties.child_bounty_count.put(FIRST)
    return state


def award(state: State, batch: Batch, unlock_at: int = 0) -> State:
    """`state` after `batch` of child bounties was executed, as the ledger has it then."""
    spending, numbers = state.mirrors.spending.child_bounties, batch.plan.children
    assert numbers is not None
    for place, (line, child) in enumerate(zip(batch.lines, numbers, strict=True)):
        record = state.membership.members.get(line.member)
        payee = record.payee(PASEO.name)
        assert payee is not None
        status = PendingPayout(multisig_of(state), payee, RelayBlockNumber(unlock_at))
        added = ChildBounty(PARENT, line.planck, Planck(0), Planck(0), status)
        spending.child_bounties.insert((PARENT, BountyIndex(child)), added)
        key = (PERIOD, line.member, line.item)
        state.payouts.paid.insert(key, PaidLine(payee, line.planck, (BlockNumber(1), 0), place))
        state.payouts.awards.insert((PARENT, child), key)
    spending.child_bounty_count.put(numbers[-1] + 1)
    return state
