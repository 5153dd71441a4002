"""What is left of a course: the chain, folded here, and the rows that daemons publish.

No daemon's database is believed. Rows count only under the roots that the ledger has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ibp_chain.errors import CheckFailed
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, Hash
from ledger.pallets.scores import DigestKind, Standing, day_number
from ledger.replay import apply_block
from ledger.state import State
from oracles.report import REPORT, MilestoneDay, ReportRow
from oracles.shelf import Shelf
from scripts.network.course import Run
from scripts.network.oracles import Daemon
from scripts.scenario.play import NETWORK


@dataclass
class Ledger:
    """What the chain says, folded here."""

    state: State
    bodies: Sequence[Observe | Report] = ()
    """Of all remarks that the ledger took, in order."""
    stood: Mapping[tuple[int, Hash], int] = field(default_factory=dict)
    """Every root that ever stood for a day, and the block since which it did."""


@dataclass(frozen=True, slots=True)
class DaySeen:
    """One day, for the table."""

    day: date
    committed: frozenset[AccountId]
    """At the closing."""
    reported: Mapping[AccountId, Hash]
    standing: Standing | None
    evidence: Sequence[tuple[AccountId, DigestKind]]
    rows: Sequence[ReportRow]
    """Under the root that stands."""

    @property
    def charges(self) -> dict[str, tuple[int, int]]:
        """Charges for failed and slow slots, of the members that have any."""
        return {
            row.member: (row.failed_charges, row.slow_charges)
            for row in self.rows
            if isinstance(row, MilestoneDay) and (row.failed_charges or row.slow_charges)
        }


def read_ledger(run: Run) -> Ledger:
    """The whole chain of `run`, replayed."""
    state, bodies = State(NETWORK, None), list[Observe | Report]()
    stood: dict[tuple[int, Hash], int] = {}
    with NodeSource(run.devnet.url) as node:
        known = runtimes(node)
        for block in node.blocks(node.first()):
            report = apply_block(state, block, known(block.spec_version))
            bodies += [
                taken.body for taken in report.accepted if isinstance(taken.body, Observe | Report)
            ]
            for day, standing in state.scores.standing.items():
                stood.setdefault((day, standing.root), block.header.number)
    return Ledger(state, bodies, stood)


def day_seen(run: Run, ledger: Ledger, day: date) -> DaySeen:
    """What `ledger` and the daemons' shelves have of `day`. Raises `CheckFailed`."""
    scores, number = ledger.state.scores, day_number(day)
    closing = scores.closings.find(number)
    standing = scores.standing.find(number)
    return DaySeen(
        day,
        frozenset() if closing is None else frozenset(c.oracle for c in closing.commitments),
        {oracle: found.root for (oracle, at), found in scores.reports.items() if at == number},
        standing,
        [(oracle, kind) for (oracle, at, kind), _ in scores.equivocations.items() if at == number],
        () if standing is None else _published(run.daemons, standing),
    )


def _published(daemons: Sequence[Daemon], standing: Standing) -> tuple[ReportRow, ...]:
    """The rows of a report from the first daemon that shows them. Raises `CheckFailed`."""
    for daemon in daemons:
        shelf = Shelf(data_of(daemon) / "rows")
        if shelf.revealed(standing.root):
            return shelf.get(standing.root, REPORT, standing.rows)
    raise CheckFailed(f"nobody publishes the rows of 0x{standing.root.hex()}")


def data_of(daemon: Daemon) -> Path:
    """Its data directory."""
    return daemon.folder / "data"
