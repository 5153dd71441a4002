"""What several nodes say of one height, weighed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import ConfigError
from ibp_chain.node_agreement import (
    NodesDisagree,
    check_trust,
    heights_to_compare,
    target,
    weigh,
)
from ibp_chain.types import BlockNumber, Hash

A, B = Hash(b"a" * 32), Hash(b"b" * 32)
TEN = BlockNumber(10)


def _head(number: int, digest: Hash = A) -> BlockRef:
    return BlockRef(BlockNumber(number), digest)


def test_one_nodes_word_is_taken_while_nobody_contradicts_it() -> None:
    assert weigh(TEN, {"one": A, "two": None}, None).taken == A
    assert weigh(TEN, {"one": None, "two": None}, None).taken is None
    assert weigh(TEN, {}, None).taken is None


def test_two_words_are_a_disagreement_that_names_both() -> None:
    with pytest.raises(NodesDisagree) as caught:
        weigh(TEN, {"one": A, "two": B, "three": None}, None)
    assert caught.value.exit_code == 1
    assert caught.value.disagreement.named == (("one", A), ("two", B))
    for said in ("block 10", "one", "two", A.hex(), B.hex(), "--trust"):
        assert said in str(caught.value)
    assert "three" not in str(caught.value)


def test_a_majority_outvotes_the_others() -> None:
    verdict = weigh(TEN, {"one": A, "two": B, "three": A}, 2)
    assert verdict.taken == A
    assert verdict.outvoted == ("two",)
    assert verdict.disagreement is not None
    assert verdict.disagreement.resolved == A


def test_what_too_few_name_is_not_taken_and_not_resolved() -> None:
    assert weigh(TEN, {"one": A}, 2).taken is None
    with pytest.raises(NodesDisagree):
        weigh(TEN, {"one": A, "two": B}, 2)


@given(st.lists(st.sampled_from([A, B, None]), min_size=1, max_size=7), st.data())
def test_no_two_blocks_of_a_height_can_both_be_taken(
    said: list[Hash | None], data: st.DataObject
) -> None:
    trust = data.draw(st.integers(len(said) // 2 + 1, len(said)))
    check_trust(trust, len(said))
    named = {str(place): digest for place, digest in enumerate(said)}
    part = {name: named[name] for name in data.draw(st.sets(st.sampled_from(sorted(named))))}
    taken = set()
    for heard in (named, part):
        try:
            taken.add(weigh(TEN, heard, trust).taken)
        except NodesDisagree:
            continue
    assert len(taken - {None}) <= 1


@pytest.mark.parametrize(("trust", "nodes"), [(1, 2), (2, 4), (3, 2), (2, 1), (4, 3)])
def test_trust_is_a_majority_of_the_nodes_that_there_are(trust: int, nodes: int) -> None:
    with pytest.raises(ConfigError, match="majority"):
        check_trust(trust, nodes)


def test_the_target_is_the_height_that_enough_nodes_have_reached() -> None:
    heads = [_head(12), _head(9), _head(11)]
    assert target(heads, None) == 12
    assert target(heads, 2) == 11
    assert target(heads, 3) == 9
    assert target(heads[:1], 2) is None
    assert target([], None) is None


def test_nodes_are_compared_where_each_of_them_stands() -> None:
    heads = [_head(12), _head(9), _head(11)]
    assert heights_to_compare(heads, BlockNumber(12)) == [9, 11, 12]
    assert heights_to_compare(heads, BlockNumber(11)) == [9, 11]
