"""What is no continuation of a ledger is refused, in clear words, and changes nothing."""

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
from ibp_chain.runtime import Runtime
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ledger.indexer import replay_into
from ledger.store import DatabaseError, Identity, Store
from tests.support.ledgers import File, Place, dump, tamper
from tests.unit.store.demo import STANDS, Listed, demo, fork, other_account

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
def test_a_ledger_of_another_identity_is_refused(begun: Place, wanted: Identity, said: str) -> None:
    before = dump(begun)
    with pytest.raises(InputError, match=said):
        Store(begun.url, wanted)
    assert dump(begun) == before


def test_blocks_of_another_genesis_are_refused(begun: Place) -> None:
    class Elsewhere(Listed):
        @property
        def genesis_hash(self) -> Hash:
            return Hash(b"\x07" * 32)

    before = dump(begun)
    with (
        Store(begun.url, demo().identity) as store,
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
def test_a_block_that_does_not_follow_is_refused(begun: Place, wrong: Sequence) -> None:
    before = dump(begun)
    with (
        Store(begun.url, demo().identity) as store,
        pytest.raises(InputError, match="does not follow"),
    ):
        replay_into(store, Listed(wrong(demo().blocks)), demo().runtime_of)
    assert dump(begun) == before
    with Store(begun.url, demo().identity) as store:  # and the right ones are still welcome
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


def test_whole_batches_before_the_wrong_block_are_kept(begun: Place) -> None:
    wrong = (*demo().blocks[STANDS : STANDS + 5], demo().blocks[STANDS])
    with Store(begun.url, demo().identity) as store:
        with pytest.raises(InputError, match="does not follow"):
            replay_into(store, Listed(wrong), demo().runtime_of, batch=2)
        assert store.head() == demo().blocks[STANDS + 3].ref
        assert store.load_state().head.value is not None


@pytest.mark.parametrize("behind", [0, 4])
def test_blocks_that_end_in_another_fork_are_refused(begun: Place, behind: int) -> None:
    last = STANDS - 1 - behind
    blocks = (*demo().blocks[:last], fork(demo().blocks[last]))
    with (
        Store(begun.url, demo().identity) as store,
        pytest.raises(InputError, match="another fork"),
    ):
        replay_into(store, Listed(blocks), demo().runtime_of)


def test_blocks_that_begin_behind_a_gap_are_refused(begun: Place) -> None:
    later = demo().blocks[STANDS + 5 :]
    with (
        Store(begun.url, demo().identity) as store,
        pytest.raises(InputError, match="the blocks begin with"),
    ):
        replay_into(store, Listed(later, later[0].header.number), demo().runtime_of)


@pytest.mark.parametrize("first", [1, 5])
def test_a_ledger_begins_with_the_first_block_only(fresh: Place, first: int) -> None:
    with (
        Store(fresh.url, demo().identity) as store,
        pytest.raises(InputError, match="starts with the first block"),
    ):
        replay_into(store, Listed(demo().blocks[first:]), demo().runtime_of)
    assert fresh.rows("block") == fresh.rows("state_entry") == []


def test_a_first_block_of_another_genesis_is_refused(fresh: Place) -> None:
    first = fork(demo().blocks[0], Hash(b"\x07" * 32))
    with (
        Store(fresh.url, demo().identity) as store,
        pytest.raises(InputError, match="does not follow it"),
    ):
        replay_into(store, Listed((first, *demo().blocks[1:])), demo().runtime_of)
    assert fresh.rows("block") == fresh.rows("state_entry") == []


def test_the_store_itself_takes_no_report_out_of_order(begun: Place) -> None:
    _, reports = demo().replay()
    before = dump(begun)
    with Store(begun.url, demo().identity) as store:
        state = store.load_state()
        for report in (reports[0], reports[STANDS - 1], reports[STANDS + 1]):
            with pytest.raises(InputError, match="does not follow"):
                store.collect(state, report)
        store.commit()
    assert dump(begun) == before


# --- Runtimes -----------------------------------------------------------------------------


def test_an_unknown_spec_version_is_named(begun: Place) -> None:
    before = dump(begun)
    new = replace(demo().blocks[STANDS], spec_version=SpecVersion(1_009_999))
    with (
        Store(begun.url, demo().identity) as store,
        pytest.raises(InputError, match=r"no metadata of spec version 1009999; it has 1001002"),
    ):
        replay_into(store, Listed((new,)), demo().runtime_of)
    assert dump(begun) == before


def test_the_metadata_of_every_runtime_is_kept_as_the_source_had_it(replayed: Place) -> None:
    versions = {block.spec_version for block in demo().blocks}
    with Store(replayed.url) as store:
        for version in versions:
            assert store.knows(version)
            assert store.metadata(version) == demo().source.metadata(version)
            assert store.metadata_v14(version) == demo().source.metadata_v14(version)
            assert store.metadata_v14(version).startswith(b"meta\x0e")
        assert not store.knows(SpecVersion(1))
        with pytest.raises(ConfigError, match=r"no runtime of spec version 1$"):
            store.metadata(SpecVersion(1))


def test_metadata_is_kept_from_the_first_block_that_a_runtime_executed(fresh: Place) -> None:
    before, upgraded = SpecVersion(1_001_002), SpecVersion(1_001_003)

    class Upgraded(Listed):
        def metadata(self, spec_version: SpecVersion) -> bytes:
            assert spec_version in {before, upgraded}
            raw = demo().source.metadata(before)
            return raw.replace(before.to_bytes(4, "little"), spec_version.to_bytes(4, "little"))

        metadata_v14 = metadata

    blocks = tuple(
        replace(block, spec_version=upgraded) if at >= 10 else block
        for at, block in enumerate(demo().blocks)
    )
    runtime = demo().runtime_of(demo().blocks[0].spec_version)
    with Store(fresh.url, demo().identity) as store:
        replay_into(store, Upgraded(blocks), lambda _: runtime, batch=4)
        assert store.block(blocks[-1].header.number).spec_version == upgraded
        for version in (before, upgraded):
            assert Runtime.from_metadata(store.metadata(version)).spec_version == version


# --- Files that are no ledger -------------------------------------------------------------


def writes(place: Place) -> None:
    Store(place.url, demo().identity).close()


def reads(place: Place) -> None:
    Store(place.url).close()


@pytest.mark.parametrize("opens", [writes, reads])
@pytest.mark.parametrize("content", [b"# Notes\n" * 200, b"\0" * 4096, b"SQLite format 3\0" * 64])
def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, opens: Callable[[Place], None], content: bytes
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a database"):
        opens(File(path))
    assert path.read_bytes() == content


@pytest.mark.parametrize("opens", [writes, reads])
def test_somebody_elses_database_is_refused_and_left_alone(
    tmp_path: Path, opens: Callable[[Place], None]
) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE wallet (secret TEXT)")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is no ledger"):
        opens(File(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("opens", [writes, reads])
@pytest.mark.parametrize(
    ("version", "said"),
    [(99, "upgrade the program"), (1, "ibp ledger migrate --db"), (2, "ibp ledger migrate --db")],
)
def test_a_ledger_of_another_schema_version_is_refused_and_left_alone(
    begun: Place, opens: Callable[[Place], None], version: int, said: str
) -> None:
    tamper(begun, f"UPDATE ledger_meta SET schema_version = {version}")
    before = dump(begun)
    with pytest.raises(ConfigError, match=rf"schema version {version}, this program .*{said}"):
        opens(begun)
    assert dump(begun) == before


def test_a_missing_ledger_is_not_created_by_reading(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no ledger at"):
        reads(File(tmp_path / "ledger.db"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("ledger.db", "no database URL"),
        ("mysql://localhost/ledger", "mysql:// is not supported"),
        ("postgresql+asyncpg://localhost/ledger", "asyncpg:// is not supported"),
        ("postgresql://localhost/ledger?schema=A;B", "is no name for a schema"),
        ("sqlite:////nowhere/at/all/ledger.db", "is no directory"),
        ("sqlite:////proc/ledger.db", "cannot write beside"),
    ],
)
def test_a_url_that_cannot_be_a_ledger_is_refused(wrong: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Store(wrong, demo().identity)


def test_an_empty_ledger_says_that_it_has_no_blocks(fresh: Place) -> None:
    writes(fresh)
    with Store(fresh.url) as store:
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


def test_a_read_only_file_can_be_read_and_not_written(shared: Path, replayed_file: Path) -> None:
    path = shared / "ledger.db"
    path.write_bytes(replayed_file.read_bytes())
    path.chmod(0o444)
    with as_somebody():
        with pytest.raises(ConfigError, match=r"ledger\.db is read-only"):
            writes(File(path))
        with Store(File(path).url) as store:
            assert store.load_state().head.value is not None


def test_a_read_only_folder_can_be_read_and_not_written(shared: Path, replayed_file: Path) -> None:
    path = shared / "ledger.db"
    path.write_bytes(replayed_file.read_bytes())
    path.chmod(0o666)
    shared.chmod(0o555)
    with as_somebody():
        with pytest.raises(ConfigError, match="cannot write beside the database"):
            writes(File(path))
        with Store(File(path).url) as store:
            assert store.load_state().head.value is not None
    assert [file.name for file in shared.iterdir()] == ["ledger.db"]


def test_an_unreadable_file_is_refused(shared: Path, replayed_file: Path) -> None:
    path = shared / "ledger.db"
    path.write_bytes(replayed_file.read_bytes())
    path.chmod(0)
    with as_somebody(), pytest.raises(DatabaseError, match="unable to open"):
        reads(File(path))


def test_a_second_writer_is_refused_while_the_first_is_there(begun: Place) -> None:
    with (
        Store(begun.url, demo().identity),
        pytest.raises(DatabaseError, match="is writing this ledger already"),
    ):
        writes(begun)
    writes(begun)


def test_a_reader_sees_the_last_commit_while_a_batch_is_collected(begun: Place) -> None:
    with Store(begun.url, demo().identity) as writer, Store(begun.url) as reader:
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
    database = File(tmp_path / "ledger.db").url
    monkeypatch.setattr(sys, "argv", ["ibp", "ledger", "state-root", "--db", database])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "not a database" in line
