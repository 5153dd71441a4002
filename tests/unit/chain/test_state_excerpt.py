"""Parts of a state: nothing in them is wrong, and nothing is missing."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.blocks import Header, blake2_256
from ibp_chain.errors import CheckFailed, DecodeError, InputError
from ibp_chain.packed import pack
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.state_excerpt import (
    Excerpt,
    decode_excerpt,
    fetch_excerpt,
    read_excerpt_file,
)
from ibp_chain.trie import EMPTY_ROOT
from ibp_chain.types import BlockNumber, Hash

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "trie_vectors.json").read_text()
)["cases"]
CASES = [case for case in VECTORS if case["entries"]]
LARGEST = max(CASES, key=lambda case: len(case["entries"]))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def entries_of(case: dict[str, Any]) -> dict[bytes, bytes]:
    return {_bytes(key): _bytes(value) for key, value in sorted(case["entries"])}


def excerpt_of(case: dict[str, Any]) -> Excerpt:
    nodes = (_bytes(node) for node in case["proof"])
    return Excerpt(header_with(Hash(_bytes(case["v0"]))), {blake2_256(n): n for n in nodes})


def header_with(root: Hash) -> Header:
    zero = Hash(bytes(32))
    return Header(zero, BlockNumber(7), root, zero, ())


@pytest.mark.parametrize("case", CASES)
def test_every_entry_under_a_prefix_comes_out_in_order(case: dict[str, Any]) -> None:
    excerpt, entries = excerpt_of(case), entries_of(case)
    prefixes = {key[:length] for key in entries for length in range(len(key) + 1)}
    for prefix in [*prefixes, b"\xff\xff\xff none"]:
        under = [(key, value) for key, value in sorted(entries.items()) if key.startswith(prefix)]
        assert list(excerpt.entries(prefix)) == under
    for key, value in entries.items():
        assert excerpt.value(key) == value
    assert excerpt.value(b"\xff\xff\xff none") is None


def test_a_node_that_is_left_out_is_missed() -> None:
    excerpt = excerpt_of(LARGEST)
    for digest in excerpt.nodes:
        rest = {other: node for other, node in excerpt.nodes.items() if other != digest}
        with pytest.raises(CheckFailed, match=f"0x{digest.hex()} is missing"):
            list(replace(excerpt, nodes=rest).entries(b""))


def test_a_changed_node_is_another_node() -> None:
    excerpt = excerpt_of(LARGEST)
    for digest, node in excerpt.nodes.items():
        changed = dict(excerpt.nodes)
        del changed[digest]
        changed[blake2_256(node + b"\0")] = node + b"\0"
        with pytest.raises(CheckFailed, match="missing"):
            list(replace(excerpt, nodes=changed).entries(b""))


def test_an_empty_state_has_no_entries() -> None:
    assert list(Excerpt(header_with(EMPTY_ROOT), {}).entries(b"")) == []


def test_a_maze_of_nodes_that_name_each_other_is_left_soon() -> None:
    """Sixteen times the same child, level below level: a walk of all would never end."""
    node = b"\x40\x04\x01"  # a leaf with no key of its own and one byte
    nodes = {}
    for _ in range(40):
        node = node if len(node) >= 32 else node.ljust(33, b"\0")
        nodes[blake2_256(node)] = node
        child = encode_compact(32) + blake2_256(node)
        node = b"\x80\xff\xff" + child * 16
    nodes[blake2_256(node)] = node
    with pytest.raises((CheckFailed, DecodeError)) as refusal:
        list(Excerpt(header_with(blake2_256(node)), nodes).entries(b""))
    assert "too often" in str(refusal.value) or "too many" in str(refusal.value)


def test_a_value_under_half_a_byte_is_refused() -> None:
    leaf = b"\x41\x0a\x04\x01"  # one nibble, a value of one byte
    with pytest.raises(DecodeError, match="odd key"):
        list(Excerpt(header_with(blake2_256(leaf)), {blake2_256(leaf): leaf}).entries(b""))


def test_a_key_without_end_is_left_soon() -> None:
    """Branch below branch with keys of thousands of nibbles: each path would be a copy of all."""
    node = b"\x40\x04\x01"
    nodes = {}
    for _ in range(60):
        node = node.ljust(33, b"\0")
        nodes[blake2_256(node)] = node
        partial = bytes((0x80 | 63, *(255,) * 200, 0)) + bytes((63 + 200 * 255 + 1) // 2)
        node = partial + b"\x03\x00" + (encode_compact(32) + blake2_256(node)) * 2
    nodes[blake2_256(node)] = node
    with pytest.raises(DecodeError, match="nibbles"):
        list(Excerpt(header_with(blake2_256(node)), nodes).entries(b""))


# --- Files ------------------------------------------------------------------------------


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    excerpt = excerpt_of(LARGEST)
    excerpt.write(tmp_path / "excerpt")
    assert read_excerpt_file(tmp_path / "excerpt") == excerpt
    assert excerpt.encode() == excerpt_of(LARGEST).encode()


def test_no_damaged_byte_goes_unnoticed() -> None:
    excerpt = excerpt_of(CASES[0])
    whole = excerpt.encode()
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]):
            assert proves(damaged) != dict(excerpt.entries(b""))


def proves(data: bytes) -> dict[bytes, bytes] | str:
    """The entries, or what is wrong; of a header that is not the chain's, that it is not."""
    try:
        excerpt = decode_excerpt(data, "the file")
        entries = dict(excerpt.entries(b""))
    except (InputError, CheckFailed, DecodeError) as error:
        return str(error)
    return entries if excerpt.header == excerpt_of(CASES[0]).header else "another block's"


