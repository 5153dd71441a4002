"""Roots, rejected remarks, files."""

from ibp_chain.web.models.base import Model, Moment


class RootShown(Model):
    """The state root behind a block."""

    asked: int
    block: int
    block_hash: str
    time: str
    state_root: str


class RejectionShown(Model):
    at: Moment
    remark: int
    by: str | None
    code: str
    reason: str
    extrinsic: int | None


class AuditShown(Model):
    """The last comparison with a node's storage that the server was given."""

    block: int
    compared: tuple[tuple[str, int], ...]
    differences: tuple[str, ...]


class ArchiveFile(Model):
    name: str
    bytes: int
    blake2b: str | None
    first: int | None
    last: int | None


class TableShown(Model):
    table: str
    title: str
    columns: tuple[str, ...]


class AuditPage(Model):
    audit: AuditShown | None
    archive: tuple[ArchiveFile, ...]
    archive_given: bool
    tables: tuple[TableShown, ...]
    unattributed: int
