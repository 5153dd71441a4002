"""Roots and proofs against vectors of the real trie implementation, and against hostile nodes."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import CheckFailed, DecodeError
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.trie import (
    EMPTY_ROOT,
    extrinsics_root,
    prune_read_proof,
    trie_root,
    verify_read_proof,
)
from ibp_chain.types import Hash

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "trie_vectors.json").read_text()
)["cases"]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _entries(case: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(_bytes(key), _bytes(value)) for key, value in case["entries"]]


def _proof(case: dict[str, Any]) -> list[bytes]:
    return [_bytes(node) for node in case["proof"]]


@pytest.mark.parametrize("case", VECTORS)
@pytest.mark.parametrize("version", [0, 1])
def test_the_root_is_the_real_implementations(case: dict[str, Any], version: int) -> None:
    assert trie_root(_entries(case), version) == _bytes(case[f"v{version}"])


def test_the_order_of_entries_does_not_matter() -> None:
    entries = _entries(VECTORS[-1])
    assert trie_root(reversed(entries), 1) == trie_root(entries, 1)


def test_an_empty_trie_has_the_known_root() -> None:
    assert trie_root([], 0) == trie_root([], 1) == EMPTY_ROOT
    assert extrinsics_root([]).hex() == (
        "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"
    )


def test_a_key_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        trie_root([(b"a", b"1"), (b"a", b"2")], 0)


def test_another_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        trie_root([(b"a", b"1")], 2)


def test_extrinsics_are_kept_under_their_compact_index() -> None:
    extrinsics = [bytes([i]) * (i + 1) for i in range(70)]
    entries = [(encode_compact(i), raw) for i, raw in enumerate(extrinsics)]
    assert extrinsics_root(extrinsics) == trie_root(entries, 0)
    assert extrinsics_root(extrinsics, 1) == trie_root(entries, 1)


@pytest.mark.parametrize("case", VECTORS)
def test_every_value_is_proven_and_needs_no_other_node(case: dict[str, Any]) -> None:
    root, nodes = Hash(_bytes(case["v0"])), _proof(case)
    for key, value in _entries(case):
        assert verify_read_proof(root, key, nodes) == value
        needed = prune_read_proof(root, key, nodes)
        assert verify_read_proof(root, key, needed) == value
        for missing in needed:
            with pytest.raises(CheckFailed, match="is missing"):
                verify_read_proof(root, key, [node for node in needed if node != missing])


@pytest.mark.parametrize("case", VECTORS[:10])
def test_absence_is_proven_too(case: dict[str, Any]) -> None:
    root, nodes, entries = Hash(_bytes(case["v0"])), _proof(case), dict(_entries(case))
    for key in entries:
        other = key + b"\x7f"
        assert verify_read_proof(root, other, nodes) == entries.get(other)


def test_a_changed_byte_anywhere_in_a_needed_node_is_found() -> None:
    case = VECTORS[0]
    root, (key, value) = Hash(_bytes(case["v0"])), _entries(case)[0]
    needed = list(prune_read_proof(root, key, _proof(case)))
    for position, node in enumerate(needed):
        for index in range(len(node)):
            altered = bytearray(node)
            altered[index] ^= 1
            nodes = [*needed[:position], bytes(altered), *needed[position + 1 :]]
            with pytest.raises(CheckFailed):
                assert verify_read_proof(root, key, nodes) == value


@given(st.binary(max_size=80))
def test_a_hostile_root_node_is_a_decode_error_or_proves_nothing(node: bytes) -> None:
    with contextlib.suppress(DecodeError, CheckFailed):
        verify_read_proof(blake2_256(node), b"key", [node])


@given(st.dictionaries(st.binary(max_size=12), st.binary(min_size=1, max_size=40), max_size=24))
def test_one_changed_value_changes_the_root(entries: dict[bytes, bytes]) -> None:
    root = trie_root(entries.items(), 1)
    for key, value in entries.items():
        assert trie_root({**entries, key: value + b"\0"}.items(), 1) != root


@given(st.lists(st.binary(max_size=80), max_size=70), st.sampled_from((0, 1)))
def test_the_short_way_to_an_extrinsics_root_leads_where_the_long_one_does(
    body: list[bytes], state_version: int
) -> None:
    entries = ((encode_compact(index), raw) for index, raw in enumerate(body))
    assert extrinsics_root(body, state_version) == trie_root(entries, state_version)


def test_every_length_of_a_short_body_has_the_root_of_the_trie() -> None:
    for state_version in (0, 1):
        for length in range(1, 70):
            body = [bytes((index,)) * (3 * index) for index in range(length)]
            entries = ((encode_compact(index), raw) for index, raw in enumerate(body))
            assert extrinsics_root(body, state_version) == trie_root(entries, state_version)
