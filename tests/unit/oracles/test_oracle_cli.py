"""`ibp oracle` on the bundled rows and ledger: what a member or an oracle types, and its errors."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ibp_chain.accounts import ss58_encode
from ibp_chain.archive import ArchiveSource
from ibp_chain.cli import app as cli
from ibp_chain.cli import oracle_proofs as command
from ibp_chain.errors import CheckFailed, IbpError, InputError
from ibp_chain.explorers import EXPLORERS
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.remarks import as_json, canonical_json, encode, parse
from ibp_chain.runtimes import runtimes
from ibp_chain.types import Hash
from oracles.errors import EvidenceRefused, ProofError, ProofRefused, RowsAltered, RowsError
from tests.support.command_line import DEMO

ARCHIVE, ROWS = DEMO / "archive", DEMO / "rows"
PASEO = network("paseo")
POLKADOT = "91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3"
SERVICES = ("polkadot", "asset-hub-polkadot")
ROSTER = "\n".join(
    ["version = 1"]
    + [
        f'[[services]]\nid = "{service}"\nchain = "{service}"\nmilestone = {milestone}'
        for service, milestone in zip(SERVICES, (3, 5), strict=True)
    ]
    + ["[assigned]"]
    + [
        f"{member} = {json.dumps(SERVICES)}"
        for member in ("amforc", "dwellir", "gatotech", "stake-plus", "turboflakes")
    ]
)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["oracle", *map(str, arguments)])


def done(*arguments: object) -> str:
    """What it prints; it must end well."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert result.exception is None
    return result.stdout


def refused(*arguments: object) -> IbpError:
    """The error that `ibp` makes one line and an exit code of; nothing is printed before it."""
    result = invoke(*arguments)
    assert isinstance(result.exception, IbpError), result.output
    assert result.stdout == ""
    return result.exception


@pytest.fixture(scope="module")
def ledger() -> dict[str, dict[str, Any]]:
    """What `ibp ledger scores` says of each day."""
    result = CliRunner().invoke(cli.app, ["ledger", "scores", "--archive", str(ARCHIVE), "--json"])
    return {day["day"]: day for day in json.loads(result.stdout)["standing"]}


@pytest.fixture(scope="module")
def said() -> dict[str, list[Observe]]:
    """Every `observe` of the recording, by day, in the order of the chain."""
    source = ArchiveSource(ARCHIVE)
    runtime_of, found = runtimes(source), dict[str, list[Observe]]()
    for block in source.blocks(source.first()):
        for raw in block.extrinsics:
            call = runtime_of(block.spec_version).decode_extrinsic(raw).call
            if call.name == "remark_with_event":
                try:
                    body = parse(call.args["remark"], PASEO.ss58_prefix)
                except InputError:
                    continue  # somebody's nonsense: part of the recording
                if isinstance(body, Observe):
                    found.setdefault(body.day, []).append(body)
    return found


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.toml"
    path.write_text(ROSTER)
    return path


def row_file(root: bytes | str) -> Path:
    text = root.hex() if isinstance(root, bytes) else root.removeprefix("0x")
    return ROWS / f"{text}.rows"


# --- day ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "before"),
    [
        ("2026-01-28", None),
        ("2026-01-29", "2026-01-28"),
        ("2026-01-30", "2026-01-29"),
        ("2026-01-31", "2026-01-30"),
    ],
)
def test_every_recorded_day_comes_to_the_root_that_stands_on_chain(
    day: str,
    before: str | None,
    roster: Path,
    ledger: dict[str, dict[str, Any]],
    said: dict[str, list[Observe]],
) -> None:
    honest = [
        body.root
        for body in said[day]
        if len([other for other in said[day] if other.oracle == body.oracle]) == 1
    ]
    assert len(honest) == (2 if day == "2026-01-30" else 3)
    carried = () if before is None else ("--before", row_file(ledger[before]["root"]))
    files = map(row_file, honest)
    printed = done("day", day, *files, "--roster", roster, "--quorum", 2, *carried, "--json")
    report = json.loads(printed)
    assert (report["root"], report["rows"]) == (ledger[day]["root"], ledger[day]["rows"])
    assert report["observes"] == sorted("0x" + root.hex() for root in honest)
    assert len(report["scores"]) == 20
    assert report["file"] is None


