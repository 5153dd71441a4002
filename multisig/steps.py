"""What happened to a multisig's operations in a block, read from its events alone.

Pure. Source: the events of `pallet_multisig`. `NewMultisig` has no timepoint: it is the block and
the extrinsic that it stands in, as `pallet_multisig::timepoint` makes it (0 outside extrinsics).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from ibp_chain.blocks import BlockRef, EventRecord
from ibp_chain.errors import DecodeError
from ibp_chain.types import AccountId, Hash


class StepKind(StrEnum):
    OPENED = "opened"
    APPROVED = "approved"
    EXECUTED = "executed"
    FAILED = "failed inside"
    """The call was dispatched and returned an error; the operation is closed all the same."""
    CANCELLED = "cancelled"


CLOSING = frozenset((StepKind.EXECUTED, StepKind.FAILED, StepKind.CANCELLED))


class Point(NamedTuple):
    """A timepoint: the local block and the extrinsic that opened an operation."""

    height: int
    extrinsic: int

    def __str__(self) -> str:
        return f"block {self.height}, extrinsic {self.extrinsic}"


@dataclass(frozen=True, slots=True)
class Step:
    """One event of an operation."""

    kind: StepKind
    block: BlockRef
    extrinsic: int | None
    """None in hooks."""
    event: int
    """Its position among all events of the block."""
    multisig: AccountId
    call_hash: Hash
    point: Point
    who: AccountId
    error: str | None = None
    """Of the executed call, `Pallet.Error`."""

    @property
    def key(self) -> str:
        """Block hash, extrinsic and event: no other step has it, and it never changes."""
        extrinsic = "hook" if self.extrinsic is None else self.extrinsic
        return f"0x{self.block.hash.hex()}-{extrinsic}-{self.event}"


def steps_in(
    block: BlockRef,
    events: Sequence[EventRecord],
    multisigs: Collection[AccountId],
    error_name: Callable[[Any], str],
) -> Iterator[Step]:
    """The steps of operations of `multisigs`, in order.

    `error_name` names a dispatch error, as `Runtime.error_name`. Raises `DecodeError` for an event
    of other fields than we know.
    """
    for event in events:
        if event.pallet != "Multisig" or event.name not in _READ:
            continue
        try:
            if event.args["multisig"] in multisigs:
                yield _READ[event.name](block, event, error_name)
        except (KeyError, TypeError, ValueError) as error:
            raise DecodeError(
                f"block {block.number}: Multisig.{event.name} has other fields than we know"
            ) from error


_ErrorName = Callable[[Any], str]


def _opened(block: BlockRef, event: EventRecord, _: _ErrorName) -> Step:
    point = Point(block.number, event.extrinsic_index or 0)
    return _step(StepKind.OPENED, block, event, point, event.args["approving"])


def _approved(block: BlockRef, event: EventRecord, _: _ErrorName) -> Step:
    return _step(StepKind.APPROVED, block, event, _point(event), event.args["approving"])


def _executed(block: BlockRef, event: EventRecord, error_name: _ErrorName) -> Step:
    kind, error = StepKind.EXECUTED, None
    match event.args["result"]:
        case ("Ok", _):
            pass
        case ("Err", value):
            kind, error = StepKind.FAILED, error_name(value)
        case _:
            raise ValueError("neither a result nor an error")
    return _step(kind, block, event, _point(event), event.args["approving"], error)


def _cancelled(block: BlockRef, event: EventRecord, _: _ErrorName) -> Step:
    return _step(StepKind.CANCELLED, block, event, _point(event), event.args["cancelling"])


_READ: dict[str, Callable[[BlockRef, EventRecord, _ErrorName], Step]] = {
    "NewMultisig": _opened,
    "MultisigApproval": _approved,
    "MultisigExecuted": _executed,
    "MultisigCancelled": _cancelled,
}


def _step(
    kind: StepKind,
    block: BlockRef,
    event: EventRecord,
    point: Point,
    who: bytes,
    error: str | None = None,
) -> Step:
    return Step(
        kind,
        block,
        event.extrinsic_index,
        event.position,
        AccountId(event.args["multisig"]),
        Hash(event.args["call_hash"]),
        point,
        AccountId(who),
        error,
    )


def _point(event: EventRecord) -> Point:
    at = event.args["timepoint"]
    return Point(at["height"], at["index"])
