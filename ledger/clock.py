"""Whose block numbers governance counts with, and what they read at a moment inside a block.

A relay chain counts its own blocks. Asset Hub counts the relay parents of its blocks, and before
the inherents of a block have run it still knows the previous block's only.

Mirrors: `cumulus_pallet_parachain_system::RelaychainDataProvider`, and the `RPSR` digest item of
`cumulus_primitives_core::rpsr_digest`. Rule: spec/pallets.md 0.1.
"""

from ibp_chain.blocks import Header, Phase
from ibp_chain.errors import DecodeError
from ibp_chain.networks import GovernanceClock, Network
from ibp_chain.scale import schema
from ibp_chain.types import RelayBlockNumber

_CONSENSUS_ITEM = 4
_RELAY_PARENT_ENGINE = b"RPSR"
_HEADER_OF_ITEM = bytes((_CONSENSUS_ITEM,)) + _RELAY_PARENT_ENGINE
_PAYLOAD = schema.sequence(schema.hash256, schema.compact)  # relay storage root, relay number


def relay_parent(header: Header) -> RelayBlockNumber:
    """The relay-parent number in a parachain header's digest.

    Raises `DecodeError` where the header carries none, two, or a malformed one.
    """
    items = [item for item in header.digest if item.startswith(_HEADER_OF_ITEM)]
    if len(items) != 1:
        raise DecodeError(
            f"header of block {header.number} has {len(items)} relay-parent (RPSR) digest items, "
            "expected 1: is it an Asset Hub block?"
        )
    _, number = _PAYLOAD.decode(schema.octets.decode(items[0][len(_HEADER_OF_ITEM) :]))
    if number > 0xFFFF_FFFF:
        raise DecodeError(f"header of block {header.number} names relay parent {number}, not a u32")
    return RelayBlockNumber(number)


def clock_of(network: Network, header: Header) -> RelayBlockNumber:
    """What the clock reads from the inherents of the block to its end. Raises `DecodeError`."""
    match network.governance_clock:
        case GovernanceClock.LOCAL:
            return RelayBlockNumber(header.number)
        case GovernanceClock.RELAY:
            return relay_parent(header)


def provider_now(
    network: Network, header: Header, phase: Phase, previous: RelayBlockNumber
) -> RelayBlockNumber:
    """`BlockNumberProvider::current_block_number` in `phase` of the block of `header`.

    `previous` is `clock_of` the parent block: what a relay clock still reads in Initialization.
    Raises `DecodeError`.
    """
    if phase is Phase.INITIALIZATION and network.governance_clock is GovernanceClock.RELAY:
        return previous
    return clock_of(network, header)


def initial_now(
    network: Network, now: RelayBlockNumber, previous: RelayBlockNumber
) -> RelayBlockNumber:
    """`provider_now` in Initialization, where `clock_of` the block is known to be `now`."""
    return previous if network.governance_clock is GovernanceClock.RELAY else now
