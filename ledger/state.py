"""The whole state of a ledger and its root.

The state is a set of storage items; its root is the Merkle root (`ibp_chain.merkle`) over all
entries sorted by raw key, each leaf the SCALE of (key, value) as two byte vectors. `Ledger.Head`
is one of them, so that a root commits to the block that it is the state of.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError
from ibp_chain.merkle import tree_root
from ibp_chain.networks import Network
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, BlockNumber, Hash, RelayBlockNumber
from ledger.mirrors import Mirrors
from ledger.pallets import membership, payouts, programme, scores
from ledger.storage import StorageMap, StorageValue


class Head(NamedTuple):
    """The block that the state is the post-state of."""

    number: BlockNumber
    hash: Hash
    now: RelayBlockNumber
    """The governance clock in it."""

    @property
    def ref(self) -> BlockRef:
        return BlockRef(self.number, self.hash)


class State:
    """Everything that the ledger knows. Starts empty, before the first block.

    `expected_origin`: who must have said the `program` remark that founds it; None takes the first
    programme founded on the chain.
    """

    def __init__(self, network: Network, expected_origin: AccountId | None = None) -> None:
        self.network = network
        self.expected_origin = expected_origin
        self.head: StorageValue[Head] = StorageValue(
            "Ledger",
            "Head",
            schema.struct(Head, number=schema.u32, hash=schema.hash256, now=schema.u32),
        )
        self.mirrors = Mirrors()
        self.programme = programme.Storage()
        self.membership = membership.Storage()
        self.scores = scores.Storage()
        self.payouts = payouts.Storage()
        self._maps: tuple[StorageMap[Any, Any], ...] = (
            self.head,
            *self.mirrors.mirrored_maps(),
            *self.mirrors.recorded_maps(),
            self.programme.genesis,
            self.programme.program,
            self.programme.rules_since,
            self.programme.decisions,
            self.programme.rejections,
            self.membership.members,
            self.membership.owners,
            self.membership.milestones,
            self.membership.links,
            self.membership.transitions,
            self.scores.observations,
            self.scores.last_observations,
            self.scores.last_closed,
            self.scores.closings,
            self.scores.reports,
            self.scores.standing,
            self.scores.equivocations,
            self.payouts.batches,
            self.payouts.paid,
            self.payouts.awards,
            self.payouts.claims,
            self.payouts.violations,
        )

    def maps(self) -> tuple[StorageMap[Any, Any], ...]:
        """Every storage item; a `StorageValue` is one with an empty key."""
        return self._maps

    def entries(self) -> list[tuple[bytes, bytes]]:
        """Every raw (key, value), sorted by key."""
        return sorted(entry for item in self._maps for entry in item.raw_items())

    def root(self) -> Hash:
        """Commits to every entry, `Head` among them."""
        return tree_root(entry_leaf(key, value) for key, value in self.entries())

    def load(self, entries: Iterable[tuple[bytes, bytes]]) -> Self:
        """Fill an empty state from raw entries.

        Raises `DecodeError` for a malformed one, `InputError` for a key of no known item.
        """
        by_prefix = {item.prefix: item for item in self._maps}
        for key, value in entries:
            item = by_prefix.get(key[:32])
            if item is None:
                raise InputError(f"state entry 0x{key.hex()} belongs to no item of this ledger")
            item.load(key, value)
        return self


def entry_leaf(key: bytes, value: bytes) -> bytes:
    """The leaf that stands for an entry: SCALE of `(Vec<u8>, Vec<u8>)`."""
    return schema.octets.encode(key) + schema.octets.encode(value)
