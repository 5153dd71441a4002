"""Makes snapshots: from a database that somebody may be writing, in a thread beside the requests.

A request always has the last whole snapshot. The next one takes its place in one assignment, once
all that is slow is worked out; what cannot be read leaves the old one standing, with the reason.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from sqlalchemy import make_url

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import ConfigError, IbpError
from ibp_chain.peer_codec import PeerCodec, peer_codec
from ibp_chain.runtime import Runtime
from ibp_chain.types import BlockNumber, SpecVersion
from ibp_chain.web.audit_file import read_audit
from ibp_chain.web.bundle_files import Bundles, read_bundles
from ibp_chain.web.queries import members, oracles
from ibp_chain.web.reads import block_facts, runtimes_kept
from ibp_chain.web.scores import Scores, grown
from ibp_chain.web.snapshot import Chain, Snapshot
from ibp_chain.web.traces import Tracer
from ledger.mirrors import Constants
from ledger.program.rules import Rules, load_rules
from ledger.state import State
from ledger.store import Store
from ledger.tables import SCHEMA_VERSION
from multisig.bundle import Bundle
from multisig.decode import Reading, decode_payout
from multisig.pending import pending_lines

DAYS_AT_ONCE = 40
"""Days whose rows are read at first, before what is known so far is shown."""
_REST = 4.0
"""After a load the thread leaves the processor to requests for this many times as long."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is that is shown."""

    db: str
    also: tuple[str, ...] = ()
    rows: Path | None = None
    bundles: Path | None = None
    archive: Path | None = None
    audit: Path | None = None
    rules: Path | None = None

    def without_paths(self, text: str) -> str:
        """`text` for strangers: names of files, not where on this machine they are."""
        urls = (make_url(url) for url in (self.db, *self.also))
        files = [Path(url.database) for url in urls if url.database]
        given = (self.rows, self.bundles, self.archive, self.audit, self.rules)
        for path in (*files, *(each for each in given if each is not None)):
            if path.parent != Path():
                text = text.replace(f"{path.parent}/", "")
        return text


class Loader:
    """Keeps the last snapshot and makes the next. `refresh` is for one thread at a time."""

    def __init__(self, places: Places, steady: Callable[[], float] = time.monotonic) -> None:
        """Raises as `refresh`, and reads the rows of the last days only.

        `steady` tells seconds of a clock that never goes back.
        """
        self.places, self._steady = places, steady
        self._rules: Rules = load_rules(places.rules)
        self._scores, self._bundles = Scores(given=places.rows is not None), Bundles.none()
        self._tracer = Tracer(places.archive, places.without_paths)
        self.problem: str | None = None
        """Why the last refresh did not come to an end, where it did not."""
        self.current: Snapshot = _warmed(self._loaded())

    def refresh(self) -> bool:
        """Take what changed since; whether there is more to read at once.

        Raises as the store does, and `ConfigError` for settings that do not fit together.
        """
        # against what is shown: a refresh that did not come to an end is begun again
        changed = self._heads_now() != tuple(each.head.ref for each in self.current.chains)
        snapshot = self._loaded() if changed else self._with_documents(self.current)
        if changed or snapshot.version != self.current.version:
            self.current = _warmed(snapshot)
        return bool(self._scores.waiting)

    def run(self, stop: threading.Event, every_s: float) -> None:
        """`refresh` until `stop`; an error is kept in `problem`, and the next turn tries again.

        A mistake of this program ends it, and is kept too: pages must not seem to be of now.
        """
        more, took = True, 0.0
        while not stop.wait(0.0 if more else max(every_s, _REST * took)):
            began = self._steady()
            try:
                more = self.refresh()
            except IbpError as error:
                self.problem, more = self.places.without_paths(str(error)), False
            except BaseException as error:
                self.problem = f"the server reads no more: {type(error).__name__}"
                raise
            else:
                self.problem = None
            took = self._steady() - began

    def complete(self) -> None:
        """`refresh` until nothing waits."""
        while self.refresh():
            pass

    # --- Parts ------------------------------------------------------------------------

    def _heads_now(self) -> tuple[BlockRef | None, ...]:
        heads = []
        for url in (self.places.db, *self.places.also):
            with Store(url) as store:
                heads.append(store.head())
        return tuple(heads)

    def _loaded(self) -> Snapshot:
        with Store(self.places.db) as store:
            chain, runtime = _chain(store)
            kept = runtimes_kept(store)
            named = {*_blocks_of(chain.state), *(first for _, first, _ in kept if first)}
            snapshot = Snapshot(
                chain=chain,
                also=tuple(_also(self.places.also, chain)),
                state_root=chain.state.root(),
                rules=self._rules,
                schema_version=SCHEMA_VERSION,
                blocks=block_facts(store, named),
                runtimes=kept,
                pending_periods=pending_lines(chain.state, runtime),
                scores=self._scores,
                bundles=self._bundles,
                audit=None,
                traces={},
            )
        return self._with_documents(snapshot)

    def _with_documents(self, snapshot: Snapshot) -> Snapshot:
        standing = dict(snapshot.state.scores.standing.items())
        # each time as many again, for what is worked out of them takes as long
        most = max(DAYS_AT_ONCE, len(self._scores.days))
        self._scores = grown(self._scores, standing, self.places.rows, most)
        with Store(self.places.db) as store:
            self._bundles = read_bundles(self.places.bundles, self._bundles, _decoder(store))
            named = {*_simulated(self._bundles)} - snapshot.blocks.keys()
            blocks = {**snapshot.blocks, **block_facts(store, named)} if named else snapshot.blocks
        audit = None if self.places.audit is None else read_audit(self.places.audit)
        traces = self._tracer.traces(self._bundles, snapshot.state, snapshot.chain.genesis_hash)
        return replace(
            snapshot,
            scores=self._scores,
            bundles=self._bundles,
            audit=audit,
            blocks=blocks,
            traces=traces,
        )


