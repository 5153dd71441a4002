"""What open operations would pay: found however deep it stands, and named where nobody can know."""

from collections.abc import Sequence
from typing import Any

import pytest

from ibp_chain.accounts import multisig_account, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets.multisig.types import Approval, Operation, Status
from ledger.pallets.payouts import PaidKey
from ledger.pallets.programme import curators_account
from ledger.state import State
from multisig.batch import build_batches
from multisig.checks import Check, Finding
from multisig.errors import BatchRefused
from multisig.pending import obstacles, pending_lines
from multisig.plan import PlanPart
from tests.support import payouts, recording
from tests.support.children import PLAN, award, curated
from tests.support.payouts import PASEO, PERIOD, STATED

RUNTIME = recording.runtime()
BUNDLE = payouts.bundle()
STATEMENT = BUNDLE.statement
LINES = [(line.member, line.item) for line in STATEMENT.lines]
KEYS: frozenset[PaidKey] = frozenset((PERIOD, *line) for line in LINES)
STRANGER = AccountId(b"s" * 32)
HIDDEN = Hash(b"h" * 32)


def curators(state: State) -> tuple[AccountId, ...]:
    program = state.programme.program.value
    assert program is not None
    return program.curators


def office(state: State) -> AccountId:
    program = state.programme.program.value
    assert program is not None
    return curators_account(program)


def open_(
    state: State,
    call: bytes | None,
    *,
    call_hash: Hash | None = None,
    account: AccountId | None = None,
    approved: Sequence[AccountId] | None = None,
    status: Status = Status.OPEN,
) -> Hash:
    """As if an operation had been opened, by default by a curator in the multisig in office."""
    own = blake2_256(call) if call_hash is None and call is not None else call_hash or HIDDEN
    who = curators(state)[:1] if approved is None else approved
    approvals = tuple(Approval(each, None) for each in who)
    key = (office(state) if account is None else account, own, BlockNumber(58_900), 2, 0)
    state.mirrors.multisig.operations.insert(
        key,
        Operation(status, 3, curators(state), STRANGER, Planck(1), approvals, call, None),
    )
    return own


def pending(state: State) -> frozenset[PaidKey]:
    return pending_lines(state, RUNTIME)


def found(state: State, *own: Hash) -> list[Finding]:
    return [*obstacles(LINES, PERIOD, state, RUNTIME, frozenset(own))]


def other_multisig(state: State) -> AccountId:
    return multisig_account([*curators(state)[:3], STRANGER], 2)


def nested() -> dict[str, bytes]:
    """The recorded batch inside other calls, as a curator could send it."""
    batch = RUNTIME.decode_call(BUNDLE.call)
    real = ("Id", bytes(32))
    as_multi = payouts.call(
        "Multisig", "as_multi", threshold=2, other_signatories=[STRANGER], maybe_timepoint=None,
        call=batch, max_weight={"ref_time": 1, "proof_size": 1},
    )  # fmt: skip
    proxied = payouts.call("Proxy", "proxy", real=real, force_proxy_type=None, call=batch)
    return {
        "batch": RUNTIME.encode_call("Utility", "batch", {"calls": [batch]}),
        "force-batch": RUNTIME.encode_call("Utility", "force_batch", {"calls": [batch]}),
        "in-two-batches": payouts.batch_all(payouts.call("Utility", "batch", calls=[batch])),
        "by-proxy": bytes(proxied.data),
        "in-another-multisig": payouts.batch_all(as_multi),
    }


# --- What is pending ----------------------------------------------------------------------


@pytest.mark.parametrize("where", sorted(nested()))
def test_a_payout_inside_other_calls_is_pending(where: str) -> None:
    state = payouts.state(STATED)
    open_(state, nested()[where])
    assert pending(state) == KEYS
    with pytest.raises(BatchRefused, match="another open operation pays 2026-01 already"):
        build_batches(STATEMENT, state, RUNTIME)


@pytest.mark.parametrize("status", [Status.EXECUTED, Status.CANCELLED, Status.MIGRATED])
def test_a_closed_operation_pays_nothing_any_more(status: Status) -> None:
    state = payouts.state(STATED)
    open_(state, BUNDLE.call, status=status)
    open_(state, None, status=status)
    assert (pending(state), found(state)) == (frozenset(), [])


