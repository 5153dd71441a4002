"""`ibp ledger members --why`, `progress` and `budget` on the recorded programme."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.remarks import canonical_json
from tests.support.command_line import DEMO, ROOT, assert_done, assert_one_clear_line, ibp
from tests.support.law import LAW, everything

MEMBER = "amforc"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('why') / 'ledger.db'}"
    assert_done(ibp("ledger", "replay", DEMO / "archive", "--db", url))
    return url


def why(database: str, *options: object, member: str = MEMBER) -> Any:
    done = ibp("ledger", "members", "--db", database, "--why", member, *options, "--json")
    return json.loads(assert_done(done))


def test_a_member_of_the_recorded_programme(database: str) -> None:
    found = why(database, "--rows", DEMO / "rows")
    assert (found["standing"], found["milestones"]) == ("member", [1, 2, 3, 4, 5, 6])
    assert found["rules"] == f"0x{LAW.hash.hex()}"
    assert found["moves"][0]["kind"] == "registered"
    assert all(move["block"] and move["extrinsic"] for move in found["moves"])
    assert found["next"]["missing"] == ["M7.tasks"]
    (lock,) = found["locks"]
    assert (lock["network"], lock["kept"]) == ("paseo", True)
    assert set(found["ranks"]) == {"M3", "M5"}
    for rank in found["ranks"].values():
        assert rank["steps"][-1]["value"] == str(rank["rank"])


def test_database_and_archive_tell_the_same(database: str) -> None:
    options = "--why", MEMBER, "--rows", DEMO / "rows", "--json"
    archived = ibp("ledger", "members", "--archive", DEMO / "archive", *options)
    assert json.loads(assert_done(archived)) == why(database, "--rows", DEMO / "rows")


def test_evidence_that_is_brought_shows_a_requirement(database: str, tmp_path: Path) -> None:
    path = tmp_path / "m7.json"
    path.write_bytes(everything(7).encoded)
    found = why(database, "--evidence", path)
    assert found["next"]["may_be_granted"] is True
    assert found["ranks"] is None
    steps = [step["text"] for each in found["next"]["requirements"] for step in each["steps"]]
    assert any("tasks done, 2 asked for" in text for text in steps)


def test_the_page_for_people_says_why(database: str) -> None:
    options = "--why", MEMBER, "--rows", DEMO / "rows"
    shown = assert_done(ibp("ledger", "members", "--db", database, *options))
    for text in (f"{MEMBER}: member as of block", "Rank in M3", "Lock on paseo: kept", "M7.tasks",
                 "F4", "F7", "F12", f"0x{LAW.hash.hex()}"):  # fmt: skip
        assert text in shown


def test_a_member_that_was_never_registered_is_refused(database: str) -> None:
    done = ibp("ledger", "members", "--db", database, "--why", "nobody")
    assert_one_clear_line(done, 2, "no member 'nobody'")


def test_two_ledgers_of_one_chain_are_refused(database: str) -> None:
    done = ibp("ledger", "members", "--db", database, "--why", MEMBER, "--also", database)
    assert_one_clear_line(done, 2, "two of the ledgers are of paseo")


def test_malformed_evidence_is_refused(database: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"member": "amforc", "milestone": 1, "items": [{"requirement": "x"}]}')
    done = ibp("ledger", "members", "--db", database, "--why", MEMBER, "--evidence", path)
    assert_one_clear_line(done, 2, "bad.json", "items.0.link")
    absent = tmp_path / "absent.json"
    done = ibp("ledger", "members", "--db", database, "--why", MEMBER, "--evidence", absent)
    assert_one_clear_line(done, 2, "absent.json")


def test_rows_that_are_missing_are_named(database: str, tmp_path: Path) -> None:
    done = ibp("ledger", "members", "--db", database, "--why", MEMBER, "--rows", tmp_path)
    assert_one_clear_line(done, 2, ".rows")


def test_options_of_why_without_it_are_refused(database: str) -> None:
    done = ibp("ledger", "members", "--db", database, "--active-set", 600)
    assert_one_clear_line(done, 2, "--why MEMBER")


# --- Progress -------------------------------------------------------------------------


def progress(database: str, requirement: str, *documents: Path) -> Any:
    options = [option for path in documents for option in ("--evidence", path)]
    done = ibp("ledger", "progress", requirement, *options, "--db", database, "--json")
    return json.loads(assert_done(done))


def test_progress_tells_what_was_shown_and_whether_that_was_granted(
    database: str, tmp_path: Path
) -> None:
    shown = everything(1)
    path = tmp_path / "m1.json"
    path.write_bytes(shown.encoded)
    (found,) = progress(database, "M1.boot-nodes", path)
    assert found["shown"] == {"westend": "1", "kusama": "1", "polkadot": "1"}
    assert found["granted"].endswith(", on other evidence")
    strange = shown.model_copy(update={"member": "stranger"})
    path.write_bytes(strange.encoded)
    (found,) = progress(database, "M1.application", path)
    assert (found["shown"], found["granted"]) == ({"shown": "file://application"}, "no")


def test_progress_in_what_is_asked_of_nobody_is_refused(database: str, tmp_path: Path) -> None:
    path = tmp_path / "m1.json"
    path.write_bytes(everything(1).encoded)
    for requirement, told in (("M1.luck", "no requirement 'M1.luck'"), ("M3.geodns-pools", "M3")):
        done = ibp("ledger", "progress", requirement, "--evidence", path, "--db", database)
        assert_one_clear_line(done, 2, told)


# --- Budget ---------------------------------------------------------------------------


def test_the_recorded_statement_uses_the_line_of_rpc(database: str) -> None:
    done = ibp("ledger", "budget", DEMO / "statement.json", "--db", database, "--json")
    lines = {line["line"]: line for line in json.loads(assert_done(done))}
    owed = json.loads((DEMO / "statement.json").read_text())["lines"]
    used = sum(Decimal(line["usd"]) for line in owed)
    assert used > 0
    assert Decimal(lines["rpc"]["used"]) == used
    assert Decimal(lines["rpc"]["left"]) == 500_000 - used
    assert all(line["used"] == "0" for name, line in lines.items() if name != "rpc")


def test_a_statement_above_a_line_is_a_failed_check(database: str, tmp_path: Path) -> None:
    law = (ROOT / "ledger/program/ibp.toml").read_text()
    smaller = law.replace('usd = "500000"', 'usd = "1"').replace('"1300000"', '"800001"')
    rules = tmp_path / "rules.toml"
    rules.write_text(smaller)
    statement = DEMO / "statement.json"
    done = ibp("ledger", "budget", statement, "--db", database, "--rules", rules)
    assert_one_clear_line(done, 1, "are more than the 1 of the line rpc")


def test_a_statement_that_was_paid_and_is_not_given_is_named(database: str, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    value = json.loads((DEMO / "statement.json").read_text())
    value["lines"] = []
    other.write_bytes(canonical_json(value))
    done = ibp("ledger", "budget", other, "--db", database)
    assert_one_clear_line(done, 2, "which is not among those given")
