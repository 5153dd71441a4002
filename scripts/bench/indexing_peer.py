"""Indexes blocks of a node into SQLite with substrate-interface, as block explorers do.

For each block `get_block` and `get_events`, every extrinsic and event a row with its values as
JSON; a transaction for every `BATCH` blocks. One line of JSON on stdin says where the node is,
which file to write, and which heights there are, so that nothing is asked in vain; one on stdout
what it took.
"""

import json
import re
import sqlite3
import sys
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from substrateinterface import SubstrateInterface

BATCH = 200
_TABLES = """
CREATE TABLE block (number INTEGER PRIMARY KEY, hash TEXT, parent_hash TEXT, state_root TEXT,
  extrinsics_root TEXT, count_extrinsics INTEGER, count_events INTEGER, spec_version INTEGER);
CREATE TABLE extrinsic (block INTEGER, idx INTEGER, hash TEXT, call_module TEXT, call_name TEXT,
  call_args TEXT, signed INTEGER, address TEXT, nonce INTEGER, PRIMARY KEY (block, idx));
CREATE TABLE event (block INTEGER, idx INTEGER, extrinsic_idx INTEGER, phase TEXT,
  event_module TEXT, event_name TEXT, attributes TEXT, PRIMARY KEY (block, idx));
CREATE INDEX extrinsic_address ON extrinsic (address);
CREATE INDEX event_name ON event (event_module, event_name);
"""


def main() -> None:
    job = json.loads(sys.stdin.readline())
    began, cpu = time.monotonic(), time.process_time()
    with SubstrateInterface(url=job["url"]) as node, closing(sqlite3.connect(job["file"])) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_TABLES)
        for count, height in enumerate(job["heights"], 1):
            _index(node, db, height)
            if count % BATCH == 0:
                db.commit()
        db.commit()
        counts = {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - ours
            for table in ("block", "extrinsic", "event")
        }
    told = {
        "version": version("substrate-interface"),
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "peak": _peak(),
        **counts,
    }
    sys.stdout.write(json.dumps(told))


def _index(node: Any, db: sqlite3.Connection, height: int) -> None:
    digest = node.get_block_hash(height)
    block, events = node.get_block(digest), node.get_events(digest)
    header, extrinsics = block["header"], block["extrinsics"]
    roots = header["parentHash"], header["stateRoot"], header["extrinsicsRoot"]
    counts = len(extrinsics), len(events), node.runtime_version
    db.execute("INSERT INTO block VALUES (?,?,?,?,?,?,?,?)", (height, digest, *roots, *counts))
    db.executemany(
        "INSERT INTO extrinsic VALUES (?,?,?,?,?,?,?,?,?)",
        [(height, at, *_extrinsic(each.value)) for at, each in enumerate(extrinsics)],
    )
    db.executemany(
        "INSERT INTO event VALUES (?,?,?,?,?,?,?)",
        [(height, at, *_event(each.value)) for at, each in enumerate(events)],
    )


def _extrinsic(value: Any) -> tuple[object, ...]:
    call = value["call"]
    arguments = json.dumps(call["call_args"], default=str)
    signed = "address" in value
    return (
        value.get("extrinsic_hash"),
        call["call_module"],
        call["call_function"],
        arguments,
        signed,
        value.get("address"),
        value.get("nonce"),
    )


def _event(value: Any) -> tuple[object, ...]:
    attributes = json.dumps(value["attributes"], default=str)
    return (
        value["extrinsic_idx"],
        value["phase"],
        value["module_id"],
        value["event_id"],
        attributes,
    )


def _peak() -> int | None:
    """Bytes that this process held at most, where there is a /proc."""
    status = Path("/proc/self/status")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


if __name__ == "__main__":
    main()