@pytest.fixture
def seen(said: dict[str, list[Observe]]) -> list[Path]:
    """The three row files of the 29th, on which gatotech failed seven slots."""
    return [row_file(body.root) for body in said["2026-01-29"]]


def test_people_read_scores_root_and_sources(seen: list[Path], roster: Path) -> None:
    printed = done("day", "2026-01-29", *seen, "--roster", roster, "--quorum", 2)
    lines = [line.split() for line in printed.splitlines()]
    assert next(line[:9] for line in lines if line[:2] == ["gatotech", "polkadot"]) == [
        "gatotech",
        "polkadot",
        "281",
        "7",
        "0",
        "0",
        "0",
        "97.5694",
        "%",
    ]
    assert ["gatotech", "3", "-14", "2", "0", "0", "no"] in lines
    assert ["gatotech", "5", "+1", "0", "0", "0", "yes"] in lines
    assert "Runs of bad slots start at midnight" in printed
    assert all(path.stem in printed for path in seen)


def test_the_order_of_the_files_is_nothing(seen: list[Path], roster: Path) -> None:
    options = ("--roster", roster, "--quorum", 2, "--json")
    forward = done("day", "2026-01-29", *seen, *options)
    assert done("day", "2026-01-29", *reversed(seen), *options) == forward


def test_a_report_is_published_under_its_root(
    seen: list[Path], roster: Path, tmp_path: Path, ledger: dict[str, dict[str, Any]]
) -> None:
    out = tmp_path / "published"
    printed = done("day", "2026-01-29", *seen, "--roster", roster, "--quorum", 2, "--out", out,
                   "--before", row_file(ledger["2026-01-28"]["root"]))  # fmt: skip
    recorded = row_file(ledger["2026-01-29"]["root"])
    assert (out / recorded.name).read_bytes() == recorded.read_bytes()
    assert recorded.name in printed


def test_another_roster_gives_another_root(
    seen: list[Path], roster: Path, ledger: dict[str, dict[str, Any]]
) -> None:
    roster.write_text(ROSTER.replace('amforc = ["polkadot", ', "amforc = ["))
    printed = done("day", "2026-01-29", *seen, "--roster", roster, "--quorum", 2, "--json")
    assert json.loads(printed)["root"] != ledger["2026-01-29"]["root"]


def test_observations_of_another_day_are_refused(seen: list[Path], roster: Path) -> None:
    error = refused("day", "2026-01-30", *seen, "--roster", roster, "--quorum", 2)
    assert isinstance(error, CheckFailed)
    assert "day 2026-01-29" in str(error)


def test_fewer_than_a_quorum_make_no_report(seen: list[Path], roster: Path) -> None:
    error = refused("day", "2026-01-29", seen[0], "--roster", roster, "--quorum", 2)
    assert isinstance(error, InputError)
    assert "1 observations of 2026-01-29" in str(error)


def test_an_oracle_counts_once(seen: list[Path], roster: Path) -> None:
    error = refused("day", "2026-01-29", seen[0], seen[0], "--roster", roster, "--quorum", 2)
    assert "are both by oracle 0x" in str(error)


def test_a_report_is_no_observation(
    roster: Path, ledger: dict[str, dict[str, Any]], seen: list[Path]
) -> None:
    report = row_file(ledger["2026-01-29"]["root"])
    error = refused("day", "2026-01-29", report, seen[0], "--roster", roster, "--quorum", 2)
    assert isinstance(error, RowsError)
    assert report.name in str(error)


def test_runs_come_from_the_day_before_only(
    seen: list[Path], roster: Path, ledger: dict[str, dict[str, Any]]
) -> None:
    error = refused("day", "2026-01-29", *seen, "--roster", roster, "--quorum", 2,
                    "--before", row_file(ledger["2026-01-30"]["root"]))  # fmt: skip
    assert "rows of 2026-01-30 say nothing of the runs into 2026-01-29" in str(error)


def test_a_changed_row_file_is_found(seen: list[Path], roster: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(seen[0], tmp_path))
    raw = bytearray(copy.read_bytes())
    raw[-1] ^= 1
    copy.write_bytes(raw)
    error = refused("day", "2026-01-29", copy, *seen[1:], "--roster", roster, "--quorum", 2)
    assert isinstance(error, RowsAltered)
    assert str(copy) in str(error)


