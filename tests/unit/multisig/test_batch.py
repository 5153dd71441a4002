"""One call that pays a statement whole, or nothing."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Payout
from ibp_chain.remarks import MAX_SIZE, parse
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets.membership import MemberStatus
from ledger.pallets.multisig.types import Operation, Status
from ledger.pallets.programme import curators_account
from ledger.state import State
from multisig.batch import Batch, build_batches, encode_batch, moved_by
from multisig.errors import BatchRefused
from multisig.pending import pending_lines
from multisig.statement import Statement
from tests.support import payouts, recording
from tests.support.payouts import FAILED, HALF_SIGNED, OPEN_AGAIN, PAID, PASEO, PERIOD, STATED

STATEMENT = payouts.bundle().statement
LINES = frozenset((PERIOD, line.member, line.item) for line in STATEMENT.lines)


def build(statement: Statement, state: State, *, part: int | None = None) -> tuple[Batch, ...]:
    return build_batches(statement, state, recording.runtime(), part=part)


def refused(statement: Statement, state: State) -> tuple[str, ...]:
    with pytest.raises(BatchRefused) as error:
        build(statement, state)
    return error.value.rows


def stated(**changes: Any) -> Statement:
    return STATEMENT.model_copy(update=changes)


def with_line(place: int, **changes: Any) -> Statement:
    lines = list(STATEMENT.lines)
    lines[place] = lines[place].model_copy(update=changes)
    return stated(lines=tuple(lines))


def change(state: State, member: str, **fields: Any) -> None:
    members = state.membership.members
    members.insert(member, members.get(member)._replace(**fields))


# --- The call -----------------------------------------------------------------------------


def test_the_recorded_call_follows_from_the_statement_byte_by_byte() -> None:
    (batch,) = build(STATEMENT, payouts.state(STATED))
    assert batch.call == payouts.bundle().call
    assert batch.call_hash == payouts.bundle().call_hash == blake2_256(batch.call)
    assert batch.lines == STATEMENT.lines


def test_the_remark_stands_first_and_each_line_behind_it_in_order() -> None:
    (batch,) = build(STATEMENT, payouts.state(STATED))
    call = recording.runtime().decode_call(batch.call)
    assert (call.pallet, call.name) == ("Utility", "batch_all")
    remark, *transfers = call.args["calls"]
    assert (remark.pallet, remark.name) == ("System", "remark_with_event")
    body = parse(remark.args["remark"], PASEO.ss58_prefix)
    assert body == Payout(
        period=PERIOD,
        statement=STATEMENT.hash,
        lines=tuple((line.member, line.item) for line in STATEMENT.lines),
    )
    assert [(each.pallet, each.name, each.args) for each in transfers] == [
        (
            "Balances",
            "transfer_keep_alive",
            {"dest": ("Id", ss58_decode(line.payee)), "value": line.planck},
        )
        for line in STATEMENT.lines
    ]


def test_what_a_batch_moves_is_the_statements_total() -> None:
    call = recording.runtime().decode_call(payouts.bundle().call)
    assert moved_by(call) == STATEMENT.total == 5_626_372_093_022


def test_any_change_of_the_statement_changes_the_call_hash() -> None:
    """Also of what is not in the call, such as the price's source."""
    other = stated(price=STATEMENT.price.model_copy(update={"source": "someone else"}))
    batches = {build(each, payouts.state(STATED))[0].call_hash for each in (STATEMENT, other)}
    assert len(batches) == 2


def test_the_order_of_lines_is_part_of_the_call() -> None:
    backwards = encode_batch(STATEMENT, STATEMENT.lines[::-1], recording.runtime())
    assert backwards.call_hash != payouts.bundle().call_hash


# --- Several parts ------------------------------------------------------------------------


def many(state: State, count: int) -> Statement:
    """A statement with a line for each of `count` new members, whose names are long."""
    template, lines = state.membership.members.get("amforc"), []
    for index in range(count):
        name, payee = f"member-with-a-rather-long-nm-{index:03d}", blake2_256(bytes([index]))
        payees = (("paseo", AccountId(payee)),)
        state.membership.members.insert(name, template._replace(payees=payees))
        address = ss58_encode(AccountId(payee), PASEO.ss58_prefix)
        lines.append(STATEMENT.lines[0].model_copy(update={"member": name, "payee": address}))
    return stated(lines=tuple(lines))


