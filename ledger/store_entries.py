"""The raw state entries and what they were before, and a checksum over all of them at each block.

The checksum is the sum, modulo 2**256, of blake2b-256 of every entry's leaf: it does not depend on
order, and a block changes it by what the block changes. It finds accidents, such as a damaged page
or a row edited by hand. It does not find an attacker, who can write the checksum too: against one,
compare the state root with somebody else's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, select, text, update
from sqlmodel import Session

from ibp_chain.blocks import blake2_256
from ledger.state import Head, entry_leaf
from ledger.storage import twox_128
from ledger.store_bulk import Row, delete_rows, insert_rows
from ledger.store_database import DatabaseCorrupt
from ledger.tables import BlockState, LedgerMeta, StateEntry, StateHistory, table_of

EMPTY_CHECKSUM = bytes(32)
_KEYS_AT_ONCE = 500
MODULUS = 2**256
_HEAD_LAYOUT = Struct("<I32sI")
HEAD_KEY = twox_128("Ledger") + twox_128("Head")
_PAST = """
WITH RECURSIVE past (key) AS (
    SELECT (SELECT key FROM state_history ORDER BY key LIMIT 1)
    UNION ALL
    SELECT (SELECT key FROM state_history WHERE key > past.key ORDER BY key LIMIT 1)
    FROM past WHERE past.key IS NOT NULL
)
SELECT past.key, value FROM past JOIN state_history AS was ON was.key = past.key AND was.since = (
    SELECT max(since) FROM state_history WHERE state_history.key = past.key AND since <= :at
) WHERE was.until > :at
"""
"""A look into the index for each key and one for its value then, however many values it had."""

Version: TypeAlias = tuple[int, bytes | None]
"""A value and the block that wrote it; None where the block removed it."""


class _Value(NamedTuple):
    raw: bytes
    since: int
    leaf: int
    """What it adds to the checksum."""


def read_entries(session: Session, checksum: bytes) -> list[tuple[bytes, bytes]]:
    """Every (key, value). Raises `DatabaseCorrupt` where `checksum` is not theirs."""
    return whole_entries(session.connection(), checksum)


def whole_entries(connection: Connection, checksum: bytes) -> list[tuple[bytes, bytes]]:
    """`read_entries`, in a transaction."""
    return _whole(connection, "SELECT key, value FROM state_entry", {}, [], checksum)


def read_past_entries(session: Session, head: Head, checksum: bytes) -> list[tuple[bytes, bytes]]:
    """Every (key, value) behind `head`'s block, `head` itself among them.

    Raises `DatabaseCorrupt` where `checksum` is not theirs.
    """
    current = "SELECT key, value FROM state_entry WHERE changed_at <= :at AND key <> :head"
    connection, at = session.connection(), {"at": head.number}
    past = [(key, value) for key, value in connection.execute(text(_PAST), at)]
    others = [(HEAD_KEY, _raw_head(head)), *past]
    return _whole(connection, current, {**at, "head": HEAD_KEY}, others, checksum)


def write_entries(
    connection: Connection, changes: Mapping[bytes, Sequence[Version]], heads: Sequence[Head]
) -> None:
    """Write what the blocks of `heads`, in order, wrote to each key, the last value to stay.

    `changes` are without `Ledger.Head`. Values that are overwritten go to the history, but for that
    of `Ledger.Head`; each block gets the checksum of the state behind it.
    """
    meta, last = table_of(LedgerMeta), heads[-1]
    checksum = int.from_bytes(connection.execute(select(meta.c.state_checksum)).scalar_one(), "big")
    found = _current(connection, [HEAD_KEY, *changes])
    gone, written, history, added = _differences(found, changes)
    if HEAD_KEY in found:
        gone.append({"key": HEAD_KEY})
        checksum -= found[HEAD_KEY].leaf
    written.append({"key": HEAD_KEY, "value": _raw_head(last), "changed_at": last.number})
    delete_rows(connection, table_of(StateEntry), gone)
    insert_rows(connection, table_of(StateEntry), written)
    insert_rows(connection, table_of(StateHistory), history)
    states = []
    for head in heads:
        checksum += added.get(head.number, 0)  # of all entries but the head
        whole = (checksum + head_leaf(head)) % MODULUS
        raw = whole.to_bytes(32, "big")
        states.append({"number": head.number, "clock": head.now, "checksum": raw})
    insert_rows(connection, table_of(BlockState), states)
    connection.execute(update(meta).values(state_checksum=states[-1]["checksum"]))


class _Differences(NamedTuple):
    gone: list[Row]
    written: list[Row]
    history: list[Row]
    added: Mapping[int, int]
    """What each block adds to the checksum."""


def _differences(
    found: Mapping[bytes, _Value], changes: Mapping[bytes, Sequence[Version]]
) -> _Differences:
    """A value that is written again as it was is no change."""
    added: defaultdict[int, int] = defaultdict(int)
    result = _Differences([], [], [], added)
    for key, versions in changes.items():
        first = now = found.get(key)
        for number, raw in versions:
            if raw == (None if now is None else now.raw):
                continue
            if now is not None:
                added[number] -= now.leaf
                result.history.append(
                    {"key": key, "since": now.since, "until": number, "value": now.raw}
                )
            now = None if raw is None else _Value(raw, number, leaf(key, raw))
            if now is not None:
                added[number] += now.leaf
        if now is first:
            continue
        if first is not None:
            result.gone.append({"key": key})
        if now is not None:
            result.written.append({"key": key, "value": now.raw, "changed_at": now.since})
    return result


def _current(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, _Value]:
    table, found = table_of(StateEntry), {}
    for page in _pages(keys):
        rows = select(table.c.key, table.c.value, table.c.changed_at).where(table.c.key.in_(page))
        for key, value, since in connection.execute(rows):
            found[key] = _Value(value, since, leaf(key, value))
    return found


def _whole(
    connection: Connection,
    query: str,
    parameters: Mapping[str, Any],
    others: list[tuple[bytes, bytes]],
    checksum: bytes,
) -> list[tuple[bytes, bytes]]:
    # as stored: a column type would turn a value of another type into bytes
    rows = connection.execute(text(query), parameters)
    entries = others + [(key, value) for key, value in rows]
    whole = all(isinstance(raw, bytes) for entry in entries for raw in entry)
    if not whole or _checksum(entries) != int.from_bytes(checksum, "big"):
        raise DatabaseCorrupt("its state entries are not those that were written")
    return entries


def _checksum(entries: Iterable[tuple[Any, Any]]) -> int:
    return sum(leaf(key, value) for key, value in entries) % MODULUS


def leaf(key: bytes, value: bytes) -> int:
    """What an entry adds to the checksum."""
    return int.from_bytes(blake2_256(entry_leaf(key, value)), "big")


def head_leaf(head: Head) -> int:
    """`leaf` of `Ledger.Head`."""
    return leaf(HEAD_KEY, _raw_head(head))


def _raw_head(head: Head) -> bytes:
    """As `State.head` encodes it, without the machinery: every block has one."""
    return _HEAD_LAYOUT.pack(*head)


def _pages(keys: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
    rest = iter(keys)
    while page := list(islice(rest, _KEYS_AT_ONCE)):
        yield page
