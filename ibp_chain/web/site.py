"""What the routes share: the snapshot of now, the database, the limits, the clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from ibp_chain.blocks import blake2_256
from ibp_chain.web.archive_files import Archive
from ibp_chain.web.errors import NotGiven, TooOften
from ibp_chain.web.limits import Buckets, Rate
from ibp_chain.web.loading import Loader, Places
from ibp_chain.web.node_watch import NodeWatch
from ibp_chain.web.queries.chain import NodeView
from ibp_chain.web.reads import Ledger
from ibp_chain.web.signing import Desk
from ibp_chain.web.snapshot import Snapshot

EXPENSIVE = Rate(burst=10, seconds_each=3.0)
SIGNING = Rate(burst=20, seconds_each=3.0)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """One server. `clock` is UTC, `steady` seconds of a clock that never goes back."""

    places: Places
    loader: Loader
    hosts: tuple[str, ...]
    node: NodeWatch | None = None
    desk: Desk | None = None
    """With --sign."""
    clock: Callable[[], datetime] = utc_now
    steady: Callable[[], float] = time.monotonic
    buckets: Buckets = field(default_factory=lambda: Buckets(EXPENSIVE))
    signing_buckets: Buckets = field(default_factory=lambda: Buckets(SIGNING))

    @property
    def snapshot(self) -> Snapshot:
        return self.loader.current

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.places.db)

    @property
    def archive(self) -> Archive:
        return Archive(self.places.archive)

    @property
    def node_view(self) -> NodeView | None:
        return None if self.node is None else self.node.view

    def version(self, snapshot: Snapshot) -> str:
        """Of all that an answer may be made from: the snapshot, the node's word, the archive."""
        view = self.node_view
        told = None if view is None else (view.finalised, view.problem)
        rest = repr((told, self.loader.problem)).encode()
        return f"{snapshot.version}-{blake2_256(rest).hex()[:8]}"

    def charge(self, request: Request, cost: float = 1.0) -> None:
        """Raises `TooOften` where the client has asked for too much that is expensive."""
        self._charge(self.buckets, request, cost)

    def charge_signing(self, request: Request) -> None:
        """Raises `TooOften`: each of these asks the node."""
        self._charge(self.signing_buckets, request, 1.0)

    def _charge(self, buckets: Buckets, request: Request, cost: float) -> None:
        client = "unknown" if request.client is None else request.client.host
        wait = buckets.take(client, self.steady(), cost)
        if wait is not None:
            raise TooOften(
                f"this answer takes long to make: ask again in {wait} s", retry_after_s=wait
            )

    def rows_folder(self) -> Path:
        """Raises `NotGiven`."""
        if self.places.rows is None:
            raise NotGiven("the server was started without --rows: it has no published rows")
        return self.places.rows


def site_of(request: Request) -> Site:
    found: Site = request.app.state.site
    return found


def snapshot_of(request: Request) -> Snapshot:
    """The one snapshot that the whole answer is made from."""
    snapshot: Snapshot = request.state.snapshot
    return snapshot


SiteOf = Annotated[Site, Depends(site_of)]
SnapshotOf = Annotated[Snapshot, Depends(snapshot_of)]
