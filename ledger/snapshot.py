"""One account's votes and locks from a node's storage, each value proven against the state root.

For whoever has no blocks: what is read is as true as the header that it is proven under, and that
this header is final is the node's word. A prior lock does not say which conviction it came from, so
a promise that rests on one cannot be confirmed this way; only a replay knows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ibp_chain.blocks import Header
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.trie import verify_read_proof
from ibp_chain.types import AccountId, Hash, PollIndex
from ledger import clock
from ledger.mirrors import Constants, Mirrors
from ledger.pallets import conviction_voting as cv
from ledger.pallets import referenda
from ledger.state import Head


class ProvingSource(Protocol):
    """What a snapshot asks of `ibp_chain.source.NodeSource`."""

    def read_proof(self, keys: Sequence[bytes], at: Hash) -> tuple[bytes, ...]: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The mirrors with one account's entries, after a block."""

    mirrors: Mirrors
    constants: Constants
    head: Head
    timestamp_ms: int


def account_snapshot(
    node: ProvingSource, runtime: Runtime, network: Network, account: AccountId, header: Header
) -> Snapshot:
    """What `account` has voted and locked after the block of `header`.

    `runtime` is the one in the block's post-state. Raises `CheckFailed` where the node's proof does
    not hold, `DecodeError` where a value is malformed.
    """
    constants, mirrors = Constants.of(runtime), Mirrors()

    def read(keys: Sequence[bytes]) -> list[bytes | None]:
        proof = node.read_proof(keys, header.hash)
        return [verify_read_proof(header.state_root, key, proof) for key in keys]

    _load_locks(mirrors, constants, account, read)
    _load_polls(mirrors, runtime, read)
    (now,) = read([runtime.storage_key("Timestamp", "Now")])
    timestamp_ms = 0 if now is None else int(runtime.decode_storage("Timestamp", "Now", now))
    head = Head(header.number, header.hash, clock.clock_of(network, header))
    return Snapshot(mirrors, constants, head, timestamp_ms)


_Read = Callable[[Sequence[bytes]], list[bytes | None]]


def _load_locks(mirrors: Mirrors, constants: Constants, account: AccountId, read: _Read) -> None:
    voting = mirrors.conviction_voting
    class_locks = voting.class_locks_for.raw_key(account)
    held = mirrors.balances.locks.raw_key(account)
    # an entry may stand under a class that is no track any more: the class locks name those
    first, locks = read([class_locks, held])
    for storage_map, key, raw in (
        (voting.class_locks_for, class_locks, first),
        (mirrors.balances.locks, held, locks),
    ):
        if raw is not None:
            storage_map.load(key, raw)
    named = {class_ for class_, _ in voting.class_locks_for.get(account)}
    keys = [voting.voting_for.raw_key((account, c)) for c in sorted(constants.tracks | named)]
    for key, raw in zip(keys, read(keys), strict=True):
        if raw is not None:
            voting.voting_for.load(key, raw)


def _load_polls(mirrors: Mirrors, runtime: Runtime, read: _Read) -> None:
    """The referenda that the account's votes are about."""
    voted = sorted(
        {
            poll
            for _, entry in mirrors.conviction_voting.voting_for.items()
            if isinstance(entry, cv.Casting)
            for poll, _ in entry.votes
        }
    )
    if not voted:
        return
    keys = [runtime.storage_key("Referenda", "ReferendumInfoFor", poll) for poll in voted]
    for poll, raw in zip(voted, read(keys), strict=True):
        if raw is not None:
            value = runtime.decode_storage("Referenda", "ReferendumInfoFor", raw)
            found = referenda.info_of(value)
            mirrors.referenda.polls.insert(PollIndex(poll), referenda.Poll(*found))
