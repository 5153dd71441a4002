"""Any three of five curators, in any order: sixty payouts side by side on the real runtime.

All first approvals are in one block, all second ones in the next, all third ones in a third. So
each operation stands among 59 others of the same multisig, and only its own three approvals are
its own.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

import pytest

from ibp_chain.blocks import Block
from ibp_chain.cli.reconcile import ensure_settled
from ibp_chain.types import AccountId, Hash
from multisig.approve import Approver
from multisig.bundle import Bundle
from multisig.decode import read_payout
from multisig.onchain import operations_of
from multisig.operations import OpenOperation
from multisig.reconcile import Outcome, Reconciliation, reconcile
from tests.support.pay_office import (
    ACCOUNTS,
    MEMBERS,
    MULTISIG,
    PASEO,
    PayOffice,
    pay_office,
    payee,
)

pytestmark = pytest.mark.live

ORDERS = [order for chosen in combinations(range(5), 3) for order in permutations(chosen)]
PAID_TO = MEMBERS[:3]


@dataclass(frozen=True)
class Paid:
    office: PayOffice
    bundles: dict[tuple[int, ...], Bundle]
    """By the order in which its three curators approve."""
    halfway: dict[Hash, OpenOperation]
    """What was open when two had approved each."""
    last: Block
    """With all third approvals."""
    results: dict[tuple[int, ...], Reconciliation]
    before: dict[str, int]
    """What each payee had."""


def free(office: PayOffice, account: AccountId) -> int:
    found = office.stored("System", "Account", account)
    return 0 if found is None else int(found["data"]["free"])


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    with pay_office(tmp_path_factory.mktemp("sets")) as office:
        bundles = {
            order: office.bundle(
                office.statement(members=(PAID_TO[place % 3],), usd=f"{10 + place}.00")
            )
            for place, order in enumerate(ORDERS)
        }
        weight = Approver(office.submitter, bundles[ORDERS[0]]).max_weight()
        before = {member: free(office, payee(member)) for member in PAID_TO}
        timepoints = {order: office.timepoint(place) for place, order in enumerate(ORDERS)}
        for nth in range(3):
            last = office.block(
                *(
                    office.approval(bundle, order[nth], timepoints[order] if nth else None, weight)
                    for order, bundle in bundles.items()
                )
            )
            if nth == 1:
                halfway = operations_of(office.node, office.runtime, MULTISIG, last.hash)
        state, codec = office.state(), office.submitter.codec()
        results = {
            order: reconcile(bundle, read_payout(codec, bundle.call, PASEO), state)
            for order, bundle in bundles.items()
        }
        yield Paid(office, bundles, halfway, last, results, before)


def test_there_are_ten_sets_in_six_orders_and_a_payout_of_its_own_for_each(paid: Paid) -> None:
    assert Counter(frozenset(order) for order in ORDERS) == {
        frozenset(chosen): 6 for chosen in combinations(range(5), 3)
    }
    assert len({bundle.call_hash for bundle in paid.bundles.values()}) == 60


def test_two_approvals_execute_nothing_and_only_the_first_two_curators_have_approved(
    paid: Paid,
) -> None:
    assert len(paid.halfway) == 60
    for order, bundle in paid.bundles.items():
        operation = paid.halfway[bundle.call_hash]
        assert operation.approvals == tuple(sorted(ACCOUNTS[at] for at in order[:2]))
        assert operation.depositor == ACCOUNTS[order[0]]


def test_each_is_executed_exactly_once_by_the_last_of_its_set(paid: Paid) -> None:
    executed = {
        event.args["call_hash"]: event
        for event in paid.office.events(paid.last, "Multisig", "MultisigExecuted")
    }
    assert len(executed) == len(paid.office.events(paid.last, "Multisig", "MultisigExecuted"))
    assert executed.keys() == {bundle.call_hash for bundle in paid.bundles.values()}
    for order, bundle in paid.bundles.items():
        event = executed[bundle.call_hash]
        assert event.args["approving"] == ACCOUNTS[order[2]]
        assert event.args["result"][0] == "Ok"


def test_the_ledger_says_of_each_that_it_was_paid_once_and_by_whom(paid: Paid) -> None:
    for order, result in paid.results.items():
        (attempt,) = result.attempts
        assert (result.outcome, attempt.error) == (Outcome.PAID, None)
        assert attempt.signed == tuple(ACCOUNTS[at] for at in order)
        assert attempt.closing is not None
        assert attempt.closing.by == ACCOUNTS[order[2]]
        assert attempt.deposit_returned == attempt.deposit > 0
        ensure_settled(result)


def test_every_deposit_is_back_and_nothing_is_open(paid: Paid) -> None:
    office, last = paid.office, paid.last
    assert operations_of(office.node, office.runtime, MULTISIG, last.hash) == {}
    for account in ACCOUNTS:
        assert office.stored("System", "Account", account)["data"]["reserved"] == 0
    deposits = sum(operation.deposit for operation in paid.halfway.values())
    returned = office.events(last, "Balances", "Unreserved")
    assert sum(event.args["amount"] for event in returned) == deposits


def test_each_payee_has_what_its_twenty_statements_say_and_the_multisig_paid_no_more(
    paid: Paid,
) -> None:
    owed = Counter[str]()
    for bundle in paid.bundles.values():
        (line,) = bundle.statement.lines
        owed[line.member] += line.planck
    assert {
        member: free(paid.office, payee(member)) - paid.before[member] for member in PAID_TO
    } == owed
    spent = PASEO.planck(100_000) - free(paid.office, MULTISIG)
    assert spent == sum(owed.values())


def test_a_curator_reads_the_same_with_the_command(paid: Paid) -> None:
    order = (4, 0, 2)
    file = paid.office.file(paid.bundles[order])
    told = paid.office.told("reconcile", file, "--db", paid.office.db)
    assert (told["outcome"], told["settled"]) == ("paid", True)
    assert len(told["attempts"]) == 1
