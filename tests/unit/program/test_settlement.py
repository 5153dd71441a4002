"""What is paid of a bill: corrections, IOUs and the haircut, in cents that add up."""

from decimal import Decimal

import pytest

from ledger.program import usd
from ledger.program.billing import Bill, BillingError, bill_month
from ledger.program.derivation import explain
from ledger.program.settlement import (
    Correction,
    Iou,
    MemberSettlement,
    Part,
    Settlement,
    corrections_between,
    settle,
)
from tests.support.billing import configuration, january, member, prices, service


def bill(period: str = "2026-02", **cores: int) -> Bill:
    """Each member is billed 10.00 USD for each of its cores."""
    return bill_month(
        period,
        configuration(
            {name: member(name) for name in cores},
            {name: service(cores=each) for name, each in cores.items()},
        ),
    )


def correction(member_name: str, amount: str, **given: object) -> Correction:
    about = {"id": "c1", "period": "2026-01", "reason": "because", "former_member": False} | given
    return Correction(member=member_name, usd=Decimal(amount), **about)  # type: ignore[arg-type]  # fields by name


def of(settlement: Settlement, name: str) -> MemberSettlement:
    return next(one for one in settlement.members if one.member == name)


def assert_adds_up(settlement: Settlement) -> None:
    for one in settlement.members:
        assert usd.total(line.usd for line in one.lines) == one.paid
        assert one.owed == one.paid + one.carried
        assert one.paid >= 0
    if settlement.available is not None:
        assert settlement.paid <= settlement.available


# --- Enough ---------------------------------------------------------------------------


def test_where_nothing_is_said_of_the_bounty_everything_is_paid() -> None:
    found = settle(bill(A=1, B=2))
    assert [(one.member, one.paid, one.carried) for one in found.members] == [
        ("A", Decimal("10.00"), Decimal(0)),
        ("B", Decimal("20.00"), Decimal(0)),
    ]
    assert found.ious == ()
    assert_adds_up(found)


def test_a_bounty_that_holds_exactly_the_claims_pays_them_in_full() -> None:
    found = settle(bill(A=1, B=2), available=Decimal("30.00"))
    assert found.paid == Decimal("30.00")
    assert found.undistributed == 0
    assert all(line.part is Part.BILLED for one in found.members for line in one.lines)


def test_what_a_bounty_holds_beyond_the_claims_is_not_undistributed() -> None:
    assert settle(bill(A=1), available=Decimal(1000)).undistributed == 0


# --- The haircut ----------------------------------------------------------------------


def test_a_cent_too_little_is_a_haircut_for_everybody() -> None:
    found = settle(bill(A=1, B=2), available=Decimal("29.99"))
    assert [(one.member, one.paid, one.carried) for one in found.members] == [
        ("A", Decimal("9.99"), Decimal("0.01")),
        ("B", Decimal("19.99"), Decimal("0.01")),
    ]
    assert found.undistributed == Decimal("0.01")
    assert_adds_up(found)


def test_an_empty_bounty_pays_nothing_and_owes_everything() -> None:
    found = settle(bill(A=1, B=2), available=Decimal(0))
    assert found.paid == 0
    assert found.ious == (Iou("A", Decimal("10.00")), Iou("B", Decimal("20.00")))
    assert_adds_up(found)


def test_the_haircut_of_the_real_month_is_the_documented_one() -> None:
    found = settle(bill_month("2026-01", january()), available=Decimal(200_000))
    amforc = of(found, "Amforc")
    assert (amforc.owed, amforc.paid, amforc.carried) == (
        Decimal("22480.65"),
        Decimal("16085.72"),
        Decimal("6394.93"),
    )
    assert found.paid == Decimal("199999.93")
    assert found.undistributed == Decimal("0.07")
    assert_adds_up(found)


def test_a_haircut_shows_its_arithmetic() -> None:
    found = settle(bill(A=1, B=2), available=Decimal(15))
    why = "the bounty holds less than is claimed"
    assert explain(of(found, "A").steps) == (
        "B4  billed: billed for 2026-02 = 10",
        f"B7  haircut: floor(10.00 x 15.00 / 30.00) less 10.00: {why} = -5",
        "B8  carried forward: 10.00 owed less 5.00 paid = 5",
    )


# --- IOUs -----------------------------------------------------------------------------


def test_an_iou_is_owed_again_and_paid_like_the_rest() -> None:
    short = settle(bill("2026-01", A=1, B=2), available=Decimal(15))
    whole = settle(bill("2026-02", A=1, B=2), ious=short.ious)
    assert [(one.member, one.paid) for one in whole.members] == [
        ("A", Decimal("15.00")),
        ("B", Decimal("30.00")),
    ]
    assert short.paid + whole.paid == Decimal("60.00")
    assert whole.ious == ()


def test_an_iou_of_a_member_who_left_is_paid() -> None:
    found = settle(bill(A=1), ious=[Iou("Gone", Decimal("3.21"))])
    assert of(found, "Gone").paid == Decimal("3.21")
    assert_adds_up(found)


