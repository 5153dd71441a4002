"""Reading what events and arguments say, in the shapes of every runtime since OpenGov."""

from typing import Any

from ibp_chain.blocks import EventRecord
from ibp_chain.types import AccountId
from ledger.origins import Origin, OriginKind

ROOT = Origin(OriginKind.ROOT)


def signed(account: AccountId) -> Origin:
    return Origin(OriginKind.SIGNED, account)


def is_event(event: EventRecord | None, pallet: str, name: str) -> bool:
    return event is not None and event.pallet == pallet and event.name == name


def field(event: EventRecord, name: str, position: int) -> Any:
    """An event's field, in runtimes that name it and in older ones that do not."""
    if isinstance(event.args, dict):
        return event.args.get(name)
    values = field_values(event)
    return values[position] if len(values) > position else None


def field_values(event: EventRecord) -> tuple[Any, ...]:
    """An event's fields in order. A single one without a name comes bare."""
    match event.args:
        case dict():
            return tuple(event.args.values())
        case ("Ok" | "Err", _):  # one `Result`, not two fields
            return (event.args,)
        case tuple():
            return event.args
    return (event.args,)


def dispatch_error(event: EventRecord) -> Any | None:
    """The `Err` of the one `DispatchResult` among an event's fields; None for `Ok`."""
    for value in field_values(event):
        match value:
            case ("Ok", _):
                return None
            case ("Err", {"error": error, "post_info": _}):  # DispatchErrorWithPostInfo
                return error
            case ("Err", error):
                return error
    raise ValueError(f"{event.pallet}.{event.name} has no result among its fields")


def lookup(address: Any) -> AccountId | None:
    """`AccountIdLookup`: of a `MultiAddress` only `Id` resolves; old runtimes had plain ids."""
    match address:
        case bytes() if len(address) == 32:
            return AccountId(address)
        case ("Id", bytes() as raw) if len(raw) == 32:
            return AccountId(raw)
    return None


def origin_of_caller(caller: Any) -> Origin:
    """An `OriginCaller` as call arguments carry it."""
    match caller:
        case ("system", ("Root", _)):
            return ROOT
        case ("system", ("Signed", bytes() as account)):
            return signed(AccountId(account))
        case ("system", ("None", _)):
            return Origin(OriginKind.NONE)
    return Origin(OriginKind.OTHER)
