"""Receipts follow from the ledger alone: made again by anybody, refused where a byte differs."""

import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from ibp_chain.blocks import BlockRef
from ibp_chain.remarks import canonical_json
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, RelayBlockNumber
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.child_bounties import ChildBounty, PendingPayout
from ledger.pallets.payouts import BatchStatus, Claim, Violation, ViolationCode
from ledger.program.rules import load_rules
from ledger.state import State
from multisig.documents import parse
from multisig.errors import DocumentError, ReceiptRefused
from multisig.receipt_page import receipt_page
from multisig.receipts import Chain, Polls, Receipt, compare, line_steps, make_receipt
from multisig.statement import Statement
from tests.support import payouts, recording
from tests.support.children import PARENT
from tests.support.payouts import FAILED, HALF_SIGNED, PAID, PASEO, PERIOD, STATED

BUNDLE = payouts.bundle()
STATEMENT = BUNDLE.statement
RULES = load_rules(None)
KEY = (PERIOD, "gatotech", "services")


def polls(member: str = "gatotech", *, without: str = "") -> Polls:
    """The published rows of a member; the proofs of them are the command's business."""
    found = [
        record
        for record in payouts.service()
        if record.member == member and record.day.isoformat() != without
    ]
    return Polls(tuple(found), {"2026-01-28": ({"format": "ibp-score-proof"},)})


def chain(state: State) -> Chain:
    refs = {
        block.header.number: BlockRef(block.header.number, block.hash)
        for block in recording.blocks()
        if block.header.number >= 60_100
    }
    return Chain(state, payouts.genesis_hash(), refs)


def made(
    state: State | None = None,
    member: str = "gatotech",
    statement: Statement = STATEMENT,
    call_hash: Hash = BUNDLE.call_hash,
    said: Polls | None = None,
) -> Receipt:
    own = payouts.state(PAID) if state is None else state
    found = polls(member) if said is None else said
    return make_receipt(statement, call_hash, member, chain(own), RULES, found)


@cache
def receipt() -> Receipt:
    return made()


def refused(**changes: Any) -> str:
    with pytest.raises(ReceiptRefused) as caught:
        made(**changes)
    return str(caught.value)


# --- What one says --------------------------------------------------------------------------


def test_a_receipt_says_what_was_paid_where_and_by_whom() -> None:
    found = receipt()
    (line,) = found.lines
    assert (line.planck, str(line.usd)) == (1_125_255_813_953, "241.93")
    assert found.total == line.planck
    assert (found.payment.block, found.payment.extrinsic) == (60_107, 2)
    assert found.payment.block_hash == recording.blocks()[-2].hash
    assert found.payment.links == ()  # no explorer shows a test chain
    assert found.multisig == BUNDLE.multisig.account
    assert [signer.block for signer in found.signers] == [60_105, 60_106, 60_107]
    assert {signer.account for signer in found.signers} <= set(BUNDLE.multisig.signatories)
    assert found.statement_hash == STATEMENT.hash
    assert {day.day: day.served for day in found.scores} == {
        "2026-01-28": True, "2026-01-29": False, "2026-01-30": True, "2026-01-31": True,
    }  # fmt: skip


def test_its_derivation_can_be_checked_by_hand() -> None:
    assert receipt().lines[0].derivation == (
        "1  days of 31 with uptime of 999000 ppm or more = 3",
        "2  2500.00 USD x 3 / 31, down to cents = 241.93",
        "3  241.93 USD / 2.15 x 10^10, down to planck = 1125255813953",
    )


def test_everybody_makes_the_same_receipt_also_later() -> None:
    later = payouts.state(PAID)
    later.membership.members.insert(
        "gatotech", later.membership.members.get("gatotech")._replace(name="Renamed since")
    )
    assert made(later).encoded == receipt().encoded
    compare(made(later), receipt())


def test_a_receipt_survives_its_file() -> None:
    assert parse(receipt().encoded, Receipt) == receipt()


# --- What has none --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operations", [STATED, HALF_SIGNED, FAILED], ids=["stated", "signed", "failed"]
)
def test_what_was_not_executed_has_no_receipt(operations: payouts.Operations) -> None:
    said = refused(state=payouts.state(operations))
    assert said.endswith("has paid gatotech nothing for 2026-01")


