"""Kinds, checks and overrides as a curator meets them: the message, the exit code, the bundle."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import DEMO, assert_done, assert_one_clear_line, ibp

STATEMENT = DEMO / "statement.json"
STATED_AT = json.loads(STATEMENT.read_text())["ledger"]["block"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The ledger at the statement's block."""
    url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'ledger.db'}"
    done = ibp("ledger", "replay", DEMO / "archive", "--db", url, "--last", STATED_AT)
    assert done.returncode == 0, done.stderr
    return url


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--kind", "treasury-spend"), 1, "which a referendum has and no multisig"),
        (("--kind", "child-bounties"), 2, "child bounties need the bounty"),
        (("--kind", "child-bounties", "--bounty", "17"), 1, "there is no bounty 17"),
        (("--kind", "child-claims"), 1, "no child bounty was awarded for it"),
        (("--bounty", "17"), 2, "transfers are of no bounty"),
        (("--allow", "deny-list"), 2, "deny-list cannot be overridden"),
        (("--cap-line", "300"), 1, "amforc/services: line-cap: 322.58 USD are above the cap"),
        (("--cap-month", "1000"), 1, "the batch: month-cap: "),
        (("--cap-line", "much"), 2, "'much' is no amount of USD"),
    ],
)
def test_what_must_not_be_paid_so_is_refused_in_one_line(
    database: str, tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    out = tmp_path / "bundle.json"
    done = ibp("multisig", "build", STATEMENT, "--out", out, "--db", database, *options)
    assert_one_clear_line(done, code, said)
    assert not out.exists()


def test_an_account_of_the_deny_list_is_never_paid(database: str, tmp_path: Path) -> None:
    payee = json.loads(STATEMENT.read_text())["lines"][0]["payee"]
    deny = tmp_path / "deny.toml"
    deny.write_text(f'[accounts]\n"{payee}" = "the staking contract"\n')
    out = ("--out", tmp_path / "bundle.json", "--db", database)
    done = ibp("multisig", "build", STATEMENT, *out, "--deny", deny)
    assert_one_clear_line(done, 1, "amforc/services: deny-list: ", "is the staking contract")


def test_an_override_is_in_the_bundle_and_every_verifier_is_told(
    database: str, tmp_path: Path
) -> None:
    out = tmp_path / "bundle.json"
    arguments = ("--out", out, "--db", database, "--allow", "large-change")
    assert_done(ibp("multisig", "build", STATEMENT, *arguments))
    bundle = json.loads(out.read_text())
    assert bundle["plan"] == {"allowed": ["large-change"], "kind": "transfers"}
    assert bundle["call"] == json.loads((DEMO / "bundle.json").read_text())["call"]
    verified = ibp("multisig", "verify", out, "--rows", DEMO / "rows", "--db", database)
    assert "OVERRIDDEN by who built it: large-change, which saw nothing" in verified.stdout


def test_a_statement_is_paid_in_as_many_parts_as_are_asked_for(
    database: str, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "bundle.json", "--db", database, "--lines-per-part", 3)
    assert_done(ibp("multisig", "build", STATEMENT, *out))
    bundles = [json.loads((tmp_path / f"bundle-{n}.json").read_text()) for n in (1, 2)]
    assert [(each["part"], each["parts"]) for each in bundles] == [(1, 2), (2, 2)]
    assert not (tmp_path / "bundle-3.json").exists()
