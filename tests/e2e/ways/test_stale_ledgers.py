"""A curator whose ledger is old, a node whose metadata is another, and caps that all must share."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import assert_done, assert_one_clear_line
from tests.support.pay_office import URIS, PayOffice
from tests.support.rpc_proxy import rpc_proxy


@pytest.fixture
def two_for_one_month(office: PayOffice) -> tuple[Path, Any]:
    month = office.month()
    first, second = (
        office.bundle(office.statement(month, price=price)) for price in ("2.15", "2.25")
    )
    office.opened(second, 0)
    office.state()  # the ledger knows the second as open, and stays here
    return office.file(second), first


def test_what_was_paid_by_another_bundle_since_the_ledgers_head_is_not_paid_again(
    office: PayOffice, two_for_one_month: tuple[Path, Any]
) -> None:
    file, first = two_for_one_month
    office.executed(first, who=(1, 2, 3))
    month = first.statement.period
    assert_one_clear_line(office.approve(file, URIS[4]), 1, f"{month} was paid before")


def test_what_another_bundle_has_opened_since_the_ledgers_head_refuses_the_first(
    office: PayOffice, two_for_one_month: tuple[Path, Any]
) -> None:
    file, first = two_for_one_month
    office.opened(first, 1)
    month = first.statement.period
    assert_one_clear_line(
        office.approve(file, URIS[4]), 1, f"another open operation pays {month} already"
    )


def test_an_operation_by_its_hash_alone_since_the_ledgers_head_refuses_too(
    office: PayOffice,
) -> None:
    bundle = office.bundle()
    office.state()
    file, hidden = office.file(bundle), bundle.statement_hash
    timepoint = office.timepoint()
    office.block(office.hash_approval(hidden, 4, None))
    try:
        assert_one_clear_line(office.approve(file, URIS[1]), 1, "unknown-call")
    finally:
        office.block(office.cancellation(hidden, 4, timepoint))
        office.state()


def test_a_node_that_lies_about_its_metadata_changes_nothing_that_is_signed(
    office: PayOffice,
) -> None:
    bundle = office.bundle()
    office.state()
    file = office.file(bundle)
    name, other = (b"\x20" + text for text in (b"as_multi", b"as_nulti"))

    def lie(truth: Any) -> Any:
        return truth.replace(name.hex(), other.hex()) if isinstance(truth, str) else truth

    with rpc_proxy(office.devnet.http_url) as node:
        node.faults.lies["state_getMetadata"] = lambda truth, _: lie(truth)
        node.faults.lies["state_call"] = lambda truth, params: (
            lie(truth) if "metadata" in params[0] else truth
        )
        done = office.approve(file, URIS[0], node=node.http_url)
    assert "more signatures are needed" in assert_done(done)


def test_a_cap_that_a_bundle_was_built_with_is_given_by_each_curator(
    office: PayOffice, tmp_path: Path
) -> None:
    stated, out = office.statement(usd="9999.00"), tmp_path / "bundle.json"
    cap = ("--cap-line", "10000", "--change", "1000000")
    assert_done(office.build(stated, out, *cap))
    assert_one_clear_line(office.approve(out, URIS[0]), 1, "line-cap")
    done = assert_done(office.approve(out, URIS[0], *cap))
    assert "Not checked: deny-list (no --deny), month-cap (no --cap-month), budget-cap" in done
    assert "more signatures are needed" in done
