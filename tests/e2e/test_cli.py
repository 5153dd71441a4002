"""The command line as a person uses it: separate processes, real files, exit codes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chain import ScriptedNode, chain
from tests.support.command_line import DEMO, assert_done, assert_one_clear_line, ibp
from tests.support.payouts import sealed
from tests.support.ports import reserved_port
from tests.support.rpc_server import http_node

ARCHIVE = DEMO / "archive"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ARCHIVE, tmp_path / "archive"))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'ledger.db'}"
    assert ibp("ledger", "replay", ARCHIVE, "--db", url).returncode == 0
    return url


@pytest.fixture
def no_node() -> Iterator[str]:
    with reserved_port() as port:
        yield f"http://127.0.0.1:{port}"


# --- The main job ---------------------------------------------------------------------


def test_the_demo_ends_with_the_recorded_state_root() -> None:
    done = ibp("demo")
    assert done.returncode == 0, done.stderr
    root = json.loads((DEMO / "demo.json").read_text())["state_root"]
    assert root in done.stdout.splitlines()[-2]
    for said in (
        "prove their events",
        "stake-plus",
        "short by part",
        "Proven by",
        "the same call hash",
        "Token.FundsUnavailable",
        "After 2 attempts: paid.",
        "wrong_origin",
    ):
        assert said in done.stdout


def test_a_replay_gives_the_recorded_root_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    root = json.loads((DEMO / "demo.json").read_text())["state_root"]
    half = ibp("ledger", "replay", ARCHIVE, "--db", url, "--last", 30_000)
    assert half.returncode == 0
    assert root not in half.stdout
    whole = ibp("ledger", "replay", ARCHIVE, "--db", url)
    assert root in whole.stdout
    again = json.loads(ibp("ledger", "state-root", "--db", url, "--json").stdout)
    assert again["state_root"] == root


def test_members_read_their_locks_as_json(database: str) -> None:
    members = json.loads(ibp("ledger", "members", "--db", database, "--json").stdout)
    by_id = {member["member"]: member for member in members}
    assert by_id["dwellir"]["promise"]["kept"] is False
    assert by_id["stake-plus"]["promise"]["kept"] is True
    assert by_id["turboflakes"]["promise"]["by_delegation_only"] is True
    locks = ibp("ledger", "locks", by_id["amforc"]["account"], "--db", database, "--json")
    assert json.loads(locks.stdout)["locked"] == str(5_000 * 10**10)


def test_a_lock_is_read_as_of_an_earlier_block() -> None:
    early = ibp("ledger", "members", "--archive", ARCHIVE, "--at", 15, "--json")
    assert {m["locked"] for m in json.loads(early.stdout)} == {"0"}


def test_a_member_is_told_every_gap_in_its_promise(database: str) -> None:
    members = json.loads(ibp("ledger", "members", "--db", database, "--json").stdout)
    address = {member["member"]: member["account"] for member in members}
    looking = ("--archive", ARCHIVE, "--since", "2026-01-29")
    kept = ibp("ledger", "locks", address["stake-plus"], *looking, "--json")
    assert kept.returncode == 0
    told = json.loads(kept.stdout)
    assert told["gaps"] == []
    assert {stretch["chain"] for stretch in told["history"]} == {"paseo"}
    short = ibp("ledger", "locks", address["dwellir"], *looking)
    assert "The promise over time" in short.stdout
    assert_one_clear_line(short, 1, "the promise was not kept: PAS from 2026-01-29")


def test_two_chains_are_two_archives_of_different_times(database: str) -> None:
    members = json.loads(ibp("ledger", "members", "--db", database, "--json").stdout)
    twice = ("--archive", ARCHIVE, "--archive", ARCHIVE)
    done = ibp("ledger", "locks", members[0]["account"], *twice)
    assert_one_clear_line(done, 2, "paseo end at", "begin before")
    done = ibp("ledger", "locks", members[0]["account"], *twice, "--at", 15)
    assert_one_clear_line(done, 2, "--at is a block of one chain")
    done = ibp("ledger", "locks", members[0]["account"], "--node", "ws://127.0.0.1:1", *twice)
    assert_one_clear_line(done, 2, "--node reads one moment")


@pytest.mark.parametrize("command", ["scores", "payouts", "rejections"])
def test_every_reading_command_speaks_json(database: str, command: str) -> None:
    assert json.loads(ibp("ledger", command, "--db", database, "--json").stdout)


def test_an_archive_is_described_and_its_blocks_shown(archive: Path) -> None:
    info = json.loads(ibp("archive", "info", archive, "--json").stdout)
    assert info["chain"]["token_symbol"] == "PAS"
    block = json.loads(ibp("archive", "show", archive, 4, "--json").stdout)
    assert "Multisig.MultisigExecuted" in [event["event"] for event in block["events"]]


# --- A payout, built and checked again from the recording ------------------------------------


BUNDLE = DEMO / "bundle.json"


def statement_arguments(out: Path, block: int) -> tuple[object, ...]:
    price = ("--price", "2.15", "--price-source", "scenario: a flat price")
    when = ("--price-at", "2026-02-01T00:00:00Z")
    ledger = ("--rows", DEMO / "rows", "--archive", ARCHIVE, "--at", block)
    return ("payout", "statement", "2026-01", "--out", out, *price, *when, *ledger)


@pytest.fixture(scope="module")
def stated_at() -> int:
    return int(json.loads(BUNDLE.read_text())["statement"]["ledger"]["block"])


def test_statement_and_bundle_come_out_byte_for_byte_the_same(
    tmp_path: Path, stated_at: int
) -> None:
    statement, bundle = tmp_path / "statement.json", tmp_path / "bundle.json"
    assert_done(ibp(*statement_arguments(statement, stated_at)))
    assert statement.read_bytes() == (DEMO / "statement.json").read_bytes()
    ledger = ("--archive", ARCHIVE, "--at", stated_at)
    said = assert_done(ibp("multisig", "build", statement, "--out", bundle, *ledger))
    assert bundle.read_bytes() == BUNDLE.read_bytes()
    assert json.loads(BUNDLE.read_text())["call_hash"] in said


def test_a_curator_verifies_a_bundle_from_blocks_alone() -> None:
    arguments = ("multisig", "verify", BUNDLE, "--rows", DEMO / "rows", "--archive", ARCHIVE)
    said = assert_done(ibp(*arguments))
    assert "is the same; two decoders read the same call" in said
    assert json.loads(BUNDLE.read_text())["call_hash"] in said


def test_a_bundle_with_another_amount_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    value = json.loads(BUNDLE.read_text())
    value["statement"]["lines"][0]["planck"] = "1" + value["statement"]["lines"][0]["planck"]
    altered = tmp_path / "bundle.json"
    damaged = json.dumps(value, separators=(",", ":"), sort_keys=True)
    altered.write_text(damaged + "\n")
    done = ibp("multisig", "verify", altered, "--rows", DEMO / "rows", "--archive", ARCHIVE)
    assert_one_clear_line(done, 2, "its checksum is 0x", "was it edited, or damaged?")
    altered.write_bytes(sealed(value) + b"\n")
    done = ibp("multisig", "verify", altered, "--rows", DEMO / "rows", "--archive", ARCHIVE)
    assert_one_clear_line(done, 1, "statement.lines.amforc/services.planck")


def test_a_paid_statement_makes_no_second_bundle(tmp_path: Path) -> None:
    done = ibp(
        "multisig", "build", DEMO / "statement.json", "--archive", ARCHIVE,
        "--out", tmp_path / "again.json",
    )  # fmt: skip
    assert_one_clear_line(done, 1, "2026-01 was paid before")
    assert not list(tmp_path.iterdir())


def test_a_call_is_read_aloud(database: str) -> None:
    call = json.loads(BUNDLE.read_text())["call"]
    read = json.loads(assert_done(ibp("multisig", "decode", call, "--db", database, "--json")))
    assert [each["member"] for each in read["transfers"]] == [
        "amforc", "gatotech", "stake-plus", "turboflakes",
    ]  # fmt: skip


def test_a_bundle_is_reconciled_as_it_stood_and_as_it_stands(stated_at: int) -> None:
    arguments = ("multisig", "reconcile", BUNDLE, "--archive", ARCHIVE)
    assert "Settled" in assert_done(ibp(*arguments))
    failed = ibp(*arguments, "--at", stated_at + 4)
    assert_one_clear_line(failed, 1, "not settled", "failed inside")
    assert_one_clear_line(ibp(*arguments, "--at", stated_at), 1, "nobody has approved it")


# --- What does not hold: exit 1 -------------------------------------------------------------


def test_a_changed_byte_names_the_block_and_exits_1(archive: Path) -> None:
    (path,) = (archive / "blocks").iterdir()
    whole = path.read_bytes()
    for position in range(4, len(whole) - 8, len(whole) // 12):
        changed = bytearray(whole)
        changed[position] ^= 1
        path.write_bytes(changed)
        assert_one_clear_line(ibp("archive", "verify", archive), 1, "block ")


# --- Bad input: one clear line, exit 2 ----------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("archive", "record", "somewhere"),
        ("ledger", "follow"),
    ],
)
def test_no_node(tmp_path: Path, no_node: str, command: tuple[str, ...]) -> None:
    done = ibp(*command, "--node", no_node, cwd=tmp_path)
    assert_one_clear_line(done, 2, no_node, "is the node running")
    assert not list(tmp_path.iterdir())


def test_wrong_genesis(database: str) -> None:
    with http_node(ScriptedNode(chain(range(1, 4)))) as url:
        done = ibp("ledger", "audit", "--node", url, "--db", database)
    assert_one_clear_line(done, 2, "is on another chain", "genesis")


def test_truncated_archive(archive: Path) -> None:
    (path,) = (archive / "blocks").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    for command in ("verify", "info"):
        assert_one_clear_line(ibp("archive", command, archive), 2, "copy it again")


def test_unknown_spec_version(archive: Path, tmp_path: Path) -> None:
    for file in (archive / "metadata").iterdir():
        file.unlink()
    done = ibp("ledger", "replay", archive, "--db", f"sqlite:///{tmp_path / 'ledger.db'}")
    assert_one_clear_line(done, 2, "1001002")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("5Cvwss", "no SS58 address"),
        ("5CvwssA6kk5mAi6s318txjFdraRP6hyJph4aagi5ufauWtpQ", "wrong checksum"),
        ("15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5", "SS58 prefix 0, expected 42"),
        ("0x00", "no SS58 address"),
    ],
)
def test_malformed_address(database: str, address: str, said: str) -> None:
    assert_one_clear_line(ibp("ledger", "locks", address, "--db", database), 2, said)


def test_no_ledger(tmp_path: Path) -> None:
    done = ibp("ledger", "members", "--db", f"sqlite:///{tmp_path / 'absent.db'}")
    assert_one_clear_line(done, 2, "there is no ledger")
    assert not list(tmp_path.iterdir())


def test_a_database_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are my notes, and no database at all")
    done = ibp("ledger", "members", "--db", f"sqlite:///{tmp_path / 'notes.db'}")
    assert_one_clear_line(done, 2, "notes.db")


def test_no_archive(tmp_path: Path) -> None:
    assert_one_clear_line(ibp("archive", "verify", tmp_path), 2, "is no archive")


def test_a_block_that_is_not_there(archive: Path) -> None:
    assert_one_clear_line(ibp("archive", "show", archive, 99_999_999), 2, "has blocks 1 to")


def test_usage_errors_exit_2() -> None:
    assert ibp("ledger", "nonsense").returncode == 2
    assert ibp("archive", "show", ARCHIVE, "four").returncode == 2
