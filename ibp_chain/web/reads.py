"""What requests read from the database itself: what is too much to hold, or of earlier blocks.

Each call opens the ledger for reading and closes it: one snapshot of the database, in the thread
that asks. Raises as `ledger.store` does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from ibp_chain.types import BlockNumber, Hash, SpecVersion
from ibp_chain.web.snapshot import BlockFacts
from ledger.state import State
from ledger.store import Store
from ledger.tables import BlockRow, RejectionRow, RuntimeRow, UnattributedRow

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asides:
    """What the blocks brought and the state does not keep."""

    rejections: int
    page: Sequence[RejectionRow]
    blocks: Mapping[BlockNumber, BlockFacts]
    """Of the page."""
    unattributed: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the database is."""

    url: str

    @contextmanager
    def opened(self) -> Iterator[Store]:
        with Store(self.url) as store:
            yield store

    def root_at(self, at: BlockNumber) -> tuple[State, BlockRow]:
        """The state behind block `at`, or behind the last block before it."""
        with self.opened() as store:
            state = store.load_state(at)
            head = state.head.value
            assert head is not None, "the store refuses a height without a block before it"
            return state, store.block(head.number)

    def asides(self, offset: int, limit: int) -> Asides:
        """One page of the rejected remarks, the latest first, and how much there is in all."""
        with self.opened() as store:
            with store.session() as session:
                total = session.exec(select(func.count()).select_from(RejectionRow)).one()
                order = col(RejectionRow.block).desc(), col(RejectionRow.remark).desc()
                page = select(RejectionRow).order_by(*order).offset(offset).limit(limit)
                rows = session.exec(page).all()
                unattributed = session.exec(select(func.count()).select_from(UnattributedRow)).one()
            blocks = block_facts(store, (BlockNumber(row.block) for row in rows))
        return Asides(total, rows, blocks, unattributed)


def block_facts(store: Store, asked: Iterable[BlockNumber]) -> dict[BlockNumber, BlockFacts]:
    """Of those of `asked` that the ledger has applied."""
    found: dict[BlockNumber, BlockFacts] = {}
    rest = iter(sorted(set(asked)))
    with store.session() as session:
        while page := list(islice(rest, _AT_ONCE)):
            rows = session.exec(select(BlockRow).where(col(BlockRow.number).in_(page)))
            for row in rows:
                found[BlockNumber(row.number)] = BlockFacts(Hash(row.hash), row.timestamp_ms)
    return found


def runtimes_kept(
    store: Store,
) -> tuple[tuple[SpecVersion, BlockNumber | None, tuple[int, ...]], ...]:
    """Every runtime: spec version, its first block, the metadata versions kept of it."""
    kept: dict[int, list[int]] = {}
    with store.session() as session:
        pairs: Any = select(RuntimeRow.spec_version, RuntimeRow.metadata_version)
        for version, form in session.exec(pairs):
            kept.setdefault(version, []).append(form)
        found = []
        for version, forms in sorted(kept.items()):
            first = session.exec(
                select(BlockRow.number)
                .where(BlockRow.spec_version == version)
                .order_by(col(BlockRow.number))
                .limit(1)
            ).first()
            number = None if first is None else BlockNumber(first)
            found.append((SpecVersion(version), number, tuple(sorted(forms))))
    return tuple(found)
