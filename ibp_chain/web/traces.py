"""What the archive's blocks show of the given bundles: fees, deposits, movements, contradictions.

Read when a bundle's operations have changed, not when somebody looks at a page.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from ibp_chain.archive import ArchiveSource
from ibp_chain.archive_format import MANIFEST
from ibp_chain.errors import CheckFailed, IbpError
from ibp_chain.types import Hash
from ibp_chain.web.bundle_files import BundleFile, Bundles
from ledger.state import State
from multisig.bundle_trace import BundleTrace, trace_bundle
from multisig.reconcile import Attempt, reconcile


@dataclass(frozen=True, slots=True)
class Traced:
    """One bundle's operations, beside the blocks."""

    attempts: tuple[Attempt, ...]
    """By the ledger, as they stood when the blocks were read."""
    found: BundleTrace | None
    problem: str | None
    """Why the blocks were not read; set exactly when `found` is not."""


Traces = Mapping[Hash, Traced]
"""By call hash: of bundles that somebody has approved, where there is an archive."""


class Tracer:
    """Reads an archive for what the pages show, and does nothing where nothing has changed.

    `said` makes of a problem what strangers may read.
    """

    def __init__(self, archive: Path | None, said: Callable[[str], str]) -> None:
        self._archive, self._said = archive, said
        self._of: tuple[State, Mapping[Hash, BundleFile], tuple[int, int] | None] | None = None
        """State, bundles and manifest that `_traces` are of."""
        self._traces: Traces = {}

    def traces(self, bundles: Bundles, state: State, genesis: Hash) -> Traces:
        """What could not be read is tried again once the archive is another."""
        if self._archive is None:
            return {}
        manifest, before = _stamp(self._archive), self._of
        same_archive = before is not None and before[2] == manifest
        if before and before[0] is state and before[1] == bundles.files and same_archive:
            return self._traces
        source = cache(partial(_opened, self._archive, genesis))  # once, where it is needed
        files_before = {} if before is None else before[1]
        found = {}
        for call_hash, each in bundles.files.items():
            known = self._traces.get(call_hash)
            if files_before.get(call_hash) != each:
                known = None  # another file with the same call: it may claim something else
            elif known is not None and known.found is None and not same_archive:
                known = None
            traced = self._traced(source, each, state, genesis, known)
            if traced is not None:
                found[call_hash] = traced
        self._of, self._traces = (state, bundles.files, manifest), found
        return found

    def _traced(
        self,
        source: Callable[[], ArchiveSource | IbpError],
        file: BundleFile,
        state: State,
        genesis: Hash,
        known: Traced | None,
    ) -> Traced | None:
        if file.reading is None or file.bundle.chain.genesis_hash != genesis:
            return None
        try:
            result = reconcile(file.bundle, file.reading, state)
        except IbpError:
            return None  # the page says why the ledger does not take the bundle
        if not result.attempts:
            return None
        if known is not None and known.attempts == result.attempts:
            return known
        archive = source()
        try:
            if isinstance(archive, IbpError):
                raise archive
            found = trace_bundle(file.bundle, file.reading, result, archive)
        except IbpError as error:
            return Traced(result.attempts, None, self._said(str(error)))
        return Traced(result.attempts, found, None)


def _opened(archive: Path, genesis: Hash) -> ArchiveSource | IbpError:
    """What is wrong is handed out, so that it is found once for all bundles."""
    try:
        opened = ArchiveSource(archive)
    except IbpError as error:
        return error
    if opened.genesis_hash != genesis:
        return CheckFailed(f"{archive}: the archive is of another chain than the ledger")
    return opened


def _stamp(archive: Path) -> tuple[int, int] | None:
    """Time and size of the archive's manifest."""
    try:
        stat = (archive / MANIFEST).stat()
    except OSError:
        return None  # reading it says what is wrong
    return stat.st_mtime_ns, stat.st_size
