"""Audit: what anybody compares: roots, rejected remarks, the files to do it again from."""

from collections.abc import Mapping, Sequence

from ibp_chain.types import AccountId, BlockNumber
from ibp_chain.web.audit_file import AuditResult
from ibp_chain.web.exports import exports
from ibp_chain.web.models import (
    ArchiveFile,
    AuditPage,
    AuditShown,
    Listed,
    Moment,
    RejectionShown,
    RootShown,
    TableShown,
)
from ibp_chain.web.reads import Asides
from ibp_chain.web.shown import address, hex_, iso
from ibp_chain.web.snapshot import BlockFacts, Snapshot
from ledger.state import State
from ledger.tables import BlockRow, RejectionRow


def audit(
    snapshot: Snapshot, archive: Sequence[ArchiveFile], *, given: bool, calls: int
) -> AuditPage:
    """`archive` are its files, where one was `given`; `calls` the unattributed ones."""
    return AuditPage(
        audit=None if snapshot.audit is None else _audit(snapshot.audit),
        archive=tuple(archive),
        archive_given=given,
        tables=tuple(
            TableShown(table=each.name, title=each.title, columns=each.columns)
            for each in exports()
        ),
        unattributed=calls,
    )


def root_shown(asked: BlockNumber, state: State, row: BlockRow) -> RootShown:
    return RootShown(
        asked=asked,
        block=row.number,
        block_hash=hex_(row.hash),
        time=iso(row.timestamp_ms),
        state_root=hex_(state.root()),
    )


def rejections(
    snapshot: Snapshot, asides: Asides, offset: int, limit: int
) -> Listed[RejectionShown]:
    """One page of them, read by the caller."""
    return Listed(
        items=tuple(_rejection(snapshot, row, asides.blocks) for row in asides.page),
        total=asides.rejections,
        offset=offset,
        limit=limit,
    )


def _audit(found: AuditResult) -> AuditShown:
    return AuditShown(
        block=found.block,
        compared=tuple(found.compared.items()),
        differences=found.differences,
    )


def _rejection(
    snapshot: Snapshot, row: RejectionRow, blocks: Mapping[BlockNumber, BlockFacts]
) -> RejectionShown:
    facts = blocks.get(BlockNumber(row.block))
    by = None if row.origin is None else address(AccountId(row.origin), snapshot.network)
    return RejectionShown(
        at=Moment(block=row.block, time=None if facts is None else iso(facts.timestamp_ms)),
        remark=row.remark,
        by=by,
        code=row.code.name.lower().replace("_", " "),
        reason=row.reason,
        extrinsic=row.extrinsic,
    )
