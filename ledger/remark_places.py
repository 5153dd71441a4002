"""Where the oracles' words are on chain: block and extrinsic of each `observe` and `report`.

The state knows the block of a digest that counts (`Scores`), not its extrinsic, which no rule
depends on; that is told by the blocks while they are replayed, or by the database's `remark`.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from sqlmodel import col, select

from ibp_chain.blocks import BlockRef
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.remarks import Kind
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.replay import BlockReport
from ledger.store import Store
from ledger.tables import BlockRow, RemarkRow


class Place(NamedTuple):
    """Where a remark took effect."""

    block: BlockRef
    extrinsic: int | None
    """Its index in the block; None where a hook dispatched it."""


class Word(NamedTuple):
    """Which remark. Where an oracle says several of a day in one block, it is the last: that one is
    what the state then holds.
    """

    kind: Kind
    oracle: AccountId
    day: str
    """UTC, such as 2026-01-29."""
    block: BlockNumber


Places: TypeAlias = Mapping[Word, Place]


def told_places(report: BlockReport) -> Iterator[tuple[Word, Place]]:
    """The accepted words of oracles in one block."""
    for accepted in report.accepted:
        body = accepted.body
        if isinstance(body, Observe | Report):
            word = Word(accepted.kind, accepted.origin, body.day, report.ref.number)
            yield word, Place(report.ref, accepted.extrinsic_index)


def stored_places(store: Store, day: str) -> Places:
    """The accepted words of oracles about one `day`. Raises as the store does."""
    with store.session() as session:
        found = session.exec(
            select(RemarkRow, BlockRow)
            .where(RemarkRow.day == day)
            .where(RemarkRow.block == BlockRow.number)
            .order_by(col(RemarkRow.block), col(RemarkRow.remark))
        ).all()
        return {
            Word(said.kind, AccountId(said.origin), day, BlockNumber(said.block)): Place(
                BlockRef(BlockNumber(block.number), Hash(block.hash)), said.extrinsic
            )
            for said, block in found
        }
