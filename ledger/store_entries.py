"""The raw state entries in their table, and a checksum over all of them.

The checksum is the sum, modulo 2**256, of blake2b-256 of every entry's leaf: it does not depend on
order, and a batch changes it by what the batch changes. It finds accidents, such as a damaged page
or a row edited by hand. It does not find an attacker, who can write the checksum too: against one,
compare the state root with somebody else's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update
from sqlmodel import Session

from ibp_chain.blocks import blake2_256
from ledger.state import entry_leaf
from ledger.store_database import DatabaseCorrupt
from ledger.tables import LedgerMeta, StateEntry, table_of

EMPTY_CHECKSUM = bytes(32)
_KEYS_AT_ONCE = 500
_MODULUS = 2**256


def read_entries(session: Session, checksum: bytes) -> list[tuple[bytes, bytes]]:
    """Every (key, value). Raises `DatabaseCorrupt` where `checksum` is not theirs."""
    # as stored: a column type would turn a value of another type into bytes
    entries = [
        (key, value)
        for key, value in session.connection().execute(text("SELECT key, value FROM state_entry"))
    ]
    whole = all(isinstance(raw, bytes) for entry in entries for raw in entry)
    if not whole or _checksum(entries) != int.from_bytes(checksum, "big"):
        raise DatabaseCorrupt("its state entries are not those that were written")
    return entries


def write_entries(
    connection: Connection, entries: Mapping[bytes, tuple[bytes, int] | None]
) -> None:
    """Write each key's value and the block that changed it, or remove it; keep the checksum."""
    table, meta = table_of(StateEntry), table_of(LedgerMeta)
    if not entries:
        return
    checksum = int.from_bytes(connection.execute(select(meta.c.state_checksum)).scalar_one(), "big")
    for keys in _pages(entries):
        old = select(table.c.key, table.c.value).where(table.c.key.in_(keys))
        checksum -= _checksum((row.key, row.value) for row in connection.execute(old))
    new = [
        {"key": key, "value": entry[0], "changed_at": entry[1]}
        for key, entry in entries.items()
        if entry is not None
    ]
    connection.execute(
        delete(table).where(table.c.key == bindparam("old")), [{"old": key} for key in entries]
    )
    if new:
        connection.execute(insert(table), new)
        checksum += _checksum((row["key"], row["value"]) for row in new)
    raw = (checksum % _MODULUS).to_bytes(32, "big")
    connection.execute(update(meta).values(state_checksum=raw))


def _checksum(entries: Iterable[tuple[Any, Any]]) -> int:
    leaves = (blake2_256(entry_leaf(key, value)) for key, value in entries)
    return sum(int.from_bytes(leaf, "big") for leaf in leaves) % _MODULUS


def _pages(keys: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
    rest = iter(keys)
    while page := list(islice(rest, _KEYS_AT_ONCE)):
        yield page