def remark_sizes(batches: Sequence[Batch]) -> list[int]:
    runtime = recording.runtime()
    calls = [runtime.decode_call(batch.call).args["calls"] for batch in batches]
    return [len(inner[0].args["remark"]) for inner in calls]


def test_a_statement_too_long_for_one_remark_is_paid_in_parts() -> None:
    state = payouts.state(STATED)
    statement = many(state, 100)
    batches = build(statement, state)
    assert len(batches) > 1
    assert [line for batch in batches for line in batch.lines] == list(statement.lines)
    assert len({batch.call_hash for batch in batches}) == len(batches)
    sizes = remark_sizes(batches)
    assert max(sizes) <= MAX_SIZE
    assert min(sizes[:-1]) > MAX_SIZE - 60  # no room for another line


def test_one_part_can_be_built_while_another_is_open_or_paid() -> None:
    state = payouts.state(STATED)
    statement = many(state, 100)
    first, second, *_ = build(statement, state)
    open_operation(state, first.call)
    assert build(statement, state)[0] == first  # these very calls are no obstacle
    paid = payouts.state(PAID).payouts.paid.get((PERIOD, "amforc", "services"))
    for line in first.lines:
        state.payouts.paid.insert((PERIOD, line.member, line.item), paid)
    assert build(statement, state, part=2)[1] == second
    with pytest.raises(BatchRefused, match="was paid before"):
        build(statement, state, part=1)
    with pytest.raises(BatchRefused, match="was paid before"):
        build(statement, state)


# --- Rows that must not be paid -----------------------------------------------------------


def test_a_statement_replayed_for_a_paid_period_is_refused_row_by_row() -> None:
    assert refused(STATEMENT, payouts.state(PAID)) == tuple(
        f"{line.member}/services: 2026-01 was paid before" for line in STATEMENT.lines
    )


def test_a_failed_attempt_can_be_repeated_with_the_same_call() -> None:
    (again,) = build(STATEMENT, payouts.state(FAILED))
    assert again.call == payouts.bundle().call


@pytest.mark.parametrize("operations", [HALF_SIGNED, OPEN_AGAIN])
def test_an_open_operation_of_this_very_call_is_no_obstacle(
    operations: payouts.Operations,
) -> None:
    assert build(STATEMENT, payouts.state(operations))[0].call == payouts.bundle().call


def test_another_call_for_the_same_lines_is_refused_while_one_is_open() -> None:
    other = stated(price=STATEMENT.price.model_copy(update={"source": "someone else"}))
    rows = refused(other, payouts.state(HALF_SIGNED))
    assert rows == tuple(
        f"{line.member}/services: another open operation pays 2026-01 already"
        for line in STATEMENT.lines
    )


def test_one_wrong_row_refuses_all_and_every_wrong_row_is_named() -> None:
    state = payouts.state(STATED)
    change(state, "amforc", status=MemberStatus.SUSPENDED)
    change(state, "stake-plus", status=MemberStatus.REMOVED)
    assert refused(STATEMENT, state) == (
        "amforc/services: the member is suspended",
        "stake-plus/services: the member is removed",
    )


def test_a_payee_is_the_one_registered_now() -> None:
    state, payee = payouts.state(STATED), AccountId(bytes(32))
    change(state, "amforc", payees=(("paseo", payee),))
    stale = f"amforc/services: {STATEMENT.lines[0].payee} is not the registered payee"
    assert refused(STATEMENT, state) == (stale,)
    change(state, "amforc", payees=())
    assert refused(STATEMENT, state) == (stale,)


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"planck": Planck(1_500_372_093_024)}, "1500372093024 planck are not 322.58 USD at 2.15"),
        ({"planck": Planck(0)}, "the amount is zero"),
        ({"payee": STATEMENT.lines[1].payee}, "is not the registered payee"),
        ({"payee": ss58_encode(ss58_decode(STATEMENT.lines[0].payee), 0)}, "expected 42"),
        ({"payee": STATEMENT.lines[0].payee + " "}, "is not the registered payee"),
        ({"payee": "amforc"}, "is no SS58 address"),
        ({"member": "nobody"}, "there is no such member"),
        ({"member": "gatotech"}, "listed twice"),
    ],
)
def test_a_changed_line_is_a_wrong_row(changes: dict[str, Any], row: str) -> None:
    rows = refused(with_line(0, **changes), payouts.state(STATED))
    assert any(row in each for each in rows), rows


