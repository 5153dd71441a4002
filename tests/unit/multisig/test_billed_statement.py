"""Statements that pay a bill: its amounts, under its hash, and nothing of one that does not fit."""

from decimal import Decimal
from functools import cache

import pytest

from ibp_chain.types import BlockNumber, Hash
from ledger.pallets.membership import MemberStatus
from ledger.program.bill_document import Payable, read_payable
from ledger.program.billing import BillingError
from ledger.program.rules import Rules, load_rules
from ledger.state import State
from multisig import checks
from multisig.batch import build_batches
from multisig.bundle import Bundle, make_bundles, verify_bundle
from multisig.checks import Caps, Policy
from multisig.documents import parse
from multisig.errors import BatchRefused, BundleRefused, DocumentError, StatementError
from multisig.pending import pending_lines
from multisig.plan import PlanPart
from multisig.statement import IAAS, Ledger, Reason, Statement, build_statement
from tests.support import payouts, recording
from tests.support.billing import bill_document
from tests.support.payouts import HALF_SIGNED, PERIOD, STATED

RULES = load_rules(None)
PRICE = payouts.bundle().statement.price
RUNTIME = recording.runtime()


@cache
def bill(*names: str, period: str = PERIOD) -> Payable:
    raw = bill_document(*(names or ("Amforc", "Stake Plus")), period=period)
    return read_payable(raw, "a bill")


def stated(state: State, payable: Payable | None, rules: Rules = RULES) -> Statement:
    ledger = Ledger(state, payouts.ledger().constants)
    pending = pending_lines(state, RUNTIME)
    return build_statement(ledger, rules, PERIOD, PRICE, payouts.service(), pending, payable)


def with_a_line_for_iaas(state: State) -> Rules:
    """As if the programme named rules whose budget pays bills."""
    lines = dict(RULES.budget.lines)
    rpc = lines["rpc"]
    lines["rpc"] = rpc.model_copy(update={"items": (*rpc.items, IAAS)})
    program = state.programme.program.value
    assert program is not None
    assert program.rules == RULES.hash
    return RULES.__class__(
        **{name: getattr(RULES, name) for name in RULES.__dataclass_fields__}
        | {"budget": RULES.budget.model_copy(update={"lines": lines})}
    )


# --- What it pays -------------------------------------------------------------------------


def test_a_bill_pays_what_its_settlement_pays() -> None:
    found = read_payable(bill_document("Amforc", "Stake Plus", available="15"), "a bill")
    assert found.paid == {"amforc": Decimal("7.50"), "stake-plus": Decimal("7.50")}
    assert found.period == PERIOD


def test_a_statement_has_a_line_for_each_member_that_the_bill_pays() -> None:
    statement = stated(payouts.state(STATED), bill())
    assert statement.bill == bill().hash
    lines = [(line.member, line.item, str(line.usd)) for line in statement.lines]
    assert lines == [
        ("amforc", "iaas", "10.00"),
        ("amforc", "services", "322.58"),
        ("gatotech", "services", "241.93"),
        ("stake-plus", "iaas", "10.00"),
        ("stake-plus", "services", "322.58"),
        ("turboflakes", "services", "322.58"),
    ]
    iaas = statement.lines[0]
    assert (iaas.days, iaas.planck) == ((), 46_511_627_906)  # 10 / 2.15 x 10^10, cut off
    assert iaas.payee == statement.lines[1].payee


def test_without_a_bill_a_statement_has_the_bytes_that_it_always_had() -> None:
    statement = stated(payouts.state(STATED), None)
    assert statement.encoded == payouts.bundle().statement.encoded
    assert b'"bill"' not in statement.encoded


def test_a_statement_with_a_bill_survives_its_file() -> None:
    statement = stated(payouts.state(STATED), bill())
    assert parse(statement.encoded, Statement) == statement


def test_what_withholds_a_member_withholds_its_bill_and_days_served_do_not() -> None:
    statement = stated(payouts.state(STATED), bill("Dwellir", "RadiumBlock", "Amforc"))
    held = {(each.member, each.item): each.reason for each in statement.withheld}
    assert held["dwellir", IAAS] is Reason.LOCK_FALLS_SHORT
    assert held["radiumblock", IAAS] is Reason.SUSPENDED
    ledger = Ledger(payouts.state(STATED), payouts.ledger().constants)
    idle = [each for each in payouts.service() if each.member != "amforc"]
    args = (ledger, RULES, PERIOD, PRICE, idle, frozenset[tuple[str, str, str]](), bill())
    statement = build_statement(*args)
    assert [line.item for line in statement.lines if line.member == "amforc"] == [IAAS]


