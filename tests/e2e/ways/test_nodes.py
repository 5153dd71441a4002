"""A node that lies, is behind, is of another chain, or runs another runtime."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from ibp_chain.scale.primitives import decode_compact, encode_compact
from tests.support.command_line import assert_done, assert_one_clear_line
from tests.support.pay_office import ACCOUNTS, MULTISIG, URIS, PayOffice
from tests.support.rpc_proxy import Proxy, rpc_proxy

pytestmark = pytest.mark.live

OTHER = "0x" + "ab" * 32


@pytest.fixture
def node(office: PayOffice) -> Iterator[Proxy]:
    with rpc_proxy(office.devnet.http_url) as proxy:
        yield proxy


# --- Where the chain stands -------------------------------------------------------------------


def test_a_node_of_another_chain(office: PayOffice, node: Proxy) -> None:
    node.faults.lies["chain_getBlockHash"] = lambda truth, params: OTHER if params == [0] else truth
    file = office.file(office.bundle())
    genesis = office.node.genesis_hash.hex()
    assert_one_clear_line(
        office.approve(file, URIS[0], node=node.http_url),
        2,
        f"is on another chain: its genesis is {OTHER}, expected 0x{genesis}",
    )


def test_a_node_that_forges_a_header(office: PayOffice, node: Proxy) -> None:
    node.faults.lies["chain_getHeader"] = lambda truth, _: {**truth, "stateRoot": OTHER}
    file = office.file(office.bundle())
    assert_one_clear_line(
        office.approve(file, URIS[0], node=node.http_url), 2, "sent a header for 0x",
        "that hashes to 0x",
    )  # fmt: skip


def test_a_node_on_another_fork_than_the_curators_ledger(office: PayOffice, node: Proxy) -> None:
    file = office.file(office.bundle())
    head = office.state().head.value
    assert head is not None
    node.faults.lies["chain_getBlockHash"] = lambda truth, params: (
        OTHER if params == [head.number] else truth
    )
    assert_one_clear_line(
        office.approve(file, URIS[0], node=node.http_url),
        1,
        f"block {head.number} of the node is not the one in your ledger: one of them is on another "
        "fork or lies; compare the block's hash elsewhere before you sign",
    )


def test_a_node_that_is_behind_the_curators_ledger(office: PayOffice, node: Proxy) -> None:
    """An old head hides what happened since: that the call was executed, say."""
    file, old = office.file(office.bundle()), office.devnet.rpc("chain_getBlockHash")
    office.block()
    office.state()
    at = office.submitter.best().number
    node.faults.lies["chain_getBlockHash"] = lambda truth, params: truth if params else old
    node.faults.lies["chain_getFinalizedHead"] = lambda *_: old
    assert_one_clear_line(
        office.approve(file, URIS[0], node=node.http_url),
        1,
        f"your ledger is at block {at}, the node only at {at - 1}: use a node that is up to date",
    )


def test_a_node_that_called_a_block_final_which_is_no_longer_there(
    office: PayOffice, node: Proxy, tmp_path: Path
) -> None:
    bundle = office.bundle()
    timepoint = office.opened(bundle, 0, 1)
    file, state = office.file(bundle), tmp_path / "watch.json"
    watching = ("watch", "--bundle", file, "--node", node.http_url, "--state", state, "--once")
    seen = assert_done(office.ibp(*watching, "--first", timepoint["height"]))
    assert "2 of 3" in seen
    reported = office.submitter.best().number
    office.block()
    node.faults.lies["chain_getBlockHash"] = lambda truth, params: (
        OTHER if params == [reported] else truth
    )
    assert_one_clear_line(
        office.ibp(*watching), 1, "this node, or the one before, lies about finality"
    )


# --- What it weighs ---------------------------------------------------------------------------


def lighter(first: Iterator[bool]) -> Callable[[Any, list[Any]], Any]:
    """One picosecond less than the runtime says, as long as `first` says so."""

    def lie(truth: str, params: list[Any]) -> str:
        if not params[0].endswith("query_call_info") or not next(first):
            return truth
        raw = bytes.fromhex(truth[2:])
        ref_time, at = decode_compact(raw)
        return "0x" + (encode_compact(ref_time - 1) + raw[at:]).hex()

    return lie


def test_a_weight_that_is_one_too_low_at_the_last_approval(office: PayOffice, node: Proxy) -> None:
    bundle = office.bundle()
    office.opened(bundle, 0, 1)
    office.state()
    node.faults.lies["state_call"] = lighter(chain([True], repeat(False)))
    file, needed = office.file(bundle), office.submitter.call_info(bundle.call).weight
    assert_one_clear_line(
        office.approve(file, URIS[2], "--weight-margin", 0, node=node.http_url),
        1,
        f"Multisig.MaxWeightTooLow: the last approval allowed the call {needed.ref_time - 1:,} ps",
        f"it weighs {needed.ref_time:,} ps",
        "The call was not executed and this approval does not count, the others do",
    )
    found = office.stored("Multisig", "Multisigs", MULTISIG, bundle.call_hash)
    assert set(found["approvals"]) == set(ACCOUNTS[:2])
    assert "Approved and executed" in assert_done(office.approve(file, URIS[2]))


# --- Another runtime --------------------------------------------------------------------------


def upgraded(proxy: Proxy, spec_version: int) -> None:
    """The node runs the next spec version, in which `transfer_keep_alive` is called otherwise."""
    old, new = (version.to_bytes(4, "little").hex() for version in (spec_version, spec_version + 1))
    name, other = b"transfer_keep_alive".hex(), b"transfer_all_assets".hex()
    assert len(name) == len(other)

    def other_metadata(truth: Any, _: list[Any]) -> Any:
        return truth.replace(old, new).replace(name, other)

    proxy.faults.lies["state_getRuntimeVersion"] = lambda truth, _: {
        **truth, "specVersion": spec_version + 1
    }  # fmt: skip
    proxy.faults.lies["state_getMetadata"] = other_metadata
    proxy.faults.lies["state_call"] = lambda truth, params: (
        other_metadata(truth, params) if "metadata" in params[0] else truth
    )


def test_an_upgrade_after_which_the_same_bytes_are_another_call(
    office: PayOffice, node: Proxy
) -> None:
    bundle = office.bundle()
    office.opened(bundle, 0)
    office.state()
    file, version = office.file(bundle), office.runtime.spec_version
    upgraded(node, version)
    assert_one_clear_line(
        office.approve(file, URIS[1], node=node.http_url),
        1,
        f"the bundle's call is of spec version {version}, the node runs {version + 1}: recheck",
        f"Next: ibp multisig recheck {file}",
    )
    done = office.ibp("recheck", file, "--node", node.http_url, "--db", office.db)
    assert_one_clear_line(
        done,
        1,
        f"the call means something else under paseo {version + 1}: whoever opened its operation "
        "cancels it, then the payout is built again from its statement, and signed anew",
    )
    assert "Balances.transfer_keep_alive is Balances.transfer_all_assets now" in done.stdout
