"""A bundle, statement or rules file that is not what it should be, as `ibp multisig` tells it.

Against the recorded payout: whoever verifies has its ledger, the published rows and the rules.
"""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from ledger.program.rules import load_rules
from tests.support import payouts
from tests.support.command_line import DEMO, ROOT, assert_done, assert_one_clear_line
from tests.support.in_process import ibp_here
from tests.support.payouts import as_json, resealed

BUNDLE = payouts.bundle()
ENCODED = BUNDLE.encoded
RULES = ROOT / "ledger" / "program" / "ibp.toml"


@pytest.fixture
def verify(stated: str, tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """`ibp multisig verify` of a file with these bytes."""

    def verified(data: bytes, *options: object, db: str = stated) -> CompletedProcess[str]:
        file = tmp_path / "bundle.json"
        file.write_bytes(data)
        rows = ("--rows", DEMO / "rows")
        return ibp_here("multisig", "verify", file, *rows, "--db", db, *options)

    return verified


Verify = Callable[..., CompletedProcess[str]]


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The bundle's file with something else in it, in its one form all the same."""
    value = as_json(BUNDLE)
    change(value)
    return payouts.sealed(value)


def test_the_file_itself_is_rebuilt_and_the_same(verify: Verify) -> None:
    """What the others differ from."""
    assert "Everything was rebuilt" in assert_done(verify(ENCODED + b"\n"))


# --- Who --------------------------------------------------------------------------------------


def reverse(multisig: dict[str, Any]) -> None:
    multisig["signatories"].reverse()


def double(multisig: dict[str, Any]) -> None:
    multisig["signatories"][1] = multisig["signatories"][0]


def lower(multisig: dict[str, Any]) -> None:
    multisig["threshold"] = 2


@pytest.mark.parametrize("change", [reverse, double, lower], ids=["unsorted", "twice", "fewer"])
def test_signatories_that_are_unsorted_or_stand_there_twice_or_another_threshold(
    verify: Verify, change: Callable[[dict[str, Any]], None]
) -> None:
    done = verify(changed(lambda value: change(value["multisig"])))
    assert_one_clear_line(
        done, 1, "its signatories or threshold are not those of the curators in office"
    )


# --- What -------------------------------------------------------------------------------------


def one_planck_more() -> bytes:
    """The call with the first transfer's amount one higher, and its hash made to fit."""
    first, *others = payouts.parts().transfers
    more = payouts.call(
        "Balances", "transfer_keep_alive",
        dest=first.args["dest"], value=first.args["value"] + 1,
    )  # fmt: skip
    return payouts.batch_all(payouts.parts().remark, more, *others)


def test_a_call_that_pays_one_planck_more_than_its_statement(verify: Verify) -> None:
    done = verify(resealed(BUNDLE, one_planck_more()).encoded)
    own = BUNDLE.call_hash.hex()
    assert_one_clear_line(done, 1, f"its statement makes another call, with hash 0x{own}")


def test_a_line_that_is_one_planck_more_than_its_usd(verify: Verify) -> None:
    forged = payouts.forged(lambda each: each["lines"][0].update(planck="1500372093024"))
    assert_one_clear_line(
        verify(forged.encoded),
        1,
        "statement.lines.amforc/services.planck is '1500372093024', mine is '1500372093023'",
    )


def test_a_price_that_was_changed_after_the_statement_was_made(verify: Verify) -> None:
    forged = payouts.forged(lambda each: each["price"].update(usd="2.16"))
    assert_one_clear_line(
        verify(forged.encoded),
        1,
        "statement.lines.amforc/services.planck is '1500372093023', mine is '1493425925925'",
    )


def test_a_price_of_before_the_month_was_over(verify: Verify) -> None:
    forged = payouts.forged(lambda each: each["price"].update(at="2026-01-31T23:59:59Z"))
    assert_one_clear_line(
        verify(forged.encoded), 2, "the price is of 2026-01-31T23:59:59Z, when 2026-01 was not over"
    )


def test_a_line_below_the_existential_deposit(stated: str, tmp_path: Path) -> None:
    statement, out = tmp_path / "statement.json", tmp_path / "bundle.json"
    small = payouts.forged(lambda each: each["lines"][0].update(usd="0.00", planck="0"))
    tiny = payouts.forged(
        lambda each: (
            each["price"].update(usd="215"),
            [line.update(usd="0.01", planck="465116") for line in each["lines"]],
        )
    )
    for forged, said in (
        (small, "amforc/services: the amount is zero"),
        (
            tiny,
            "amforc/services: existential-deposit: 0.0000465116 PAS are below the chain's least",
        ),
    ):
        statement.write_bytes(forged.statement.encoded)
        done = ibp_here("multisig", "build", statement, "--out", out, "--db", stated)
        assert_one_clear_line(done, 1, said)
        assert not out.exists()


# --- Against what -----------------------------------------------------------------------------


def test_rules_that_were_changed(verify: Verify, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    text = RULES.read_text()
    amount = f"usd_per_month = {load_rules().payout.usd_per_month}"
    assert amount in text.replace('"', "")
    rules.write_text(text.replace("usd_per_month = ", "usd_per_month =  "))
    assert_one_clear_line(
        verify(ENCODED, "--rules", rules),
        2,
        f"the statement follows rules 0x{BUNDLE.statement.rules.hex()}, these are 0x",
        "give them with --rules",
    )


def test_rules_that_were_changed_in_the_statement_too(verify: Verify, tmp_path: Path) -> None:
    """The programme names the hash of its rules: that file and statement agree is not enough."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES.read_text() + "# changed\n")
    other = "0x" + load_rules(rules).hash.hex()
    forged = payouts.forged(lambda each: each.update(rules=other))
    assert_one_clear_line(
        verify(forged.encoded, "--rules", rules),
        2,
        f"the programme's rules are 0x{BUNDLE.statement.rules.hex()}, these are {other}",
    )


def test_a_ledger_that_is_behind_the_statement(verify: Verify, tmp_path: Path) -> None:
    block = BUNDLE.statement.ledger.block
    behind = f"sqlite:///{tmp_path / 'behind.db'}"
    replay = ("ledger", "replay", DEMO / "archive", "--db", behind, "--last", block - 1)
    assert_done(ibp_here(*replay))
    assert_one_clear_line(
        verify(ENCODED, db=behind),
        2,
        f"the bundle's statement is of block {block}, the ledger is at",
        "replay it up to there",
    )


# --- The file itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(ENCODED[:-20], "no bundle: ", id="truncated"),
        pytest.param(b"", "no bundle: ", id="empty"),
        pytest.param(b" " * (4 * 2**20 + 1), "longer than 4194304 bytes", id="oversized"),
        pytest.param(
            ENCODED.replace(b":", b": ", 1),
            "not in canonical form (RFC 8785): was it edited?",
            id="spaced",
        ),
        pytest.param(
            changed(lambda value: value.update(version=2)), "no bundle: version: ", id="version"
        ),
        pytest.param(
            changed(lambda value: value.update(format="ibp-statement")),
            "no bundle: format: ",
            id="format",
        ),
        pytest.param(
            changed(lambda value: value.update(note="trust me")), "no bundle: note: ", id="unknown"
        ),
    ],
)
def test_a_file_that_is_truncated_oversized_not_canonical_or_of_another_version(
    verify: Verify, data: bytes, said: str
) -> None:
    assert_one_clear_line(verify(data), 2, "bundle.json: ", said)
