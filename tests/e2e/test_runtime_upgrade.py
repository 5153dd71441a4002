"""A runtime upgrade inside a range: every block is read by the runtime that executed it."""

import json
from pathlib import Path

import pytest

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.archive_record import record
from ibp_chain.blocks import Block
from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber
from ledger.audit import audit
from ledger.indexer import replay_into
from ledger.store import Identity, Store
from scripts.devnet_process import Devnet, start_devnet
from scripts.public_data import chain_spec
from scripts.scenario.play import NETWORK, devnet_options, load_cast

pytestmark = pytest.mark.live

OLD, NEW = 1_001_002, 2_003_001
CODE_KEY = "0x" + b":code".hex()


def new_code() -> bytes:
    specification = json.loads(chain_spec("paseo-2026").read_text())
    return bytes.fromhex(specification["genesis"]["raw"]["top"][CODE_KEY][2:])


def test_decoders_switch_at_the_block_that_the_new_runtime_executes(tmp_path: Path) -> None:
    cast = load_cast()
    with start_devnet(**devnet_options(cast)) as devnet, NodeSource(devnet.url) as node:
        submitter = Submitter(node, runtimes(node), poll_seconds=0.05, advance=devnet.new_block)

        def remark(text: bytes) -> BlockNumber:
            runtime = submitter.runtime()
            call = runtime.encode_call("System", "remark_with_event", {"remark": text})
            return submitter.submit_and_wait(call, cast.whale).block.number

        before = remark(b"IBP/1 nonsense by the old runtime")
        upgraded = upgrade(submitter, devnet, cast.whale)
        after = remark(b"IBP/1 nonsense by the new runtime")
        record(node, tmp_path / "archive", proofs=True)
        versions = {block.header.number: block.spec_version for block in _blocks(tmp_path)}
        assert {number: NEW if number > upgraded else OLD for number in versions} == versions
        assert (versions[before], versions[after]) == (OLD, NEW)
        result = verify(tmp_path / "archive")
        assert {file.spec_version for file in result.manifest.metadata} == {OLD, NEW}
        assert _spoken(tmp_path) == {before, after}
        _replay_and_audit(tmp_path, node)


def upgrade(submitter: Submitter, devnet: Devnet, sudo: Signer) -> BlockNumber:
    """As governance does it, but by sudo; the last block of the old runtime."""
    runtime = submitter.runtime()
    key = "0x" + runtime.storage_key("Sudo", "Key").hex()
    devnet.set_storage({key: "0x" + sudo.account.hex()})
    set_code = runtime.call("System", "set_code", {"code": new_code()})
    arguments = {"call": set_code, "weight": {"ref_time": 0, "proof_size": 0}}
    call = runtime.encode_call("Sudo", "sudo_unchecked_weight", arguments)
    return submitter.submit_and_wait(call, sudo).block.number


def _blocks(folder: Path) -> list[Block]:
    source = ArchiveSource(folder / "archive")
    return list(source.blocks(source.first()))


def _spoken(folder: Path) -> set[BlockNumber]:
    """The blocks with a remark, each read by its own runtime."""
    runtime_of = runtimes(ArchiveSource(folder / "archive"))
    return {
        block.header.number
        for block in _blocks(folder)
        for event in runtime_of(block.spec_version).decode_events(block.events)
        if (event.pallet, event.name) == ("System", "Remarked")
    }


def _replay_and_audit(folder: Path, node: NodeSource) -> None:
    source = ArchiveSource(folder / "archive")
    identity = Identity(NETWORK.name, source.genesis_hash, None)
    with Store(f"sqlite:///{folder / 'ledger.db'}", identity) as store:
        state = replay_into(store, source, runtimes(source))
        assert {store.block(block.header.number).spec_version for block in _blocks(folder)} == {
            OLD,
            NEW,
        }
    head = state.head.value
    assert head is not None
    assert audit(state, node, runtimes(node), head.ref).agrees
