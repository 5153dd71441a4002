"""From the ledger's own values to what answers carry: addresses, amounts, times, hashes."""

from datetime import UTC, datetime

from ibp_chain.accounts import ss58_encode
from ibp_chain.networks import Network
from ibp_chain.types import AccountId, BlockNumber, Planck, RelayBlockNumber
from ibp_chain.web.models import Amount, Estimate, Moment
from ibp_chain.web.snapshot import Chain, Snapshot


def hex_(data: bytes) -> str:
    return "0x" + data.hex()


def address(account: AccountId, network: Network) -> str:
    return ss58_encode(account, network.ss58_prefix)


def amount(planck: Planck, network: Network) -> Amount:
    return Amount(planck=str(planck), display=network.format(planck))


def signed(planck: int, network: Network) -> str:
    """A change, for people."""
    return ("+" if planck > 0 else "") + network.format(Planck(planck))


def place(block: BlockNumber, extrinsic: int | None) -> str:
    """Of an extrinsic; of a block's hooks, the block."""
    return f"{block}" if extrinsic is None else f"{block}-{extrinsic}"


def iso(time_ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601, UTC, to the second."""
    return f"{datetime.fromtimestamp(time_ms // 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment(snapshot: Snapshot, block: BlockNumber) -> Moment:
    time_ms = snapshot.time_of(block)
    return Moment(block=block, time=None if time_ms is None else iso(time_ms))


def estimate(chain: Chain, clock: RelayBlockNumber) -> Estimate:
    """When a block of the governance clock is about due, by the nominal block time."""
    now, step = chain.head.now, chain.network.block_time_ms
    return Estimate(
        clock=clock, time=iso(chain.timestamp_ms + (clock - now) * step), past=clock <= now
    )
