"""What is no continuation of a ledger is refused, in clear words, and changes nothing."""

import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from os import geteuid, seteuid
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ibp_chain.blocks import Block
from ibp_chain.cli import app
from ibp_chain.errors import ConfigError, InputError
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger.indexer import replay_into
from ledger.store import DatabaseError, Identity, Store
from tests.unit.store.demo import Listed, demo, dump, fork, other_account, rows, tamper, url

STANDS = 30
"""Blocks in the ledger that the tests try to continue wrongly."""


@pytest.fixture(scope="module")
def begun_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("begun") / "ledger.db"
    with Store(url(path), demo().identity) as store:
        replay_into(store, Listed(demo().blocks[:STANDS]), demo().runtime_of)
    return path


@pytest.fixture
def begun(begun_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(begun_once, tmp_path / "ledger.db"))


# --- Another ledger ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (replace(demo().identity, network="polkadot"), "of paseo, not polkadot"),
        (replace(demo().identity, genesis_hash=Hash(b"\x07" * 32)), "genesis is 0x"),
        (replace(demo().identity, expected_origin=other_account(7)), "other curators"),
        (replace(demo().identity, expected_origin=None), "other curators"),
    ],
    ids=["network", "genesis", "curators", "any curators"],
)
def test_a_ledger_of_another_identity_is_refused(begun: Path, wanted: Identity, said: str) -> None:
    before = dump(begun)
    with pytest.raises(InputError, match=said):
        Store(url(begun), wanted)
    assert dump(begun) == before


def test_blocks_of_another_genesis_are_refused(begun: Path) -> None:
    class Elsewhere(Listed):
        @property
        def genesis_hash(self) -> Hash:
            return Hash(b"\x07" * 32)

    before = dump(begun)
    with (
        Store(url(begun), demo().identity) as store,
        pytest.raises(InputError, match="these blocks are of 0x0707"),
    ):
        replay_into(store, Elsewhere(demo().blocks), demo().runtime_of)
    assert dump(begun) == before


# --- Blocks that do not follow ------------------------------------------------------------


def numbered(block: Block, number: int) -> Block:
    return replace(block, header=replace(block.header, number=BlockNumber(number)))


Sequence = Callable[[tuple[Block, ...]], tuple[Block, ...]]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda b: (b[STANDS + 1], *b[STANDS + 2 :]),
        lambda b: (b[STANDS - 1], *b[STANDS:]),
        lambda b: (b[STANDS + 1], b[STANDS], *b[STANDS + 2 :]),
        lambda b: (b[STANDS], b[STANDS], b[STANDS + 1]),
        lambda b: (b[STANDS], b[STANDS + 2]),
        lambda b: (b[STANDS], b[STANDS + 1], b[STANDS]),
        lambda b: (fork(b[STANDS], fork(b[STANDS - 1]).hash),),
        lambda b: (b[STANDS], fork(b[STANDS + 1], fork(b[STANDS]).hash)),
        lambda b: (numbered(b[STANDS], 3), b[-1]),
    ],
    ids=[
        "a gap at once",
        "the head again",
        "two blocks exchanged",
        "a block twice",
        "a gap later",
        "back again",
        "a child of another head",
        "a child of another block",
        "a child with a lower number",
    ],
)  # fmt: skip
def test_a_block_that_does_not_follow_is_refused(begun: Path, wrong: Sequence) -> None:
    before = dump(begun)
    with (
        Store(url(begun), demo().identity) as store,
        pytest.raises(InputError, match="does not follow"),
    ):
        replay_into(store, Listed(wrong(demo().blocks)), demo().runtime_of)
    assert dump(begun) == before
    with Store(url(begun), demo().identity) as store:  # and the right ones are still welcome
        state = replay_into(store, demo().source, demo().runtime_of)
        assert state.head.value is not None
        assert state.head.value.ref == demo().source.head()


def test_the_state_itself_takes_no_block_that_does_not_follow() -> None:
    state, _ = demo().replay(STANDS)
    before, blocks = state.root(), demo().blocks
    wrong = (
        blocks[0],
        blocks[STANDS - 1],
        blocks[STANDS + 1],
        fork(blocks[STANDS - 1]),
        fork(blocks[STANDS], fork(blocks[STANDS - 1]).hash),
        numbered(blocks[STANDS], 3),
    )
    for block in wrong:
        with pytest.raises(InputError, match="does not follow"):
            demo().apply(state, block)
        assert state.root() == before
    demo().apply(state, blocks[STANDS])


