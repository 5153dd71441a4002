"""What goes wrong between the first signature and the last, on chain."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from subprocess import CompletedProcess

import pytest

from ibp_chain.accounts import multisig_account
from ibp_chain.types import Planck
from multisig.bundle import Bundle, TimepointPart
from tests.support.command_line import assert_done, assert_one_clear_line
from tests.support.pay_office import (
    ACCOUNTS,
    MULTISIG,
    PASEO,
    STRANGER,
    URIS,
    PayOffice,
    address,
    curator,
    key,
    payee,
    program,
)

pytestmark = pytest.mark.live

DEPOSIT = PASEO.planck(Decimal("20.184"))


def approvals(office: PayOffice, bundle: Bundle) -> set[bytes]:
    found = office.stored("Multisig", "Multisigs", MULTISIG, bundle.call_hash)
    return set() if found is None else set(found["approvals"])


# --- Who --------------------------------------------------------------------------------------


def test_who_is_no_curator_and_who_has_signed_already(office: PayOffice) -> None:
    bundle = office.bundle()
    office.opened(bundle, 0)
    office.state()
    file, stranger = office.file(bundle), address(key(STRANGER).account)
    assert_one_clear_line(
        office.approve(file, STRANGER), 1, f"{stranger} is not one of the multisig's signatories"
    )
    assert_one_clear_line(
        office.approve(file, URIS[0]), 1, f"{curator(0)} has approved this call already"
    )
    assert approvals(office, bundle) == {ACCOUNTS[0]}


# --- Timepoints -------------------------------------------------------------------------------


def test_a_timepoint_in_the_bundle_that_is_not_the_operations(office: PayOffice) -> None:
    bundle = office.bundle()
    timepoint = office.opened(bundle, 0)
    office.state()
    wrong = bundle.model_copy(
        update={"timepoint": TimepointPart(height=timepoint["height"], index=9)}
    )
    file = office.file(wrong)
    assert_one_clear_line(
        office.approve(file, URIS[1]),
        1,
        f"its timepoint is height={timepoint['height']} index=9, the operation's is "
        f"height={timepoint['height']} index={timepoint['index']}",
    )
    status = assert_done(office.ibp("status", file, "--node", office.devnet.url))
    assert f"The bundle notes another timepoint, {timepoint['height']}-9: it is stale" in status


def test_two_curators_who_open_the_same_operation_in_one_block(office: PayOffice) -> None:
    bundle = office.bundle()
    office.state()
    office.waiting(office.approval(bundle, 0, None))
    done = office.approve(office.file(bundle), URIS[1])
    said = assert_done(done)
    assert "Multisig.NoTimepoint in block " in said
    assert "another curator opened the operation first" in said
    assert "Approved in block" in said
    assert approvals(office, bundle) == set(ACCOUNTS[:2])


# --- Closed meanwhile -------------------------------------------------------------------------


def test_the_first_curator_cancels_while_the_third_signs(office: PayOffice) -> None:
    bundle = office.bundle()
    timepoint = office.opened(bundle, 0, 1)
    office.state()
    office.waiting(office.cancellation(bundle.call_hash, 0, timepoint))
    file = office.file(bundle)
    assert_one_clear_line(
        office.approve(file, URIS[2]),
        1,
        "the operation was cancelled in block",
        f"by {curator(0)}, before this arrived: ask why, and approve again only if it is to begin",
    )
    assert approvals(office, bundle) == set()
    assert "more signatures are needed" in assert_done(office.approve(file, URIS[2]))
    assert approvals(office, bundle) == {ACCOUNTS[2]}
    office.state()
    told = office.ibp("reconcile", file, "--db", office.db)
    assert_one_clear_line(told, 1, "the payout is not settled: pending: 2 more signatures")
    assert "cancelled" in told.stdout


def test_a_fourth_curator_whose_approval_arrives_after_the_execution(office: PayOffice) -> None:
    bundle = office.bundle()
    timepoint = office.opened(bundle, 0, 1)
    office.state()
    office.waiting(office.approval(bundle, 2, timepoint))
    file, before = office.file(bundle), office.stored("System", "Account", payee("amforc"))
    late = office.approve(file, URIS[3])
    assert_one_clear_line(
        late, 1, f"by {curator(2)}, before this arrived: nothing more is to be signed"
    )
    behind = office.approve(file, URIS[3])
    assert_one_clear_line(
        behind,
        1,
        "which your ledger does not have yet: approving it now would begin to pay it again",
    )
    office.state()
    assert_one_clear_line(
        office.approve(file, URIS[3]), 1, f"{bundle.statement.period} was paid before"
    )
    assert approvals(office, bundle) == set()
    had = 0 if before is None else before["data"]["free"]
    now = office.stored("System", "Account", payee("amforc"))["data"]["free"]
    assert now - had == bundle.statement.total


# --- The deposit ------------------------------------------------------------------------------


@contextmanager
def poor(office: PayOffice, at: int, free: int = PASEO.planck(2)) -> Iterator[None]:
    """Curator `at` has enough for a fee, and not for a deposit."""

    def has(amount: int) -> None:
        held = office.stored("System", "Account", ACCOUNTS[at])
        data = {name: str(value) for name, value in held["data"].items()} | {"free": str(amount)}
        counts = {name: held[name] for name in ("nonce", "consumers", "providers", "sufficients")}
        office.devnet.set_items(
            {"System": {"Account": [[[address(ACCOUNTS[at])], {**counts, "data": data}]]}}
        )

    before = office.stored("System", "Account", ACCOUNTS[at])["data"]["free"]
    has(free)
    try:
        yield
    finally:
        has(before)


def test_a_first_curator_who_cannot_pay_the_deposit(office: PayOffice) -> None:
    bundle = office.bundle()
    office.state()
    file = office.file(bundle)
    with poor(office, 4):
        done = office.approve(file, URIS[4])
    least = office.runtime.constant("Balances", "ExistentialDeposit")
    left = PASEO.format(Planck(PASEO.planck(2) - least))
    assert_one_clear_line(
        done,
        1,
        f"{curator(4)} has {left} to reserve, and who opens an operation has 20.184 PAS reserved",
        "let another curator open it, or fund the account first",
    )
    assert approvals(office, bundle) == set()
    # as much as the deposit, and then the fee is taken
    with poor(office, 4, least + DEPOSIT):
        failed = office.approve(file, URIS[4])
    assert_one_clear_line(
        failed,
        1,
        "ConsumerRemaining in block",
        "who opens an operation has a deposit reserved",
        f"{curator(4)} has too little left for it; nothing is lost but the fee",
    )
    office.opened(bundle, 0, 1)
    with poor(office, 4):
        assert "executed" in assert_done(office.approve(file, URIS[4]))


# --- Who is in office -------------------------------------------------------------------------


@contextmanager
def four_of_five(office: PayOffice) -> Iterator[str]:
    """The curators decide that four of them are needed; yields their new multisig's address."""
    office.said(program(threshold=4))
    office.threshold = 4
    try:
        office.state()
        yield address(multisig_account(ACCOUNTS, 4))
    finally:
        office.said(program(), who=(0, 1, 2, 3))
        office.threshold = 3
        office.state()


def test_a_threshold_that_was_changed_between_two_signatures(office: PayOffice) -> None:
    bundle = office.bundle()
    office.opened(bundle, 0)
    file, own = office.file(bundle), address(MULTISIG)
    with four_of_five(office) as account:
        refused: CompletedProcess[str] = office.approve(file, URIS[1])
        looked = office.ibp("pending", "--node", office.devnet.url, "--db", office.db)
    assert_one_clear_line(refused, 1, f"its multisig is {own}, the curators' in office {account}")
    assert "its multisig is not that of the curators in office: do not execute it" in " ".join(
        assert_done(looked).split()
    )
    assert approvals(office, bundle) == {ACCOUNTS[0]}
