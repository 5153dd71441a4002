"""`ibp ledger members --why ID`: where one member stands, and every step that led there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.cli import why_views
from ibp_chain.cli.opened import Opened, open_ledger
from ibp_chain.cli.output import print_json
from ibp_chain.errors import InputError
from ibp_chain.files import read_bounded
from ibp_chain.types import BlockNumber
from ledger.locks import Promise, promise
from ledger.mirrors import Constants
from ledger.program.dossier import (
    Brought,
    blocks_asked,
    decisions_about,
    dossier,
)
from ledger.program.evidence import Evidence, parse_evidence
from ledger.program.importers.strictjson import MAX_FILE_BYTES
from ledger.program.lock_terms import LockFact, terms
from ledger.program.rules import Rules
from ledger.replay import BlockReport
from ledger.state import State
from ledger.store import Store
from oracles.report import REPORT, MilestoneDay
from oracles.rowfiles import read_rows

WhyOption = Annotated[
    str | None, typer.Option("--why", help="Where this member stands, and every step to it.")
]
EvidenceOption = Annotated[
    list[Path] | None,
    typer.Option("--evidence", help="With --why: an evidence document (JSON); once for each."),
]
WhyRowsOption = Annotated[
    Path | None,
    typer.Option("--rows", help="With --why: folder with the published rows, for ranks."),
]
AlsoOption = Annotated[
    list[str] | None,
    typer.Option("--also", help="With --why: another chain's ledger, for the locks there."),
]
ActiveSetOption = Annotated[
    int | None,
    typer.Option("--active-set", min=1, help="With --why: validators of the active set."),
]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look beside the ledger itself."""

    evidence: tuple[Path, ...]
    rows: Path | None
    also: tuple[str, ...]
    active_set: int | None

    def ensure_unused(self) -> None:
        """Raises `InputError` where something was given that only `--why` looks at."""
        if self.evidence or self.rows or self.also or self.active_set is not None:
            raise InputError("--evidence, --rows, --also and --active-set go with --why MEMBER")


class Clock:
    """The times of blocks: from the database, or noted while an archive is replayed."""

    def __init__(self) -> None:
        self._noted: dict[BlockNumber, int] = {}

    def heard(self, _state: State, _constants: Constants, report: BlockReport) -> None:
        self._noted[report.ref.number] = report.timestamp_ms

    def times(self, db: str, blocks: Iterable[BlockNumber]) -> Mapping[BlockNumber, int]:
        if self._noted:
            return self._noted
        with Store(db) as store:
            return {block: store.block(block).timestamp_ms for block in sorted(blocks)}


def why(
    member: str,
    rules: Rules,
    sources: Sources,
    *,
    db: str,
    archive: Path | None,
    at: int | None,
    as_json: bool,
) -> None:
    """Print the dossier of `member`. Raises `InputError` for one that was never registered."""
    clock = Clock()
    opened = open_ledger(db, archive, at, None if archive is None else clock.heard)
    asked = blocks_asked(opened.state, rules, member)
    rows = None
    if sources.rows is not None:
        rows = tuple(milestone_days(opened.state, sources.rows, member))
    found = dossier(
        opened.state,
        rules,
        member,
        Brought(
            now_ms=opened.timestamp_ms,
            times=clock.times(db, asked),
            active_set=sources.active_set or rules.pools.active_set,
            evidence=tuple(read_evidence(path) for path in sources.evidence),
            rows=rows,
            locks=tuple(_locks(opened, rules, member, sources.also)),
        ),
    )
    if as_json:
        print_json(why_views.as_json(found, rules))
    else:
        why_views.tell(found, rules)


def read_evidence(path: Path) -> Evidence:
    """Raises `InputError` for a file that is no evidence."""
    return parse_evidence(read_bounded(path, MAX_FILE_BYTES, InputError), str(path))


# --- Bringing -----------------------------------------------------------------------------


def milestone_days(state: State, folder: Path, member: str) -> Iterator[MilestoneDay]:
    """A member's points in every standing report, from the published rows in `folder`.

    Raises `RowsError` for a missing file and `RowsAltered` for one that holds anything else.
    """
    for _, report in sorted(state.scores.standing.items()):
        for each in read_rows(folder, REPORT, root=report.root, size=report.rows):
            if isinstance(each, MilestoneDay) and each.member == member:
                yield each


def _locks(opened: Opened, rules: Rules, member: str, also: tuple[str, ...]) -> Iterator[LockFact]:
    record = opened.state.membership.members.get(member)
    decisions = decisions_about(opened.state, member)
    seen: set[str] = set()
    for other in (opened, *(open_ledger(db, None, None) for db in also)):
        network, head = other.network, other.state.head.value
        assert head is not None, "an opened ledger has a block"
        if network.name in seen:
            raise InputError(f"--also: two of the ledgers are of {network.name}")
        seen.add(network.name)
        if not rules.lock.networks_with(network.name):
            continue
        law = terms(rules.lock, network, decisions)
        account = record.account(network.name)
        kept: Promise | None = None
        if account is not None:
            config = other.state.mirrors.voting_config(other.constants, head.now)
            kept = promise(other.state.mirrors.conviction_voting, config, account, law.required)
        yield LockFact(network, law, kept, head.number)