def test_whole_batches_before_the_wrong_block_are_kept(begun: Path) -> None:
    wrong = (*demo().blocks[STANDS : STANDS + 5], demo().blocks[STANDS])
    with Store(url(begun), demo().identity) as store:
        with pytest.raises(InputError, match="does not follow"):
            replay_into(store, Listed(wrong), demo().runtime_of, batch=2)
        assert store.head() == demo().blocks[STANDS + 3].ref
        assert store.load_state().head.value is not None


@pytest.mark.parametrize("behind", [0, 4])
def test_blocks_that_end_in_another_fork_are_refused(begun: Path, behind: int) -> None:
    last = STANDS - 1 - behind
    blocks = (*demo().blocks[:last], fork(demo().blocks[last]))
    with (
        Store(url(begun), demo().identity) as store,
        pytest.raises(InputError, match="another fork"),
    ):
        replay_into(store, Listed(blocks), demo().runtime_of)


def test_blocks_that_begin_behind_a_gap_are_refused(begun: Path) -> None:
    later = demo().blocks[STANDS + 5 :]
    with (
        Store(url(begun), demo().identity) as store,
        pytest.raises(InputError, match="the blocks begin with"),
    ):
        replay_into(store, Listed(later, later[0].header.number), demo().runtime_of)


@pytest.mark.parametrize("first", [1, 5])
def test_a_ledger_begins_with_the_first_block_only(tmp_path: Path, first: int) -> None:
    path = tmp_path / "ledger.db"
    with (
        Store(url(path), demo().identity) as store,
        pytest.raises(InputError, match="starts with the first block"),
    ):
        replay_into(store, Listed(demo().blocks[first:]), demo().runtime_of)
    assert rows(path, "block") == rows(path, "state_entry") == []


def test_a_first_block_of_another_genesis_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = fork(demo().blocks[0], Hash(b"\x07" * 32))
    with (
        Store(url(path), demo().identity) as store,
        pytest.raises(InputError, match="does not follow it"),
    ):
        replay_into(store, Listed((first, *demo().blocks[1:])), demo().runtime_of)
    assert rows(path, "block") == rows(path, "state_entry") == []


def test_the_store_itself_takes_no_report_out_of_order(begun: Path) -> None:
    _, reports = demo().replay()
    before = dump(begun)
    with Store(url(begun), demo().identity) as store:
        state = store.load_state()
        for report in (reports[0], reports[STANDS - 1], reports[STANDS + 1]):
            with pytest.raises(InputError, match="does not follow"):
                store.collect(state, report)
        store.commit()
    assert dump(begun) == before


# --- Runtimes -----------------------------------------------------------------------------


def test_an_unknown_spec_version_is_named(begun: Path) -> None:
    before = dump(begun)
    new = replace(demo().blocks[STANDS], spec_version=SpecVersion(1_009_999))
    with (
        Store(url(begun), demo().identity) as store,
        pytest.raises(InputError, match=r"no metadata of spec version 1009999; it has 1001002"),
    ):
        replay_into(store, Listed((new,)), demo().runtime_of)
    assert dump(begun) == before


def test_the_metadata_of_every_runtime_is_kept_as_the_source_had_it(replayed: Path) -> None:
    versions = {block.spec_version for block in demo().blocks}
    with Store(url(replayed)) as store:
        for version in versions:
            assert store.knows(version)
            assert store.metadata(version) == demo().source.metadata(version)
            assert store.metadata_v14(version) == demo().source.metadata_v14(version)
            assert store.metadata_v14(version).startswith(b"meta\x0e")
        assert not store.knows(SpecVersion(1))
        with pytest.raises(ConfigError, match=r"no runtime of spec version 1$"):
            store.metadata(SpecVersion(1))


def test_metadata_is_kept_from_the_first_block_that_a_runtime_executed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    upgraded = SpecVersion(1_001_003)

    class Upgraded(Listed):
        def metadata(self, spec_version: SpecVersion) -> bytes:
            assert spec_version in {1_001_002, upgraded}
            return demo().source.metadata(SpecVersion(1_001_002))

        metadata_v14 = metadata

    blocks = tuple(
        replace(block, spec_version=upgraded) if at >= 10 else block
        for at, block in enumerate(demo().blocks)
    )
    runtime = demo().runtime_of(demo().blocks[0].spec_version)
    with Store(url(path), demo().identity) as store:
        replay_into(store, Upgraded(blocks), lambda _: runtime, batch=4)
        assert store.block(blocks[-1].header.number).spec_version == upgraded
        assert store.metadata(upgraded) == store.metadata(SpecVersion(1_001_002))


