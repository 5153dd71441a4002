"""The bill of a month: the programme's own to the cent, and other months' oddities."""

import json
from decimal import Decimal, localcontext

import pytest

from ledger.program import usd
from ledger.program.billing import (
    Bill,
    BillingError,
    BillingPolicy,
    NotBilled,
    bill_month,
)
from ledger.program.derivation import explain
from ledger.program.importers.snapshot import parse_configuration
from ledger.program.uptime import Unknown, read_uptimes
from tests.support.billing import (
    JANUARY_BILLED,
    MEMBERS,
    PRICING,
    configuration,
    january,
    january_files,
    later_files,
    member,
    prices,
    service,
)


def uptime_file(*stated: dict[str, str], period: str = "2026-01") -> bytes:
    return json.dumps(
        {"format": "ibp-uptime", "version": 1, "period": period, "uptime": list(stated)}
    ).encode()


def overview() -> bytes:
    """The programme's published overview, in its own form."""
    rows = [
        {"month": "2026-01", "member": name, "uptime_pct": 100.0, "services": row.services}
        for name, row in JANUARY_BILLED.items()
    ]
    return json.dumps(rows).encode()


def amounts(bill: Bill) -> dict[str, tuple[Decimal, Decimal]]:
    return {one.member: (one.base_usd, one.billed_usd) for one in bill.members}


# --- The real month -------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(JANUARY_BILLED))
def test_january_2026_is_billed_as_the_programme_billed_it_to_the_cent(name: str) -> None:
    bill = bill_month("2026-01", january(), read_uptimes(overview(), "2026-01", "overview"))
    found, published = bill.member(name), JANUARY_BILLED[name]
    assert found is not None
    assert found.base_usd == published.usd
    assert found.billed_usd == published.usd
    assert (found.level, found.region) == (published.level, published.region)
    assert len(found.lines) == published.services


def test_nobody_else_is_billed_for_january_2026() -> None:
    bill = bill_month("2026-01", january())
    assert {one.member for one in bill.members} == JANUARY_BILLED.keys()
    assert bill.unbilled == ()
    assert bill.billed_usd == sum(row.usd for row in JANUARY_BILLED.values())


def test_without_uptimes_everything_is_billed_in_full_and_the_bill_says_so() -> None:
    bill = bill_month("2026-01", january())
    assert amounts(bill) == {name: (row.usd, row.usd) for name, row in JANUARY_BILLED.items()}
    assert bill.uptimes.source == "not given: every service is billed in full"
    assert bill.uptimes.hash is None


def test_only_the_member_is_rounded_never_the_line() -> None:
    """Of the ways to round that were tried on the real month, this one alone gives its figures."""
    stake_plus = bill_month("2026-01", january()).member("Stake Plus")
    assert stake_plus is not None
    exact = usd.total(line.amount for line in stake_plus.lines)
    assert exact == Decimal("22224.649024")
    assert stake_plus.rounding == Decimal("0.000976")
    by_line = usd.total(usd.nearest_cent(line.amount) for line in stake_plus.lines)
    assert by_line == Decimal("22224.77")


def test_services_that_are_not_active_are_named_and_not_billed() -> None:
    amforc = bill_month("2026-01", january()).member("Amforc")
    assert amforc is not None
    assert [(one.name, one.reason) for one in amforc.unbilled] == [
        (name, NotBilled.INACTIVE_SERVICE) for name in ("Kilt", "Mythos", "Polimec")
    ]


# --- Other months' configurations -----------------------------------------------------


def test_the_real_configuration_of_a_later_month_is_billed_the_same_way() -> None:
    """Five of seven members are active, services run on one node, and half of them are gone."""
    bill = bill_month("2026-06", parse_configuration(later_files(), "later"))
    assert {name: base for name, (base, _) in amounts(bill).items()} == {
        "Amforc": Decimal("13819.94"),
        "Dwellir": Decimal("17069.39"),
        "Gatotech": Decimal("17069.39"),
        "Stake Plus": Decimal("13633.19"),
        "Turboflakes": Decimal("13819.94"),
    }
    assert [one.name for one in bill.unbilled] == ["RadiumBlock", "Rotko Networks"]


