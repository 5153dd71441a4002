"""`ibp ledger backfill`: fill a ledger from far behind, with many processes or machines."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ibp_chain.archive import ArchiveSource
from ibp_chain.archive_folder import redacted
from ibp_chain.cli.opened import DEFAULT_DB, CuratorsOption, DbOption, curators_account
from ibp_chain.cli.output import JsonOption, hex_, print_json, progress, say
from ibp_chain.errors import ConfigError, InputError
from ibp_chain.runtimes import network_of, runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber
from ledger.backfill import Crew, alone
from ledger.backfill import backfill as fill
from ledger.backfill_ranges import BLOCKS_OF_NODE, ArchiveQuarry, NodeQuarry
from ledger.store import Identity, Store

Pem = Annotated[Path | None, typer.Option(help="PEM file, for a scheduler at tls://.")]


def backfill(
    archive: Annotated[
        str | None,
        typer.Argument(help="A block archive: a directory or a URL.", show_default=False),
    ] = None,
    node: Annotated[
        str | None, typer.Option("--node", help="Instead: ws:// or http:// URL of a node.")
    ] = None,
    db: DbOption = DEFAULT_DB,
    curators: CuratorsOption = None,
    last: Annotated[int | None, typer.Option(help="Stop behind this block.", min=1)] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes on this machine; default one a core. 0 does without.", min=0),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Instead: a running Dask scheduler, tcp://… or tls://…")
    ] = None,
    tls_ca: Pem = None,
    tls_cert: Pem = None,
    tls_key: Pem = None,
    range_blocks: Annotated[
        int, typer.Option(help="Blocks that a worker reads from the node at once.", min=1)
    ] = BLOCKS_OF_NODE,
    *,
    proofs: Annotated[
        bool,
        typer.Option(
            help="Have a node prove each block's events and spec version; needs their states."
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Fold an archive's or a node's blocks into a database, decoded by many processes.

    The result is that of a replay. Run it again to go on where it stopped.
    """
    if scheduler is not None and workers is not None:
        raise ConfigError("--workers is for this machine: leave it out with --scheduler")
    tls = tls_ca, tls_cert, tls_key
    with _quarry(archive, node, range_blocks, proofs=proofs) as quarry:
        source = quarry.source
        network = network_of(source, runtimes(source))
        identity = Identity(network.name, source.genesis_hash, curators_account(curators, network))
        end = None if last is None else BlockNumber(last)
        start = source.start() if isinstance(source, ArchiveSource) else None
        with Store(db, identity) as store, _crew(network.name, workers, scheduler, tls) as crew:
            total = _blocks_to_do(source, store, end)
            with progress("backfilling", total) as tick:
                done, began = 0, time.monotonic()

                def heard(_: object) -> None:
                    nonlocal done
                    done += 1
                    tick(done)

                state = fill(store, quarry, crew, last=end, heard=heard, start=start)
                seconds = time.monotonic() - began
            head = store.head()
    if head is None:
        raise InputError(f"there are no blocks up to {last}")
    again, rate = getattr(crew, "again", 0), done / seconds
    if as_json:
        print_json(
            {
                "blocks": done,
                "seconds": round(seconds, 3),
                "blocks_per_second": round(rate, 1),
                "resubmissions": again,
                "block": head.number,
                "state_root": state.root(),
            }
        )
        return
    say(f"{done:,} blocks in {seconds:.1f} s, {rate:,.0f} a second; {again} ranges done again")
    say(f"block {head.number}: state root {hex_(state.root())}")


@contextmanager
def _quarry(
    archive: str | None, node: str | None, range_blocks: int, *, proofs: bool
) -> Iterator[ArchiveQuarry | NodeQuarry]:
    if (archive is None) == (node is None):
        raise ConfigError("say where the blocks are: an archive, or --node URL, and not both")
    if archive is not None:
        # workers are started elsewhere, and a path is theirs as well as ours
        location = archive if "://" in archive else str(Path(archive).absolute())
        yield ArchiveQuarry(location, ArchiveSource(location))
        return
    assert node is not None
    with NodeSource(node) as source:
        yield NodeQuarry(node, source, range_blocks, proofs)


@contextmanager
def _crew(
    network_name: str,
    workers: int | None,
    scheduler: str | None,
    tls: tuple[Path | None, Path | None, Path | None],
) -> Iterator[Crew]:
    files = [path for path in tls if path is not None]
    if files and (len(files) < len(tls) or scheduler is None):
        raise ConfigError("--tls-ca, --tls-cert and --tls-key go together, and with --scheduler")
    if workers == 0:
        yield alone(network_name)
        return
    # slow to import, and a replay without a cluster needs none of it
    from ledger.backfill_dask import (  # noqa: PLC0415
        DaskCrew,
        Tls,
        local_cluster,
        running_cluster,
    )

    cluster: Any
    if scheduler is None:
        cluster = local_cluster(workers or os.cpu_count() or 1)
    else:
        cluster = running_cluster(redacted(scheduler), Tls(*files) if files else None)
    with cluster as client:
        yield DaskCrew(client, network_name)


def _blocks_to_do(
    source: ArchiveSource | NodeSource, store: Store, last: BlockNumber | None
) -> int:
    """About how many: heights, which a test chain skips some of."""
    head, end = store.head(), source.head().number if last is None else last
    return max(0, end - (source.first() - 1 if head is None else head.number))
