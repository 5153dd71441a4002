"""A statement that follows a bill is made again where the bill lies beside the bundles."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from ibp_chain.cli.opened import Opened
from ibp_chain.cli.serve_signing import statement_notes
from ibp_chain.errors import InputError
from ibp_chain.web.loading import Places
from ledger.program.bill_document import read_payable
from ledger.program.rules import load_rules
from multisig.batch import build_batches
from multisig.bundle import Bundle, make_bundles
from multisig.checks import Policy
from multisig.errors import BundleRefused
from multisig.pending import pending_lines
from multisig.plan import PlanPart
from multisig.statement import build_statement
from tests.support import payouts, recording, web
from tests.support.billing import bill_document
from tests.support.payouts import PERIOD, STATED

BILL = bill_document("Amforc", period=PERIOD)
HASH = f"0x{read_payable(BILL, 'a bill').hash.hex()}"


def stated() -> Opened:
    """The ledger at the block of the recorded statement."""
    source = recording.source()
    v14 = source.metadata_v14(recording.SPEC_VERSION)
    state, runtime = payouts.state(STATED), recording.runtime()
    return Opened(state, runtime, v14, source.genesis_hash, 0)


@cache
def billed() -> Bundle:
    """The payout of the recorded month, by that bill."""
    ledger, runtime = payouts.ledger(), recording.runtime()
    price = payouts.bundle().statement.price
    pending = pending_lines(ledger.state, runtime)
    statement = build_statement(
        ledger, load_rules(None), PERIOD, price, payouts.service(), pending,
        read_payable(BILL, "a bill"),
    )  # fmt: skip
    batches = build_batches(statement, ledger.state, runtime, plan=PlanPart())
    (found,) = make_bundles(statement, batches, ledger.state, payouts.genesis_hash(), runtime)
    return found


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "bills").mkdir()
    return replace(web.full(), bundles=tmp_path)


def test_a_statement_without_a_bill_is_made_again(places: Places) -> None:
    assert statement_notes(payouts.bundle(), stated(), places, Policy()) == ()


def test_a_statement_is_made_again_with_the_bill_that_it_follows(
    places: Places, tmp_path: Path
) -> None:
    (tmp_path / "bills" / f"{HASH}.json").write_bytes(BILL)
    assert statement_notes(billed(), stated(), places, Policy()) == ()


def test_without_its_bill_a_statement_is_taken_as_given(places: Places) -> None:
    (note,) = statement_notes(billed(), stated(), places, Policy())
    assert note.startswith(f"The statement is taken as given: there is no bills/{HASH}.json")


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"{}", InputError, "no bill"),
        (bill_document("Stake Plus", period=PERIOD), BundleRefused, r"statement\.bill is"),
    ],
    ids=["no bill", "another"],
)
def test_what_lies_there_under_its_name_and_is_another_is_refused(
    places: Places, tmp_path: Path, content: bytes, error: type[Exception], said: str
) -> None:
    (tmp_path / "bills" / f"{HASH}.json").write_bytes(content)
    with pytest.raises(error, match=said):
        statement_notes(billed(), stated(), places, Policy())
