"""Who really did what: origins and dispatched calls, as `ledger.dispatch` reports them."""

from dataclasses import dataclass
from enum import StrEnum

from ibp_chain.blocks import EventRecord
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId


class OriginKind(StrEnum):
    """`frame_system::RawOrigin`, and everything that is none of it."""

    SIGNED = "signed"
    ROOT = "root"
    NONE = "none"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Origin:
    """The effective origin that a call was dispatched with."""

    kind: OriginKind
    account: AccountId | None = None
    """Set exactly when `kind` is SIGNED: the multisig or proxied account where there is one."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """One call that was dispatched and succeeded, wherever in a call tree it stood.

    `events` are the events that the call itself deposited: all of them for a leaf, the closing
    event for a wrapper, none of an inner call.
    """

    origin: Origin
    call: Call
    events: tuple[EventRecord, ...]
    extrinsic_index: int | None
    """None for what the scheduler or another hook dispatched."""
    path: tuple[int, ...]
    """Where in the call tree: () for the extrinsic's own call, (0, 2) for the third call of a batch
    inside a proxy call."""
    parent: Call | None = None
    """The call that dispatched this one directly; None for the extrinsic's own call."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that was dispatched and failed, or was never reached; it changed nothing."""

    origin: Origin
    call: Call
    error: str
    """`Pallet.Error` as the runtime names it; 'not reached' behind a failed call of a batch."""
    extrinsic_index: int | None
    path: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unattributed:
    """A call whose effects the events do not tell apart: reported, never guessed."""

    call: Call
    reason: str
    extrinsic_index: int | None
    path: tuple[int, ...]