def test_nobody_gets_a_receipt_for_what_it_was_not_paid() -> None:
    assert "has paid dwellir nothing" in refused(member="dwellir")
    assert "has paid gatotech nothing" in refused(call_hash=Hash(bytes(32)))


def test_another_statement_than_the_chain_has_is_refused() -> None:
    line = STATEMENT.lines[1].model_copy(update={"usd": STATEMENT.lines[0].usd})
    lines = (STATEMENT.lines[0], line, *STATEMENT.lines[2:])
    other = STATEMENT.model_copy(update={"lines": lines})
    said = refused(statement=other)
    assert f"paid by statement 0x{STATEMENT.hash.hex()}" in said
    assert f"this one hashes to 0x{other.hash.hex()}" in said


def test_a_statement_that_was_executed_twice_has_no_receipts() -> None:
    state = payouts.state(PAID)
    (key, batch) = list(state.payouts.batches.items())[-1]
    again = (BlockNumber(key[0] + 9), 0)
    paid = state.payouts.paid.get(KEY)
    violation = Violation(ViolationCode.PAID_BEFORE, paid.payee, paid.amount)
    state.payouts.violations.insert((*again, 1), violation)
    same = batch._replace(status=BatchStatus.IRREGULAR)
    state.payouts.batches.insert(again, same)
    said = refused(state=state)
    assert said.startswith(
        "the call was executed again in block 60116 otherwise than its remark says; lines of it "
        "were paid twice: block 60116 paid gatotech/services again, by call 0x"
    )
    state.payouts.batches.insert(again, same._replace(call_hash=Hash(bytes(32))))
    assert refused(state=state) == (
        f"lines of it were paid twice: block 60116 paid a payee of its lines again, by call "
        f"0x{bytes(32).hex()}"
    )


def test_another_statement_that_went_wrong_takes_no_receipt_away() -> None:
    state = payouts.state(PAID)
    (key, batch) = list(state.payouts.batches.items())[-1]
    other = batch._replace(
        status=BatchStatus.IRREGULAR, statement=Hash(bytes(32)), call_hash=Hash(bytes(32))
    )
    state.payouts.batches.insert((BlockNumber(key[0] + 9), 0), other)
    assert made(state).encoded == receipt().encoded


def test_an_amount_or_payee_that_the_ledger_has_otherwise_is_refused() -> None:
    state = payouts.state(PAID)
    paid = state.payouts.paid.get(KEY)
    state.payouts.paid.insert(KEY, paid._replace(amount=Planck(paid.amount - 1)))
    assert refused(state=state) == "gatotech/services was not paid as the statement says"
    state.payouts.paid.insert(KEY, paid._replace(payee=AccountId(bytes(32))))
    assert refused(state=state) == "gatotech/services was not paid as the statement says"


def test_a_child_bounty_has_a_receipt_once_it_is_claimed() -> None:
    state = payouts.state(PAID)
    state.payouts.awards.insert((PARENT, 40), KEY)
    children = state.mirrors.spending.child_bounties.child_bounties
    paid = state.payouts.paid.get(KEY)
    status = PendingPayout(AccountId(bytes(32)), paid.payee, RelayBlockNumber(0))
    child = ChildBounty(PARENT, paid.amount, Planck(0), Planck(0), status)
    children.insert((PARENT, BountyIndex(40)), child)
    assert refused(state=state) == "child bounty 17/40 is awarded and waits to be claimed"
    children.remove((PARENT, BountyIndex(40)))
    assert refused(state=state) == (
        "child bounty 17/40 was closed, and the ledger has seen no claim of it"
    )
    claim = Claim(paid.payee, paid.amount, BlockNumber(60_200))
    state.payouts.claims.insert((PARENT, 40), claim._replace(beneficiary=AccountId(bytes(32))))
    assert "child bounty 17/40 was claimed for 5" in refused(state=state)
    state.payouts.claims.insert((PARENT, 40), claim)
    assert made(state).lines[0].child_bounty == "17/40"
    assert "child bounty 17/40" in receipt_page(made(state), "Gatotech", "x.json")