def _warmed(snapshot: Snapshot) -> Snapshot:
    """With all that takes long worked out, so that no request waits for it."""
    members.summaries(snapshot)
    oracles.oracles(snapshot)
    oracles.days(snapshot)
    return snapshot.warm()


def _chain(store: Store) -> tuple[Chain, Runtime]:
    state = store.load_state()
    head = state.head.value
    if head is None:
        raise ConfigError(f"{store.name} has no blocks yet: replay or follow a chain first")
    block = store.block(head.number)
    version = SpecVersion(block.spec_version)
    runtime = Runtime.from_metadata(store.metadata(version))
    genesis, time_ms = store.identity.genesis_hash, block.timestamp_ms
    return Chain(state, Constants.of(runtime), genesis, version, time_ms), runtime


def _also(urls: tuple[str, ...], own: Chain) -> Iterator[Chain]:
    names = {own.network.name}
    for url in urls:
        with Store(url) as store:
            chain, _ = _chain(store)
        if chain.network.name in names:
            raise ConfigError(f"--also: two of the ledgers are of {chain.network.name}")
        names.add(chain.network.name)
        yield chain


def _decoder(store: Store) -> Callable[[Bundle], Reading]:
    """Both decoders, with the metadata that the ledger keeps of a bundle's runtime."""

    @lru_cache(maxsize=2)
    def of(version: SpecVersion) -> tuple[Runtime, PeerCodec]:
        metadata, v14 = store.metadata(version), store.metadata_v14(version)
        return Runtime.from_metadata(metadata), peer_codec(v14)

    def decode(bundle: Bundle) -> Reading:
        runtime, codec = of(SpecVersion(bundle.chain.spec_version))
        return decode_payout(runtime, codec, bundle.call, bundle.network)

    return decode


def _simulated(bundles: Bundles) -> Iterator[BlockNumber]:
    """Blocks at which stored simulations were made."""
    for found in bundles.simulations.files.values():
        yield from (BlockNumber(each.block) for each in found.simulations)


def _blocks_of(state: State) -> Iterator[BlockNumber]:
    """Every block that an answer may name with its time."""
    members, scores, payouts = state.membership, state.scores, state.payouts
    yield from (record.registered_at for _, record in members.members.items())
    yield from (record.status_since for _, record in members.members.items())
    yield from (grant.granted_at for _, grant in members.milestones.items())
    yield from (block for (_, block, _), _ in members.transitions.items())
    yield from (block for (block, _), _ in state.programme.decisions.items())
    yield from (closing.at for _, closing in scores.closings.items())
    yield from (report.since for _, report in scores.standing.items())
    yield from (found.at for _, found in scores.equivocations.items())
    yield from (block for (block, _), _ in payouts.batches.items())
    for key, operation in state.mirrors.multisig.operations.items():
        yield key[2]
        yield from (each.at.block for each in operation.approvals if each.at is not None)
        if operation.closing is not None:
            yield operation.closing.at.block