def test_a_file_that_says_that_it_is_huge_reserves_no_memory() -> None:
    frame = bytearray(pack(b"x" * 300))
    frame[4] = 0xE0 | frame[4] & 0x1F  # an eight-byte content size
    bomb = bytes(frame[:5]) + (1 << 62).to_bytes(8, "little") + bytes(frame[7:])
    with pytest.raises(InputError, match="says that it holds"):
        decode_excerpt(b"IBP state excerpt 1\n" + bomb, "the file")


def test_nodes_of_nothing_are_refused_at_the_first() -> None:
    header = header_with(EMPTY_ROOT).encoded
    raw = encode_compact(len(header)) + header + encode_compact(1 << 29) + b"\0" * 1_000
    with pytest.raises(InputError, match="a trie node of 0 bytes"):
        decode_excerpt(b"IBP state excerpt 1\n" + pack(raw), "the file")


# --- From a node ------------------------------------------------------------------------


class LyingNode:
    """Serves the largest vector; leaves out what it is told to."""

    def __init__(self, hidden: bytes | None = None) -> None:
        self.hidden = hidden

    def keys(self, prefix: bytes, at: Hash) -> Iterator[bytes]:
        assert at == excerpt_of(LARGEST).header.hash
        return (k for k in sorted(entries_of(LARGEST)) if k.startswith(prefix) and k != self.hidden)

    def read_proof(self, keys: Sequence[bytes], at: Hash) -> tuple[bytes, ...]:
        assert at == excerpt_of(LARGEST).header.hash
        excerpt = excerpt_of(LARGEST)
        needed: dict[bytes, None] = {}
        for key in keys:
            wanted = _Recording(excerpt.nodes)
            Excerpt(excerpt.header, wanted).value(key)
            needed |= dict.fromkeys(wanted.taken)
        return tuple(needed)


class _Recording(dict[Hash, bytes]):
    def __init__(self, nodes: Any) -> None:
        super().__init__(nodes)
        self.taken: list[bytes] = []

    def get(self, digest: Hash, default: Any = None) -> Any:
        found = super().get(digest, default)
        self.taken.append(found)
        return found


def test_what_a_node_proves_is_kept_and_no_more() -> None:
    entries = entries_of(LARGEST)
    key = max(entries)
    excerpt = fetch_excerpt(LyingNode(), excerpt_of(LARGEST).header, [key])
    assert excerpt.value(key) == entries[key]
    assert len(excerpt.nodes) < len(excerpt_of(LARGEST).nodes)
    with pytest.raises(CheckFailed, match="missing"):
        list(excerpt.entries(b""))


def test_an_entry_that_a_node_conceals_is_missed() -> None:
    """Unless another one's path proves it anyway: then it is in the excerpt."""
    entries, header = entries_of(LARGEST), excerpt_of(LARGEST).header
    refused = 0
    for hidden in entries:
        try:
            excerpt = fetch_excerpt(LyingNode(hidden), header, [b""])
        except CheckFailed:
            refused += 1
        else:
            assert dict(excerpt.entries(b"")) == entries
    assert refused
