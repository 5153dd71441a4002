"""Proofs that somebody changed, each in one way, and what is to be said of it."""

import json
from collections.abc import Callable
from typing import Any

from ibp_chain.remarks import canonical_json

Document = dict[str, Any]


def altered(proof: bytes, change: Callable[[Document], object]) -> bytes:
    """`proof`, a service's day, with `change` made to its document: written canonically again."""
    document = json.loads(proof)
    change(document)
    return canonical_json(document) + b"\n"


def _row_only(document: Document) -> None:
    document["row"] = _raised(document["row"])


def _raised(row: str) -> str:
    """The last byte of p99 one higher: still a row, of a slower service."""
    raw = bytearray.fromhex(row[2:])
    raw[-1] += 1
    return "0x" + raw.hex()


def _row_and_words(document: Document) -> None:
    document["row"] = _raised(document["row"])
    document["fields"]["p99_us"] += 1 << 24


def _other_hash(document: Document) -> None:
    document["path"][1] = "0x" + "11" * 32


CHANGES: dict[str, tuple[Callable[[Document], object], str]] = {
    "words": (lambda found: found["fields"].update(failed=0, ok=0), "is"),
    "row": (_row_only, "p99_us is"),
    "row-and-words": (_row_and_words, "they lead to 0x"),
    "place": (lambda found: found.update(index=found["index"] ^ 1), "they lead to 0x"),
    "no-such-place": (lambda found: found.update(index=found["size"]), "there is no such row"),
    "a-hash": (_other_hash, "they lead to 0x"),
    "a-hash-less": (lambda found: found["path"].pop(), "the path ends after"),
    "a-hash-more": (lambda found: found["path"].append(found["root"]), "the path has"),
    "root": (lambda found: found.update(root="0x" + "22" * 32), "they lead to 0x"),
    "day": (lambda found: found.update(day="2026-01-01"), "the row is of"),
    "a-byte-more": (lambda found: found.update(row=found["row"] + "00"), "bytes behind the row"),
    "a-byte-less": (lambda found: found.update(row=found["row"][:-2]), "are left"),
    "kind": (lambda found: found.update(kind="observe"), "of the row"),
    "no-kind": (lambda found: found.update(row="0x07" + found["row"][4:]), "no row of kind 7"),
    "unknown-field": (lambda found: found.update(note="trust me"), "no such field"),
    "version": (lambda found: found.update(version=2), "version"),
}
"""The change, and a part of what is said of it."""