def test_an_empty_row_file_is_nobodys(roster: Path, tmp_path: Path) -> None:
    name = "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"  # of no bytes
    (tmp_path / f"{name}.rows").write_bytes(b"\0")
    error = refused("day", "2026-01-29", tmp_path / f"{name}.rows", "--roster", roster,
                    "--quorum", 1)  # fmt: skip
    assert "nobody's observation" in str(error)


def test_where_nothing_can_be_written_it_is_said(seen: list[Path], roster: Path) -> None:
    error = refused("day", "2026-01-29", *seen, "--roster", roster, "--quorum", 2,
                    "--out", roster / "below")  # fmt: skip
    assert isinstance(error, InputError)
    assert "cannot be written: Not a directory" in str(error)


@pytest.mark.parametrize("day", ["2026-02-30", "29.1.2026", ""])
def test_another_day_is_wrong_usage(day: str, seen: list[Path], roster: Path) -> None:
    assert invoke("day", day, *seen, "--roster", roster, "--quorum", 2).exit_code == 2


def test_a_quorum_of_nobody_is_wrong_usage(seen: list[Path], roster: Path) -> None:
    assert invoke("day", "2026-01-29", *seen, "--roster", roster, "--quorum", 0).exit_code == 2


# --- prove and verify --------------------------------------------------------------------


@pytest.fixture
def root(ledger: dict[str, dict[str, Any]]) -> str:
    text = ledger["2026-01-29"]["root"]
    assert isinstance(text, str)
    return text


def proof_of(tmp_path: Path, root: str, *about: object) -> Path:
    path = tmp_path / "proof.json"
    path.write_text(done("prove", "--root", root, "--rows", ROWS, *about))
    return path


ABOUT = {
    "service-day": ("--member", "gatotech", "--service", "polkadot"),
    "milestone-day": ("--member", "gatotech", "--milestone", 3),
    "consensus": ("--member", "gatotech", "--service", "polkadot", "--slots"),
}


@pytest.mark.parametrize("kind", ABOUT)
def test_a_member_proves_its_row_and_anybody_checks_it(
    kind: str, root: str, tmp_path: Path
) -> None:
    path = proof_of(tmp_path, root, *ABOUT[kind])
    for against in (("--root", root, "--size", 30), ("--archive", ARCHIVE)):
        answer = json.loads(done("verify", path, *against, "--json"))
        assert (answer["holds"], answer["kind"], answer["root"]) == (True, "report", root)
        assert (answer["row"]["row"], answer["row"]["member"]) == (kind, "gatotech")


@pytest.mark.parametrize("kind", ABOUT)
def test_the_ledger_finds_the_root_of_a_day(kind: str, root: str, tmp_path: Path) -> None:
    explicit = proof_of(tmp_path, root, *ABOUT[kind]).read_text()
    found = done("prove", "--day", "2026-01-29", "--rows", ROWS, "--archive", ARCHIVE, *ABOUT[kind])
    assert found == explicit


def test_an_oracles_observation_is_found_by_its_address(
    said: dict[str, list[Observe]], seen: list[Path], tmp_path: Path
) -> None:
    body = said["2026-01-29"][1]
    address = ss58_encode(body.oracle, PASEO.ss58_prefix)
    found = done("prove", "--day", "2026-01-29", "--oracle", address, "--rows", ROWS,
                 "--archive", ARCHIVE, *ABOUT["service-day"])  # fmt: skip
    explicit = proof_of(tmp_path, seen[1].stem, "--kind", "observe", *ABOUT["service-day"])
    assert found == explicit.read_text()
    answer = json.loads(done("verify", explicit, "--archive", ARCHIVE, "--json"))
    assert (answer["quorum"], [said["oracle"] for said in answer["remarks"]]) == (1, [address])
    printed = done("verify", explicit, "--archive", ARCHIVE)
    assert "Observed and committed to on paseo by" in printed


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"
    assert (
        CliRunner().invoke(cli.app, ["ledger", "replay", str(ARCHIVE), "--db", url]).exit_code == 0
    )
    return url


