"""Bills as files: one form, one hash, and a chain of IOUs from month to month."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ibp_chain.errors import ConfigError
from ibp_chain.networks import network
from ibp_chain.types import Hash
from ledger.program.bill_document import Inputs, encode_bill, read_bill, read_corrections
from ledger.program.billing import Bill, BillingError, bill_month
from ledger.program.prices import Average, Span
from ledger.program.settlement import Iou, settle
from tests.support.billing import configuration, january, member, service

NOTHING = Inputs()


def bill(period: str = "2026-01") -> Bill:
    listed = {"A": member("X"), "B": member("X", "Y"), "C": member("X", active=0)}
    return bill_month(period, configuration(listed, {"X": service(), "Y": service(active=0)}))


def short() -> bytes:
    return encode_bill(bill(), settle(bill(), available=Decimal(15)), NOTHING)


def test_a_bill_is_written_in_one_form() -> None:
    value = json.loads(short())
    assert value["totals"] == {
        "base": "20.00",
        "billed": "20.00",
        "owed": "20.00",
        "paid": "15.00",
        "carried": "5.00",
        "undistributed": "0.00",
    }
    assert value["unbilled"] == [{"name": "C", "reason": "the member is not active"}]
    assert value["inputs"]["configuration"] == "0x" + bill().configuration.hash.hex()
    assert value["services"] == [
        {"service": "X", "nodes": 1, "cores": 1, "memory": 0, "disk": 0, "bandwidth": 0}
    ]
    assert value["prices"] == [
        {"region": "Europe", "cores": "10", "memory": "1", "disk": "0.1", "bandwidth": "0.05"}
    ]
    assert value["members"][0]["lines"] == [
        {
            "service": "X",
            "base": "10.00",
            "up": "1",
            "known": "1",
            "said": "no uptime was given: billed in full",
            "amount": "10.00",
        }
    ]


def test_the_same_inputs_give_the_same_bytes() -> None:
    first, again = (bill_month("2026-01", january()) for _ in range(2))
    assert encode_bill(first, settle(first), NOTHING) == encode_bill(again, settle(again), NOTHING)


def test_a_bill_leaves_its_ious_to_the_next_month_alone() -> None:
    before = read_bill(short() + b"\n", "january.json")
    assert before.ious == (Iou("A", Decimal("2.50")), Iou("B", Decimal("2.50")))
    assert before.brought_forward("2026-02") == before.ious
    for other in ("2026-01", "2026-03", "2025-12", "2027-02"):
        with pytest.raises(BillingError, match="of 2026-01 leaves its IOUs to 2026-02, not to"):
            before.brought_forward(other)


def test_december_leaves_its_ious_to_january() -> None:
    december = encode_bill(bill("2025-12"), settle(bill("2025-12")), NOTHING)
    assert read_bill(december, "x").brought_forward("2026-01") == ()


def test_a_chain_of_bills_pays_every_cent_once() -> None:
    paid, ious, previous = Decimal(0), tuple[Iou, ...](), None
    for month, following, held in (
        ("2026-01", "2026-02", 15),
        ("2026-02", "2026-03", 7),
        ("2026-03", "2026-04", 1000),
    ):
        settled = settle(bill(month), available=Decimal(held), ious=ious)
        paid += settled.paid
        before = read_bill(encode_bill(bill(month), settled, Inputs(previous=previous)), month)
        ious, previous = before.brought_forward(following), before.hash
    assert paid == Decimal("60.00")
    assert ious == ()


def tampered(change: Any) -> bytes:
    value = json.loads(short())
    change(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def raise_iou(value: Any) -> None:
    value["settlement"][0]["carried"] = "2000.00"


def raise_all(value: Any) -> None:
    value["settlement"][0] |= {"carried": "2000.00", "owed": "2007.50"}


def other_money(value: Any) -> None:
    value["settlement"][0]["carried"] = "2.5"


def other_format(value: Any) -> None:
    value["format"] = "ibp-statement"


def one_more(value: Any) -> None:
    value["note"] = "x"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (raise_iou, "A: owed is not paid and carried together"),
        (raise_all, "totals.owed is not the sum over the members"),
        (other_money, "settlement.0.carried"),
        (other_format, "format"),
        (one_more, "note"),
    ],
)
def test_a_bill_that_was_tampered_with_is_refused(change: Any, said: str) -> None:
    with pytest.raises(BillingError, match=r"^file: ") as refused:
        read_bill(tampered(change), "file")
    assert said in str(refused.value)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"\xff", b"1.5", b"[" * 99_999])
def test_what_is_no_bill_is_refused(raw: bytes) -> None:
    with pytest.raises(BillingError, match=r"^file: "):
        read_bill(raw, "file")
    with pytest.raises(BillingError, match="canonical form"):
        read_bill(short().replace(b",", b", "), "file")


def test_what_is_paid_can_be_given_in_tokens() -> None:
    price = Average(
        Decimal("2.15"), Span.EMA30, date(2026, 1, 31), Hash(bytes(32)), "DOT", "USD", ()
    )
    value = json.loads(
        encode_bill(bill(), settle(bill()), Inputs(price=(price, network("polkadot"))))
    )
    assert value["price"]["paid"] == [
        {"member": "A", "planck": "46511627906"},
        {"member": "B", "planck": "46511627906"},
    ]
    assert (value["price"]["usd"], value["price"]["average"]) == ("2.15", "EMA30")


# --- Corrections ----------------------------------------------------------------------


def corrections(**changed: Any) -> bytes:
    one = {
        "id": "c1",
        "member": "Amforc",
        "period": "2026-01",
        "usd": "0.30",
        "reason": "22480.35 was paid of 22480.65",
    } | changed
    return json.dumps({"format": "ibp-corrections", "version": 1, "corrections": [one]}).encode()


def test_corrections_are_read_with_their_reasons() -> None:
    (one,) = read_corrections(corrections(usd="-12.50"), "file")
    assert (one.member, one.usd, one.former_member) == ("Amforc", Decimal("-12.50"), False)
    assert one.reason == "22480.35 was paid of 22480.65"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("usd", 0.3),
        ("usd", "0.3"),
        ("usd", "1e2"),
        ("usd", "-0.00"),
        ("usd", "+1.00"),
        ("usd", "01.00"),
        ("period", "2026-1"),
        ("reason", ""),
        ("reason", "\x1b[2J"),
        ("member", None),
        ("former_member", "yes"),
        ("note", "x"),
    ],
)
def test_a_malformed_correction_is_refused_by_field(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^file: corrections\.0\.{field}"):
        read_corrections(corrections(**{field: value}), "file")
