"""Each named check: what it lets pass, what it refuses, and that a person overrides two of them."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.extrinsics import Weight
from ibp_chain.types import AccountId, BlockNumber, Planck, Ppm
from ledger.pallets.payouts import PaidLine
from ledger.program.budget import Payment
from ledger.program.rules import load_rules
from ledger.state import State
from multisig import checks
from multisig.batch import build_batches, own_accounts
from multisig.bundle import check_bundle, make_bundles
from multisig.checks import OVERRIDABLE, Caps, Check, Finding, Limits, Policy
from multisig.deny_list import parse_deny_list
from multisig.errors import BatchRefused, BundleRefused, DocumentError
from multisig.plan import PlanPart
from multisig.statement import Line
from tests.support import payouts, recording
from tests.support.children import multisig_of
from tests.support.payouts import PASEO, PERIOD, STATED

STATEMENT = payouts.bundle().statement
LINES = STATEMENT.lines
FIRST = LINES[0]
PAYEE = ss58_decode(FIRST.payee)
LIMITS = Limits(1_000, Weight(100, 10))


def line(**changes: object) -> Line:
    return FIRST.model_copy(update=changes)


def before(amount: int, payee: AccountId = PAYEE) -> Mapping[checks.LineKey, tuple[str, PaidLine]]:
    paid = PaidLine(payee, Planck(amount), (BlockNumber(1), 0), 0)
    return {(FIRST.member, FIRST.item): ("2025-12", paid)}


# --- Each check -----------------------------------------------------------------------


def test_an_amount_of_the_existential_deposit_passes_and_one_planck_less_does_not() -> None:
    minimum = FIRST.planck
    assert not [*checks.existential_deposit([FIRST], minimum, PASEO)]
    (found,) = checks.existential_deposit([FIRST], Planck(minimum + 1), PASEO)
    assert found.check is Check.EXISTENTIAL_DEPOSIT
    assert found.about == "amforc/services"
    assert "150.0372093023 PAS are below the chain's least, 150.0372093024 PAS" in found.saw


def test_two_items_of_a_member_share_a_payee_and_two_members_do_not() -> None:
    assert not [*checks.duplicate_payee([*LINES, line(item="bonus")], PASEO)]
    found = [*checks.duplicate_payee([FIRST, line(member="other")], PASEO)]
    assert [(each.check, each.about) for each in found] == [
        (Check.DUPLICATE_PAYEE, "amforc/services"), (Check.DUPLICATE_PAYEE, "other/services"),
    ]  # fmt: skip
    assert "is also the payee of other" in found[0].saw


def test_a_duplicate_is_found_whatever_prefix_an_address_would_have() -> None:
    twin = line(member="other", payee=ss58_encode(PAYEE, PASEO.ss58_prefix))
    assert [*checks.duplicate_payee([FIRST, twin], PASEO)]


def test_only_accounts_on_the_deny_list_are_refused() -> None:
    assert not [*checks.deny_list(LINES, {AccountId(bytes(32)): "nobody"}, PASEO)]
    (found,) = checks.deny_list(LINES, {PAYEE: "the staking contract"}, PASEO)
    assert (found.check, found.about) == (Check.DENY_LIST, "amforc/services")
    assert "is the staking contract" in found.saw


@pytest.mark.parametrize("what", ["multisig", "treasury", "bounty 17"])
def test_the_programmes_own_accounts_are_on_it(what: str) -> None:
    own = own_accounts(multisig_of(payouts.state(STATED)), 17)
    account = next(account for account, name in own.items() if what in name)
    payee = ss58_encode(account, PASEO.ss58_prefix)
    assert [*checks.deny_list([line(payee=payee)], own, PASEO)]


def test_a_payee_who_changed_since_the_last_paid_month_is_told_with_both() -> None:
    assert not [*checks.changed_payee(LINES, before(1), PASEO)]
    assert not [*checks.changed_payee(LINES, {}, PASEO)]
    other = AccountId(bytes(32))
    (found,) = checks.changed_payee(LINES, before(1, other), PASEO)
    assert found.check is Check.CHANGED_PAYEE
    assert found.saw == (
        f"{FIRST.payee} is paid, for 2025-12 it was {ss58_encode(other, PASEO.ss58_prefix)}"
    )


@pytest.mark.parametrize(
    ("amount", "refusals"), [(100, 0), (150, 0), (50, 0), (151, 1), (49, 1), (0, 1)]
)
def test_a_large_change_is_more_than_the_threshold_either_way(amount: int, refusals: int) -> None:
    lines = [line(planck=Planck(amount))]
    found = [*checks.large_change(lines, before(100), Ppm(500_000), PASEO)]
    assert len(found) == refusals
    for each in found:
        assert each.check is Check.LARGE_CHANGE
        assert "more than 50 % apart" in each.saw


def test_any_amount_behind_a_month_of_nothing_is_a_large_change() -> None:
    assert [*checks.large_change([FIRST], before(0), Ppm(10**9), PASEO)]


def test_a_line_may_reach_its_cap_and_not_pass_it() -> None:
    assert not [*checks.line_cap(LINES, None)]
    assert not [*checks.line_cap([FIRST], FIRST.usd)]
    (found,) = checks.line_cap([FIRST], FIRST.usd - Decimal("0.01"))
    assert found.check is Check.LINE_CAP
    assert found.saw == "322.58 USD are above the cap of 322.57 USD to a line"


def test_a_month_may_reach_its_cap_and_not_pass_it() -> None:
    total = sum((each.usd for each in LINES), Decimal(0))
    assert not [*checks.month_cap(LINES, PERIOD, Caps(month=total))]
    (found,) = checks.month_cap(LINES, PERIOD, Caps(month=total - Decimal("0.01")))
    assert found.check is Check.MONTH_CAP
    assert f"{total} USD are above the cap of" in found.saw


def test_no_line_of_the_budget_is_passed_and_no_item_is_without_one() -> None:
    budget = load_rules(None).budget
    caps = Caps(budget=budget)
    assert not [*checks.budget_cap(LINES, PERIOD, caps)]
    cap = max(each.usd for each in budget.lines.values())
    (above,) = checks.budget_cap([line(usd=cap + 1)], PERIOD, caps)
    assert above.check is Check.BUDGET_CAP
    assert "are more than the" in above.saw
    (strange,) = checks.budget_cap([line(item="yacht")], PERIOD, caps)
    assert "no line of the budget pays 'yacht'" in strange.saw


def earlier(usd: str, period: str = "2025-12", **about: str) -> Payment:
    named = {"member": FIRST.member, "item": FIRST.item} | about
    return Payment(period, usd=Decimal(usd), **named)


def test_a_line_of_the_budget_is_capped_over_all_months() -> None:
    budget = load_rules(None).budget
    cap = budget.lines[budget.line_of[FIRST.item]].usd
    left = Caps(budget=budget, earlier=(earlier(str(cap - FIRST.usd)),))
    assert not [*checks.budget_cap([FIRST], PERIOD, left)]
    above = Caps(budget=budget, earlier=(earlier(str(cap - FIRST.usd + Decimal("0.01"))),))
    (found,) = checks.budget_cap([FIRST], PERIOD, above)
    assert found.check is Check.BUDGET_CAP
    assert f"322.58 USD on top of {cap - FIRST.usd + Decimal('0.01')} are more than" in found.saw


def test_what_was_paid_of_a_line_above_its_cap_leaves_nothing_and_breaks_nothing() -> None:
    caps = Caps(budget=load_rules(None).budget, earlier=(earlier("500000.01"),))
    (found,) = checks.budget_cap([FIRST], PERIOD, caps)
    assert "are more than the 500000 of the line rpc" in found.saw


def test_lines_that_are_looked_at_again_once_paid_are_not_counted_twice() -> None:
    budget = load_rules(None).budget
    own = tuple(Payment(PERIOD, each.member, each.item, each.usd) for each in LINES)
    total = sum((each.usd for each in LINES), Decimal(0))
    caps = Caps(month=total, budget=budget, earlier=own)
    assert not [*checks.month_cap(LINES, PERIOD, caps), *checks.budget_cap(LINES, PERIOD, caps)]


def test_what_else_was_paid_for_the_month_counts_towards_its_cap() -> None:
    other = earlier("0.01", PERIOD, member="dwellir")
    total = sum((each.usd for each in LINES), Decimal(0))
    caps = Caps(month=total, earlier=(other, earlier("1000000")))
    (found,) = checks.month_cap(LINES, PERIOD, caps)
    assert "0.01 USD paid before included" in found.saw
    assert not [*checks.month_cap(LINES, PERIOD, Caps(month=total, earlier=(earlier("9"),)))]


def test_a_history_with_a_gap_tells_nothing_about_a_cap() -> None:
    caps = Caps(budget=load_rules(None).budget, gaps=("block 7 paid by another statement",))
    (found,) = checks.budget_cap(LINES, PERIOD, caps)
    assert str(found) == (
        "the batch: budget-cap: block 7 paid by another statement; add it to the history: nobody "
        "can tell what is left"
    )


def test_a_large_change_in_usd_is_one_whatever_the_price_did() -> None:
    def found(*before: Payment) -> list[Finding]:
        return [*checks.large_change_usd([FIRST], PERIOD, before, Ppm(500_000))]

    assert not found()
    assert not found(earlier("215.06"))  # 322.58 is not above half as much again, 322.59
    (above,) = found(earlier("215.05"))
    assert above.check is Check.LARGE_CHANGE
    assert above.saw == "322.58 USD, for 2025-12 it was 215.05 USD: more than 50 % apart"
    assert not found(earlier("1", "2025-10"), earlier("300", "2025-12"), earlier("1", "2025-11"))
    assert not found(earlier("1", PERIOD), earlier("1", "2026-02"), earlier("1", item="iaas"))


def test_the_payer_needs_what_is_paid_and_what_keeps_it_alive() -> None:
    def found(free: int) -> list[Finding]:
        return [*checks.balance(Planck(90), Planck(free), Planck(10), "the multisig", PASEO)]

    assert not found(100)
    (short,) = found(99)
    assert short.check is Check.BALANCE
    assert "the multisig has 0.0000000099 PAS free" in short.saw
    assert "let 0.0000000001 PAS more come in" in short.do


def test_a_block_takes_so_many_bytes() -> None:
    assert not [*checks.block_length(1_000, LIMITS)]
    (found,) = checks.block_length(1_001, LIMITS)
    assert found.check is Check.BLOCK_LENGTH


@pytest.mark.parametrize(
    ("weight", "what"), [(Weight(101, 10), "ref time"), (Weight(100, 11), "proof size")]
)
def test_a_block_takes_so_much_weight_in_both_dimensions(weight: Weight, what: str) -> None:
    assert not [*checks.block_weight(Weight(100, 10), LIMITS)]
    (found,) = checks.block_weight(weight, LIMITS)
    assert found.check is Check.BLOCK_WEIGHT
    assert what in found.saw


def test_parts_are_halved_until_they_fit() -> None:
    heavy, light = [Weight(101, 1)], [Weight(100, 1)]
    assert checks.fewer_lines(7, light, [10], LIMITS) is None
    assert checks.fewer_lines(7, heavy, [10], LIMITS) == 4
    assert checks.fewer_lines(7, light, [1_001], LIMITS) == 4
    assert checks.fewer_lines(2, heavy, [10], LIMITS) == 1
    assert checks.fewer_lines(1, heavy, [10], LIMITS) is None  # what is left, a check refuses


def test_the_limits_are_the_runtimes_for_ordinary_extrinsics() -> None:
    limits = checks.limits_of(recording.runtime())
    assert limits == Limits(3_932_160, Weight(1_479_873_955_000, 13_650_590_614_545_068_195))


# --- Overrides --------------------------------------------------------------------------


def test_only_what_a_person_may_know_better_is_overridden() -> None:
    found = [Finding(check, "x", "saw", "do") for check in Check]
    left = checks.refusing(found, Check)
    assert {each.check for each in found} - {each.check for each in left} == OVERRIDABLE
    assert checks.refusing(found, ()) == tuple(found)


def paid_otherwise(state: State) -> State:
    """As if another payee had got much less for the month before."""
    paid = PaidLine(AccountId(bytes(32)), Planck(1), (BlockNumber(1), 0), 0)
    state.payouts.paid.insert(("2025-12", FIRST.member, FIRST.item), paid)
    state.payouts.paid.insert(("2025-11", FIRST.member, FIRST.item), paid._replace(payee=PAYEE))
    return state


BOTH = PlanPart(allowed=(Check.CHANGED_PAYEE, Check.LARGE_CHANGE))


def test_the_builder_refuses_by_name_and_takes_what_was_overridden() -> None:
    state, runtime = paid_otherwise(payouts.state(STATED)), recording.runtime()
    with pytest.raises(BatchRefused) as error:
        build_batches(STATEMENT, state, runtime)
    assert [row.split(":")[:2] for row in error.value.rows] == [
        ["amforc/services", " changed-payee"], ["amforc/services", " large-change"],
    ]  # fmt: skip
    with pytest.raises(BatchRefused, match="changed-payee"):
        build_batches(STATEMENT, state, runtime, plan=PlanPart(allowed=(Check.LARGE_CHANGE,)))
    (batch,) = build_batches(STATEMENT, state, runtime, plan=BOTH)
    assert batch.call == payouts.bundle().call  # an override changes nothing of what is paid


def test_every_curator_finds_the_override_in_the_bundle_and_nobody_can_take_it_out() -> None:
    state, runtime = paid_otherwise(payouts.state(STATED)), recording.runtime()
    batches = build_batches(STATEMENT, state, runtime, plan=BOTH)
    (bundle,) = make_bundles(STATEMENT, batches, state, payouts.genesis_hash(), runtime)
    own = state, payouts.genesis_hash(), runtime, recording.peer()
    check_bundle(bundle, *own)
    assert payouts.as_json(bundle)["plan"]["allowed"] == ["changed-payee", "large-change"]
    with pytest.raises(BundleRefused, match="changed-payee"):
        check_bundle(bundle.model_copy(update={"plan": None}), *own)


def test_a_bundle_that_overrides_what_nobody_can_is_no_bundle() -> None:
    value = payouts.as_json(payouts.bundle())
    for allowed, said in (
        (["deny-list"], "deny-list cannot be overridden"),
        (["large-change", "changed-payee"], "in alphabetical order"),
        (["large-change", "large-change"], "in alphabetical order"),
        ([], "at least 1"),
        (["whatever"], "Input should be"),
    ):
        with pytest.raises(DocumentError, match=said):
            payouts.bundle_of(value | {"plan": {"kind": "transfers", "allowed": allowed}})


def refused(policy: Policy) -> tuple[str, ...]:
    with pytest.raises(BatchRefused) as error:
        build_batches(STATEMENT, payouts.state(STATED), recording.runtime(), policy=policy)
    return error.value.rows


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Policy(denied={PAYEE: "a contract"}), "deny-list"),
        (Policy(Caps(line=Decimal(300))), "line-cap"),
        (Policy(Caps(month=Decimal(300))), "month-cap"),
    ],
)
def test_a_curators_own_policy_refuses(policy: Policy, said: str) -> None:
    assert any(f": {said}: " in row for row in refused(policy))


# --- The file of accounts ------------------------------------------------------------------


def test_a_deny_list_names_accounts_and_contracts() -> None:
    text = f'[accounts]\n"{FIRST.payee}" = "a pot"\n"0x{"ab" * 20}" = "a contract"\n'
    assert parse_deny_list(text) == {
        PAYEE: "a pot", AccountId(b"\xab" * 20 + b"\xee" * 12): "a contract",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "accounts = 3",
        "[accounts",
        '[accounts]\n"nobody" = "x"',
        f'[accounts]\n"{FIRST.payee}" = 3',
        f'[accounts]\n"{FIRST.payee}" = " "',
        f'[accounts]\n"{FIRST.payee}" = "\\u001b[2K"',
        f'[accounts]\n"0x{"ab" * 19}" = "x"',
        "[accounts]\n[other]\n",
    ],
)
def test_anything_else_is_no_deny_list(text: str) -> None:
    with pytest.raises(DocumentError, match="no deny list"):
        parse_deny_list(text)
