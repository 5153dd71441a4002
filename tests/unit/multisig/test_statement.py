"""What each member is owed for a month, and why a member is owed nothing."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Decision, DecisionOutcome
from ibp_chain.types import BlockNumber, Hash, Ppm
from ledger.pallets.membership import MemberStatus
from ledger.pallets.payouts import PaidKey
from ledger.pallets.scores import day_date
from ledger.program.rules import Rules, load_rules
from ledger.state import State
from multisig.errors import StatementError
from multisig.pending import pending_lines
from multisig.service import ServiceRecord
from multisig.statement import (
    Ledger,
    Price,
    Reason,
    Statement,
    Withheld,
    build_statement,
    days_of,
    planck_owed,
    usd_owed,
)
from tests.support import payouts, recording
from tests.support.payouts import HALF_SIGNED, PAID, PASEO, PERIOD

RULES = load_rules()
PRICE = payouts.bundle().statement.price


def built(
    ledger: Ledger,
    *,
    rules: Rules = RULES,
    period: str = PERIOD,
    price: Price = PRICE,
    service: Iterable[ServiceRecord] | None = None,
    pending: frozenset[PaidKey] = frozenset(),
) -> Statement:
    records = payouts.service() if service is None else service
    return build_statement(ledger, rules, period, price, records, pending)


def held(statement: Statement, member: str) -> Withheld:
    (found,) = [each for each in statement.withheld if each.member == member]
    return found


def change(ledger: Ledger, member: str, **fields: Any) -> None:
    members = ledger.state.membership.members
    members.insert(member, members.get(member)._replace(**fields))


# --- The two roundings --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("per_month", "served", "days", "usd"),
    [
        ("2500.00", 31, 31, "2500.00"),
        ("2500.00", 28, 28, "2500.00"),
        ("2500.00", 4, 31, "322.58"),  # 322.5806…
        ("2500.00", 3, 31, "241.93"),  # 241.9354…
        ("2500.00", 30, 31, "2419.35"),  # 2,419.3548…
        ("2500.00", 1, 30, "83.33"),
        ("2500.00", 29, 30, "2416.66"),  # 2,416.666… goes down
        ("2500.00", 14, 28, "1250.00"),
        ("2500.00", 0, 31, "0.00"),
        ("2500", 1, 29, "86.20"),  # 86.2068…
        ("0.31", 1, 31, "0.01"),
        ("0.30", 1, 31, "0.00"),
        ("0.009", 31, 31, "0.00"),
    ],
)
def test_usd_are_the_share_of_days_served_rounded_down_to_cents(
    per_month: str, served: int, days: int, usd: str
) -> None:
    assert str(usd_owed(Decimal(per_month), served, days)) == usd


@pytest.mark.parametrize(
    ("usd", "price", "chain", "planck"),
    [
        ("322.50", "2.15", "paseo", 1_500_000_000_000),  # 150 PAS exactly
        ("322.58", "2.15", "paseo", 1_500_372_093_023),  # 150.037209302325…
        ("241.93", "2.15", "paseo", 1_125_255_813_953),  # 112.525581395348…
        ("2500.00", "2.15", "polkadot", 11_627_906_976_744),  # 1,162.790697674418…
        ("2500.00", "4", "polkadot-asset-hub", 6_250_000_000_000),
        ("1.00", "3", "polkadot", 3_333_333_333),
        ("1.00", "3", "kusama", 333_333_333_333),
        ("2.00", "3", "kusama", 666_666_666_666),
        ("0.00", "2.15", "polkadot", 0),
        ("0.01", "200000000", "polkadot", 0),  # half a planck
        ("0.01", "100000000", "polkadot", 1),
    ],
)
def test_planck_are_usd_over_the_price_rounded_down(
    usd: str, price: str, chain: str, planck: int
) -> None:
    assert planck_owed(Decimal(usd), Decimal(price), network(chain)) == planck


def test_the_roundings_do_not_depend_on_the_decimal_context() -> None:
    """Decimal itself would round to the context's precision before we do."""
    with localcontext(prec=3):
        assert usd_owed(Decimal("2500.00"), 4, 31) == Decimal("322.58")
        assert planck_owed(Decimal("322.58"), Decimal("2.15"), PASEO) == 1_500_372_093_023


def test_more_than_a_balance_can_hold_is_an_error() -> None:
    with pytest.raises(StatementError, match="are more PAS than there can be"):
        planck_owed(Decimal(10**28), Decimal("0.000000000000000001"), PASEO)


def test_the_largest_balance_can_be_owed_and_one_planck_more_cannot() -> None:
    a_planck_each = Decimal(10**PASEO.decimals)
    assert planck_owed(Decimal(2**128 - 1), a_planck_each, PASEO) == 2**128 - 1
    with pytest.raises(StatementError, match="than there can be"):
        planck_owed(Decimal(2**128), a_planck_each, PASEO)