def test_a_call_that_the_runtime_cannot_decode_cannot_be_executed() -> None:
    state = payouts.state(STATED)
    open_(state, b"\xff\xff")
    assert (pending(state), found(state)) == (frozenset(), [])


def test_a_child_bounty_that_is_awarded_and_not_claimed_is_paid() -> None:
    state = curated(payouts.state(STATED))
    (batch,) = build_batches(STATEMENT, state, RUNTIME, plan=PLAN)
    award(state, batch)
    for plan in (PLAN, PlanPart()):
        with pytest.raises(BatchRefused, match="2026-01 was paid before"):
            build_batches(STATEMENT, state, RUNTIME, plan=plan)


# --- What nobody can know -------------------------------------------------------------------


def test_an_operation_by_hash_alone_is_told_to_the_builder() -> None:
    state = payouts.state(STATED)
    open_(state, None)
    (finding,) = found(state)
    assert finding.check is Check.UNKNOWN_CALL
    assert finding.saw == (
        "1 open operation with an unknown call: nobody can know what it pays "
        f"(0x{HIDDEN.hex()} of 58900-2)"
    )
    with pytest.raises(BatchRefused, match="unknown-call"):
        build_batches(STATEMENT, state, RUNTIME)
    knowing = PlanPart(allowed=(Check.UNKNOWN_CALL,))
    (batch,) = build_batches(STATEMENT, state, RUNTIME, plan=knowing)
    assert batch.call == BUNDLE.call


def test_several_unknown_calls_are_counted() -> None:
    state = payouts.state(STATED)
    for number in range(5):
        open_(state, None, call_hash=Hash(bytes([number]) * 32))
    (finding,) = found(state)
    assert finding.saw.startswith("5 open operations with unknown calls: nobody can know what they")
    assert finding.saw.endswith("of 58900-2 and 2 more)")


def test_this_very_call_opened_by_hash_is_no_obstacle() -> None:
    state = payouts.state(STATED)
    own = open_(state, None, call_hash=BUNDLE.call_hash)
    assert found(state, own) == []
    assert len(found(state)) == 1
    assert build_batches(STATEMENT, state, RUNTIME)[0].call == BUNDLE.call


def test_a_sister_part_opened_by_hash_is_no_obstacle() -> None:
    state = payouts.state(STATED)
    plan = PlanPart(lines_per_part=2)
    first, second = build_batches(STATEMENT, state, RUNTIME, plan=plan)
    open_(state, None, call_hash=second.call_hash)
    assert build_batches(STATEMENT, state, RUNTIME, plan=plan, part=1)[0] == first


# --- Other multisigs ------------------------------------------------------------------------


def test_an_operation_of_another_multisig_that_a_curator_approved_is_told() -> None:
    """Such as the one of before the curators changed: the register would not see it execute."""
    state = payouts.state(STATED)
    account = other_multisig(state)
    open_(state, BUNDLE.call, account=account)
    (finding,) = found(state)
    assert finding.check is Check.OTHER_MULTISIG
    assert ss58_encode(account, PASEO.ss58_prefix) in finding.saw
    assert finding.saw.endswith(
        "says to pay amforc/services, gatotech/services, stake-plus/services and 1 more too"
    )
    with pytest.raises(BatchRefused, match="other-multisig"):
        build_batches(STATEMENT, state, RUNTIME)
    knowing = PlanPart(allowed=(Check.OTHER_MULTISIG,))
    assert build_batches(STATEMENT, state, RUNTIME, plan=knowing)


@pytest.mark.parametrize(
    "changes",
    [
        {"approved": [STRANGER]},
        {"call": None},
        {"call": payouts.batch_all(payouts.remark("nothing of ours"))},
    ],
    ids=["by-a-stranger", "by-hash", "about-something-else"],
)
def test_who_is_no_curator_can_hold_nothing_up(changes: dict[str, Any]) -> None:
    state = payouts.state(STATED)
    open_(state, **({"call": BUNDLE.call, "account": other_multisig(state)} | changes))
    assert found(state) == []
    assert pending(state) == frozenset()


def test_another_month_of_another_multisig_is_no_obstacle() -> None:
    state = payouts.state(STATED)
    open_(state, BUNDLE.call, account=other_multisig(state))
    assert [*obstacles(LINES, "2026-02", state, RUNTIME)] == []


def test_without_a_programme_nothing_is_open() -> None:
    state = State(PASEO)
    assert (pending(state), found(state)) == (frozenset(), [])
