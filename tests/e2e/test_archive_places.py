"""Archives anywhere: in a directory, in memory, in a bucket of a real S3 server."""

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from typer.testing import CliRunner

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.archive_blocks import Recorded
from ibp_chain.archive_copy import _copy, copy
from ibp_chain.archive_folder import folder_at, redacted
from ibp_chain.archive_format import MANIFEST
from ibp_chain.archive_record import ArchiveWriter
from ibp_chain.cli.app import app
from ibp_chain.errors import ArchiveCorrupt, ArchiveError, CheckFailed
from ibp_chain.types import BlockNumber
from ledger.backfill import alone, backfill
from ledger.backfill_ranges import ArchiveQuarry
from ledger.store import Store
from tests.support.archives import BUCKET, change_a_byte, in_small_files, s3_server
from tests.support.ledgers import File
from tests.unit.store.demo import PASEO, demo, roots


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return in_small_files(tmp_path_factory.mktemp("archives") / "twelve", 12)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """`s3://…`, with what the environment says of the server and of who asks."""
    with s3_server() as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", url)
        environment.setenv("AWS_ACCESS_KEY_ID", "who")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        fsspec.filesystem("s3").mkdir(BUCKET)
        yield f"s3://{BUCKET}"


@pytest.fixture(params=["memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place of each kind that is no directory."""
    if request.param == "memory":
        return f"memory://{tmp_path.name}"
    return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"


def test_an_archive_is_copied_verified_and_replayed_wherever_it_lies(
    archive: Path, place: str, tmp_path: Path
) -> None:
    copied = copy(archive, place)
    assert copied.files == 5 + 2
    assert verify(place).blocks == len(demo().blocks)
    again = copy(archive, place)
    assert (again.files, again.size) == (0, 0)
    back = tmp_path / "back"
    copy(place, back)
    for path in sorted(archive.rglob("*")):
        if path.is_file():
            assert (back / path.relative_to(archive)).read_bytes() == path.read_bytes()
    source = ArchiveSource(place)
    with Store(File(tmp_path / "ledger.db").url, demo().identity) as store:
        quarry = ArchiveQuarry(place, source)
        assert backfill(store, quarry, alone(PASEO.name)).root() == roots()[-1]


def test_the_command_line_reads_a_bucket(archive: Path, bucket: str, tmp_path: Path) -> None:
    place, last = f"{bucket}/{tmp_path.name}", demo().source.head().number
    printed = done("archive", "copy", str(archive), place)
    assert printed.startswith(f"{place}: blocks 1 to {last}; 7 files")
    assert json.loads(done("archive", "verify", place, "--json"))["blocks"] == len(demo().blocks)
    assert json.loads(done("archive", "info", place, "--json"))["files"]
    shown = json.loads(done("archive", "show", place, str(last), "--json"))
    assert shown["header"]["hash"] == "0x" + demo().source.head().hash.hex()
    curators = ("--curators", "5HNVyCu5Rg62HrFeWjrFiLvr9sWQuYirz484E2PTVtXVRYH2")
    for command, more in (("replay", ()), ("backfill", ("--workers", "0"))):
        db = File(tmp_path / f"{command}.db").url
        printed = done("ledger", command, place, "--db", db, *curators, *more)
        assert roots()[-1].hex() in printed


def done(*arguments: str) -> str:
    ended = CliRunner().invoke(app, arguments)
    assert ended.exception is None, ended.output
    return ended.stdout


def test_one_block_of_a_bucket_costs_its_range_only(
    archive: Path, bucket: str, tmp_path: Path
) -> None:
    """What is damaged elsewhere in the file is not even read; whoever reads it all is told."""
    damaged = tmp_path / "damaged"
    copy(archive, damaged)
    place = f"{bucket}/{tmp_path.name}"
    copy(damaged, place)
    file = ArchiveSource(damaged).manifest.files[2]
    change_a_byte(damaged / file.name, 4 + file.spans[0].size + 5)
    fsspec.filesystem("s3").pipe_file(
        f"{BUCKET}/{tmp_path.name}/{file.name}", (damaged / file.name).read_bytes()
    )
    other = BlockNumber(file.spans[9].number)
    assert next(ArchiveSource(place).blocks(other, other)).header.number == other
    hit = BlockNumber(file.spans[1].number)
    with pytest.raises(ArchiveCorrupt, match=f"block {hit}: "):
        next(ArchiveSource(place).blocks(hit, hit))
    for spoilt in (place, damaged):
        with pytest.raises(ArchiveCorrupt, match=f"block {hit}: "):
            verify(spoilt)


def test_a_copy_that_was_interrupted_is_no_archive_until_it_is_whole(
    archive: Path, place: str
) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(done_: int) -> None:
        if done_ == 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        copy(archive, place, interrupt)
    with pytest.raises(ArchiveError, match="is no archive"):
        ArchiveSource(place)
    assert copy(archive, place).files == 3
    assert ArchiveSource(place).head() == demo().source.head()


def test_nothing_is_copied_over_another_archive(tmp_path: Path, archive: Path) -> None:
    place = f"file://{tmp_path}/there"
    copy(archive, place)
    with pytest.raises(ArchiveError, match="has another archive: copy to an empty place"):
        copy(in_small_files(tmp_path / "other", 20), place)
    assert ArchiveSource(place).manifest == ArchiveSource(tmp_path / "there").manifest
    assert ArchiveSource(str(tmp_path / "there")).head() == demo().source.head()


def test_a_copy_goes_on_with_the_recording(tmp_path: Path) -> None:
    source, place = demo().source, f"memory://{tmp_path.name}"
    writer = ArchiveWriter(
        tmp_path / "growing",
        source.chain(),
        source.genesis_hash,
        lambda version: [source.metadata_v14(version), source.metadata(version)],
    )
    for number, block in enumerate(demo().blocks[:20], 1):
        writer.append(Recorded(block, None))
        if number in {10, 20}:
            writer.flush()
            assert copy(tmp_path / "growing", place).files == (3 if number == 10 else 1)
            assert ArchiveSource(place).head() == block.ref


def test_an_archive_that_is_recorded_into_meanwhile_leaves_no_manifest(tmp_path: Path) -> None:
    growing, there = tmp_path / "growing", tmp_path / "there"
    source = demo().source
    writer = ArchiveWriter(
        growing,
        source.chain(),
        source.genesis_hash,
        lambda version: [source.metadata_v14(version), source.metadata(version)],
    )
    writer.append(Recorded(demo().blocks[0], None))
    writer.flush()
    before = ArchiveSource(growing).manifest
    writer.append(Recorded(demo().blocks[1], None))
    writer.flush()
    with pytest.raises(ArchiveError, match="recorded into meanwhile"):
        _copy(folder_at(growing), folder_at(there), before, lambda _: None)
    assert not (there / MANIFEST).exists()


def test_a_damaged_file_is_not_copied_as_an_archive(archive: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "there")
    damaged = tmp_path / "damaged"
    copy(archive, damaged)
    name = ArchiveSource(damaged).manifest.files[1].name
    change_a_byte(damaged / name)
    with pytest.raises(CheckFailed, match=f"{damaged}/{name}: its bytes are not those"):
        copy(damaged, place)
    with pytest.raises(ArchiveError, match="is no archive"):
        ArchiveSource(place)


def test_a_missing_file_elsewhere_is_named(archive: Path, bucket: str, tmp_path: Path) -> None:
    place = f"{bucket}/{tmp_path.name}"
    copy(archive, place)
    name = ArchiveSource(place).manifest.files[1].name
    fsspec.filesystem("s3").rm_file(f"{BUCKET}/{tmp_path.name}/{name}")
    with pytest.raises(ArchiveError, match=f"{place}/{name}: is not there: copy it again"):
        ArchiveSource(place)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("s3://no-such-bucket-here/archive", "s3://no-such-bucket-here/archive is no archive"),
        ("memory://nothing/here", "memory://nothing/here is no archive"),
        ("nonsense://bucket/archive", "nonsense://bucket/archive: no place that can be read"),
    ],
    ids=["bucket", "memory", "protocol"],
)
def test_what_is_no_archive_is_said(bucket: str, location: str, said: str) -> None:
    assert bucket
    with pytest.raises(ArchiveError, match=f"^{said}"):
        ArchiveSource(location)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://key:secret@bucket/archive", "s3://bucket/archive"),
        ("https://u:p@ss@host/archive?token=secret", "https://host"),
        ("s3://bucket/archive?versionId=secret#secret", "s3://bucket/archive"),
        ("s3://bucket/name@home", "s3://bucket/name@home"),
    ],
)
def test_what_a_url_says_of_credentials_is_never_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_no_message_shows_credentials() -> None:
    place = "memory://user:secret@nowhere/archive?token=secret"
    assert "secret" not in str(folder_at(place))
    with pytest.raises(ArchiveError) as error:
        ArchiveSource(place)
    assert "secret" not in str(error.value)