def test_polls_that_lead_to_other_days_are_refused() -> None:
    said = refused(said=polls(without="2026-01-30"))
    assert said == (
        "by the proofs gatotech served 2026-01-28, 2026-01-31, by the statement 2026-01-28, "
        "2026-01-30, 2026-01-31"
    )
    assert "served no day" in refused(said=Polls((), {}))
    assert "served no day" in refused(said=polls("amforc"))
    twice = polls().records
    assert "its proofs hold two records about" in refused(said=Polls((*twice, *twice), {}))


def test_other_rules_explain_another_amount() -> None:
    other = STATEMENT.model_copy(update={"rules": Hash(bytes(32))})
    assert "give them with --rules" in refused(statement=other)


# --- Held against one's own -------------------------------------------------------------------


def changed(change: Callable[[dict[str, Any]], object]) -> Receipt:
    value = json.loads(receipt().encoded)
    change(value)
    return parse(canonical_json(value), Receipt)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda r: r["lines"][0].update(usd="241.94"),
            "lines.services.usd is '241.94', mine is",
        ),
        (lambda r: r["payment"].update(block=60_106), "receipt.payment.block is 60106, mine is"),
        (lambda r: r["payment"].update(links=["x"]), "receipt.payment.links"),
        (lambda r: r["scores"][1].update(served=True), "is True, mine is False"),
        (lambda r: r["signers"].reverse(), "receipt.signers"),
        (lambda r: r["signers"].pop(), "receipt.signers"),
        (lambda r: r.update(payee=r["multisig"]), "receipt.payee is"),
        (lambda r: r["statement"]["price"].update(source="?"), "receipt.statement.price.source"),
    ],
    ids=["usd", "block", "links", "served", "order", "signer", "payee", "price"],
)
def test_the_first_difference_is_named(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    with pytest.raises(ReceiptRefused) as caught:
        compare(receipt(), changed(change))
    assert said in str(caught.value)


def test_any_changed_byte_is_refused() -> None:
    """Either it is no receipt in its one form, or it says something else than the ledger."""
    data = receipt().encoded
    for place in range(0, len(data), 23):
        other = bytes([*data[:place], data[place] ^ 1, *data[place + 1 :]])
        try:
            theirs = parse(other, Receipt)
        except DocumentError:
            continue
        with pytest.raises(ReceiptRefused):
            compare(receipt(), theirs)


# --- The page ---------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m\"'&"


def test_a_page_escapes_every_name_and_runs_nothing() -> None:
    page = receipt_page(receipt(), HOSTILE, '"><img src=x onerror=alert(1)>.json')
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_text_in_the_statement_is_escaped_too() -> None:
    price = STATEMENT.price.model_copy(update={"source": "<b onload=x>&"})
    other = receipt().model_copy(
        update={"statement": STATEMENT.model_copy(update={"price": price})}
    )
    page = receipt_page(other, "x", "x.json")
    assert "&lt;b onload=x&gt;&amp;" in page
    assert "<b onload" not in page


def test_a_page_is_one_file_that_fetches_nothing() -> None:
    page = receipt_page(receipt(), "Gatotech", "2026-01-gatotech.json")
    for word in ("<script", "<link", "<img", "<iframe", "@import", "url(", "src="):
        assert word not in page
    assert PASEO.format(receipt().total) in page
    assert "@media print" in page
    assert page == receipt_page(receipt(), "Gatotech", "2026-01-gatotech.json")


def test_links_of_a_known_chain_are_on_the_page() -> None:
    link = "https://paseo.subscan.io/extrinsic/60107-2"
    payment = receipt().payment.model_copy(update={"links": (link,)})
    page = receipt_page(receipt().model_copy(update={"payment": payment}), "x", "x.json")
    assert f'<a href="{link}">{link}</a>' in page


def test_a_price_far_below_a_cent_is_written_in_digits() -> None:
    price = STATEMENT.price.model_copy(update={"usd": Decimal("0.0000001")})
    cheap = receipt().model_copy(
        update={"statement": STATEMENT.model_copy(update={"price": price})}
    )
    page = receipt_page(cheap, "Gatotech", "x.json")
    assert "= 0.0000001 USD" in page
    assert "1E-7" not in page
    steps = list(line_steps(STATEMENT.lines[0], cheap.statement, RULES, PASEO))
    assert any("USD / 0.0000001 x 10^" in step.text for step in steps)