# --- Periods ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "days"), [("2026-01", 31), ("2026-02", 28), ("2028-02", 29), ("2026-04", 30)]
)
def test_a_period_has_the_days_of_its_month(period: str, days: int) -> None:
    found = days_of(period)
    assert len(found) == days
    assert found[0].isoformat() == f"{period}-01"
    assert list(found) == sorted(set(found))


@pytest.mark.parametrize(
    "period",
    [
        "",
        "2026",
        "2026-1",
        "2026-00",
        "2026-13",
        "2026-01-01",
        "0000-01",
        "\uff12\uff10\uff12\uff16-01",
        "2026-01\n",
    ],
)
def test_what_is_no_month_is_refused(period: str) -> None:
    with pytest.raises(StatementError, match="is no month such as 2026-01"):
        days_of(period)


# --- The recorded month -------------------------------------------------------------------


def test_the_recorded_statement_follows_from_the_ledger_byte_by_byte() -> None:
    mine = built(payouts.ledger())
    assert mine.encoded == payouts.bundle().statement.encoded
    assert mine.hash == payouts.bundle().statement_hash == blake2_256(mine.encoded)


def test_the_recorded_lines_are_right_by_hand() -> None:
    """2500 USD for 31 days at 2.15 USD; gatotech failed on the 29th."""
    statement = built(payouts.ledger())
    assert [
        (line.member, line.item, len(line.days), str(line.usd), line.planck)
        for line in statement.lines
    ] == [
        ("amforc", "services", 4, "322.58", 1_500_372_093_023),
        ("gatotech", "services", 3, "241.93", 1_125_255_813_953),
        ("stake-plus", "services", 4, "322.58", 1_500_372_093_023),
        ("turboflakes", "services", 4, "322.58", 1_500_372_093_023),
    ]
    assert statement.total == 5_626_372_093_022
    assert "2026-01-29" not in statement.lines[1].days


def test_a_whole_month_is_paid_whole() -> None:
    """As a threshold of zero makes it, for the days that stand: four of 31 and no more."""
    generous = replace(RULES, payout=RULES.payout.model_copy(update={"served_day_ppm": Ppm(0)}))
    lines = built(payouts.ledger(), rules=generous).lines
    assert {len(line.days) for line in lines} == {4}


def test_the_order_in_which_facts_arrive_changes_nothing() -> None:
    shuffled = payouts.ledger()
    shuffled_state = State(PASEO).load(reversed(shuffled.state.entries()))
    mine = built(Ledger(shuffled_state, shuffled.constants), service=reversed(payouts.service()))
    assert mine.encoded == payouts.bundle().statement.encoded


# --- Why nothing is owed ------------------------------------------------------------------


def test_the_recorded_reasons() -> None:
    statement = built(payouts.ledger())
    assert held(statement, "dwellir").detail == "1,200 PAS at Locked6x, 5,000 PAS are required"
    assert {each.member: each.reason for each in statement.withheld} == {
        "dwellir": Reason.LOCK_FALLS_SHORT,
        "radiumblock": Reason.SUSPENDED,
        "rotko-networks": Reason.SUSPENDED,
    }


def test_good_intentions_on_record_cap_what_must_be_locked() -> None:
    ledger = payouts.ledger()
    said = Decision(
        member="dwellir",
        outcome=DecisionOutcome.OVERRIDE,
        subject="lock paseo 1200",
        reason="all that it had when it was accepted",
    )
    ledger.state.programme.decisions.insert((BlockNumber(1), 0), said)
    assert "dwellir" in [line.member for line in built(ledger).lines]


def test_a_member_is_not_paid_for_a_day_that_closed_without_it() -> None:
    """Suspended then and reinstated since; that oracles reported on it all the same is no title."""
    ledger = payouts.ledger()
    closings = ledger.state.scores.closings
    (day, closing), *_ = sorted(closings.items())
    without = tuple(member for member in closing.members if member != "amforc")
    closings.insert(day, closing._replace(members=without))
    lines = {line.member: line for line in built(ledger).lines}
    assert len(lines["amforc"].days) == len(lines["stake-plus"].days) - 1
    assert day_date(day).isoformat() not in lines["amforc"].days


def test_everybody_is_in_a_statement_once() -> None:
    ledger = payouts.ledger()
    statement = built(ledger)
    named = [*(line.member for line in statement.lines), *(h.member for h in statement.withheld)]
    assert sorted(named) == sorted(dict(ledger.state.membership.members.items()))


def test_a_member_without_a_payee_is_paid_nothing() -> None:
    ledger = payouts.ledger()
    change(ledger, "amforc", payees=())
    withheld = held(built(ledger), "amforc")
    assert (withheld.reason, withheld.detail) == (Reason.NO_PAYEE, "none is registered on paseo")