def test_a_bill_follows_the_configuration_of_its_own_month() -> None:
    files = dict(january_files())
    doubled = files[PRICING].replace(b"14.172", b"28.344")
    later = parse_configuration(files | {PRICING: doubled}, "later")
    before, after = bill_month("2026-01", january()), bill_month("2026-02", later)
    assert after.configuration.hash != before.configuration.hash
    assert after.base_usd > before.base_usd
    assert bill_month("2026-01", january()) == before


def test_a_member_that_is_missing_from_a_month_is_not_billed_and_nobody_else_changes() -> None:
    files = dict(january_files())
    listed = json.loads(files[MEMBERS])
    del listed["Amforc"]
    bill = bill_month(
        "2026-02", parse_configuration(files | {MEMBERS: json.dumps(listed).encode()}, "x")
    )
    assert amounts(bill) == {
        name: (row.usd, row.usd) for name, row in JANUARY_BILLED.items() if name != "Amforc"
    }


def test_a_member_that_is_not_active_is_named_and_not_billed_unless_asked_for() -> None:
    listed = {"A": member("X"), "B": member("X", active=0)}
    config = configuration(listed, {"X": service()})
    bill = bill_month("2026-02", config)
    assert amounts(bill) == {"A": (Decimal("10.00"), Decimal("10.00"))}
    assert [(one.name, one.reason) for one in bill.unbilled] == [("B", NotBilled.INACTIVE_MEMBER)]
    both = bill_month("2026-02", config, policy=BillingPolicy(inactive_members=True))
    assert set(amounts(both)) == {"A", "B"}
    assert both.unbilled == ()


def test_a_service_that_the_list_does_not_have_is_named_and_not_billed() -> None:
    bill = bill_month("2026-02", configuration({"A": member("X", "Y")}, {"X": service()}))
    (only,) = bill.members
    assert [line.service for line in only.lines] == ["X"]
    assert [(one.name, one.reason) for one in only.unbilled] == [("Y", NotBilled.UNKNOWN_SERVICE)]


def test_names_are_compared_as_the_programmes_software_does() -> None:
    config = configuration(
        {"A": member(" polkadot", region="EUROPE ")}, {"Polkadot": service(cores=2)}
    )
    assert amounts(bill_month("2026-02", config)) == {"A": (Decimal("20.00"), Decimal("20.00"))}


def test_a_region_without_prices_is_an_error_that_names_member_and_region() -> None:
    config = configuration({"A": member("X", region="Antarctica")}, {"X": service()})
    with pytest.raises(BillingError, match=r"A: its region 'Antarctica' has no prices.*Europe"):
        bill_month("2026-02", config)


def test_the_region_of_a_member_that_is_not_billed_does_not_matter() -> None:
    listed = {"A": member("X"), "B": member("X", region="", active=0)}
    assert set(amounts(bill_month("2026-02", configuration(listed, {"X": service()})))) == {"A"}


def test_a_member_without_services_is_billed_nothing() -> None:
    bill = bill_month("2026-02", configuration({"A": member()}, {}))
    assert amounts(bill) == {"A": (Decimal("0.00"), Decimal("0.00"))}


def test_a_service_on_no_node_costs_nothing() -> None:
    config = configuration({"A": member("X")}, {"X": service(nodes=0, cores=9)})
    assert bill_month("2026-02", config).base_usd == 0


@pytest.mark.parametrize("period", ["2026-13", "2026-1", "26-01", "", "2026-01-01", "²026-01"])
def test_what_is_no_month_is_refused(period: str) -> None:
    with pytest.raises(BillingError, match="is no month such as 2026-01"):
        bill_month(period, configuration({}, {}))


# --- Uptime ---------------------------------------------------------------------------


