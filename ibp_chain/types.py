"""Names for the numbers and bytes that the chain hands us.

Every quantity that crosses a function boundary carries one of these names, so that mypy tells a
planck from a vote and an Asset Hub block from a relay block.
"""

from typing import NewType

AccountId = NewType("AccountId", bytes)
"""32 raw public-key bytes. SS58 text exists only at the edges, in `ibp_chain.accounts`."""

Hash = NewType("Hash", bytes)
"""32 bytes of blake2b-256. Hex with `0x` exists only at the edges."""

Planck = NewType("Planck", int)
"""The smallest unit of a chain's token, a `u128` on chain: 1 DOT = 10**10, 1 KSM = 10**12."""

Votes = NewType("Votes", int)
"""Planck weighted by conviction. Counted in tallies, never paid out."""

BlockNumber = NewType("BlockNumber", int)
"""Height of the chain that included the extrinsic."""

RelayBlockNumber = NewType("RelayBlockNumber", int)
"""Height on the clock that governance counts with: the relay chain's, also on Asset Hub."""

SpecVersion = NewType("SpecVersion", int)
"""`spec_version` of the runtime that executed a block."""

PollIndex = NewType("PollIndex", int)
"""A referendum index, as `pallet_conviction_voting` calls it."""

TrackId = NewType("TrackId", int)
"""A referenda track; the `Class` of `pallet_conviction_voting`."""

Micros = NewType("Micros", int)
"""A duration in microseconds."""

Ppm = NewType("Ppm", int)
"""A share in parts per million, 0 to 1_000_000."""
