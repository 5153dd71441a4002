"""Which call a scheduled task will dispatch: blocks show it when it is scheduled, not when it runs.

Mirrors: `pallet_scheduler` (`Agenda`, `Lookup`), `pallet_preimage` and the enactments of
`pallet_referenda`, as far as the calls of tasks need them, in items of our own. Periodic tasks are
not followed, nor preimages above `MAX_PREIMAGE`: what such a task does is reported as unattributed.
Rule: spec/pallets.md A.4, F.2.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias

from ibp_chain.blocks import EventRecord, blake2_256
from ibp_chain.errors import DecodeError
from ibp_chain.scale import schema
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash, RelayBlockNumber
from ledger.dispatch_values import field, origin_of_caller
from ledger.origins import Dispatched, Origin, OriginKind
from ledger.pallets import referenda
from ledger.storage import Hasher, KeyPart, StorageMap

PALLETS = frozenset({"Scheduler", "Preimage", "Referenda"})
"""Whose calls and events tell of tasks."""
MAX_PREIMAGE = 1 << 17
"""Bytes. The code of a new runtime is longer, and touches nothing that is mirrored."""

TaskAddress: TypeAlias = tuple[RelayBlockNumber, int]
"""Of the agenda: block and index."""

_ORIGINS = tuple(OriginKind)
_ENACTMENT = b"assembly" + schema.text.encode("enactment")


class Runtime(Protocol):
    """What reads a stored call."""

    def decode_call(self, raw: bytes, *, whole: bool = True) -> Call: ...


class Task(NamedTuple):
    """What a task will dispatch, and as whom."""

    origin: int
    """By its place in `OriginKind`."""
    account: AccountId | None
    call: bytes | None
    preimage: Hash | None
    """Of the call, where it is not here itself."""


class Storage:
    def __init__(self) -> None:
        task = schema.struct(
            Task,
            origin=schema.u8,
            account=schema.option(schema.account),
            call=schema.option(schema.octets),
            preimage=schema.option(schema.hash256),
        )
        name = KeyPart(Hasher.IDENTITY, schema.hash256)
        number = KeyPart(Hasher.IDENTITY, schema.u32)
        self.named: StorageMap[Hash, Task] = StorageMap("Tasks", "Named", (name,), task)
        self.agenda: StorageMap[TaskAddress, Task] = StorageMap(
            "Tasks", "Agenda", (number, number), task
        )
        self.preimages: StorageMap[Hash, bytes] = StorageMap(
            "Tasks", "Preimages", (name,), schema.octets
        )


# --- The chain's own storage, to begin with -----------------------------------------


def agenda_keys() -> StorageMap[int, bytes]:
    """`Scheduler.Agenda`, for its keys; the values are for `take_agenda`."""
    return StorageMap(
        "Scheduler", "Agenda", (KeyPart(Hasher.TWOX_64_CONCAT, schema.u32),), schema.octets
    )


def preimage_keys() -> StorageMap[tuple[Hash, int], bytes]:
    """`Preimage.PreimageFor`: hash and length, to the preimage."""
    keys = KeyPart(Hasher.IDENTITY, schema.hash256), KeyPart(Hasher.IDENTITY, schema.u32)
    return StorageMap("Preimage", "PreimageFor", keys, schema.octets)


def take_agenda(storage: Storage, when: int, tasks: Any) -> None:
    """The tasks of block `when`, from a decoded `Agenda` value."""
    for index, task in enumerate(tasks):
        if isinstance(task, dict) and task["maybe_periodic"] is None:
            known = _proposed(origin_of_caller(task["origin"]), task["call"])
            if known is not None:
                storage.agenda.insert((RelayBlockNumber(when), index), known)


def take_referendum(storage: Storage, index: int, info: Any) -> None:
    """What a referendum proposes, from a decoded `ReferendumInfoFor` value; nothing once ended."""
    match info:
        case ("Ongoing", {"origin": origin, "proposal": proposal}):
            proposed = _proposed(origin_of_caller(origin), proposal)
            if proposed is not None:
                storage.named.insert(enactment_name(index), proposed)


def take_preimage(storage: Storage, raw: bytes) -> None:
    if len(raw) <= MAX_PREIMAGE:
        storage.preimages.insert(blake2_256(raw), raw)


# --- Calls and events ---------------------------------------------------------------


def enactment_name(referendum: int) -> Hash:
    """The name of the task that enacts a referendum."""
    return blake2_256(_ENACTMENT + referendum.to_bytes(4, "little"))


def note(storage: Storage, item: Dispatched) -> None:
    """Take over what a call that succeeded scheduled, submitted, or noted."""
    args = item.call.args
    match item.call.pallet, item.call.name:
        case "Scheduler", "schedule" | "schedule_after" | "schedule_named" | "schedule_named_after":
            if args["maybe_periodic"] is None and isinstance(args["call"], Call):
                task = _task(item.origin, args["call"].data, None)
                for address in _addresses(item.events, "Scheduled"):
                    storage.agenda.insert(address, task)
        case "Referenda", "submit":
            proposed = _proposed(origin_of_caller(args["proposal_origin"]), args["proposal"])
            for event in item.events:
                if event.name == "Submitted" and proposed is not None:
                    storage.named.insert(enactment_name(event.args["index"]), proposed)
        case "Preimage", "note_preimage":
            take_preimage(storage, args["bytes"])


def observe(storage: Storage, event: EventRecord) -> None:
    """Forget what an event says is over."""
    match event.pallet, event.name:
        case "Scheduler", "Dispatched" | "CallUnavailable":
            storage.agenda.remove(_address(field(event, "task", 0)))
            name = field(event, "id", 1)
            if name is not None:
                storage.named.remove(Hash(name))
        case "Scheduler", "Canceled":
            for address in _addresses((event,), "Canceled"):
                storage.agenda.remove(address)
        case "Preimage", "Cleared":
            storage.preimages.remove(Hash(field(event, "hash", 0)))
        case "Referenda", "Rejected" | "Cancelled" | "TimedOut" | "Killed":
            storage.named.remove(enactment_name(event.args["index"]))


def task_of(
    storage: Storage, polls: referenda.Storage, runtime: Runtime, dispatched: EventRecord
) -> tuple[Origin, Call] | None:
    """As whom and what the task of a `Scheduler.Dispatched` event called; None where unknown.

    Its place in the agenda is its own; a name is believed only of a referendum that has passed,
    since other pallets' tasks may be called alike.
    """
    name = field(dispatched, "id", 1)
    task = storage.agenda.find(_address(field(dispatched, "task", 0)))
    if task is None and name is not None and _has_passed(polls, Hash(name)):
        task = storage.named.find(Hash(name))
    raw = None if task is None else task.call
    if raw is None and task is not None and task.preimage is not None:
        raw = storage.preimages.find(task.preimage)
    if task is None or raw is None:
        return None
    try:
        call = runtime.decode_call(raw, whole=False)  # as `QueryPreimage::peek` reads it
    except DecodeError:  # of an older runtime: the chain cannot read it either
        return None
    return Origin(_ORIGINS[task.origin], task.account), call


def _has_passed(polls: referenda.Storage, name: Hash) -> bool:
    return any(
        poll.status is referenda.Status.APPROVED and enactment_name(index) == name
        for index, poll in polls.polls.items()
    )


def _task(origin: Origin, call: bytes | None, preimage: Hash | None) -> Task:
    return Task(_ORIGINS.index(origin.kind), origin.account, call, preimage)


def _proposed(origin: Origin, proposal: Any) -> Task | None:
    """Of a `Bounded` call."""
    match proposal:
        case ("Inline", bytes() as call):
            return _task(origin, call, None)
        case ("Lookup" | "Legacy", {"hash": bytes() as preimage}):
            return _task(origin, None, Hash(preimage))
    return None


def _addresses(events: tuple[EventRecord, ...], name: str) -> Iterator[TaskAddress]:
    for event in events:
        if (event.pallet, event.name) == ("Scheduler", name):
            yield RelayBlockNumber(field(event, "when", 0)), field(event, "index", 1)


def _address(task: Any) -> TaskAddress:
    when, index = task
    return RelayBlockNumber(when), index
