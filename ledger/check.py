"""Whether a database holds a whole ledger: everything in it is read once and compared.

What it finds are accidents and edits by hand, as `ledger.store_entries` says; whether the ledger is
right, only a replay of the blocks tells.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import zstandard
from sqlalchemy import ColumnElement, Connection, Table, func, literal_column, select, text

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError
from ibp_chain.networks import network
from ibp_chain.types import BlockNumber, Hash, RelayBlockNumber
from ledger.state import Head, State
from ledger.store import Identity, Store
from ledger.store_bulk import stored_rows
from ledger.store_database import DatabaseCorrupt, DatabaseError, is_damage
from ledger.store_entries import HEAD_KEY, MODULUS, head_leaf, leaf, whole_entries
from ledger.store_projection import rows_of
from ledger.store_rows import PROJECTIONS
from ledger.tables import BlockRow, LedgerMeta, table_of

_AT_ONCE = 10_000
"""Rows that are fetched together."""
_DELTAS = """
SELECT changed_at AS at, 1 AS sign, key, value FROM state_entry WHERE key <> :head
UNION ALL SELECT since, 1, key, value FROM state_history
UNION ALL SELECT until, -1, key, value FROM state_history
ORDER BY 1
"""
"""What each block wrote and overwrote, in the order of the blocks; the database sorts on disk."""
_STATES = """
SELECT block_state.number, clock, checksum, hash
FROM block_state JOIN block ON block.number = block_state.number ORDER BY block_state.number
"""
_WITHOUT_STATE = """
SELECT min(number) FROM block WHERE number >= (SELECT min(number) FROM block_state)
AND number NOT IN (SELECT number FROM block_state)
"""

Tick = Callable[[str, int, int], object]
"""Told what is being done, how much of it is, and of how much."""
_Blocks = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Whole:
    """A ledger that is whole."""

    head: BlockRef
    root: Hash
    blocks: int
    entries: int
    history_since: int
    """The first block whose state is known."""


def check(url: str, tick: Tick = lambda *_: None) -> Whole:
    """Read all of a ledger, as of one block.

    Raises `DatabaseCorrupt` naming the first thing that is wrong, `ConfigError` for what is no
    ledger of this program's, `InputError` for one without blocks.
    """
    try:
        with Store(url) as store, store.session() as session:
            tick("looking at the database", 0, 1)
            ensure_pages(session.connection())
            return examine(session.connection(), store.identity, tick)
    except DatabaseError as error:
        if is_damage(error.__cause__):
            raise DatabaseCorrupt(f"{error}: replay into a new one, or restore a backup") from error
        raise


def blocks_of(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(table_of(BlockRow))).scalar_one()


def ensure_pages(connection: Connection) -> None:
    """SQLite's own look at its file; a server does that for itself. Raises `DatabaseCorrupt`."""
    if connection.dialect.name != "sqlite":
        return
    found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if found != "ok":
        raise DatabaseCorrupt(f"SQLite finds {found}")
    orphan = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if orphan is not None:
        raise DatabaseCorrupt(
            f"a row of {orphan[0]} refers to one of {orphan[2]} that is not there"
        )


def examine(connection: Connection, identity: Identity, tick: Tick = lambda *_: None) -> Whole:
    """`check` inside a transaction. Raises `DatabaseCorrupt`, `InputError`."""
    state = whole_state(connection, identity)
    head = state.head.value
    if head is None:
        raise InputError("the ledger has no blocks yet: replay or follow a chain first")
    blocks = blocks_of(connection)
    _ensure_linked(connection, identity, lambda done: tick("comparing blocks", done, blocks))
    tick("comparing states", 0, blocks)
    since = _ensure_history(connection, lambda done: tick("comparing states", done, blocks))
    tick("comparing projections", 0, 1)
    _ensure_projected(connection, state)
    _ensure_reasons(connection, state)
    return Whole(head.ref, state.root(), blocks, len(state.entries()), since)


def whole_state(connection: Connection, identity: Identity) -> State:
    """The state at the head, its checksum and its block compared.

    Raises `DatabaseCorrupt`, and `InputError` for entries that this program does not know.
    """
    meta, block = table_of(LedgerMeta), table_of(BlockRow)
    checksum = connection.execute(select(meta.c.state_checksum)).scalar_one_or_none()
    if checksum is None:
        raise DatabaseCorrupt("ledger_meta has no row")
    state = State(network(identity.network), identity.expected_origin)
    state.load(whole_entries(connection, checksum))
    last = connection.execute(
        select(block.c.number, block.c.hash).order_by(block.c.number.desc()).limit(1)
    ).first()
    named = connection.execute(select(meta.c.head)).scalar_one()
    head = state.head.value
    found = None if head is None else tuple(head.ref)
    if found != (None if last is None else tuple(last)) or named != (found and found[0]):
        raise DatabaseCorrupt("its state is of another block than its blocks end with")
    return state


# --- Blocks -------------------------------------------------------------------------------


