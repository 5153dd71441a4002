"""What a node has of a multisig's operations: open now, and closed of late.

What is open is read from the storage of the best block, since what is pending there counts. What
was closed is read from the events of blocks, final ones and those of the best chain behind them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ibp_chain.blocks import Block, BlockRef
from ibp_chain.errors import DecodeError
from ibp_chain.networks import Network
from ibp_chain.node import Pruned
from ibp_chain.runtime import Runtime
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Hash, SpecVersion
from ledger.pallets.multisig.types import Status
from ledger.state import State
from multisig.errors import ApprovalRefused, NextStep
from multisig.nested import calls_in
from multisig.operations import Age, OpenOperation, read_operation
from multisig.steps import CLOSING, Point, Step, StepKind, steps_in

Runtimes = Callable[[SpecVersion], Runtime]

MOST_BLOCKS = 2_400
"""That are searched for an execution: four hours of 6 s blocks."""
_MOST_UNFINALISED = 512
_MULTISIG = frozenset({"Multisig"})


def operation_of(
    node: NodeSource, runtime: Runtime, account: AccountId, call_hash: Hash, at: Hash
) -> OpenOperation | None:
    """The open operation of a call in the post-state of block `at`."""
    key = runtime.storage_key("Multisig", "Multisigs", account, call_hash)
    (raw,) = node.storage([key], at)
    if raw is None:
        return None
    return read_operation(runtime.decode_storage("Multisig", "Multisigs", raw))


def operations_of(
    node: NodeSource, runtime: Runtime, account: AccountId, at: Hash
) -> dict[Hash, OpenOperation]:
    """All open operations of `account` in the post-state of block `at`, by call hash."""
    keys = list(node.keys(runtime.storage_key("Multisig", "Multisigs", account), at))
    found = {}
    for key, raw in zip(keys, node.storage(keys, at), strict=True):
        if raw is not None:
            _, call_hash = runtime.decode_storage_key("Multisig", "Multisigs", key)
            value = runtime.decode_storage("Multisig", "Multisigs", raw)
            found[Hash(call_hash)] = read_operation(value)
    return found


def age_of(
    node: NodeSource, runtime: Runtime, operation: OpenOperation, now: BlockRef, network: Network
) -> Age:
    """How long `operation` is open in block `now`; by the blocks' own time where the node still
    has the state of the block that opened it.
    """
    height = operation.timepoint["height"]
    blocks = max(now.number - height, 0)
    key = runtime.storage_key("Timestamp", "Now")
    (then,) = node.hashes([height])
    moments = [] if then is None else [_moment(node, runtime, key, at) for at in (then, now.hash)]
    match moments:
        case [int(opened), int(current)]:
            return Age(blocks, max(current - opened, 0), exact=True)
    return Age(blocks, blocks * network.block_time_ms, exact=False)


def _moment(node: NodeSource, runtime: Runtime, key: bytes, at: Hash) -> int | None:
    try:
        (raw,) = node.storage([key], at)
    except Pruned:
        return None
    return None if raw is None else int(runtime.decode_storage("Timestamp", "Now", raw))


def call_of(node: NodeSource, runtimes: Runtimes, point: Point, call_hash: Hash) -> bytes | None:
    """The call that the extrinsic at `point` opened an operation with, where it sent it whole and
    the node still has the block.
    """
    (digest,) = node.hashes([point.height])
    if digest is None:
        return None
    try:
        block = node.block(digest)
        if point.extrinsic >= len(block.extrinsics):
            return None
        raw = block.extrinsics[point.extrinsic]
        extrinsic = runtimes(block.spec_version).decode_extrinsic(raw)
    except (Pruned, DecodeError):
        return None
    return next((c.data for c in calls_in(extrinsic.call) if c.hash == call_hash), None)


# --- What happened --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Witness:
    """What a curator's own ledger knows of a call: executed where, and up to which block."""

    head: BlockRef
    executed: tuple[BlockNumber, ...]
    """Blocks that executed it, and in which it did not fail inside."""


def witness(state: State, account: AccountId, call_hash: Hash) -> Witness | None:
    """None for a ledger without blocks."""
    head = state.head.value
    if head is None:
        return None
    found = [
        operation.closing.at.block
        for key, operation in state.mirrors.multisig.operations.items()
        if key[:2] == (account, call_hash)
        and operation.status is Status.EXECUTED
        and operation.closing is not None
        and operation.closing.error is None
    ]
    return Witness(head.ref, tuple(sorted(found)))


