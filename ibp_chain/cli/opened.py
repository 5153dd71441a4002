"""The ledger that a command reads, as of any block: from a database or from an archive."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.accounts import ss58_decode
from ibp_chain.archive import ArchiveSource
from ibp_chain.cli.output import progress
from ibp_chain.errors import ConfigError, InputError
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import network_of, read_runtime, runtimes
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, SpecVersion
from ledger.locks import AccountLocks, Promise, account_locks, promise
from ledger.mirrors import Constants, Mirrors
from ledger.replay import BlockReport, Runtimes, apply_block, constants_of
from ledger.start import begin
from ledger.state import Head, State
from ledger.store import Store

DEFAULT_DB = "sqlite:///ledger.db"
DbOption = Annotated[str, typer.Option("--db", help="Database URL of the ledger.")]
ArchiveOption = Annotated[
    Path | None, typer.Option("--archive", help="Read an archive instead of the database.")
]
AtOption = Annotated[
    int | None, typer.Option("--at", min=1, help="As of this block; default the last one.")
]
NodeUrl = Annotated[str, typer.Option("--node", help="ws:// or http:// URL of a node.")]
RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Rules file; default the IBP's own.")
]
CuratorsOption = Annotated[
    str | None,
    typer.Option("--curators", help="Address of the multisig that must have founded the ledger."),
]


@dataclass(frozen=True, slots=True)
class Opened:
    """A ledger at a block."""

    state: State
    runtime: Runtime
    """Of the head's block."""
    metadata_v14: bytes
    genesis_hash: Hash
    timestamp_ms: int
    """The head's own time."""

    @property
    def network(self) -> Network:
        return self.state.network

    @property
    def constants(self) -> Constants:
        return Constants.of(self.runtime)


Heard = Callable[[State, Constants, BlockReport], object]
"""Told of every block of an archive that is replayed, with the state that it left."""


def open_ledger(
    db: str, archive: Path | None, at: int | None, heard: Heard | None = None
) -> Opened:
    """Raises `ConfigError` where there is none, and as replaying does."""
    if archive is not None:
        return _from_archive(archive, at, heard)
    if heard is not None:
        raise ConfigError("what happened in between needs --archive: a database knows states only")
    with Store(db) as store:
        # the state first: a follower may be adding blocks, and what is told must be of one
        state = store.load_state(None if at is None else BlockNumber(at))
        head = state.head.value
        if head is None:
            raise ConfigError(f"{store.name} has no blocks yet: replay or follow a chain first")
        block = store.block(head.number)
        spec_version = SpecVersion(block.spec_version)
        return Opened(
            state,
            read_runtime(store.metadata(spec_version)),
            store.metadata_v14(spec_version),
            store.identity.genesis_hash,
            block.timestamp_ms,
        )


def locks_and_promise(
    mirrors: Mirrors, constants: Constants, head: Head, account: AccountId, required: Planck
) -> tuple[AccountLocks, Promise]:
    """What `account` has locked after the head's block, and whether that keeps its promise."""
    config, storage = mirrors.voting_config(constants, head.now), mirrors.conviction_voting
    return account_locks(storage, config, account), promise(storage, config, account, required)


def curators_account(text: str | None, network: Network) -> AccountId | None:
    """Raises `AddressError`."""
    return None if text is None else ss58_decode(text, network.ss58_prefix)


def _from_archive(folder: Path, at: int | None, heard: Heard | None) -> Opened:
    source = ArchiveSource(folder)
    runtime_of, last = runtimes(source), BlockNumber(source.head().number if at is None else at)
    state, block, timestamp_ms = State(network_of(source, runtime_of)), None, 0
    start = source.start()
    if start is not None:
        _hear(heard, state, runtime_of, begin(state, start, runtime_of))
    with progress("replaying", None) as tick:
        for done, block in enumerate(source.blocks(source.first(), last), 1):
            report = apply_block(state, block, runtime_of(block.spec_version))
            timestamp_ms = report.timestamp_ms
            _hear(heard, state, runtime_of, report)
            tick(done)
    if block is None:
        raise InputError(f"{folder} has no blocks up to {last}")
    return Opened(
        state,
        runtime_of(block.spec_version),
        source.metadata_v14(block.spec_version),
        source.genesis_hash,
        timestamp_ms,
    )


def _hear(heard: Heard | None, state: State, runtime_of: Runtimes, report: BlockReport) -> None:
    if heard is not None:
        heard(state, constants_of(runtime_of(report.spec_version)), report)