# --- Files that are no ledger -------------------------------------------------------------


def writes(path: Path) -> None:
    Store(url(path), demo().identity).close()


def reads(path: Path) -> None:
    Store(url(path)).close()


@pytest.mark.parametrize("opens", [writes, reads])
@pytest.mark.parametrize("content", [b"# Notes\n" * 200, b"\0" * 4096, b"SQLite format 3\0" * 64])
def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, opens: Callable[[Path], None], content: bytes
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a database"):
        opens(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("opens", [writes, reads])
def test_somebody_elses_database_is_refused_and_left_alone(
    tmp_path: Path, opens: Callable[[Path], None]
) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE wallet (secret TEXT)")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is no ledger"):
        opens(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("opens", [writes, reads])
def test_a_ledger_of_another_schema_version_is_refused(
    begun: Path, opens: Callable[[Path], None]
) -> None:
    tamper(begun, "UPDATE ledger_meta SET schema_version = 99")
    with pytest.raises(ConfigError, match=r"schema version 99, this program writes \d+"):
        opens(begun)


def test_a_missing_ledger_is_not_created_by_reading(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no ledger at"):
        reads(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("ledger.db", "no database URL"),
        ("postgresql://localhost/ledger", "postgresql is not supported"),
        ("sqlite:////nowhere/at/all/ledger.db", "is no directory"),
        ("sqlite:////proc/ledger.db", "cannot write beside"),
    ],
)
def test_a_url_that_cannot_be_a_ledger_is_refused(wrong: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Store(wrong, demo().identity)


def test_an_empty_ledger_says_that_it_has_no_blocks(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    writes(path)
    with Store(url(path)) as store:
        assert store.head() is None
        assert store.load_state().head.value is None
        with pytest.raises(ConfigError, match="has no block 1"):
            store.block(BlockNumber(1))


# --- Who may write ------------------------------------------------------------------------


@contextmanager
def as_somebody() -> Iterator[None]:
    """Without root's privileges, which no permission stops."""
    if geteuid():
        yield
        return
    seteuid(65_534)
    try:
        yield
    finally:
        seteuid(0)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may enter and write to."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_a_read_only_file_can_be_read_and_not_written(shared: Path, replayed: Path) -> None:
    path = shared / "ledger.db"
    path.write_bytes(replayed.read_bytes())
    path.chmod(0o444)
    with as_somebody():
        with pytest.raises(ConfigError, match=r"ledger\.db is read-only"):
            writes(path)
        with Store(url(path)) as store:
            assert store.load_state().head.value is not None


def test_a_read_only_folder_can_be_read_and_not_written(shared: Path, replayed: Path) -> None:
    path = shared / "ledger.db"
    path.write_bytes(replayed.read_bytes())
    path.chmod(0o666)
    shared.chmod(0o555)
    with as_somebody():
        with pytest.raises(ConfigError, match="cannot write beside the database"):
            writes(path)
        with Store(url(path)) as store:
            assert store.load_state().head.value is not None
    assert [file.name for file in shared.iterdir()] == ["ledger.db"]


def test_an_unreadable_file_is_refused(shared: Path, replayed: Path) -> None:
    path = shared / "ledger.db"
    path.write_bytes(replayed.read_bytes())
    path.chmod(0)
    with as_somebody(), pytest.raises(DatabaseError, match="unable to open"):
        reads(path)


def test_a_second_writer_is_refused_while_the_first_is_there(begun: Path) -> None:
    with (
        Store(url(begun), demo().identity),
        pytest.raises(DatabaseError, match="is writing this ledger already"),
    ):
        writes(begun)
    writes(begun)


def test_a_reader_sees_the_last_commit_while_a_batch_is_collected(begun: Path) -> None:
    with Store(url(begun), demo().identity) as writer, Store(url(begun)) as reader:
        state = writer.load_state()
        block = demo().blocks[STANDS]
        writer.collect(state, demo().apply(state, block))
        assert reader.head() == demo().blocks[STANDS - 1].ref
        writer.commit()
        assert reader.head() == block.ref
        assert reader.load_state().root() == state.root()


def test_the_command_line_says_it_in_one_line_and_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.db").write_text("# Notes\n" * 200)
    database = url(tmp_path / "ledger.db")
    monkeypatch.setattr(sys, "argv", ["ibp", "ledger", "state-root", "--db", database])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "not a database" in line
