"""Finalised blocks from a node that serves a chain made by hand, truly and otherwise."""

import json
import threading
from typing import Any

import pytest
from websockets.sync.server import ServerConnection

from ibp_chain.errors import SourceError
from ibp_chain.rpc import RpcClient
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from tests.support.chain import GENESIS, SPEC, ScriptedNode, chain, hex_
from tests.support.rpc_server import http_node, reply, ws_node

ONE = BlockNumber(1)


def _source(url: str, **options: Any) -> NodeSource:
    client = RpcClient(url, timeout=60.0, attempts=1, sleep=lambda _: None)
    return NodeSource(url, client=client, **options)


def _read(node: ScriptedNode, first: int = 1, last: int | None = None) -> list[Any]:
    with http_node(node) as url, _source(url, window=8) as source:
        return list(source.blocks(BlockNumber(first), None if last is None else BlockNumber(last)))


def test_blocks_are_read_as_they_are() -> None:
    blocks = chain(range(1, 30))
    assert _read(ScriptedNode(blocks)) == blocks
    assert _read(ScriptedNode(blocks), 5, 20) == blocks[4:20]


def test_only_finalised_blocks_are_read() -> None:
    blocks = chain(range(1, 11))
    assert _read(ScriptedNode(blocks, finalised=6)) == blocks[:7]


@pytest.mark.parametrize(
    "heights", [[1, 2, 900, 901, 5000], [50, 51], [1, 9, 17, 25, 1000, 1001], [1, 2, 3, 4]]
)
def test_skipped_heights_are_followed_by_the_parent_link(heights: list[int]) -> None:
    blocks = chain(heights)
    assert _read(ScriptedNode(blocks)) == blocks


def test_a_block_belongs_to_the_runtime_in_its_parents_state() -> None:
    blocks = chain(range(1, 20))
    new = {block.hash: SPEC + 1 for block in blocks[9:]}
    read = _read(ScriptedNode(blocks, versions=new))
    assert [block.spec_version for block in read] == [SPEC] * 10 + [SPEC + 1] * 9


def test_another_chain_is_refused_by_its_genesis() -> None:
    with http_node(ScriptedNode(chain([1]))) as url:
        with pytest.raises(SourceError, match="on another chain"):
            _source(url, expected_genesis=Hash(b"x" * 32))
        _source(url, expected_genesis=GENESIS.hash).close()


def test_a_node_that_is_refused_is_not_left_connected() -> None:
    gone = threading.Event()

    def talk(connection: ServerConnection) -> None:
        try:
            for message in connection:
                connection.send(json.dumps(reply(ScriptedNode(chain([1])), json.loads(message))))
        finally:
            gone.set()

    with ws_node(talk) as url:
        with pytest.raises(SourceError, match="on another chain"):
            NodeSource(url, expected_genesis=Hash(b"x" * 32))
        assert gone.wait(60), "nobody has closed the connection"


def test_blocks_that_are_not_final_yet_are_refused() -> None:
    with pytest.raises(SourceError, match="not yet block 9"):
        _read(ScriptedNode(chain(range(1, 5))), 1, 9)


def test_genesis_is_no_block_to_read() -> None:
    with pytest.raises(SourceError, match="first block that can be read is 1"):
        _read(ScriptedNode(chain([1])), 0)


def test_a_pruned_body_says_what_to_do() -> None:
    blocks = chain(range(1, 5))
    node = ScriptedNode(
        blocks,
        lies={"chain_getBlock": lambda truth, d: None if d == hex_(blocks[2].hash) else truth},
    )
    with pytest.raises(SourceError, match=r"body of block 3: it is pruned; use an archive node"):
        _read(node)


def _change(what: str) -> Any:
    def lie(truth: Any, _digest: str) -> Any:
        match what:
            case "dropped extrinsic":
                truth["block"]["extrinsics"].pop()
            case "reordered extrinsics":
                truth["block"]["extrinsics"].reverse()
            case "another state root":
                truth["block"]["header"]["stateRoot"] = hex_(b"x" * 32)
            case "another number":
                truth["block"]["header"]["number"] = "0x9"
            case "malformed":
                truth["block"] = []
            case "no hex":
                truth["block"]["extrinsics"][0] = "zz"
        return truth

    return lie


@pytest.mark.parametrize(
    "what",
    [
        "dropped extrinsic",
        "reordered extrinsics",
        "another state root",
        "another number",
        "malformed",
        "no hex",
    ],
)
def test_a_block_that_does_not_hold_up_is_refused(what: str) -> None:
    node = ScriptedNode(chain(range(1, 4)), lies={"chain_getBlock": _change(what)})
    with pytest.raises(SourceError) as caught:
        _read(node)
    assert "\n" not in str(caught.value)


def test_a_chain_without_a_link_is_refused() -> None:
    fork = chain([1, 2], salt=b"x")
    torn = [*chain([1]), *fork[1:]]
    with pytest.raises(SourceError, match="parent_hash"):
        _read(ScriptedNode(torn))


def test_a_gap_without_a_link_is_refused() -> None:
    other = chain([40, 41], parent=Hash(b"q" * 32))
    with pytest.raises(SourceError):
        _read(ScriptedNode([*chain([1, 2]), *other]))


def test_one_block_is_read_by_its_hash_final_or_not() -> None:
    blocks = chain(range(1, 5))
    with http_node(ScriptedNode(blocks, finalised=0)) as url, _source(url) as source:
        assert source.block(blocks[3].hash) == blocks[3]
        with pytest.raises(SourceError, match="has no block"):
            source.block(Hash(b"n" * 32))


def test_following_yields_each_block_once_as_it_becomes_final() -> None:
    blocks = chain(range(1, 8))
    node = ScriptedNode(blocks, finalised=1)
    with http_node(node) as url, _source(url, poll_seconds=0.0) as source:
        seen = []
        for block in source.follow(ONE):
            seen.append(block)
            if len(seen) == node.finalised + 1:
                if block == blocks[-1]:
                    break
                node.finalised += 1
    assert seen == blocks


def test_following_stops_when_told() -> None:
    blocks = chain(range(1, 8))
    with http_node(ScriptedNode(blocks)) as url, _source(url, poll_seconds=0.0) as source:
        calls = iter([False, False, False, True])
        assert list(source.follow(ONE, stop=lambda: next(calls))) == blocks[:3]


def test_following_a_reverted_finalised_chain_is_refused() -> None:
    blocks = chain(range(1, 4))
    node = ScriptedNode(list(blocks))
    with http_node(node) as url, _source(url, poll_seconds=0.0) as source:
        following = source.follow(ONE)
        assert [next(following) for _ in range(3)] == blocks
        node.blocks = chain(range(1, 6), salt=b"fork")
        with pytest.raises(SourceError, match="parent_hash"):
            next(following)


def test_metadata_of_a_runtime_that_was_never_seen_is_refused() -> None:
    refused = pytest.raises(SourceError, match="no block with spec version 99")
    with http_node(ScriptedNode(chain([1]))) as url, _source(url) as source, refused:
        source.metadata(SpecVersion(99))
