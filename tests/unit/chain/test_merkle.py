import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.blocks import blake2_256
from ibp_chain.merkle import inclusion_proof, leaf_hash, node_hash, tree_root, verify_inclusion
from ibp_chain.types import Hash

entries_lists = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def recursive_root(entries: list[bytes]) -> Hash:
    """RFC 9162, section 2.1.1, as the text has it."""
    if not entries:
        return blake2_256(b"")
    if len(entries) == 1:
        return leaf_hash(entries[0])
    split = 1 << (len(entries) - 1).bit_length() - 1
    return node_hash(recursive_root(entries[:split]), recursive_root(entries[split:]))


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_root_is_the_rfcs(entries: list[bytes]) -> None:
    assert tree_root(entries) == recursive_root(entries)


def test_the_root_of_three_leaves_is_worked_out_by_hand() -> None:
    a, b, c = (leaf_hash(x) for x in (b"a", b"b", b"c"))
    assert tree_root([b"a", b"b", b"c"]) == node_hash(node_hash(a, b), c)
    assert a == blake2_256(b"\0a")
    assert node_hash(a, b) == blake2_256(b"\1" + a + b)


@given(entries_lists, st.data())
def test_a_proof_holds_for_its_entry_and_for_no_other(
    entries: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    path, root = inclusion_proof(entries, index), tree_root(entries)
    assert verify_inclusion(entries[index], index, len(entries), path, root)
    assert not verify_inclusion(entries[index] + b"x", index, len(entries), path, root)
    assert not verify_inclusion(entries[index], index, len(entries), (*path, root), root)
    for other in range(len(entries)):
        if entries[other] != entries[index]:
            assert not verify_inclusion(entries[other], other, len(entries), path, root)


@given(entries_lists, st.data())
def test_one_flipped_bit_in_a_proof_is_refused(entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    path, root = list(inclusion_proof(entries, index)), tree_root(entries)
    blob = bytearray(b"".join(path) + root)
    bit = data.draw(st.integers(0, 8 * len(blob) - 1))
    blob[bit // 8] ^= 1 << bit % 8
    parts = [Hash(bytes(blob[i : i + 32])) for i in range(0, len(blob), 32)]
    assert not verify_inclusion(entries[index], index, len(entries), parts[:-1], parts[-1])


def test_an_inner_node_does_not_pass_for_an_entry() -> None:
    entries = [b"a", b"b", b"c", b"d"]
    inner = bytes(leaf_hash(b"a") + leaf_hash(b"b"))
    path = (node_hash(leaf_hash(b"c"), leaf_hash(b"d")),)
    assert not verify_inclusion(inner, 0, 2, path, tree_root(entries))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    assert not verify_inclusion(b"a", index, size, (), leaf_hash(b"a"))