def test_a_member_without_an_account_on_this_network_has_no_lock_on_it() -> None:
    ledger = payouts.ledger()
    change(ledger, "amforc", accounts=())
    withheld = held(built(ledger), "amforc")
    assert withheld.reason is Reason.LOCK_FALLS_SHORT
    assert withheld.detail == "no account is registered on paseo"


def test_a_removed_member_is_not_in_the_statement() -> None:
    ledger = payouts.ledger()
    change(ledger, "amforc", status=MemberStatus.REMOVED)
    assert "amforc" not in built(ledger).encoded.decode()


def test_a_member_that_served_no_day_is_paid_nothing() -> None:
    service = [
        replace(record, failed=record.known) if record.member == "amforc" else record
        for record in payouts.service()
    ]
    statement = built(payouts.ledger(), service=service)
    assert held(statement, "amforc").reason is Reason.NOT_SERVED
    assert [line.member for line in statement.lines] == ["gatotech", "stake-plus", "turboflakes"]


def test_what_was_paid_is_not_owed_again() -> None:
    statement = built(payouts.ledger(PAID))
    assert statement.lines == ()
    withheld = held(statement, "amforc")
    assert (withheld.reason, withheld.detail) == (Reason.PAID, "in block 60107")
    assert [each.reason for each in statement.withheld].count(Reason.PAID) == 4


def test_what_an_open_operation_would_pay_is_not_owed_twice() -> None:
    ledger = payouts.ledger(HALF_SIGNED)
    pending = pending_lines(ledger.state, recording.runtime())
    statement = built(ledger, pending=pending)
    assert statement.lines == ()
    assert [each.reason for each in statement.withheld].count(Reason.PENDING) == 4


def test_a_failed_attempt_pays_nothing_and_holds_nothing_up() -> None:
    ledger = payouts.ledger(payouts.FAILED)
    assert pending_lines(ledger.state, recording.runtime()) == frozenset()
    assert built(ledger).lines == payouts.bundle().statement.lines


def test_the_first_reason_that_holds_is_given() -> None:
    ledger = payouts.ledger(PAID)
    change(ledger, "amforc", payees=())
    assert held(built(ledger), "amforc").reason is Reason.NO_PAYEE
    change(ledger, "amforc", status=MemberStatus.SUSPENDED, reason="late")
    withheld = held(built(ledger), "amforc")
    assert (withheld.reason, withheld.detail) == (Reason.SUSPENDED, "late")


def test_a_reason_that_would_move_the_cursor_is_defused() -> None:
    """Remarks may say what they like; a statement must be readable all the same."""
    ledger = payouts.ledger()
    change(ledger, "amforc", status=MemberStatus.SUSPENDED, reason="\x1b[2Jlate\nagain")
    assert held(built(ledger), "amforc").detail == "\ufffd[2Jlate\ufffdagain"


# --- What no statement can be made from ---------------------------------------------------


def test_a_ledger_without_a_programme_owes_nothing() -> None:
    ledger = Ledger(State(PASEO), payouts.ledger().constants)
    with pytest.raises(StatementError, match="no programme yet"):
        built(ledger)


def test_other_rules_than_the_programmes_are_refused() -> None:
    other = replace(RULES, hash=Hash(b"r" * 32))
    with pytest.raises(StatementError, match=f"these are 0x{(b'r' * 32).hex()}"):
        built(payouts.ledger(), rules=other)


def test_a_month_that_is_not_over_is_not_paid() -> None:
    early = PRICE.model_copy(update={"at": "2026-01-31T23:59:59Z"})
    with pytest.raises(StatementError, match="when 2026-01 was not over"):
        built(payouts.ledger(), price=early)


def test_scores_of_a_day_that_nobody_reported_are_refused() -> None:
    extra = ServiceRecord(date(2026, 1, 27), "amforc", "rpc", 288, 0)
    with pytest.raises(StatementError, match="scores of 2026-01-27, of which no report stands"):
        built(payouts.ledger(), service=[*payouts.service(), extra])


def test_a_reported_day_cannot_be_left_out() -> None:
    """Else a day of outage could be dropped to pay a member more, or all of them less."""
    service = [record for record in payouts.service() if record.day != date(2026, 1, 29)]
    with pytest.raises(StatementError, match="no scores of 2026-01-29, of which a report stands"):
        built(payouts.ledger(), service=service)


def test_a_record_told_twice_is_refused() -> None:
    with pytest.raises(StatementError, match="two records about 2026-01-28"):
        built(payouts.ledger(), service=[*payouts.service(), payouts.service()[0]])


def test_a_month_without_reports_owes_nobody_anything() -> None:
    statement = built(payouts.ledger(), period="2025-12", service=())
    assert statement.lines == ()
    assert statement.scores == ()
    assert held(statement, "amforc").reason is Reason.NOT_SERVED
