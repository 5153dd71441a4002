"""Bills of any configuration: in any order, for any uptime, out of any bounty, no cent is made."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.program import usd
from ledger.program.bill_document import Inputs, encode_bill, read_bill
from ledger.program.billing import Bill, BillingPolicy, bill_month
from ledger.program.importers.snapshot import parse_configuration
from ledger.program.prices import Span, average, recorded
from ledger.program.settlement import Correction, Iou, Settlement, corrections_between, settle
from ledger.program.uptime import Unknown, Uptime, Uptimes, slug
from tests.support.billing import files, member, prices, service

HALF_A_CENT = Decimal("0.005")
BRIEF = settings(max_examples=50, deadline=None)
MEMBERS = ("Amforc", "Dwellir", "Stake Plus", "Stkd.io")
SERVICES = ("Polkadot", "Kusama", "Asset-Hub-Kusama", "Hydration", "Kilt")
LISTED = SERVICES[:-1]  # one is assigned and not in the list
NAMES = st.sampled_from([*MEMBERS, "Gone"])
PRICES = st.integers(0, 10**10).map(lambda units: f"{units // 10**7}.{units % 10**7:07d}")
UNITS = st.integers(0, 5000)
CENTS = st.integers(-(10**8), 10**8).map(usd.of_cents)
HELD = st.none() | st.integers(0, 10**8).map(usd.of_cents)
WORLDS = st.fixed_dictionaries(
    {
        "members": st.lists(
            st.builds(
                lambda given, region, active: member(
                    *(name for n, name in enumerate(SERVICES) if given >> n & 1),
                    region=region,
                    active=active,
                ),
                st.integers(0, 2 ** len(SERVICES) - 1),
                st.sampled_from(["Africa", "Europe"]),
                st.sampled_from([1, 1, 0]),
            ),
            max_size=len(MEMBERS),
        ).map(lambda entries: dict(zip(MEMBERS, entries, strict=False))),
        "services": st.tuples(
            *(
                st.builds(service, st.integers(0, 3), UNITS, UNITS, UNITS, UNITS)
                for _ in LISTED[1:]
            ),
            st.just(service(active=0)),
        ).map(lambda entries: dict(zip(LISTED, entries, strict=True))),
        "regions": st.builds(
            lambda one, two: {"Africa": one, "Europe": two},
            st.builds(prices, PRICES, PRICES, PRICES, PRICES),
            st.builds(prices, PRICES),
        ),
    }
)


@st.composite
def uptimes(draw: st.DrawFn) -> Uptimes:
    ratios = st.tuples(st.integers(0, 9000), st.integers(1, 9000)).map(
        lambda pair: Uptime(min(pair), max(pair), "drawn")
    )
    slugs, members = map(st.sampled_from, (SERVICES, MEMBERS))
    by_service = draw(st.dictionaries(st.tuples(members, slugs), ratios, max_size=4))
    by_member = draw(st.dictionaries(members, ratios, max_size=3))
    return Uptimes(
        "drawn",
        None,
        {(slug(name), slug(each)): uptime for (name, each), uptime in by_service.items()},
        {slug(name): uptime for name, uptime in by_member.items()},
    )


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    policy = BillingPolicy(
        unknown=draw(st.sampled_from([Unknown.FULL, Unknown.NONE])),
        inactive_members=draw(st.booleans()),
    )
    world = draw(WORLDS)
    return bill_month(
        "2026-02", parse_configuration(files(**world), "drawn"), draw(uptimes()), policy
    )


@st.composite
def settlements(draw: st.DrawFn) -> Settlement:
    ious = draw(st.dictionaries(NAMES, CENTS, max_size=3))
    corrections = [
        Correction(f"c{n}", name, "2026-01", amount, "drawn", former_member=True)
        for n, (name, amount) in enumerate(draw(st.lists(st.tuples(NAMES, CENTS), max_size=4)))
    ]
    return settle(
        draw(bills()),
        available=draw(HELD),
        corrections=corrections,
        ious=[Iou(name, amount) for name, amount in ious.items()],
    )


# --- Bills ----------------------------------------------------------------------------


@BRIEF
@given(WORLDS, uptimes(), st.randoms(use_true_random=False))
def test_a_bill_does_not_depend_on_the_order_of_anything(
    world: dict[str, Mapping[str, Any]], given_uptimes: Uptimes, chance: random.Random
) -> None:
    def shuffled(items: Mapping[str, Any]) -> dict[str, Any]:
        return dict(chance.sample(list(items.items()), len(items)))

    policy = BillingPolicy(unknown=Unknown.FULL)
    other = {part: shuffled(items) for part, items in world.items()}
    for entry in other["members"].values():
        chance.shuffle(entry["ServiceAssignments"]["All"])
    one, two = (
        bill_month("2026-02", parse_configuration(files(**each), "drawn"), given_uptimes, policy)
        for each in (world, other)
    )
    assert one.members == two.members
    assert one.unbilled == two.unbilled


@BRIEF
@given(bills())
def test_the_lines_and_the_named_rounding_are_the_total(bill: Bill) -> None:
    for one in bill.members:
        lines = usd.total(line.amount for line in one.lines)
        assert usd.total((lines, one.rounding)) == one.billed_usd
        assert abs(one.rounding) <= HALF_A_CENT
        assert one.billed_usd == one.billed_usd.quantize(usd.CENT)
    assert bill.billed_usd == usd.total(one.billed_usd for one in bill.members)


@BRIEF
@given(bills())
def test_an_uptime_never_adds_to_a_base(bill: Bill) -> None:
    for one in bill.members:
        assert 0 <= one.billed_usd <= one.base_usd
        for line in one.lines:
            assert 0 <= line.amount <= line.base
            exact = line.base * line.uptime.up / line.uptime.known
            assert abs(line.amount - exact) <= usd.LINE_UNIT


@BRIEF
@given(bills())
def test_every_assignment_is_billed_or_named(bill: Bill) -> None:
    assigned = {one.name: one.services for one in bill.configuration.members}
    billed = {
        one.member: sorted([*(x.service for x in one.lines), *(x.name for x in one.unbilled)])
        for one in bill.members
    }
    left_out = {one.name for one in bill.unbilled}
    assert billed.keys() | left_out == assigned.keys()
    assert not billed.keys() & left_out
    for name, services in billed.items():
        assert services == sorted(assigned[name])


# --- Settlements ----------------------------------------------------------------------


@BRIEF
@given(settlements())
def test_a_haircut_never_pays_more_than_is_there(settled: Settlement) -> None:
    if settled.available is None or settled.claims <= settled.available:
        assert settled.paid == settled.claims
        return
    assert settled.paid <= settled.available
    # less than a cent for each who claims
    claiming = sum(one.owed > 0 for one in settled.members)
    assert 0 <= settled.undistributed < usd.of_cents(max(claiming, 1))
    assert settled.paid + settled.undistributed == settled.available


@BRIEF
@given(settlements())
def test_an_iou_conserves_money(settled: Settlement) -> None:
    for one in settled.members:
        assert one.owed == one.paid + one.carried
        assert usd.total(line.usd for line in one.lines) == one.paid
        assert 0 <= one.paid <= max(one.owed, Decimal(0))
    assert settled.owed == settled.paid + settled.carried
    assert usd.total(iou.usd for iou in settled.ious) == settled.carried


@BRIEF
@given(settlements())
def test_a_haircut_takes_the_same_share_of_every_claim_to_a_cent(settled: Settlement) -> None:
    if settled.available is None or settled.claims <= settled.available:
        return
    for one in settled.members:
        fair = max(one.owed, Decimal(0)) * settled.available / settled.claims
        assert one.paid <= fair < one.paid + usd.CENT


@BRIEF
@given(bills(), st.lists(st.integers(0, 10**8).map(usd.of_cents), max_size=5))
def test_months_that_follow_one_another_pay_every_cent_once(
    bill: Bill, held: list[Decimal]
) -> None:
    paid, ious = Decimal(0), tuple[Iou, ...]()
    months = [f"2026-{n:02d}" for n in range(1, 13)]
    for month, amount in zip(months, held, strict=False):
        billed = replace(bill, period=month)
        settled = settle(billed, available=amount, ious=ious)
        paid += settled.paid
        ious = read_bill(encode_bill(billed, settled, Inputs()), month).ious
    assert paid + usd.total(iou.usd for iou in ious) == bill.billed_usd * len(held)


@BRIEF
@given(bills(), bills())
def test_corrections_bring_a_month_to_what_it_should_have_been(before: Bill, after: Bill) -> None:
    now = replace(before, period="2026-03", members=())
    settled = settle(now, corrections=corrections_between(before, after, "made again"))
    assert settled.owed == after.billed_usd - before.billed_usd


# --- Prices ---------------------------------------------------------------------------


@BRIEF
@given(
    st.lists(st.integers(1, 5 * 10**6).map(usd.of_cents), min_size=120, max_size=130),
    st.sampled_from(Span),
)
def test_an_average_lies_between_the_least_and_the_most_of_its_days(
    days: list[Decimal], span: Span
) -> None:
    first = date(2026, 1, 1)
    series = recorded(
        "KSM",
        "USD",
        "kraken",
        "KSMUSD",
        datetime(2027, 1, 1, tzinfo=UTC),
        [(first + timedelta(days=n), price) for n, price in enumerate(days)],
    )
    window = days[-span.days :]
    found = average(series, span, series.last)
    assert min(window) <= found.usd <= max(window)