@pytest.fixture(scope="module")
def reports_on_chain() -> list[tuple[int, str, int, str]]:
    """Every `report` of the recording, read from its blocks alone: block, hash, extrinsic, root."""
    source = ArchiveSource(ARCHIVE)
    runtime_of = runtimes(source)
    found: list[tuple[int, str, int, str]] = []
    for block in source.blocks(source.first()):
        for index, raw in enumerate(block.extrinsics):
            call = runtime_of(block.spec_version).decode_extrinsic(raw).call
            if call.name == "remark_with_event" and call.args["remark"].startswith(b"IBP/1 report"):
                body = parse(call.args["remark"], PASEO.ss58_prefix)
                assert isinstance(body, Report)
                where = int(block.header.number), "0x" + block.hash.hex()
                found.append((*where, index, "0x" + body.root.hex()))
    return found


def test_a_check_tells_whose_remarks_stand_behind_it_and_where(
    root: str,
    ledger: dict[str, dict[str, Any]],
    reports_on_chain: list[tuple[int, str, int, str]],
    database: str,
    tmp_path: Path,
) -> None:
    path = proof_of(tmp_path, root, *ABOUT["milestone-day"])
    answers = [
        json.loads(done("verify", path, *source, "--json"))
        for source in (("--archive", ARCHIVE), ("--db", database))
    ]
    assert answers[0] == answers[1]
    assert answers[0]["quorum"] == 2
    remarks = answers[0]["remarks"]
    assert [said["oracle"] for said in remarks] == ledger["2026-01-29"]["reporters"]
    assert {(said["block"], said["block_hash"], said["extrinsic"], root) for said in remarks} == {
        report for report in reports_on_chain if report[3] == root
    }
    assert [said["links"] for said in remarks] == [[], []]  # a test chain is in no explorer
    printed = done("verify", path, "--db", database)
    assert "Reported alike on paseo by 2 oracles, quorum 2" in printed
    for said in remarks:
        assert said["oracle"] in printed
        assert said["block_hash"] in printed
    assert "https://" not in printed