def _ensure_linked(connection: Connection, identity: Identity, tick: _Blocks) -> None:
    """Each block follows the one before it, and its runtime is kept."""
    before, done, versions = None, 0, set()
    query = "SELECT number, hash, parent_hash, spec_version FROM block ORDER BY number"
    for number, block_hash, parent, version in _stream(connection, query):
        if before is None and number == 1 and parent != identity.genesis_hash:
            raise DatabaseCorrupt("block 1 does not follow the genesis block")
        if before is not None and parent != before:
            raise DatabaseCorrupt(f"block {number} does not follow the one before it")
        before, done = block_hash, done + 1
        versions.add(version)
        if done % _AT_ONCE == 0:
            tick(done)
    missing = versions - _runtimes(connection)
    if missing:
        raise DatabaseCorrupt(f"the metadata of spec version {min(missing)} is not there")


def _runtimes(connection: Connection) -> set[int]:
    decompress = zstandard.ZstdDecompressor().decompress
    found = set()
    for version, form, packed in _stream(
        connection, "SELECT spec_version, metadata_version, zstd FROM runtime"
    ):
        try:
            whole = decompress(packed).startswith(b"meta" + bytes((form,)))
        except zstandard.ZstdError:
            whole = False
        if not whole:
            raise DatabaseCorrupt(f"metadata V{form} of spec version {version} is not metadata")
        found.add(version)
    return found


# --- History ------------------------------------------------------------------------------


def _ensure_history(connection: Connection, tick: _Blocks) -> int:
    """The values that each block left add up to that block's checksum; since which block."""
    missing = connection.execute(text(_WITHOUT_STATE)).scalar_one()
    if missing is not None:
        raise DatabaseCorrupt(f"the state behind block {missing} is not there, as others are")
    deltas = _Deltas(_stream(connection, _DELTAS, head=HEAD_KEY))
    since = None
    for done, (number, clock, checksum, block_hash) in enumerate(_stream(connection, _STATES), 1):
        since = number if since is None else since
        head = Head(BlockNumber(number), Hash(block_hash), RelayBlockNumber(clock))
        total = (deltas.up_to(number) + head_leaf(head)) % MODULUS
        if total != int.from_bytes(checksum, "big"):
            raise DatabaseCorrupt(f"the state behind block {number} is not the one written then")
        if done % _AT_ONCE == 0:
            tick(done)
    if since is None:
        raise DatabaseCorrupt("it does not know the state behind any block")
    deltas.ensure_done()
    return int(since)


class _Deltas:
    """The sum of all leaves but the head's, block by block."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows, self._sum = rows, 0
        self._next = next(rows, None)

    def up_to(self, number: int) -> int:
        while self._next is not None and self._next[0] <= number:
            _, sign, key, value = self._next
            self._sum += sign * leaf(key, value)
            self._next = next(self._rows, None)
        return self._sum

    def ensure_done(self) -> None:
        if self._next is not None:
            raise DatabaseCorrupt(f"a value is of block {self._next[0]}, behind the last one")


# --- What follows from the state ----------------------------------------------------------


def _ensure_projected(connection: Connection, state: State) -> None:
    for table, rows in rows_of(PROJECTIONS, state.maps()).items():
        found = {tuple(row) for row in stored(connection, table)}
        _ensure_same(table.name, set(stored_rows(connection, table, rows)), found)


def _ensure_reasons(connection: Connection, state: State) -> None:
    """Every rejection of the state has its words, and no other has."""
    said = {
        (block, remark, rejection.code.name.lower(), rejection.origin, rejection.extrinsic)
        for (block, remark), rejection in state.programme.rejections.items()
    }
    query = "SELECT block, remark, code, origin, extrinsic FROM rejection"
    _ensure_same("rejection", said, {tuple(row) for row in _stream(connection, query)})


def _ensure_same(name: str, expected: set[tuple[Any, ...]], found: set[tuple[Any, ...]]) -> None:
    for rows, what in ((found - expected, "has a row"), (expected - found, "lacks a row")):
        if rows:
            first = min(rows, key=repr)
            raise DatabaseCorrupt(f"{name} {what}, contrary to the state: {_shown(first)}")


def _shown(values: Iterable[object]) -> str:
    return "|".join(
        "0x" + value.hex() if isinstance(value, bytes) else str(value) for value in values
    )


def stored(connection: Connection, table: Table) -> Iterator[Any]:
    """Every row of a table as the driver gives it, in the order of the primary key.

    A column type would turn a value of another type into the right one.
    """
    columns: list[ColumnElement[Any]] = [literal_column(column.name) for column in table.columns]
    order = [column.name for column in table.primary_key]
    query = select(*columns).select_from(table).order_by(*map(literal_column, order))
    return iter(connection.execute(query, execution_options={"yield_per": _AT_ONCE}))


def _stream(connection: Connection, query: str, **values: object) -> Iterator[Any]:
    return iter(connection.execute(text(query), values, execution_options={"yield_per": _AT_ONCE}))