def test_two_ious_of_one_member_are_refused() -> None:
    with pytest.raises(BillingError, match="two IOUs of A"):
        settle(bill(A=1), ious=[Iou("A", Decimal(1)), Iou("A", Decimal(2))])


# --- Corrections ----------------------------------------------------------------------


def test_corrections_add_and_take_and_show_their_reason() -> None:
    found = settle(
        bill(A=1, B=2),
        corrections=[
            correction("A", "2.50", id="c1", reason="a node too few"),
            correction("B", "-0.30", id="c2", period="2025-12", reason="paid twice"),
        ],
    )
    assert (of(found, "A").paid, of(found, "B").paid) == (Decimal("12.50"), Decimal("19.70"))
    (line,) = (one for one in of(found, "B").lines if one.part is Part.CORRECTION)
    assert (line.rule, line.text) == ("B5", "correction c2 of 2025-12: paid twice")
    assert_adds_up(found)


def test_what_amforc_was_paid_too_little_in_january_2026_is_corrected_in_february() -> None:
    """The programme paid 22480.35 USD on a bill of 22480.65."""
    february = bill_month("2026-02", january())
    found = settle(february, corrections=[correction("amforc", "0.30", reason="22480.35 was paid")])
    assert of(found, "Amforc").paid == Decimal("22480.95")


def test_who_was_paid_more_than_is_owed_gets_nothing_and_owes_the_rest() -> None:
    found = settle(bill(A=1, B=2), corrections=[correction("A", "-25.00")])
    assert (of(found, "A").paid, of(found, "A").carried) == (Decimal(0), Decimal("-15.00"))
    assert found.ious == (Iou("A", Decimal("-15.00")),)
    assert_adds_up(found)
    later = settle(bill("2026-03", A=2, B=2), ious=found.ious)
    assert of(later, "A").paid == Decimal("5.00")


def test_a_debt_of_one_member_does_not_cut_the_others_claims() -> None:
    found = settle(
        bill(A=1, B=2), corrections=[correction("A", "-25.00")], available=Decimal("20.00")
    )
    assert of(found, "B").paid == Decimal("20.00")


@pytest.mark.parametrize("period", ["2026-02", "2026-03", "2030-01"])
def test_a_correction_is_of_an_earlier_month(period: str) -> None:
    with pytest.raises(BillingError, match=f"'c1' is about {period}: a bill of 2026-02 corrects"):
        settle(bill(A=1), corrections=[correction("A", "1.00", period=period)])


def test_a_correction_for_a_name_that_nobody_has_is_refused_unless_said_to_be_former() -> None:
    with pytest.raises(BillingError, match="is for 'Amfork', who is not in the bill of 2026-02"):
        settle(bill(A=1), corrections=[correction("Amfork", "1.00")])
    found = settle(bill(A=1), corrections=[correction("Gone", "1.00", former_member=True)])
    assert of(found, "Gone").paid == Decimal("1.00")


def test_a_correction_twice_is_refused() -> None:
    with pytest.raises(BillingError, match="the correction 'c1' stands there twice"):
        settle(bill(A=1), corrections=[correction("A", "1.00"), correction("A", "1.00")])


@pytest.mark.parametrize("amount", ["0.001", "NaN", "Infinity", "1E-9"])
def test_amounts_that_are_no_cents_are_refused(amount: str) -> None:
    with pytest.raises(BillingError, match="is no whole number of cents"):
        settle(bill(A=1), corrections=[correction("A", amount)])
    with pytest.raises(BillingError, match="is no whole number of cents"):
        settle(bill(A=1), available=Decimal(amount))


def test_less_than_nothing_cannot_be_available() -> None:
    with pytest.raises(BillingError, match="cannot be available"):
        settle(bill(A=1), available=Decimal(-1))


# --- A month made again ---------------------------------------------------------------


def test_a_month_made_again_gives_the_corrections_that_bring_it_right() -> None:
    before = bill("2026-01", A=1, B=2, C=3)
    after = bill_month(
        "2026-01",
        configuration(
            {"A": member("A"), "B": member("B"), "D": member("D")},
            {"A": service(), "B": service(cores=5), "D": service(cores=4)},
            {"Europe": prices()},
        ),
    )
    changes = corrections_between(before, after, "prices were of another month")
    assert [(one.member, one.usd) for one in changes] == [
        ("B", Decimal("30.00")),
        ("C", Decimal("-30.00")),
        ("D", Decimal("40.00")),
    ]
    total = settle(bill("2026-02", A=1), corrections=changes).owed
    assert total == Decimal("10.00") + after.billed_usd - before.billed_usd
    assert corrections_between(before, before, "nothing") == ()


def test_different_months_have_no_difference() -> None:
    with pytest.raises(BillingError, match="are different months"):
        corrections_between(bill("2026-01", A=1), bill("2026-02", A=1), "x")
