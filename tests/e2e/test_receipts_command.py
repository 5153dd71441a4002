"""What comes after the payment, as a person asks for it: reconcile, receipts, spent, history."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from typer.testing import CliRunner

from ibp_chain.blocks import blake2_256
from ibp_chain.cli import app as cli
from ibp_chain.errors import IbpError
from ibp_chain.remarks import canonical_json
from tests.support import billing, payouts
from tests.support.command_line import DEMO, assert_one_clear_line, ibp

BUNDLE, ARCHIVE, ROWS = DEMO / "bundle.json", DEMO / "archive", DEMO / "rows"
FAILED_AT, STATED_AT = 60_104, payouts.bundle().statement.ledger.block


def ran(*arguments: object) -> tuple[int, str, str]:
    """Exit code, output and error of the command, in this process."""
    done = CliRunner().invoke(cli.app, [*map(str, arguments)])
    if isinstance(done.exception, IbpError):
        return done.exception.exit_code, done.stdout, str(done.exception)
    assert isinstance(done.exception, SystemExit | None), done.exception
    return done.exit_code, done.stdout, ""


def done_well(*arguments: object) -> str:
    code, out, error = ran(*arguments)
    assert (code, error) == (0, "")
    return out


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The recording in a database: it is read faster than an archive is replayed."""
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"
    done_well("ledger", "replay", ARCHIVE, "--db", url)
    return url


@pytest.fixture(scope="module")
def receipts(tmp_path_factory: pytest.TempPathFactory, db: str) -> Path:
    out = tmp_path_factory.mktemp("receipts")
    done_well("payout", "receipts", BUNDLE, "--rows", ROWS, "--db", db, "--out", out, "--html")
    return out


# --- Reconcile --------------------------------------------------------------------------------


def test_reconcile_reads_fees_and_balances_from_the_blocks() -> None:
    printed = done_well("multisig", "reconcile", BUNDLE, "--archive", ARCHIVE)
    assert "Token.FundsUnavailable" in printed
    assert "0.0741644491 PAS" in printed
    assert printed.count("20.184 PAS") == 2
    assert "Settled: every line was paid as stated, once." in printed


def test_reconcile_without_blocks_says_what_it_does_not_know(db: str) -> None:
    out = done_well("multisig", "reconcile", BUNDLE, "--db", db)
    assert "The ledger keeps no fees and no balance changes" in out
    told = json.loads(done_well("multisig", "reconcile", BUNDLE, "--db", db, "--json"))
    failed, paid = told["attempts"]
    assert (failed["fees"], paid["received"]) == (None, None)
    assert (failed["error"], paid["error"]) == ("Token.FundsUnavailable", None)
    assert paid["deposit_returned"] == "201840000000"
    assert paid["block_hash"].startswith("0x00cf2b4d")


def test_reconcile_of_a_failed_execution_is_exit_1(db: str) -> None:
    code, out, error = ran("multisig", "reconcile", BUNDLE, "--db", db, "--at", FAILED_AT)
    assert code == 1
    assert "nothing was paid" in error
    assert "60103-2" in out


# --- Receipts ---------------------------------------------------------------------------------


def test_each_member_that_was_paid_gets_a_receipt_and_a_page(receipts: Path) -> None:
    members = [line.member for line in payouts.bundle().statement.lines]
    assert sorted(path.name for path in receipts.iterdir()) == sorted(
        f"2026-01-{member}.{kind}" for member in members for kind in ("json", "html")
    )


def test_a_receipt_holds_against_a_ledger_of_ones_own(receipts: Path, db: str) -> None:
    file = receipts / "2026-01-gatotech.json"
    printed = done_well("payout", "receipt", "verify", file, "--db", db)
    assert "Holds: gatotech was paid 112.5255813953 PAS for 2026-01 in block 60,107" in printed