def test_an_uptime_takes_from_its_service_alone() -> None:
    config = configuration({"A": member("X", "Y")}, {"X": service(), "Y": service()})
    stated = uptime_file(
        {"member": "A", "percent": "100"}, {"member": "A", "service": "X", "percent": "99.95"}
    )
    (only,) = bill_month("2026-01", config, read_uptimes(stated, "2026-01", "file")).members
    assert [(line.service, line.amount) for line in only.lines] == [
        ("X", Decimal("9.995")),
        ("Y", Decimal(10)),
    ]
    assert only.base_usd == Decimal("20.00")
    assert only.billed_usd == Decimal("20.00")  # 19.995: a tie, to the even cent
    assert only.rounding == Decimal("0.005")


def test_an_uptime_is_found_by_key_display_name_or_slug() -> None:
    config = configuration(
        {"Stakeplus": member("Asset-Hub-Kusama", name="Stake Plus")},
        {"Asset-Hub-Kusama": service()},
    )
    for name in ("Stakeplus", "Stake Plus", "stake-plus", "STAKE PLUS"):
        stated = uptime_file({"member": name, "service": "asset-hub-kusama", "percent": "50"})
        bill = bill_month("2026-01", config, read_uptimes(stated, "2026-01", "file"))
        assert bill.billed_usd == Decimal("5.00")


def test_an_unknown_uptime_is_refused_by_name_or_counts_as_the_policy_says() -> None:
    config = configuration({"A": member("X", "Y")}, {"X": service(), "Y": service()})
    stated = read_uptimes(
        uptime_file({"member": "A", "service": "X", "percent": "90"}), "2026-01", "file"
    )
    with pytest.raises(BillingError, match="nothing is known of the uptime of A Y: give it"):
        bill_month("2026-01", config, stated)
    in_full = bill_month("2026-01", config, stated, BillingPolicy(unknown=Unknown.FULL))
    nothing = bill_month("2026-01", config, stated, BillingPolicy(unknown=Unknown.NONE))
    assert (in_full.billed_usd, nothing.billed_usd) == (Decimal("19.00"), Decimal("9.00"))
    assert in_full.base_usd == nothing.base_usd == Decimal("20.00")


def test_a_service_that_was_down_all_month_is_billed_nothing() -> None:
    config = configuration({"A": member("X")}, {"X": service()})
    stated = uptime_file({"member": "A", "percent": "0"})
    bill = bill_month("2026-01", config, read_uptimes(stated, "2026-01", "file"))
    assert (bill.base_usd, bill.billed_usd) == (Decimal("10.00"), Decimal("0.00"))


# --- Arithmetic -----------------------------------------------------------------------


def test_the_callers_decimal_context_changes_nothing() -> None:
    expected = bill_month("2026-01", january())
    with localcontext() as context:
        context.prec = 4
        assert bill_month("2026-01", january()) == expected
        assert expected.base_usd == Decimal("279510.61")


def test_the_largest_numbers_that_are_let_through_are_billed_exactly() -> None:
    most = 10**9
    config = configuration(
        {"A": member("X")},
        {"X": service(nodes=most, cores=most)},
        {"Europe": prices(cores="9999999999.999999999999999999")},
    )
    (only,) = bill_month("2026-01", config).members
    assert only.lines[0].base == Decimal(10**28 - 1)
    assert only.billed_usd == Decimal("9999999999999999999999999999.00")


def test_every_number_can_be_asked_for_its_arithmetic() -> None:
    config = configuration(
        {"A": member("X")}, {"X": service(nodes=2, cores=4, memory=16, disk=320, bandwidth=300)}
    )
    stated = read_uptimes(uptime_file({"member": "A", "percent": "99.5"}), "2026-01", "file")
    (only,) = bill_month("2026-01", config, stated).members
    each = "4 cores x 10 + 16 GB memory x 1 + 320 GB disk x 0.1 + 300 GB bandwidth x 0.05"
    assert explain(only.steps) == (
        f"B1  X: 2 nodes x ({each}) = 206",
        "B3  X: 206.00 x 199 / 200 (99.5 %, as given) = 204.97",
        "B4  base, 1 services: 206.00 = 206",
        "B4  billed: 204.97, rounding 0.00 = 204.97",
    )
