"""Referenda as far as votes and locks need them: class, status, end.

Mirrors: what `pallet_referenda` answers as `Polling` (`substrate/frame/referenda/src/lib.rs`),
rebuilt from its events into an item of our own, `Polls.Polls`; the chain's `ReferendumInfoFor`
holds tallies and deposits too and is compared by `info_of` only.
Rule: spec/pallets.md A.4. `Approved` is never deposited: a passed referendum is `Confirmed`.
"""

from enum import IntEnum
from typing import Any, NamedTuple

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import DecodeError
from ibp_chain.scale import schema
from ibp_chain.types import PollIndex, RelayBlockNumber, TrackId
from ledger.pallets.conviction_voting.types import Completed, Ongoing, PollStatus
from ledger.storage import Hasher, KeyPart, StorageMap


class Status(IntEnum):
    """The variants of `ReferendumInfo`, in its order."""

    ONGOING = 0
    APPROVED = 1
    REJECTED = 2
    CANCELLED = 3
    TIMED_OUT = 4
    KILLED = 5


class Poll(NamedTuple):
    track: TrackId | None
    """None for a poll that had ended before our first block: the chain forgets it."""
    status: Status
    end: RelayBlockNumber | None
    """When it was serviced last; set exactly when it is not ongoing."""


class Info(NamedTuple):
    """What the chain's `ReferendumInfo` and our `Poll` have in common."""

    track: TrackId | None
    """Of an ongoing poll only."""
    status: Status
    end: RelayBlockNumber | None


class Storage:
    def __init__(self) -> None:
        self.polls: StorageMap[PollIndex, Poll] = StorageMap(
            "Polls",
            "Polls",
            (KeyPart(Hasher.TWOX_64_CONCAT, schema.u32),),
            schema.struct(
                Poll,
                track=schema.option(schema.u16),
                status=schema.enum(Status),
                end=schema.option(schema.u32),
            ),
        )

    def status(self, index: PollIndex) -> PollStatus | None:
        """`PollStatus`; None for a poll that is unknown or ended without a result."""
        match self.polls.find(index):
            case Poll(int() as track, Status.ONGOING, _):
                return Ongoing(TrackId(track))
            case Poll(_, Status.APPROVED | Status.REJECTED as status, int() as end):
                return Completed(RelayBlockNumber(end), approved=status is Status.APPROVED)
        return None


def info_keys() -> StorageMap[PollIndex, bytes]:
    """The chain's `ReferendumInfoFor`, for its keys; the values are for `info_of`."""
    return StorageMap(
        "Referenda",
        "ReferendumInfoFor",
        (KeyPart(Hasher.BLAKE2_128_CONCAT, schema.u32),),
        schema.octets,
    )


_ENDS = {
    "Confirmed": Status.APPROVED,
    "Rejected": Status.REJECTED,
    "Cancelled": Status.CANCELLED,
    "TimedOut": Status.TIMED_OUT,
    "Killed": Status.KILLED,
}


def deposit_event(storage: Storage, now: RelayBlockNumber, event: EventRecord) -> None:
    """Take over what an event of the pallet says happened at `now`."""
    if event.name == "Submitted":
        index = PollIndex(event.args["index"])
        storage.polls.insert(index, Poll(TrackId(event.args["track"]), Status.ONGOING, None))
    elif event.name in _ENDS:
        index = PollIndex(event.args["index"])
        known = storage.polls.find(index)  # an unknown one began before our first block
        track = None if known is None else known.track
        storage.polls.insert(index, Poll(track, _ENDS[event.name], now))


def info_of(value: Any) -> Info:
    """A decoded `ReferendumInfoFor` value as an audit compares it. Raises `DecodeError`."""
    match value:
        case ("Ongoing", {"track": int() as track}):
            return Info(TrackId(track), Status.ONGOING, None)
        case ("Killed", int() as end):
            return Info(None, Status.KILLED, RelayBlockNumber(end))
        case (str() as name, (int() as end, *_)) if name in _STATUS_NAMES:
            return Info(None, _STATUS_NAMES[name], RelayBlockNumber(end))
    raise DecodeError(f"{value!r} is no ReferendumInfo")


_STATUS_NAMES = {
    "Approved": Status.APPROVED,
    "Rejected": Status.REJECTED,
    "Cancelled": Status.CANCELLED,
    "TimedOut": Status.TIMED_OUT,
}


def info(poll: Poll) -> Info:
    """Our side of the comparison."""
    return Info(poll.track if poll.status is Status.ONGOING else None, poll.status, poll.end)
