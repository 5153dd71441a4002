"""Pages for a block in public explorers: by the chain's genesis hash, none for a test chain."""

import json

import pytest

from ibp_chain.archive import ArchiveSource
from ibp_chain.blocks import BlockRef
from ibp_chain.explorers import EXPLORERS, links
from ibp_chain.networks import NETWORKS
from ibp_chain.types import BlockNumber, Hash
from tests.support.command_line import DEMO, ROOT

POLKADOT = Hash(bytes.fromhex("91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3"))
BLOCK = BlockRef(BlockNumber(29_000_000), Hash(bytes(31) + b"\xab"))


def test_an_extrinsic_has_its_page_and_its_block() -> None:
    subscan, apps = links(POLKADOT, BLOCK, 3)
    assert subscan == "https://polkadot.subscan.io/extrinsic/29000000-3"
    assert apps == (
        "https://polkadot.js.org/apps/?rpc=wss%3A%2F%2Frpc.polkadot.io"
        "#/explorer/query/0x" + "00" * 31 + "ab"
    )


def test_what_a_hook_did_is_in_the_block_only() -> None:
    assert links(POLKADOT, BLOCK, None)[0] == "https://polkadot.subscan.io/block/29000000"
    assert links(POLKADOT, BLOCK, 0)[0].endswith("/extrinsic/29000000-0")


def test_a_test_chain_under_a_known_name_is_in_no_explorer() -> None:
    recorded = ArchiveSource(DEMO / "archive")
    assert recorded.manifest.chain.name == "Paseo Testnet"
    assert links(recorded.genesis_hash, BLOCK, 0) == ()


def test_every_network_has_an_explorer() -> None:
    proven = json.loads((ROOT / "tests" / "data" / "proven_blocks.json").read_text())
    paseo = Hash(bytes.fromhex(proven["paseo-2024"]["genesis_hash"].removeprefix("0x")))
    assert links(paseo, BLOCK, 0)[0].startswith("https://paseo.subscan.io/")
    assert len({explorer.subscan for explorer in EXPLORERS.values()}) == len(NETWORKS)


@pytest.mark.parametrize("genesis", EXPLORERS)
def test_explorers_are_addressed_by_whole_names(genesis: Hash) -> None:
    assert len(genesis) == 32
    assert all(" " not in link and link.startswith("https://") for link in links(genesis, BLOCK, 1))
