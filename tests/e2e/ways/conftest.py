"""What the ways share: one chain with a programme, and the recorded payout."""

from collections.abc import Iterator

import pytest

from tests.support.command_line import DEMO, assert_done
from tests.support.in_process import ibp_here
from tests.support.pay_office import PayOffice, pay_office
from tests.support.payouts import bundle


@pytest.fixture(scope="package")  # its connection's thread would draw random numbers beside others
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PayOffice]:
    """One chain for every way: each has months of its own, and leaves nothing that others meet."""
    with pay_office(tmp_path_factory.mktemp("ways")) as running:
        yield running


@pytest.fixture(scope="session")
def stated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database of the recording's ledger at the statement's block."""
    url = f"sqlite:///{tmp_path_factory.mktemp('stated') / 'ledger.db'}"
    last = bundle().statement.ledger.block
    assert_done(ibp_here("ledger", "replay", DEMO / "archive", "--db", url, "--last", last))
    return url
