"""the state behind every block from here on, not only the last one.

Blocks that are there already stay without: their states were overwritten. Going down forgets the
history that there is.
"""

from sqlalchemy import text

from ledger.migrations.script import (
    Constraint,
    change_constraints,
    connection,
    create_tables,
    drop_tables,
)
from ledger.storage import twox_128

revision = "3"
down_revision = "2"

_HEAD = twox_128("Ledger") + twox_128("Head")
_WITH_DAY = (
    "digest",
    "closing",
    "closing_commitment",
    "closing_member",
    "standing_report",
    "equivocation",
)


def _day(table: str) -> Constraint:
    return Constraint(
        table,
        "CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]')",
        r"CHECK (day ~ '^\d{4}-[01]\d-[0-3]\d$')",
        f"{table}_day_check",
    )


def _of_a_block(table: str) -> Constraint:
    link = "FOREIGN KEY(block) REFERENCES block (number) DEFERRABLE INITIALLY DEFERRED"
    return Constraint(table, link, link, f"{table}_block_fkey")


_CONSTRAINTS = {
    **{table: (_day(table),) for table in _WITH_DAY},
    "remark": (_of_a_block("remark"), _day("remark")),
    "rejection": (_of_a_block("rejection"),),
    "unattributed": (_of_a_block("unattributed"),),
}


def upgrade() -> None:
    create_tables(3)
    for table, constraints in _CONSTRAINTS.items():
        change_constraints(table, add=constraints)
    here = connection()
    stands = text("SELECT head, state_checksum FROM ledger_meta WHERE head IS NOT NULL")
    found = here.execute(stands).one_or_none()
    if found is None:
        return
    head, checksum = found
    value = here.execute(
        text("SELECT value FROM state_entry WHERE key = :key"), {"key": _HEAD}
    ).scalar_one()
    clock = int.from_bytes(value[-4:], "little")  # the last field of `Ledger.Head`, a u32
    here.execute(
        text("INSERT INTO block_state VALUES (:number, :clock, :checksum)"),
        {"number": head, "clock": clock, "checksum": checksum},
    )


def downgrade() -> None:
    for table, constraints in _CONSTRAINTS.items():
        change_constraints(table, drop=constraints)
    drop_tables("state_history", "block_state")
