import pytest

from ibp_chain.blocks import Header, Phase
from ibp_chain.errors import DecodeError
from ibp_chain.networks import network
from ibp_chain.scale.primitives import encode_compact
from ibp_chain.types import BlockNumber, Hash, RelayBlockNumber
from ledger.clock import clock_of, provider_now, relay_parent

ZERO = Hash(bytes(32))
AURA = bytes.fromhex("066175726120") + bytes(8)  # a pre-runtime item of another engine
RELAY_PARENT, PREVIOUS = 28_490_502, RelayBlockNumber(28_490_501)


def rpsr(number: int) -> bytes:
    payload = bytes(32) + encode_compact(number)
    return b"\x04RPSR" + encode_compact(len(payload)) + payload


def header(*digest: bytes) -> Header:
    return Header(ZERO, BlockNumber(10_254_470), ZERO, ZERO, digest)


def test_a_relay_chain_counts_its_own_blocks_in_every_phase() -> None:
    for phase in Phase:
        now = provider_now(network("polkadot"), header(AURA), phase, RelayBlockNumber(1))
        assert now == 10_254_470


def test_asset_hub_counts_relay_parents() -> None:
    assert clock_of(network("polkadot-asset-hub"), header(AURA, rpsr(RELAY_PARENT))) == RELAY_PARENT


def test_asset_hub_reads_the_previous_relay_parent_until_the_inherents_have_run() -> None:
    hub, block = network("kusama-asset-hub"), header(AURA, rpsr(RELAY_PARENT))
    assert provider_now(hub, block, Phase.INITIALIZATION, PREVIOUS) == PREVIOUS
    assert provider_now(hub, block, Phase.APPLY_EXTRINSIC, PREVIOUS) == RELAY_PARENT
    assert provider_now(hub, block, Phase.FINALIZATION, PREVIOUS) == RELAY_PARENT


@pytest.mark.parametrize(
    "digest",
    [
        pytest.param((AURA,), id="none"),
        pytest.param((rpsr(7), rpsr(8)), id="two"),
        pytest.param((rpsr(7)[:-1],), id="cut short"),
        pytest.param((rpsr(7) + b"\0",), id="too long"),
        pytest.param((b"\x06" + rpsr(7)[1:],), id="a pre-runtime item"),
        pytest.param((rpsr(1 << 32),), id="no u32"),
    ],
)
def test_a_header_without_exactly_one_sound_relay_parent_is_refused(
    digest: tuple[bytes, ...],
) -> None:
    with pytest.raises(DecodeError):
        relay_parent(header(*digest))
