"""The Asset Hub Migration: governance leaves the relay chain and goes on on Asset Hub.

Mirrors: `pallet_rc_migrator` and `pallet_ah_migrator` of polkadot-fellows/runtimes v2.0.0, as far
as its events tell when it ran. Rule: spec/pallets.md D. While it runs, entries move in batches of
messages that no pallet reports, so mirror and chain are not to be compared; nobody can vote then.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from ibp_chain.blocks import EventRecord
from ibp_chain.errors import InputError
from ibp_chain.scale import schema
from ibp_chain.types import BlockNumber
from ledger.storage import StorageValue


class Side(StrEnum):
    """Whose migrator pallet it is."""

    RELAY = "RcMigrator"
    ASSET_HUB = "AhMigrator"


SIDES: Mapping[str, Side] = {side.value: side for side in Side}


STAGES: Mapping[Side, str] = {
    Side.RELAY: "RcMigrationStage",
    Side.ASSET_HUB: "AhMigrationStage",
}
"""Each migrator's storage item that says how far it is; absent where it has not begun."""
_NOT_BEGUN = frozenset({"Pending", "MigrationPaused", "Scheduled", "WaitingForAh", "WarmUp"})
_DONE = "MigrationDone"


class Window(NamedTuple):
    """The blocks of this chain between the two events, both included."""

    started: BlockNumber
    finished: BlockNumber | None
    """None while it runs."""


class Storage:
    """`Window`: an item of our own."""

    def __init__(self) -> None:
        self.window: StorageValue[Window] = StorageValue(
            "Migration",
            "Window",
            schema.struct(Window, started=schema.u32, finished=schema.option(schema.u32)),
        )

    @property
    def runs(self) -> bool:
        """Whether entries are on their way."""
        window = self.window.value
        return window is not None and window.finished is None


def take_stage(storage: Storage, side: Side, block: BlockNumber, stage: Any) -> None:
    """Begin with a decoded stage after `block`. Raises `InputError` while the migration runs.

    On a relay chain that it has left, `Window` is that block alone: storage does not say when.
    """
    name = stage[0] if isinstance(stage, tuple) else stage
    if name in _NOT_BEGUN:
        return
    if name != _DONE:
        raise InputError(
            f"the Asset Hub Migration runs at block {block} ({name}): begin before it or after it"
        )
    if side is Side.RELAY:
        storage.window.put(Window(block, block))


class Happened(StrEnum):
    """The events that matter here, by name."""

    STARTED = "AssetHubMigrationStarted"
    FINISHED = "AssetHubMigrationFinished"


_HAPPENED: Mapping[str, Happened] = {name.value: name for name in Happened}


def deposit_event(storage: Storage, block: BlockNumber, event: EventRecord) -> Happened | None:
    """Take over an event of either migrator in `block`; None for one that tells nothing here."""
    happened = _HAPPENED.get(event.name)
    window = storage.window.value
    if happened is Happened.STARTED:
        storage.window.put(Window(block, None))
    elif happened is Happened.FINISHED:
        storage.window.put(Window(block if window is None else window.started, block))
    return happened