def test_an_amount_that_no_balance_can_hold_is_a_wrong_row() -> None:
    price = STATEMENT.price.model_copy(update={"usd": Decimal("1e-18")})
    huge = STATEMENT.lines[0].model_copy(update={"usd": Decimal(10**28)})
    rows = refused(stated(price=price, lines=(huge,)), payouts.state(STATED))
    assert any("are more PAS than there can be" in row for row in rows), rows


def test_a_line_listed_twice_is_refused() -> None:
    rows = refused(stated(lines=(*STATEMENT.lines, STATEMENT.lines[0])), payouts.state(STATED))
    assert rows == ("amforc/services: listed twice",)


# --- Statements that must not be paid -----------------------------------------------------


def of_ledger(**changes: Any) -> Statement:
    return stated(ledger=STATEMENT.ledger.model_copy(update=changes))


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        (of_ledger(network="polkadot"), "the statement is for polkadot, not paseo"),
        (of_ledger(network="nowhere"), "the statement is for nowhere, not paseo"),
        (of_ledger(program=Hash(bytes(32))), f"the statement is of programme 0x{'00' * 32}"),
        (
            stated(rules=Hash(bytes(32))),
            f"the statement follows rules 0x{'00' * 32}, not those in force",
        ),
        (stated(lines=()), "the statement has no lines"),
    ],
)
def test_a_statement_of_something_else_is_refused(statement: Statement, row: str) -> None:
    assert refused(statement, payouts.state(STATED)) == (row,)


def test_nothing_is_paid_from_a_ledger_without_a_programme() -> None:
    assert refused(STATEMENT, State(PASEO)) == ("the ledger has no programme",)


def test_nothing_is_paid_from_another_networks_ledger() -> None:
    state = State(network("polkadot")).load(payouts.state(STATED).entries())
    assert "the statement is for paseo, not polkadot" in refused(STATEMENT, state)


# --- What open operations would pay -------------------------------------------------------


def open_operation(state: State, call: bytes | None, account: AccountId | None = None) -> Hash:
    """As if somebody had opened an operation of `call` in the curators' multisig."""
    program = state.programme.program.value
    assert program is not None
    call_hash = blake2_256(call or b"hidden")
    state.mirrors.multisig.operations.insert(
        (
            curators_account(program) if account is None else account,
            call_hash,
            BlockNumber(58_900),
            2,
            0,
        ),
        Operation(
            Status.OPEN,
            program.threshold,
            tuple(sorted(program.curators)),
            program.curators[0],
            Planck(1),
            (),
            call,
            None,
        ),
    )
    return call_hash


def pending(state: State, besides: frozenset[Hash] = frozenset()) -> frozenset[Any]:
    return pending_lines(state, recording.runtime(), besides=besides)


def test_an_open_operation_makes_its_lines_pending_until_it_is_closed() -> None:
    assert pending(payouts.state(STATED)) == frozenset()
    assert pending(payouts.state(HALF_SIGNED)) == LINES
    assert pending(payouts.state(FAILED)) == frozenset()
    assert pending(payouts.state(OPEN_AGAIN)) == LINES
    assert pending(payouts.state(PAID)) == frozenset()


def test_calls_that_are_left_out_are_not_pending() -> None:
    state = payouts.state(HALF_SIGNED)
    assert pending(state, frozenset({payouts.bundle().call_hash})) == frozenset()


def test_a_payout_hidden_in_other_calls_is_pending_too() -> None:
    state, batch = payouts.state(STATED), recording.runtime().decode_call(payouts.bundle().call)
    payee = ("Id", bytes(32))
    wrapped = payouts.call("Proxy", "proxy", real=payee, force_proxy_type=None, call=batch)
    open_operation(state, payouts.batch_all(payouts.remark("hello"), wrapped))
    assert pending(state) == LINES


def test_other_multisigs_and_unreadable_calls_pay_nothing() -> None:
    state = payouts.state(STATED)
    open_operation(state, payouts.bundle().call, AccountId(bytes(32)))
    open_operation(state, b"\xff\xff")
    open_operation(state, None)
    open_operation(state, payouts.batch_all(payouts.remark("IBP/1 payout {}")))
    assert pending(state) == frozenset()


def test_a_ledger_without_a_programme_has_nothing_pending() -> None:
    assert pending(State(PASEO)) == frozenset()
