"""Deep links: whole addresses on known chains, one's own node on others, with the version."""

import pytest

from ibp_chain.explorers import EXPLORERS, decode_link
from ibp_chain.types import Hash
from multisig.links import bundle_links, version_note
from multisig.steps import Point
from tests.support import payouts

BUNDLE = payouts.bundle()
POLKADOT = Hash(bytes.fromhex("91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3"))
NODE = "wss://rpc.example:9944/path"
HEX = "0x" + BUNDLE.call.hex()


def on(genesis: Hash) -> dict[str, str]:
    chain = BUNDLE.chain.model_copy(update={"genesis_hash": genesis})
    bundle = BUNDLE.model_copy(update={"chain": chain})
    return dict(bundle_links(bundle, NODE, Point(29_000_000, 3)))


def test_on_polkadot_the_call_the_operation_and_the_multisig_have_their_pages() -> None:
    assert on(POLKADOT) == {
        "the call, in polkadot.js apps": (
            f"https://polkadot.js.org/apps/?rpc=wss%3A%2F%2Frpc.polkadot.io#/extrinsics/decode/{HEX}"
        ),
        "the call, in the papi console": (
            "https://dev.papi.how/extrinsics#networkId=polkadot"
            f"&endpoint=wss%3A%2F%2Frpc.polkadot.io&data={HEX}"
        ),
        "the operation, in Subscan": (
            "https://polkadot.subscan.io/multisig_extrinsic/29000000-3"
            f"?call_hash=0x{BUNDLE.call_hash.hex()}"
        ),
        "the multisig, in Subscan": (
            f"https://polkadot.subscan.io/account/{BUNDLE.multisig.account}"
        ),
    }


def test_an_operation_that_is_not_open_has_no_page() -> None:
    chain = BUNDLE.chain.model_copy(update={"genesis_hash": POLKADOT})
    found = bundle_links(BUNDLE.model_copy(update={"chain": chain}), NODE, None)
    assert len(found) == 3


@pytest.mark.parametrize("genesis", EXPLORERS, ids=lambda each: EXPLORERS[each].papi)
def test_every_known_chain_has_all_of_them(genesis: Hash) -> None:
    assert len(on(genesis)) == 4


def test_a_test_chain_has_only_the_users_own_node() -> None:
    ((name, url),) = on(BUNDLE.chain.genesis_hash).items()
    assert name == "the call, in polkadot.js apps"
    assert url.startswith(
        "https://polkadot.js.org/apps/?rpc=wss%3A%2F%2Frpc.example%3A9944%2Fpath#/"
    )


@pytest.mark.parametrize("node", [None, "http://127.0.0.1:9944", "javascript:alert(1)", ""])
def test_a_node_that_no_page_can_ask_makes_no_link(node: str | None) -> None:
    assert decode_link(BUNDLE.chain.genesis_hash, BUNDLE.call, node) is None


def test_the_version_that_the_pages_decode_with_stands_beside_the_links() -> None:
    assert "of spec version 7, which the node runs" in version_note(7, 7)
    other = version_note(7, 8)
    assert "spec version 7, the node runs 8" in other
    assert "may show another call" in other