def test_a_receipt_holds_with_the_published_rows(receipts: Path, db: str) -> None:
    file = receipts / "2026-01-amforc.json"
    told = done_well("payout", "receipt", "verify", file, "--db", db, "--rows", ROWS, "--json")
    assert json.loads(told)["holds"] is True


def forged(receipts: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    value = json.loads((receipts / "2026-01-gatotech.json").read_bytes())
    change(value)
    path = tmp_path / "forged.json"
    path.write_bytes(canonical_json(value))
    return path


def other_proofs(receipts: Path, place: int) -> list[Mapping[str, Any]]:
    other = json.loads((receipts / "2026-01-amforc.json").read_bytes())
    proofs: list[Mapping[str, Any]] = other["scores"][place]["proofs"]
    return proofs


def test_forged_receipts_are_refused_and_the_lie_is_named(
    receipts: Path, tmp_path: Path, db: str
) -> None:
    def said(change: Callable[[dict[str, Any]], object], *more: object) -> str:
        file = forged(receipts, tmp_path, change)
        code, out, error = ran("payout", "receipt", "verify", file, "--db", db, *more)
        assert (code, out) == (1, "")
        return error

    assert "receipt.lines.services.usd is '2500'" in said(
        lambda r: r["lines"][0].update(usd="2500")
    )
    assert "this one hashes to" in said(lambda r: r["statement"]["price"].update(usd="0.01"))
    assert "not about a service of gatotech" in said(
        lambda r: r["scores"][0].update(proofs=other_proofs(receipts, 0))
    )
    assert "the proof is for 2026-01-29, the report for 2026-01-28" in said(
        lambda r: r["scores"][0].update(proofs=r["scores"][1]["proofs"])
    )
    assert "not in the order of the rows" in said(lambda r: r["scores"][0]["proofs"].reverse())
    assert "not in the order of the rows" in said(
        lambda r: r["scores"][0].update(proofs=[*r["scores"][0]["proofs"]] * 2)
    )
    assert "a proof in the receipt is none" in said(
        lambda r: r["scores"][0].update(proofs=[{"format": "ibp-score-proof"}])
    )
    assert "the path does not lead" in said(
        lambda r: r["scores"][0]["proofs"][0]["path"].__setitem__(0, "0x" + "00" * 32)
    )
    assert "by the proofs gatotech served 2026-01-30" in said(
        lambda r: r["scores"][0].update(proofs=[])
    )
    assert "not about a service of amforc" in said(lambda r: r.update(member="amforc"))
    assert "has paid gatotech nothing" in said(lambda r: r.update(call_hash="0x" + "00" * 32))
    left_out = said(lambda r: r["scores"][0]["proofs"].pop(), "--rows", ROWS)
    assert "receipt.scores.2026-01-28.proofs" in left_out


def test_an_edited_file_is_no_receipt(receipts: Path, tmp_path: Path, db: str) -> None:
    path = tmp_path / "spaced.json"
    path.write_bytes((receipts / "2026-01-gatotech.json").read_bytes().replace(b",", b", ", 1))
    code, _, error = ran("payout", "receipt", "verify", path, "--db", db)
    assert code == 2
    assert "not in canonical form" in error


def test_a_receipt_of_what_a_ledger_does_not_have_yet_is_refused(receipts: Path, db: str) -> None:
    file = receipts / "2026-01-gatotech.json"
    code, _, error = ran("payout", "receipt", "verify", file, "--db", db, "--at", FAILED_AT)
    assert code == 1
    assert "has paid gatotech nothing for 2026-01" in error


def test_a_bundle_that_was_not_executed_has_no_receipts(tmp_path: Path, db: str) -> None:
    code, _, error = ran(
        "payout", "receipts", BUNDLE, "--rows", ROWS, "--db", db, "--at", FAILED_AT,
        "--out", tmp_path / "none",
    )  # fmt: skip
    assert code == 1
    assert "the payout is not settled" in error
    assert not (tmp_path / "none").exists()


# --- What months add up to ----------------------------------------------------------------------


@pytest.fixture
def history(tmp_path: Path) -> Path:
    folder = tmp_path / "bundles"
    folder.mkdir()
    copy(BUNDLE, folder)
    return folder


def test_spent_adds_up_by_line_and_month(history: Path, db: str) -> None:
    out = done_well("payout", "spent", "--bundles", history, "--db", db)
    assert "1209.67" in out
    assert "498790.33" in out
    assert "Complete: 4 lines of 1 statements." in out
    told = json.loads(done_well("payout", "spent", "--bundles", history, "--db", db, "--json"))
    assert told["complete"] is True
    assert told["months"] == {"2026-01": "1209.67"}
    assert {line["line"]: line["used"] for line in told["lines"]}["rpc"] == "1209.67"


def test_spent_without_a_bundle_is_a_lower_bound(tmp_path: Path) -> None:
    done = ibp("payout", "spent", "--bundles", tmp_path, "--archive", ARCHIVE)
    assert_one_clear_line(
        done, 1, "the totals are a lower bound", "block 60107 paid 562.6372093022"
    )
    assert "Missing: block 60107" in done.stdout


def test_spent_does_not_count_what_was_not_executed(history: Path, db: str) -> None:
    out = done_well("payout", "spent", "--bundles", history, "--db", db, "--at", FAILED_AT)
    assert f"nothing was paid by the statement 0x{payouts.bundle().statement.hash.hex()}" in out


def test_build_and_verify_take_a_history(history: Path, db: str, tmp_path: Path) -> None:
    statement = tmp_path / "statement.json"
    statement.write_bytes(payouts.bundle().statement.encoded)
    again = ("multisig", "build", statement, "--db", db, "--out", tmp_path / "b.json")
    at = ("--at", FAILED_AT)
    assert f"0x{payouts.bundle().call_hash.hex()}" in done_well(*again, *at, "--history", history)
    code, _, error = ran(*again, "--history", history)
    assert code == 1
    assert "2026-01 was paid before" in error
    code, _, error = ran(*again, *at, "--history", tmp_path / "nowhere")
    assert code == 2
    assert "is no folder of bundles" in error
    verify = ("multisig", "verify", BUNDLE, "--archive", ARCHIVE, "--rows", ROWS)
    assert "Everything was rebuilt" in done_well(*verify, "--history", history)


# --- A bill ---------------------------------------------------------------------------------------


def test_a_bill_is_stated_with_its_hash_and_paid_once_the_rules_have_a_line_for_it(
    tmp_path: Path, db: str
) -> None:
    listed = {"Amforc": billing.member("X"), "Stake Plus": billing.member("X")}
    regions = {"Europe": billing.prices()}
    config = billing.write_files(
        tmp_path / "config", billing.files(listed, {"X": billing.service()}, regions)
    )
    bill, statement = tmp_path / "bill.json", tmp_path / "statement.json"
    done_well("payout", "bill", "--config", config, "--month", "2026-01", "--out", bill)
    out = done_well(
        "payout", "statement", "2026-01", "--price", "2.15", "--price-source", "x", "--price-at",
        "2026-02-01", "--rows", ROWS, "--db", db, "--at", STATED_AT, "--bill", bill, "--out",
        statement, "--json",
    )  # fmt: skip
    stated = json.loads(out)
    assert stated["bill"] == "0x" + blake2_256(bill.read_bytes().removesuffix(b"\n")).hex()
    assert [line["usd"] for line in stated["lines"] if line["item"] == "iaas"] == ["10.00"] * 2
    code, _, error = ran(
        "multisig", "build", statement, "--db", db, "--at", STATED_AT, "--out", tmp_path / "b.json"
    )
    assert code == 1
    assert "budget-cap: iaas of amforc for 2026-01: no line of the budget pays 'iaas'" in error
