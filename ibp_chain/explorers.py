"""Where anybody can look at blocks, calls and accounts in a browser.

A chain is known by its genesis hash: a test chain runs Paseo's runtime under Paseo's name, and is
in no explorer. A call goes into the fragment of an address, which browsers do not send. polkadot.js
apps and the papi console read it with the runtime that their node runs now, whatever the call was
made for.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from ibp_chain.blocks import BlockRef
from ibp_chain.types import Hash


class Explorer(NamedTuple):
    """How one chain is called in Subscan and in the papi console, and a public node for pages that
    ask one themselves.
    """

    subscan: str
    node: str
    papi: str


def _genesis(text: str) -> Hash:
    return Hash(bytes.fromhex(text))


EXPLORERS: Mapping[Hash, Explorer] = {
    _genesis("91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3"): Explorer(
        "polkadot", "wss://rpc.polkadot.io", "polkadot"
    ),
    _genesis("68d56f15f85d3136970ec16946040bc1752654e906147f7e43e9d539d7c3de2f"): Explorer(
        "assethub-polkadot", "wss://polkadot-asset-hub-rpc.polkadot.io", "polkadot_asset_hub"
    ),
    _genesis("b0a8d493285c2df73290dfb7e61f870f17b41801197a149ca93654499ea3dafe"): Explorer(
        "kusama", "wss://kusama-rpc.polkadot.io", "kusama"
    ),
    _genesis("48239ef607d7928874027a43a67689209727dfb3d3dc5e5b03a39bdc2eda771a"): Explorer(
        "assethub-kusama", "wss://kusama-asset-hub-rpc.polkadot.io", "kusama_asset_hub"
    ),
    _genesis("77afd6190f1554ad45fd0d31aee62aacc33c6db0ea801129acb813f913e0764f"): Explorer(
        "paseo", "wss://paseo-rpc.dwellir.com", "paseo"
    ),
    _genesis("d6eec26135305a8ad257a20d003357284c8aa03d0bdb2b357ab0a22371e11ef2"): Explorer(
        "assethub-paseo", "wss://asset-hub-paseo-rpc.dwellir.com", "paseo_asset_hub"
    ),
}


def links(genesis_hash: Hash, block: BlockRef, extrinsic: int | None) -> tuple[str, ...]:
    """Pages that show an extrinsic, or its block where a hook did it; none for an unknown chain.

    Subscan finds a block by its number, polkadot.js apps by its hash.
    """
    explorer = EXPLORERS.get(genesis_hash)
    if explorer is None:
        return ()
    page = f"block/{block.number}" if extrinsic is None else f"extrinsic/{block.number}-{extrinsic}"
    return (
        _subscan(explorer, page),
        f"{_apps(explorer.node)}#/explorer/query/0x{block.hash.hex()}",
    )


def decode_link(genesis_hash: Hash, call: bytes, node: str | None = None) -> str | None:
    """polkadot.js apps, showing what `call` does.

    It asks a public node, or on a chain that it has none for, the one at `node`; None where that
    speaks no WebSocket, which is all that a page can connect to.
    """
    explorer = EXPLORERS.get(genesis_hash)
    url = node if explorer is None else explorer.node
    if url is None or urlsplit(url).scheme not in ("ws", "wss"):
        return None
    return f"{_apps(url)}#/extrinsics/decode/0x{call.hex()}"


def papi_link(genesis_hash: Hash, call: bytes) -> str | None:
    """The papi console, showing what `call` does; None for an unknown chain."""
    explorer = EXPLORERS.get(genesis_hash)
    if explorer is None:
        return None
    return (
        f"https://dev.papi.how/extrinsics#networkId={explorer.papi}"
        f"&endpoint={quote(explorer.node, safe='')}&data=0x{call.hex()}"
    )


def account_link(genesis_hash: Hash, address: str) -> str | None:
    """Subscan's page of an account; None for an unknown chain."""
    explorer = EXPLORERS.get(genesis_hash)
    return None if explorer is None else _subscan(explorer, f"account/{quote(address, safe='')}")


def multisig_link(genesis_hash: Hash, height: int, index: int, call_hash: Hash) -> str | None:
    """Subscan's page of a multisig operation, by its timepoint; None for an unknown chain."""
    explorer = EXPLORERS.get(genesis_hash)
    if explorer is None:
        return None
    page = f"multisig_extrinsic/{height}-{index}?call_hash=0x{call_hash.hex()}"
    return _subscan(explorer, page)


def _subscan(explorer: Explorer, page: str) -> str:
    return f"https://{explorer.subscan}.subscan.io/{page}"


def _apps(node: str) -> str:
    return f"https://polkadot.js.org/apps/?rpc={quote(node, safe='')}"
