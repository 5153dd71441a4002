"""What is no backup, or no longer the one that was written, is refused and changes nothing."""

import random
import tarfile
from collections import deque
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.errors import IbpError
from ibp_chain.types import Hash
from ledger.backup import Wanted, kept_tables, restore
from ledger.backup_format import BackupDamaged, BackupError, Writer, opened
from ledger.check import check
from ledger.store import DatabaseError
from tests.support.ledgers import File, Ledgers
from tests.unit.store.demo import demo, roots


@cache
def members(path: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(path) as file:
        return file.getmembers()


# --- Files that are not what was written --------------------------------------------------


def refused(path: Path, kind: type[IbpError] = BackupDamaged) -> IbpError:
    with pytest.raises(kind) as caught, opened(path):
        pass
    assert str(path) in str(caught.value)
    return caught.value


def test_a_changed_bit_anywhere_is_found_and_placed(taken: Path, tmp_path: Path) -> None:
    whole, chance, path = taken.read_bytes(), random.Random(7), tmp_path / "altered"
    places = {chance.randrange(len(whole)) for _ in range(120)} | {0, len(whole) - 1}
    for member in members(taken):
        places |= {member.offset + at for at in (0, 105, 130, 140, 150, 156, 265, 329, 500)}
        places |= {member.offset_data, member.offset_data + member.size - 1}
        places.add(member.offset_data + member.size + -member.size % 512 - 1)
    for at in sorted(places):
        path.write_bytes(
            whole[:at] + bytes((whole[at] ^ 1 << chance.randrange(8),)) + whole[at + 1 :]
        )
        error = refused(path, IbpError)
        assert isinstance(error, BackupDamaged) or (at < 512 and isinstance(error, BackupError))
        inside = [m.name for m in members(taken) if 0 <= at - m.offset_data < m.size]
        if inside and inside[0].endswith(".parquet"):
            assert f"{inside[0]}: its bytes" in str(error)
        elif inside:
            assert inside[0] in str(error)


def test_a_file_cut_anywhere_is_found(taken: Path, tmp_path: Path) -> None:
    whole, chance, path = taken.read_bytes(), random.Random(8), tmp_path / "cut"
    ends = {chance.randrange(len(whole)) for _ in range(40)} | {0, 1, 511, 512, len(whole) - 1}
    ends |= {member.offset for member in members(taken)}
    for end in sorted(ends):
        path.write_bytes(whole[:end])
        refused(path, IbpError if end < 512 else BackupDamaged)


def test_a_file_with_something_behind_it_is_refused(taken: Path, tmp_path: Path) -> None:
    for more in (b"\0", bytes(512), taken.read_bytes()):
        (tmp_path / "longer").write_bytes(taken.read_bytes() + more)
        assert "the end" in str(refused(tmp_path / "longer"))


def test_pieces_that_are_missing_or_exchanged_are_found(taken: Path, tmp_path: Path) -> None:
    whole, path = taken.read_bytes(), tmp_path / "other"
    found = members(taken)
    parts = [whole[one.offset : two.offset] for one, two in pairwise(found)]
    parts.append(whole[found[-1].offset :])
    for at in range(1, len(parts) - 1):
        path.write_bytes(b"".join(parts[:at] + parts[at + 1 :]))
        refused(path)
        path.write_bytes(b"".join([*parts[:at], parts[at], *parts[at:]]))
        refused(path)
        path.write_bytes(b"".join([*parts[:at], parts[at + 1], parts[at], *parts[at + 2 :]]))
        refused(path)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", bytes(4096), b"ledger.json\0"])
def test_a_file_that_is_no_backup_is_said_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd").write_bytes(content)
    assert "is no backup" in str(refused(tmp_path / "odd", IbpError)) or len(content) == 12


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert "No such file" in str(refused(tmp_path / "nothing", BackupError))
    assert "Is a directory" in str(refused(tmp_path, BackupError))


# --- Files sealed as they should be, of something else -------------------------------------

Change = Callable[[str, list[tuple[Any, ...]]], list[tuple[Any, ...]]]


def forge(taken: Path, to: Path, contents: dict[str, object], change: Change) -> Path:
    """`taken` once more, its contents and rows changed before they are sealed."""
    with opened(taken) as backup, to.open("wb") as file:
        rows = {
            table: change(table.name, [row for piece in backup.rows(table) for row in piece])
            for table in kept_tables()
        }
        counts = {"tables": {table.name: len(rows[table]) for table in rows}}
        writer = Writer(file, backup.contents.model_copy(update={**counts, **contents}))
        for table, changed in rows.items():
            deque(writer.table(table, changed), maxlen=0)
        writer.seal()
    return to


def same(_: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return rows


def replaced(table: str, row: int, column: int, value: object) -> Change:
    def change(name: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        if name != table:
            return rows
        new = list(rows[row])
        new[column] = value
        return [*rows[:row], tuple(new), *rows[row:][1:]]

    return change


def without(table: str, row: int) -> Change:
    return lambda name, rows: rows if name != table else rows[:row] + rows[row:][1:]


FORGED: dict[str, tuple[Change, str]] = {
    "a block's hash": (replaced("block", 9, 1, bytes(32)), "does not follow the one before it"),
    "a block is gone": (without("block", 9), "FOREIGN KEY|foreign key|does not follow"),
    "a value": (replaced("state_entry", 50, 1, b"\1"), "are not those that were written"),
    "an entry is gone": (without("state_entry", 50), "are not those that were written"),
    "a value of history": (replaced("state_history", 9, 3, b"\1"), "the state behind block"),
    "history is gone": (without("state_history", 9), "the state behind block"),
    "a state is gone": (without("block_state", 9), "the state behind block"),
    "a runtime is gone": (lambda name, rows: rows if name != "runtime" else [], "metadata of spec"),
    "metadata": (replaced("runtime", 0, 2, b"\1"), "is not metadata"),
    "a rejection is gone": (without("rejection", 0), "rejection lacks a row"),
    "the ledger's row is gone": (without("ledger_meta", 0), "ledger_meta has no row"),
    "a founder": (replaced("ledger_meta", 0, 4, bytes(32)), "ledger_meta"),
    "a short hash": (replaced("block", 9, 1, b"\1"), "CHECK constraint|check constraint"),
    "an unknown code": (replaced("rejection", 0, 2, "magic"), "CHECK constraint|check constraint"),
}


@pytest.mark.parametrize(
    ("target", "forged"),
    [("sqlite", forged) for forged in FORGED]
    + [("postgresql", forged) for forged in ("a block is gone", "a short hash", "a value")],
)
def test_rows_that_do_not_hold_together_are_refused_and_leave_nothing(
    taken: Path, kinds: dict[str, Ledgers], tmp_path: Path, target: str, forged: str
) -> None:
    change, words = FORGED[forged]
    path, place = forge(taken, tmp_path / "forged", {}, change), kinds[target].new()
    with pytest.raises((BackupDamaged, DatabaseError), match=words):
        restore(path, place.url)
    assert place.tables() == []
    restore(taken, place.url)
    assert len(place.rows("block")) == len(demo().blocks)


OTHERS: dict[str, tuple[dict[str, object], str]] = {
    "a newer format": ({"version": 2}, "format version 2, .*: upgrade the program"),
    "a newer schema": ({"schema_version": 99}, "schema version 99, .*: upgrade the program"),
    "an older schema": (
        {"schema_version": 1},
        r"schema version 1, .*: restore it with ibp-chain \d.*, then .*ibp ledger migrate",
    ),
    "another root": ({"state_root": "0x" + "11" * 32}, "their state root is 0x"),
    "another network": ({"network": "kusama"}, "of another ledger than it says"),
    "a network that nobody knows": ({"network": "atlantis"}, "atlantis"),
    "tables of another schema": ({"tables": {}}, "of a table that the backup does not name"),
    "rows that are not there": ({"tables": {"block": 61}}, "block/|has 60 rows, not 61|not name"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_backup_of_another_version_or_content_says_what_to_do(
    taken: Path, tmp_path: Path, other: str
) -> None:
    contents, words = OTHERS[other]
    path, place = forge(taken, tmp_path / "other", contents, same), File(tmp_path / "ledger.db")
    with pytest.raises((BackupError, BackupDamaged), match=words):
        restore(path, place.url)
    assert not place.path.exists() or place.tables() == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(network="polkadot"), "is of network paseo, not polkadot"),
        (Wanted(genesis_hash=Hash(b"\1" * 32)), "is of genesis 0x.* not 0x0101"),
        (Wanted(state_root=Hash(b"\2" * 32)), "is of state root 0x.* not 0x0202"),
    ],
    ids=["network", "genesis", "state root"],
)
def test_a_backup_of_another_chain_than_wanted_is_refused(
    taken: Path, tmp_path: Path, wanted: Wanted, words: str
) -> None:
    with pytest.raises(BackupError, match=words):
        restore(taken, File(tmp_path / "ledger.db").url, wanted)
    assert not (tmp_path / "ledger.db").exists()


def test_the_backup_that_is_wanted_is_taken(taken: Path, tmp_path: Path) -> None:
    wanted = Wanted("paseo", demo().identity.genesis_hash, roots()[-1])
    restore(taken, File(tmp_path / "ledger.db").url, wanted)
    assert check(File(tmp_path / "ledger.db").url).root == roots()[-1]