def ensure_unpaid(
    node: NodeSource,
    runtimes: Runtimes,
    seen: Witness,
    best: BlockRef,
    account: AccountId,
    call_hash: Hash,
) -> None:
    """That nothing executed the call up to the best block, by the ledger and the blocks behind it.

    Raises `ApprovalRefused` where it was executed, or where that cannot be told: the ledger is on
    another fork than the node, ahead of it, or too far behind.
    """
    if seen.executed:
        raise ApprovalRefused(
            f"this call was executed in block {seen.executed[-1]}: approving it now would begin to "
            "pay it again",
            NextStep.RECONCILE,
        )
    ensure_same_chain(node, seen.head, best)
    for count, block in enumerate(blocks_after(node, seen.head, best), 1):
        if count > MOST_BLOCKS:
            raise ApprovalRefused(
                f"your ledger is at block {seen.head.number}, the node at {best.number}: too far "
                "behind to know that nobody executed this call since; follow or replay the chain "
                "up to now, then approve again"
            )
        for step in steps_of(block, runtimes, account):
            if step.call_hash == call_hash and step.kind is StepKind.EXECUTED:
                raise ApprovalRefused(
                    f"this call was executed in block {step.block.number}, which your ledger does "
                    "not have yet: approving it now would begin to pay it again",
                    NextStep.RECONCILE,
                )


def ensure_same_chain(node: NodeSource, head: BlockRef, best: BlockRef) -> None:
    """That a ledger's head is a block of the node's best chain. Raises `ApprovalRefused`."""
    if head.number > best.number:
        raise ApprovalRefused(
            f"your ledger is at block {head.number}, the node only at {best.number}: use a "
            "node that is up to date"
        )
    if node.hashes([head.number]) != [head.hash]:
        raise ApprovalRefused(
            f"block {head.number} of the node is not the one in your ledger: one of them is "
            "on another fork or lies; compare the block's hash elsewhere before you sign"
        )


def steps_of(block: Block, runtimes: Runtimes, account: AccountId) -> tuple[Step, ...]:
    """What happened to the operations of `account` in `block`."""
    runtime = runtimes(block.spec_version)
    events = runtime.decode_events(block.events, pallets=_MULTISIG)
    return tuple(steps_in(block.ref, events, (account,), runtime.error_name))


def last_closing(
    node: NodeSource,
    runtimes: Runtimes,
    account: AccountId,
    call_hash: Hash,
    first: BlockNumber,
    last: BlockNumber,
) -> Step | None:
    """The end of the call in the final blocks `first` to `last`: an execution, where there was one,
    whatever came after it.
    """
    if first > last:
        return None
    return decisive(
        step
        for block in node.blocks(first, last)
        for step in steps_of(block, runtimes, account)
        if step.call_hash == call_hash
    )


def decisive(steps: Iterable[Step]) -> Step | None:
    """The end that counts among steps of one call: that it was executed, however often it was
    opened and cancelled after it; else the last one. None where nothing ended.
    """
    found = None
    for step in steps:
        paid = found is not None and found.kind is StepKind.EXECUTED
        if step.kind is StepKind.EXECUTED or (step.kind in CLOSING and not paid):
            found = step
    return found


def blocks_after(node: NodeSource, after: BlockRef, best: BlockRef) -> Iterator[Block]:
    """The blocks behind `after` up to `best`, ascending: final ones, then those that are not.

    Raises `ApprovalRefused` where finality is too far behind to read them one by one.
    """
    final = BlockNumber(min(node.head().number, best.number))
    if best.number - final > _MOST_UNFINALISED:
        raise ApprovalRefused(
            f"the node's best block is {best.number}, the last final one {final}: finality has "
            "stopped, or this node does not follow it; wait, or use another node"
        )
    if final > after.number:
        yield from node.blocks(BlockNumber(after.number + 1), final)
    found = list[Block]()
    digest, floor = best.hash, max(final, after.number)
    while digest != node.genesis_hash:
        block = node.block(digest)
        if block.header.number <= floor:
            break
        found.append(block)
        digest = block.header.parent_hash
    yield from reversed(found)


# --- Upgrades -------------------------------------------------------------------------


def runtime_at(node: NodeSource, spec_version: SpecVersion, near: int) -> Runtime | None:
    """The runtime of a spec version, from the state of a block that the node still has.

    Looks from block `near` on, where the call was made or before, by bisection: spec versions only
    rise. None where the node has pruned that state, or never ran it.
    """
    high: int = node.head().number
    low = near if 1 <= near <= high else 1
    while low <= high:
        middle = (low + high) // 2
        (digest,) = node.hashes([middle])
        if digest is None:  # test chains skip heights
            high = middle - 1
            continue
        try:
            found = node.version_after(digest)
            if found == spec_version:
                return Runtime.from_metadata(node.metadata_at(digest))
        except Pruned:
            low = middle + 1
            continue
        low, high = (middle + 1, high) if found < spec_version else (low, middle - 1)
    return None
