"""Begin a ledger at any block, from the chain's own storage after it.

The mirrors take over what the chain has; the programme's own pallets start empty, since what was
said in remarks stands in blocks only. What storage does not tell stays unknown: which conviction a
prior lock stems from, the history of an open multisig operation, how an ended poll was classed.
"""

from ibp_chain.archive_blocks import LAST_UPGRADE_KEY
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import DecodeError, InputError
from ibp_chain.runtime import Runtime
from ibp_chain.scale import schema
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.state_excerpt import Excerpt
from ibp_chain.types import SpecVersion
from ledger import clock
from ledger.facts import checked_time
from ledger.mirrors import Mirrors
from ledger.pallets import balances, democracy, migration, referenda, scheduler
from ledger.replay import BlockReport, Runtimes
from ledger.state import Head, State
from ledger.storage import twox_128

_NOW = twox_128("Timestamp") + twox_128("Now")


def prefixes() -> tuple[bytes, ...]:
    """The storage that a ledger begins with."""
    mirrored = (item.prefix for item in Mirrors().mirrored_maps())
    read = referenda.info_keys, democracy.info_keys, scheduler.agenda_keys, scheduler.preimage_keys
    stages = (_stage_key(side) for side in migration.Side)
    return (LAST_UPGRADE_KEY, _NOW, *stages, *mirrored, *(keys().prefix for keys in read))


def begin(state: State, excerpt: Excerpt, runtimes: Runtimes) -> BlockReport:
    """Fill an empty `state` with what the chain had after the block of `excerpt`.

    Raises `InputError` for a state that has blocks, and as `runtimes` does; `CheckFailed` where the
    excerpt proves less than `prefixes`; `DecodeError`.
    """
    if state.head.value is not None:
        raise InputError("a ledger that has blocks cannot begin anew: use an empty database")
    header, runtime = excerpt.header, runtimes(executed_by(excerpt))
    _take_stage(state.mirrors, excerpt, runtime)
    _take_mirrored(state.mirrors, excerpt)
    _take_polls(state.mirrors, excerpt, runtime)
    _take_tasks(state.mirrors, excerpt, runtime)
    state.head.put(Head(header.number, header.hash, clock.clock_of(state.network, header)))
    now = excerpt.value(_NOW)
    return BlockReport(
        ref=BlockRef(header.number, header.hash),
        parent_hash=header.parent_hash,
        spec_version=runtime.spec_version,
        timestamp_ms=0 if now is None else checked_time(header.number, schema.u64.decode(now)),
        extrinsics=0,
        accepted=(),
        refused=(),
        batches=(),
        touched_votes=True,
        unattributed=(),
    )


def executed_by(excerpt: Excerpt) -> SpecVersion:
    """Of the runtime that left this storage; the next block may have a newer one.

    Executive writes `LastRuntimeUpgrade` in the first block that a runtime executes. Raises
    `DecodeError` where storage does not say.
    """
    raw = excerpt.value(LAST_UPGRADE_KEY)
    if raw is None:
        raise DecodeError(f"state after block {excerpt.header.number} names no runtime")
    return SpecVersion(decode_compact(raw)[0])


def _stage_key(side: migration.Side) -> bytes:
    return twox_128(side) + twox_128(migration.STAGES[side])


def _take_stage(mirrors: Mirrors, excerpt: Excerpt, runtime: Runtime) -> None:
    for side in migration.Side:
        raw = excerpt.value(_stage_key(side))
        if raw is not None and runtime.has_pallet(side):
            stage = runtime.decode_storage(side, migration.STAGES[side], raw)
            migration.take_stage(mirrors.migration, side, excerpt.header.number, stage)


def _take_mirrored(mirrors: Mirrors, excerpt: Excerpt) -> None:
    # a reader of its own: what it loads is no change, what is inserted here is one
    for ours, reader in zip(mirrors.mirrored_maps(), Mirrors().mirrored_maps(), strict=True):
        for raw_key, raw_value in excerpt.entries(ours.prefix):
            reader.load(raw_key, raw_value)
        for key, value in reader.items():
            if ours is not mirrors.balances.locks:
                ours.insert(key, value)
                continue
            # other locks are of pallets that are not mirrored, and would be out of date soon
            governance = tuple(lock for lock in value if lock.id in balances.GOVERNANCE_LOCKS)
            if governance:
                ours.insert(key, governance)


def _take_polls(mirrors: Mirrors, excerpt: Excerpt, runtime: Runtime) -> None:
    keys = referenda.info_keys()
    for raw_key, raw in excerpt.entries(keys.prefix):
        index, value = keys.key_of(raw_key), runtime.decode_storage(keys.pallet, keys.item, raw)
        mirrors.referenda.polls.insert(index, referenda.Poll(*referenda.info_of(value)))
        scheduler.take_referendum(mirrors.scheduler, index, value)
    keys = democracy.info_keys()
    for raw_key, raw in excerpt.entries(keys.prefix):
        info = democracy.info_of(runtime.decode_storage(keys.pallet, keys.item, raw))
        mirrors.democracy.referenda.insert(keys.key_of(raw_key), info)


def _take_tasks(mirrors: Mirrors, excerpt: Excerpt, runtime: Runtime) -> None:
    agenda, preimages = scheduler.agenda_keys(), scheduler.preimage_keys()
    for raw_key, raw in excerpt.entries(agenda.prefix):
        tasks = runtime.decode_storage(agenda.pallet, agenda.item, raw)
        scheduler.take_agenda(mirrors.scheduler, agenda.key_of(raw_key), tasks)
    for _, raw in excerpt.entries(preimages.prefix):
        preimage = runtime.decode_storage(preimages.pallet, preimages.item, raw)
        scheduler.take_preimage(mirrors.scheduler, preimage)
