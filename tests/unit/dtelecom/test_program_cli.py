"""`ibp program`: as a person runs it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ibp_chain.cli import app as cli
from ledger.program.dtelecom.document import MonthError
from ledger.program.dtelecom.law_table import entries
from ledger.program.dtelecom.rules import load_rules
from tests.support.command_line import assert_done, ibp
from tests.support.dtelecom import HIGH, LAW, LOW, RAW, SCORE_87, month_document, node


def said(*arguments: object) -> str:
    """What `ibp program` prints."""
    done = CliRunner().invoke(cli.app, ["program", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def low(tmp_path: Path) -> Path:
    base, geographic, uptime, traffic = LOW
    bonuses = {"geographic": geographic, "uptime": uptime, "traffic": traffic}
    path = tmp_path / "low.json"
    path.write_text(
        json.dumps(month_document(node(base_usd=base, bonuses=bonuses, measures=SCORE_87)))
    )
    return path


def test_the_seeds_example_is_printed_with_every_step(low: Path) -> None:
    said = assert_done(ibp("program", "earnings", low, "--explain"))
    assert "total               1083" in said
    assert "R0   base 500 * 1.5 = 750" in said
    assert "R6  750 + 83 + 100 + 50 + 100 = 1083" in said
    assert load_rules().hash.hex() in said


def test_json_has_amounts_as_text_and_steps_where_asked(low: Path) -> None:
    brief = json.loads(said("earnings", low, "--json"))
    assert (brief["total"], brief["remainder"], brief["tier"]) == ("1083", "1/3", "hobbyist")
    assert "steps" not in brief["lines"][0]
    full = json.loads(said("earnings", low, "--json", "--explain"))
    assert full["lines"][1]["steps"][-1] == {
        "rule": "R6", "text": "250/3 rounded down to 1 USD", "value": "83",
    }  # fmt: skip


def test_the_law_is_printed_with_its_rule_ids() -> None:
    shown = json.loads(said("show", "--json"))
    assert shown["rules"] == "0x" + load_rules().hash.hex()
    assert {"rule": "S2", "parameter": "staking.unbonding_days", "value": "7"} in shown[
        "parameters"
    ]
    assert len(shown["parameters"]) == len(entries(LAW))


def test_another_law_gives_another_month(low: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_bytes(RAW.replace(b'unit_usd = "1"', b'unit_usd = "0.01"'))
    assert "1083.33" in said("earnings", low, "--rules", mine)


def test_a_bad_document_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(month_document(node(base_usd=HIGH[0], stake_usd=1.5))))
    for file, problem in ((path, r"bad\.json: nodes\.0\.stake_usd"), (tmp_path, "no regular file")):
        done = CliRunner().invoke(cli.app, ["program", "earnings", str(file)])
        with pytest.raises(MonthError, match=problem):
            raise done.exception or AssertionError(done.output)
    assert MonthError.exit_code == 2
