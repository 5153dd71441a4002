"""A statement that the ledger has overtaken: paid, open elsewhere, or for other payees."""

from pathlib import Path

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.remark_bodies import Member, MemberAction
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.types import AccountId
from multisig.bundle import read_bundle
from tests.support.command_line import DEMO, assert_done, assert_one_clear_line
from tests.support.in_process import ibp_here
from tests.support.pay_office import (
    MEMBERS,
    PASEO,
    STRANGER,
    TWIN,
    URIS,
    PayOffice,
    address,
    key,
    payee,
)
from tests.support.rpc_proxy import rpc_proxy

pytestmark = pytest.mark.live

AMFORC, GATOTECH, STAKE_PLUS, _ = MEMBERS


# --- Twice ------------------------------------------------------------------------------------


def test_a_second_bundle_for_a_month_is_refused_while_the_first_is_open_and_after_it_paid(
    office: PayOffice, tmp_path: Path
) -> None:
    month = office.month()
    first, second = (
        office.bundle(office.statement(month, price=price)) for price in ("2.15", "2.25")
    )
    assert first.call_hash != second.call_hash
    timepoint = office.opened(first, 0)
    office.state()
    open_already = f"another open operation pays {month} already"
    file = office.file(second)
    assert_one_clear_line(office.approve(file, URIS[1]), 1, open_already)
    assert_one_clear_line(office.build(second.statement, tmp_path / "bundle.json"), 1, open_already)

    office.block(*(office.approval(first, at, timepoint) for at in (3, 4)))
    office.state()
    paid = f"amforc/services: {month} was paid before"
    assert_one_clear_line(office.approve(file, URIS[1]), 1, paid)
    assert_one_clear_line(office.build(second.statement, tmp_path / "bundle.json"), 1, paid)
    assert_done(office.ibp("reconcile", office.file(first), "--db", office.db))
    elsewhere = office.ibp("reconcile", file, "--db", office.db)
    assert_one_clear_line(elsewhere, 1, "the payout is not settled: nobody has approved it")
    assert "by another call" in elsewhere.stdout


def test_a_bundle_that_is_older_than_the_payment_of_one_of_its_lines(office: PayOffice) -> None:
    month = office.month()
    stale = office.bundle(office.statement(month, MEMBERS[:2]))
    office.executed(office.bundle(office.statement(month, (GATOTECH,), usd="12.00")))
    office.state()
    assert_one_clear_line(
        office.approve(office.file(stale), URIS[0]),
        1,
        f"the bundle is refused: gatotech/services: {month} was paid before",
    )


# --- To whom ----------------------------------------------------------------------------------


def paid_to(office: PayOffice, member: str, account: AccountId) -> None:
    """The curators register another payee."""
    office.said(
        Member(action=MemberAction.UPDATE, member=member, payee={PASEO.name: account}),
    )
    office.state()


def test_a_payee_that_was_changed_after_the_statement_and_what_is_asked_of_the_next_one(
    office: PayOffice, tmp_path: Path
) -> None:
    before, stale = office.month(), office.bundle(office.statement(members=(STAKE_PLUS,)))
    office.executed(office.bundle(office.statement(before, (STAKE_PLUS,))))
    other = key(STRANGER).account
    paid_to(office, STAKE_PLUS, other)
    own = address(payee(STAKE_PLUS))
    assert_one_clear_line(
        office.approve(office.file(stale), URIS[0]),
        1,
        f"stake-plus/services: {own} is not the registered payee",
    )

    line = office.line(STAKE_PLUS).model_copy(update={"payee": address(other)})
    following = office.statement().model_copy(update={"lines": (line,)})
    out = tmp_path / "bundle.json"
    assert_one_clear_line(
        office.build(following, out),
        1,
        f"changed-payee: {address(other)} is paid, for {before} it was {own}; "
        "ask the member by another way than the one that the change came by",
    )
    done = office.build(following, out, "--allow", "changed-payee")
    assert "OVERRIDDEN by who built it: changed-payee\n" in assert_done(done)
    shown = office.approve(out, URIS[0])
    assert "OVERRIDDEN by who built it: changed-payee\n" in assert_done(shown)
    paid_to(office, STAKE_PLUS, payee(STAKE_PLUS))


def test_two_members_with_one_payee(office: PayOffice, tmp_path: Path) -> None:
    twin = office.line(TWIN).model_copy(update={"payee": address(payee(AMFORC))})
    both = office.statement().model_copy(update={"lines": (office.line(AMFORC), twin)})
    assert_one_clear_line(
        office.build(both, tmp_path / "bundle.json"),
        1,
        f"amforc/services: duplicate-payee: {address(payee(AMFORC))} is also the payee of {TWIN}",
        "let one of them register an address of its own",
    )


# --- How much ---------------------------------------------------------------------------------