def test_a_known_chain_has_a_link_for_each_remark(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = EXPLORERS[Hash(bytes.fromhex(POLKADOT))]
    monkeypatch.setattr(
        "ibp_chain.explorers.EXPLORERS", {ArchiveSource(ARCHIVE).genesis_hash: explorer}
    )
    path = proof_of(tmp_path, root, *ABOUT["milestone-day"])
    answer = json.loads(done("verify", path, "--archive", ARCHIVE, "--json"))
    printed = done("verify", path, "--archive", ARCHIVE)
    for said in answer["remarks"]:
        page, apps = said["links"]
        at = f"{said['block']}-{said['extrinsic']}"
        assert page == f"https://polkadot.subscan.io/extrinsic/{at}"
        assert apps.endswith(f"#/explorer/query/{said['block_hash']}")
        assert page in printed
        assert apps in printed


def test_a_proof_against_ones_own_numbers_names_no_remarks(root: str, tmp_path: Path) -> None:
    path = proof_of(tmp_path, root, *ABOUT["milestone-day"])
    answer = json.loads(done("verify", path, "--root", root, "--size", 30, "--json"))
    assert not {"quorum", "remarks"} & answer.keys()
    assert "oracles" not in done("verify", path, "--root", root, "--size", 30)


def test_a_database_that_lost_its_remarks_says_so(root: str, database: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    shutil.copy(database.removeprefix("sqlite:///"), copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DELETE FROM remark")
    path = proof_of(tmp_path, root, *ABOUT["milestone-day"])
    error = refused("verify", path, "--db", f"sqlite:///{copy}")
    assert isinstance(error, CheckFailed)
    assert "replay into a new file" in str(error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "of which rows? --day D"),
        (("--day", "2026-01-29", "--root", "0x" + "00" * 32), "of which rows? --day D"),
        (("--root", "0x" + "00" * 32, "--oracle", "5Dd9"), "--oracle needs --day"),
        (("--day", "2026-01-29", "--kind", "observe"), "--oracle ADDRESS"),
        (("--day", "2026-01-29", "--oracle", "5Dd9"), "no SS58 address"),
        (("--day", "2026-02-01"), "no report of 2026-02-01 stands in this ledger"),
        (("--day", "2026-01-29", "--at", 2), "no report of 2026-01-29 stands in this ledger"),
    ],
)
def test_the_rows_to_prove_from_are_a_days_or_a_roots(
    arguments: tuple[object, ...], said: str
) -> None:
    error = refused("prove", "--rows", ROWS, "--archive", ARCHIVE, *arguments,
                    *ABOUT["service-day"])  # fmt: skip
    assert isinstance(error, InputError)
    assert said in str(error)


def test_who_contradicted_itself_has_no_observation_to_prove(
    said: dict[str, list[Observe]],
) -> None:
    oracles = [body.oracle for body in said["2026-01-30"]]
    liar = next(oracle for oracle in oracles if oracles.count(oracle) == 2)
    address = ss58_encode(liar, PASEO.ss58_prefix)
    error = refused("prove", "--day", "2026-01-30", "--oracle", address, "--rows", ROWS,
                    "--archive", ARCHIVE, *ABOUT["service-day"])  # fmt: skip
    assert f"no observation of 2026-01-30 by {address} counts" in str(error)


def test_people_read_what_is_proven(root: str, tmp_path: Path) -> None:
    path = proof_of(tmp_path, root, *ABOUT["milestone-day"])
    lines = [line.split() for line in done("verify", path, "--archive", ARCHIVE).splitlines()]
    assert lines[0][:5] == ["Holds:", "row", "24", "of", "30"]
    assert ["points", "-14"] in lines
    assert ["clean", "no"] in lines


def test_what_one_oracle_saw_is_proven_against_its_commitment(
    seen: list[Path], tmp_path: Path
) -> None:
    path = proof_of(tmp_path, seen[1].stem, "--kind", "observe", *ABOUT["service-day"])
    answer = json.loads(done("verify", path, "--archive", ARCHIVE, "--json"))
    assert answer["kind"] == "observe"
    assert answer["row"]["statuses"].count("F") == 7


def test_a_proof_from_before_the_report_does_not_hold_yet(root: str, tmp_path: Path) -> None:
    path = proof_of(tmp_path, root, *ABOUT["milestone-day"])
    error = refused("verify", path, "--archive", ARCHIVE, "--at", 30_000)
    assert isinstance(error, ProofRefused)
    assert "no report of 2026-01-29 stands" in str(error)


def test_a_liars_observation_proves_nothing(said: dict[str, list[Observe]], tmp_path: Path) -> None:
    lied = [body for body in said["2026-01-30"] if row_file(body.root).exists()][-1]
    assert len([body for body in said["2026-01-30"] if body.oracle == lied.oracle]) == 2
    path = proof_of(tmp_path, lied.root.hex(), "--kind", "observe", *ABOUT["service-day"])
    error = refused("verify", path, "--archive", ARCHIVE)
    assert isinstance(error, ProofRefused)
    assert "no observation of 2026-01-30 by 0x" in str(error)


@pytest.mark.parametrize(
    ("against", "said"),
    [
        (("--root", "0x" + "00" * 32, "--size", 30), "the proof is for root"),
        (("--size", 29), "for a tree of 30 rows, not 29"),
    ],
)
def test_a_proof_for_another_root_or_count_does_not_hold(
    against: tuple[object, ...], said: str, root: str, tmp_path: Path
) -> None:
    path = proof_of(tmp_path, root, *ABOUT["service-day"])
    given = against if "--root" in against else ("--root", root, *against)
    error = refused("verify", path, *given)
    assert isinstance(error, CheckFailed)
    assert said in str(error)


def test_an_edited_proof_does_not_hold(root: str, tmp_path: Path) -> None:
    path = proof_of(tmp_path, root, *ABOUT["milestone-day"])
    document = json.loads(path.read_text())
    document["index"] = 25
    path.write_bytes(canonical_json(document))
    error = refused("verify", path, "--root", root, "--size", 30)
    assert "the path does not lead from row 25" in str(error)


@pytest.mark.parametrize("half", ["--root", "--size"])
def test_root_and_row_count_come_together(half: str, root: str, tmp_path: Path) -> None:
    path = proof_of(tmp_path, root, *ABOUT["service-day"])
    error = refused("verify", path, half, root if half == "--root" else 30)
    assert isinstance(error, InputError)
    assert "needs" in str(error)


def test_an_oversized_proof_is_not_read(root: str, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_bytes(b"{" + b" " * (1 << 16))
    error = refused("verify", path, "--root", root, "--size", 30)
    assert isinstance(error, ProofError)
    assert "longer than the 65536 bytes" in str(error)


@pytest.mark.parametrize(
    "about",
    [
        (),
        ("--service", "polkadot", "--milestone", 3),
        ("--milestone", 3, "--slots"),
        ("--kind", "observe", "--milestone", 3),
        ("--kind", "observe", "--service", "polkadot", "--slots"),
        ("--slots",),
    ],
)
def test_a_proof_is_of_one_row(about: tuple[object, ...], root: str) -> None:
    error = refused("prove", "--root", root, "--rows", ROWS, "--member", "gatotech", *about)
    assert isinstance(error, InputError)
    assert str(error).startswith("which row?")


def test_a_row_that_is_not_there_cannot_be_proven(root: str) -> None:
    error = refused(
        "prove", "--root", root, "--rows", ROWS, "--member", "rotko-networks", "--milestone", 3
    )
    assert str(error) == "no report row of this root is about rotko-networks and 3"


def test_rows_that_nobody_published_are_asked_for_by_name(tmp_path: Path, root: str) -> None:
    error = refused("prove", "--root", root, "--rows", tmp_path, *ABOUT["service-day"])
    assert isinstance(error, RowsError)
    assert f"{root[2:]}.rows" in str(error)
    assert "is no root" in str(
        refused("prove", "--root", "0x12", "--rows", ROWS, *ABOUT["service-day"])
    )


# --- evidence and convict -----------------------------------------------------------------


@pytest.fixture
def remarks(said: dict[str, list[Observe]], tmp_path: Path) -> list[Path]:
    """The two remarks by which an oracle contradicted itself: one as text, one as hex."""
    twice = [body for body in said["2026-01-30"] if
             [other.oracle for other in said["2026-01-30"]].count(body.oracle) == 2]  # fmt: skip
    texts = [encode(body, PASEO.ss58_prefix) for body in twice]
    paths = [tmp_path / "one", tmp_path / "other"]
    paths[0].write_bytes(texts[0] + b"\n")
    paths[1].write_text("0x" + texts[1].hex() + "\n")
    return paths


def test_a_recorded_equivocation_convicts_without_the_ledger(
    remarks: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(done("evidence", *remarks, "--network", "paseo"))
    assert path.read_text() == done("evidence", *remarks[::-1], "--network", "paseo")
    verdict = json.loads(done("convict", path, "--json"))
    assert (verdict["convicts"], verdict["kind"], verdict["day"]) == (True, "observe", "2026-01-30")
    assert len(set(verdict["roots"])) == 2
    shown = done("convict", path)
    for text in (verdict["oracle"], verdict["programme"], *verdict["roots"]):
        assert text in shown


def test_one_remark_twice_convicts_nobody(remarks: list[Path]) -> None:
    error = refused("evidence", remarks[0], remarks[0], "--network", "paseo")
    assert isinstance(error, EvidenceRefused)
    assert "the same root" in str(error)


def test_edited_evidence_convicts_nobody(remarks: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    document = json.loads(done("evidence", *remarks, "--network", "paseo"))
    document["first"]["day"] = document["second"]["day"] = "2026-01-29"
    path.write_bytes(canonical_json(document))
    error = refused("convict", path)
    assert isinstance(error, CheckFailed)
    assert "the signature is not the oracle's" in str(error)


def test_what_is_no_oracles_remark_is_refused_by_file(
    remarks: list[Path], said: dict[str, list[Observe]], tmp_path: Path
) -> None:
    path = tmp_path / "wrong"
    bare = canonical_json(as_json(said["2026-01-28"][0], PASEO.ss58_prefix))
    for raw in (b"", b"0xzz", b"0x123", bare, b"IBP/2 observe {}", b"IBP/1 payout {}", b"\xff"):
        path.write_bytes(raw)
        error = refused("evidence", path, remarks[0], "--network", "paseo")
        assert isinstance(error, InputError)
        assert str(path) in str(error)
    path.write_bytes(b"0" * 5_000)
    assert "longer than" in str(refused("evidence", path, remarks[0], "--network", "paseo"))


def test_an_unknown_network_is_refused(remarks: list[Path]) -> None:
    error = refused("evidence", *remarks, "--network", "westend")
    assert "unknown network 'westend'" in str(error)


def test_bounds_leave_room_for_the_largest_documents(tmp_path: Path, seen: list[Path]) -> None:
    path = proof_of(tmp_path, seen[0].stem, "--kind", "observe", *ABOUT["service-day"])
    assert 3 * path.stat().st_size < command.MAX_PROOF
