"""Headers and blocks as the chain has them, and the decoded views of what is in them."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

from ibp_chain.scale.primitives import encode_compact
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, BlockNumber, Hash, SpecVersion


def blake2_256(data: bytes | memoryview) -> Hash:
    """Substrate's block, call, extrinsic and trie-node hash."""
    return Hash(blake2b(data, digest_size=32).digest())


class BlockRef(NamedTuple):
    """As of when: a height and the block that stands there."""

    number: BlockNumber
    hash: Hash


@dataclass(frozen=True)
class Header:
    """`sp_runtime::generic::Header` with compact u32 numbers, hashed with blake2b-256."""

    parent_hash: Hash
    number: BlockNumber
    state_root: Hash
    extrinsics_root: Hash
    digest: tuple[bytes, ...]
    """Each digest item as its own SCALE bytes."""

    @cached_property
    def encoded(self) -> bytes:
        return b"".join(
            (
                self.parent_hash,
                encode_compact(self.number),
                self.state_root,
                self.extrinsics_root,
                encode_compact(len(self.digest)),
                *self.digest,
            )
        )

    @cached_property
    def hash(self) -> Hash:
        return blake2_256(self.encoded)


@dataclass(frozen=True, slots=True)
class Block:
    """One block as a source delivers it: raw bytes, nothing decoded."""

    hash: Hash
    header: Header
    extrinsics: tuple[bytes, ...]
    """Each with its compact length prefix, as in a block body."""
    events: bytes
    """The raw value of `System.Events` in the block's post-state."""
    spec_version: SpecVersion
    """Of the runtime that executed the block: the code in the parent's state."""

    @property
    def ref(self) -> BlockRef:
        return BlockRef(self.header.number, self.hash)


class Phase(IntEnum):
    """`frame_system::Phase`."""

    APPLY_EXTRINSIC = 0
    FINALIZATION = 1
    INITIALIZATION = 2


class EventRecord(NamedTuple):
    """`frame_system::EventRecord`, decoded."""

    position: int
    """In the block, counted over all its events."""
    phase: Phase
    extrinsic_index: int | None
    """Set exactly when `phase` is APPLY_EXTRINSIC."""
    pallet: str
    name: str
    args: Any
    """`dict` by field name; `tuple` where the runtime names no fields; `()` when there are none."""
    topics: tuple[Hash, ...]


class Extrinsic(NamedTuple):
    """A decoded extrinsic of a block."""

    raw: bytes
    """With its compact length prefix."""
    signer: AccountId | None
    """None for bare extrinsics, and for signers that are no plain account id."""
    extensions: dict[str, Any]
    """Transaction extension name to its value in the extrinsic; empty for bare ones."""
    call: Call

    @property
    def hash(self) -> Hash:
        """As nodes and explorers name it: over the encoding with its length prefix."""
        return blake2_256(self.raw)
