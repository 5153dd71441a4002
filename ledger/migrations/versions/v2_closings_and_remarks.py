"""what each day was closed with, and the remarks that were taken as facts.

Before it the programme was folded by other rules: no day was closed, and a report was another
record. Tables cannot make up for that, so a ledger with a programme in it is refused, both ways.
One of governance alone has nothing in the new tables, and is carried over whole.
"""

from ibp_chain.errors import ConfigError
from ledger.migrations.script import (
    Constraint,
    change_constraints,
    create_tables,
    drop_tables,
    has_entries_of,
)
from ledger.storage import twox_128

revision = "2"
down_revision = "1"

_PROGRAMME = tuple(map(twox_128, ("Programme", "Membership", "Scores", "Payouts")))
_OLD_CODES = (
    "'unknown_kind', 'malformed', 'wrong_origin', 'unknown_member', 'not_possible_now', "
    "'account_taken', 'wrong_signature', 'other_programme', 'day_not_over', 'broken_chain', "
    "'repeated', 'equivocated', 'unknown_observation', 'out_of_place'"
)


def _codes(names: str) -> Constraint:
    check = f"CHECK (code IN ({names}))"
    return Constraint("rejection", check, check, "rejection_code_check")


_BEFORE, _SINCE = _codes(_OLD_CODES), _codes(f"{_OLD_CODES}, 'day_closed', 'day_open'")


def upgrade() -> None:
    _ensure_no_programme()
    create_tables(2)
    change_constraints("rejection", drop=(_BEFORE,), add=(_SINCE,))


def downgrade() -> None:
    _ensure_no_programme()
    change_constraints("rejection", drop=(_SINCE,), add=(_BEFORE,))
    drop_tables("closing_member", "closing_commitment", "closing", "remark")


def _ensure_no_programme() -> None:
    if has_entries_of(_PROGRAMME):
        raise ConfigError(
            "its programme was folded by the rules of one schema version, and versions 1 and 2 "
            "differ in them: replay the blocks into a new database"
        )
