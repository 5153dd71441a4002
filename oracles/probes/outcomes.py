"""What came of a probe: ok, slow, failed with a reason, or unknown with a doubt.

What a probe cannot know is unknown, never a fault: `Failed` is something that the member did or
left undone, `Unknown` something about this oracle or about what it can compare with.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ibp_chain.types import Micros
from oracles.probes.targets import Target
from oracles.samples import Status

_SHOWN = 200
"""Characters of a stranger's text that are kept."""


class Reason(StrEnum):
    """Why a target failed."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NO_CONNECTION = "no-connection"
    """No TCP connection within the time."""
    TIMEOUT = "timeout"
    """Connected, and no complete answer within the time."""
    CLOSED = "closed"
    TLS = "tls"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NAME = "certificate-name"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted"
    HTTP_STATUS = "http-status"
    REDIRECT = "redirect"
    TOO_LONG = "too-long"
    MALFORMED = "malformed"
    WRONG_ID = "wrong-id"
    RPC_ERROR = "rpc-error"
    WRONG_CHAIN = "wrong-chain"
    SYNCING = "syncing"
    NO_PEERS = "no-peers"
    BEHIND = "behind"
    PRUNED = "pruned"
    WRONG_STATE = "wrong-state"
    NO_NOISE = "no-noise"
    NO_RANGE = "no-range"
    STALE = "stale"


class Doubt(StrEnum):
    """Why nothing can be said of a target."""

    NO_ROUTE = "no-route"
    LOCAL = "local"
    """This machine ran out of something, or forbids it."""
    OWN_NETWORK = "own-network"
    """Nothing at all could be reached over this address family."""
    OWN_CLOCK = "own-clock"
    OWN_LOOP = "own-loop"
    """This process was too busy to tell its own delay from the target's."""
    NOT_POLLED = "not-polled"
    CUT_SHORT = "cut-short"
    """The slot's time ended before the target's did."""
    TOO_FEW_HEADS = "too-few-heads"
    AHEAD = "ahead"
    """Far ahead of the others: either it lies or they are stuck."""
    OWN_FAULT = "own-fault"
    """A mistake in this program."""


@dataclass(frozen=True, slots=True)
class Ok:
    response_time: Micros

    @property
    def status(self) -> Status:
        return Status.OK


@dataclass(frozen=True, slots=True)
class Slow:
    response_time: Micros

    @property
    def status(self) -> Status:
        return Status.SLOW


@dataclass(frozen=True, slots=True)
class Failed:
    reason: Reason
    text: str

    @property
    def status(self) -> Status:
        return Status.FAILED


@dataclass(frozen=True, slots=True)
class Unknown:
    doubt: Doubt
    text: str

    @property
    def status(self) -> Status:
        return Status.UNKNOWN


Outcome = Ok | Slow | Failed | Unknown


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen on the way, whatever the outcome; None is not seen."""

    connected: bool = False
    """A TCP connection stood: the oracle's own network reaches somebody."""
    connect_us: int | None = None
    """Until the TCP connection stood."""
    round_trip_us: int | None = None
    """The least round trip: what was taken off the latency."""
    response_us: int | None = None
    """The response time, even where the outcome has none."""
    own_lag_us: int | None = None
    """How late this process's own event loop was when the answer came."""
    head: int | None = None
    head_ns: int | None = None
    """When the head was told, on the prober's clock."""
    peers: int | None = None
    syncing: bool | None = None
    version: str | None = None
    spec_name: str | None = None
    spec_version: int | None = None
    certificate_expires: int | None = None
    """Unix seconds."""
    size: int | None = None
    """Of a snapshot, in bytes."""
    modified: int | None = None
    """Of a snapshot, Unix seconds."""

    def seen(self) -> dict[str, Any]:
        """What is not None, by name."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}


@dataclass(frozen=True, slots=True)
class Result:
    """One poll of one target."""

    target: Target
    outcome: Outcome
    facts: Facts = Facts()


class Fault(Exception):
    """The probe need go no further: the target failed."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.outcome = Failed(reason, shown(text))
        super().__init__(text)


def shown(text: str) -> str:
    """A stranger's text as it may be logged: printable, one line, not long."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_SHOWN])
    return clean if len(text) <= _SHOWN else clean + "…"