def test_a_bill_that_an_open_operation_pays_is_withheld_by_its_own_item() -> None:
    """The open operation pays `services`, and says nothing of the bill."""
    statement = stated(payouts.state(HALF_SIGNED), bill())
    assert {line.item for line in statement.lines} == {IAAS}


# --- What does not fit ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payable", "said"),
    [
        (("Amforc", "2026-02"), "the bill is of 2026-02, the statement is for 2026-01"),
        (("Strangers Inc.", PERIOD), "USD to strangers-inc, who is no member"),
    ],
    ids=["another-month", "no-member"],
)
def test_a_bill_that_does_not_fit_is_refused(payable: tuple[str, str], said: str) -> None:
    name, period = payable
    with pytest.raises(StatementError) as caught:
        stated(payouts.state(STATED), bill(name, period=period))
    assert said in str(caught.value)


def test_a_bill_for_a_member_that_was_removed_is_refused() -> None:
    state = payouts.state(STATED)
    record = state.membership.members.get("amforc")
    removed = record._replace(status=MemberStatus.REMOVED, status_since=BlockNumber(5))
    state.membership.members.insert("amforc", removed)
    with pytest.raises(StatementError, match="to amforc, who is no member"):
        stated(state, bill())


def test_two_members_with_one_id_are_refused() -> None:
    with pytest.raises(BillingError, match="another member has the id stake-plus too"):
        read_payable(bill_document("Stake Plus", "Stake-Plus"), "a bill")


def test_an_edited_bill_is_refused() -> None:
    with pytest.raises(BillingError, match="owed is not paid and carried together"):
        read_payable(
            bill_document("Amforc").replace(b'"paid":"10.00"', b'"paid":"90.00"', 1), "a bill"
        )


def test_a_line_without_days_is_of_a_bill_or_of_nothing() -> None:
    data = stated(payouts.state(STATED), bill()).encoded
    for other, said in (
        (data.replace(f'"bill":"0x{bill().hash.hex()}",'.encode(), b""), "and there is no bill"),
        (data.replace(b'"item":"iaas"', b'"item":"yacht"'), "lines.0.days: Value error, a line"),
    ):
        assert other != data
        with pytest.raises(DocumentError, match=said):
            parse(other, Statement)


# --- Paying and verifying it ------------------------------------------------------------------


def test_rules_without_a_line_for_it_refuse_to_pay_it() -> None:
    state = payouts.state(STATED)
    policy = Policy(Caps(budget=RULES.budget))
    with pytest.raises(BatchRefused, match="no line of the budget pays 'iaas'"):
        build_batches(stated(state, bill()), state, RUNTIME, policy=policy)
    policy = Policy(Caps(budget=with_a_line_for_iaas(state).budget))
    assert build_batches(stated(state, bill()), state, RUNTIME, policy=policy)


def test_the_usual_cap_of_a_line_is_that_of_its_item() -> None:
    lines = stated(payouts.state(STATED), bill()).lines
    assert [found.about for found in checks.line_cap(lines, Decimal(9), "services")] == [
        "amforc/services", "gatotech/services", "stake-plus/services", "turboflakes/services",
    ]  # fmt: skip
    assert len([*checks.line_cap(lines, Decimal(9))]) == len(lines)


def bundle_of(state: State) -> Bundle:
    statement = stated(state, bill())
    batches = build_batches(statement, state, RUNTIME, plan=PlanPart())
    (found,) = make_bundles(statement, batches, state, payouts.genesis_hash(), RUNTIME)
    return found


def verified(of: Bundle, state: State, payable: Payable | None) -> None:
    ledger = Ledger(state, payouts.ledger().constants)
    verify_bundle(
        of, ledger, RULES, payouts.service(), payouts.genesis_hash(), RUNTIME, recording.peer(),
        bill=payable,
    )  # fmt: skip


def test_a_bundle_is_verified_with_the_same_bill_and_with_no_other() -> None:
    state = payouts.state(STATED)
    made = bundle_of(state)
    verified(made, state, bill())
    with pytest.raises(StatementError, match=f"follows bill 0x{bill().hash.hex()}: give it"):
        verified(made, state, None)
    with pytest.raises(BundleRefused, match=r"statement\.bill is"):
        verified(made, state, bill("Amforc"))
    with pytest.raises(BundleRefused, match="amforc/iaas"):
        verified(made, state, Payable(bill().hash, PERIOD, {"stake-plus": Decimal("10.00")}))
    with pytest.raises(BundleRefused, match=r"statement\.bill is None"):
        verified(payouts.bundle(), state, Payable(Hash(bytes(32)), PERIOD, {}))