def test_an_amount_that_is_far_from_the_last_month(office: PayOffice, tmp_path: Path) -> None:
    before = office.month()
    office.executed(office.bundle(office.statement(before, (GATOTECH,), usd="10.00")))
    assert_one_clear_line(
        office.build(office.statement(members=(GATOTECH,), usd="15.01"), tmp_path / "bundle.json"),
        1,
        f"gatotech/services: large-change: 6.9813953488 PAS, for {before} it was 4.6511627906 PAS",
        "more than 50 % apart; look at the price and at the days served",
    )


def test_an_amount_above_the_cap_of_the_rules(office: PayOffice, tmp_path: Path) -> None:
    assert_one_clear_line(
        office.build(office.statement(usd="2500.01"), tmp_path / "bundle.json"),
        1,
        "amforc/services: line-cap: 2500.01 USD are above the cap of 2500",
    )


def heavy(result: str, params: list[str]) -> str:
    """The true weight of a call that pays one line, and far too much for one that pays more."""
    api, data, _ = params
    if not api.endswith("query_call_info") or bytes.fromhex(data[2:]).count(b"services") < 2:
        return result
    far_too_much, rest = encode_compact(2**41), bytes.fromhex(result[2:])[-17:]
    return "0x" + (far_too_much + encode_compact(1) + rest).hex()


def test_a_batch_that_no_block_takes_is_split_and_each_part_is_paid_once(
    office: PayOffice, tmp_path: Path
) -> None:
    """Two lines are light; what the runtime says of them is changed on the way."""
    out, stated = tmp_path / "bundle.json", office.statement(members=MEMBERS[:2])
    with rpc_proxy(office.devnet.http_url) as node:
        node.faults.lies["state_call"] = heavy
        done = office.build(stated, out, "--node", node.http_url)
    assert assert_done(done).count("call hash") == 2
    files = [tmp_path / f"bundle-{part}.json" for part in (1, 2)]
    parts = [read_bundle(file) for file in files]
    assert [(each.part, each.parts, each.paid_by.lines_per_part) for each in parts] == [
        (1, 2, 1), (2, 2, 1)
    ]  # fmt: skip
    office.executed(parts[0])
    office.state()
    again = office.approve(files[0], URIS[4])
    assert_one_clear_line(again, 1, f"{AMFORC}/services: {stated.period} was paid before")
    assert "more signatures are needed" in assert_done(office.approve(files[1], URIS[4]))
    timepoint = office.stored("Multisig", "Multisigs", *operation(files[1]))["when"]
    office.block(*(office.approval(parts[1], at, timepoint) for at in (0, 1)))
    office.state()
    for each in files:
        assert "Settled" in assert_done(office.ibp("reconcile", each, "--db", office.db))


def operation(file: Path) -> tuple[AccountId, bytes]:
    bundle = read_bundle(file)
    return bundle.multisig.account_id(PASEO), bundle.call_hash


# --- What nobody can know ---------------------------------------------------------------------


def test_an_operation_that_somebody_opened_by_hash_alone(office: PayOffice, tmp_path: Path) -> None:
    hidden = blake2_256(b"a call that nobody has shown")
    timepoint = office.timepoint()
    office.block(office.hash_approval(hidden, 4, None))
    try:
        office.state()
        shown = assert_done(office.ibp("pending", "--node", office.devnet.url, "--db", office.db))
        assert "WARNING: unknown: hash only, nobody should approve what nobody has shown." in shown
        said = (
            "unknown-call: 1 open operation with an unknown call: nobody can know what it pays",
            f"0x{hidden.hex()} of {timepoint['height']}-{timepoint['index']}",
            "let whoever opened it cancel it or approve it with the whole call",
        )
        stated, out = office.statement(), tmp_path / "bundle.json"
        assert_one_clear_line(office.build(stated, out), 1, *said)
        allowed = office.build(stated, out, "--allow", "unknown-call")
        assert "OVERRIDDEN by who built it: unknown-call\n" in assert_done(allowed)
    finally:
        office.block(office.cancellation(hidden, 4, timepoint))
        office.state()


# --- Another ledger ---------------------------------------------------------------------------


def test_a_ledger_of_another_chain(office: PayOffice, stated: str) -> None:
    """A Paseo all the same: the recording's, where the same curators founded a programme."""
    file, genesis = office.file(office.bundle()), office.node.genesis_hash.hex()
    assert_one_clear_line(
        office.approve(file, URIS[0], db=stated), 1, f"it is for a chain with genesis 0x{genesis}"
    )
    told = ibp_here(
        "multisig", "pending", "--bundle", file, "--db", stated, "--node", office.devnet.url
    )
    assert_one_clear_line(told, 2, "the bundles and the ledger are of several chains")
    verified = office.ibp("verify", file, "--rows", DEMO / "rows", "--db", stated)
    assert_one_clear_line(verified, 2, "the bundle's statement is of block 1, the ledger is at")
