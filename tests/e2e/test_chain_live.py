"""The chain room against the real runtime: submit, wait, follow, prove, record."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ibp_chain.archive import ArchiveSource, verify
from ibp_chain.archive_record import record
from ibp_chain.errors import CallFailed, SourceError
from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer, signer_from_uri
from ibp_chain.networks import NETWORKS
from ibp_chain.runtimes import runtimes
from ibp_chain.source import EVENTS_KEY, NodeSource
from ibp_chain.trie import verify_read_proof
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from scripts.devnet_process import Devnet
from scripts.scenario.cast import genesis_storage
from tests.conftest import StartDevnet

pytestmark = pytest.mark.live

PASEO = NETWORKS["paseo"]
RICH, POOR = signer_from_uri("//Rich"), signer_from_uri("//Poor")


@pytest.fixture(scope="module")
def funded(start_devnet: StartDevnet) -> Iterator[Devnet]:
    """A chain on which RICH has tokens and finality lags by two blocks; every test adds to it."""
    balances = {RICH.account: PASEO.planck(1_000)}
    storage = genesis_storage(balances, Planck(1_150_000_010_000_000_000))
    with start_devnet(genesis_storage=storage, finality_lag=2) as devnet:
        yield devnet


def _submitter(devnet: Devnet, node: NodeSource, **options: object) -> Submitter:
    return Submitter(
        node,
        runtimes(node),
        poll_seconds=0.0,
        advance=devnet.new_block,
        **options,  # type: ignore[arg-type]  # options of the test's own
    )


def _remark(submitter: Submitter, text: bytes = b"hello") -> bytes:
    return submitter.runtime().encode_call("System", "remark_with_event", {"remark": text})


def test_a_submitted_call_is_found_where_it_became_final(funded: Devnet) -> None:
    with NodeSource(funded.url) as node:
        submitter = _submitter(funded, node)
        inclusion = submitter.submit_and_wait(_remark(submitter), RICH)
        assert inclusion.ok
        assert inclusion.block.number <= node.head().number
        (remarked,) = (e for e in inclusion.events if (e.pallet, e.name) == ("System", "Remarked"))
        assert remarked.args["sender"] == RICH.account
        (block,) = node.blocks(inclusion.block.number, inclusion.block.number)
        extrinsic = submitter.runtime().decode_extrinsic(
            block.extrinsics[inclusion.extrinsic_index]
        )
        assert (extrinsic.signer, extrinsic.hash) == (RICH.account, inclusion.extrinsic_hash)


def test_several_calls_of_one_signer_wait_in_the_pool_together(funded: Devnet) -> None:
    with NodeSource(funded.url) as node:
        submitter = _submitter(funded, node)
        sent = [submitter.submit(_remark(submitter, bytes([i])), RICH) for i in range(3)]
        found = [submitter.wait(one) for one in sent]
        assert len({inclusion.block for inclusion in found}) == 1


def test_a_failing_call_is_one_clear_line(funded: Devnet) -> None:
    with NodeSource(funded.url) as node:
        submitter = _submitter(funded, node)
        call = submitter.runtime().encode_call(
            "Balances",
            "transfer_keep_alive",
            {"dest": ("Id", POOR.account), "value": PASEO.planck(5_000)},
        )
        with pytest.raises(CallFailed, match=r"Balances\.transfer_keep_alive failed in block \d+"):
            submitter.submit_and_wait(call, RICH)


def test_a_signer_who_cannot_pay_is_refused_by_the_pool(funded: Devnet) -> None:
    with NodeSource(funded.url) as node:
        submitter = _submitter(funded, node)
        with pytest.raises(CallFailed, match="not taken into the pool"):
            submitter.submit(_remark(submitter), POOR)


def test_a_forged_signature_is_refused_by_the_pool(funded: Devnet) -> None:
    class Forger:
        account: AccountId = RICH.account

        def sign(self, message: bytes) -> bytes:
            return POOR.sign(message)

    forger: Signer = Forger()
    with NodeSource(funded.url) as node:
        submitter = _submitter(funded, node)
        with pytest.raises(CallFailed, match="not taken into the pool"):
            submitter.submit(_remark(submitter), forger)


def test_a_call_whose_era_ended_can_no_longer_happen(funded: Devnet) -> None:
    with NodeSource(funded.url) as node:
        submitter = _submitter(funded, node, period=4)
        submitted = submitter.submit(_remark(submitter), RICH)
        funded.new_block(count=1)
        funded.reorg(1)  # its block is gone, and the pool forgot it
        with pytest.raises(CallFailed, match="its era has ended"):
            submitter.wait(submitted)


def test_following_never_yields_a_block_that_is_reverted(funded: Devnet) -> None:
    with NodeSource(funded.url, poll_seconds=0.05) as node:
        seen: list[Hash] = []
        following = node.follow(BlockNumber(1))
        for step in range(6):
            funded.new_block(count=2)
            if step % 2:
                funded.reorg(1)
            target = node.head()
            while not seen or seen[-1] != target.hash:
                seen.append(next(following).hash)
        assert [block.hash for block in node.blocks(BlockNumber(1))] == seen


def test_another_chains_genesis_is_refused(funded: Devnet) -> None:
    with pytest.raises(SourceError, match="is on another chain"):
        NodeSource(funded.url, expected_genesis=Hash(b"x" * 32))


@pytest.fixture(scope="module", params=["paseo-2024", "paseo-2026"])
def long(request: pytest.FixtureRequest, start_devnet: StartDevnet) -> Iterator[Devnet]:
    """A chain of 12 blocks, the last of them behind a gap."""
    with start_devnet(request.param) as devnet:
        devnet.new_block(count=10)
        devnet.new_block(to_height=2_000)
        yield devnet


def test_events_are_proven_against_the_state_root(long: Devnet) -> None:
    with NodeSource(long.url) as node:
        for block in node.blocks(BlockNumber(8)):
            proof = node.read_proof([EVENTS_KEY], block.hash)
            assert verify_read_proof(block.header.state_root, EVENTS_KEY, proof) == block.events


def test_a_recording_is_the_chain(long: Devnet, tmp_path: Path) -> None:
    with NodeSource(long.url) as node:
        record(node, tmp_path / "archive", last=BlockNumber(6), proofs=True)
        record(node, tmp_path / "archive", proofs=True)
        result = verify(tmp_path / "archive")
        assert result.blocks == result.proven == 12
        source = ArchiveSource(tmp_path / "archive")
        assert list(source.blocks(source.first())) == list(node.blocks(node.first()))
        for version in {block.spec_version for block in source.blocks(source.first())}:
            assert source.metadata(version) == node.metadata(version)
