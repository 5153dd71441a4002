"""the state, its projections and the words beside it."""

from typing import NoReturn

from ibp_chain.errors import ConfigError
from ledger.migrations.script import create_tables

revision = "1"
down_revision = None


def upgrade() -> None:
    create_tables(1)


def downgrade() -> NoReturn:
    raise ConfigError("there is no schema version before 1")
