"""Fixtures that start the real runtime and a real PostgreSQL. Without one they fail, never skip."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from hypothesis import HealthCheck, settings

from scripts import devnet_process
from scripts.devnet_process import Devnet
from tests.support.ledgers import Databases, Files, Ledgers
from tests.support.postgres import Postgres, postgres

# two cores have other work beside a test: how long it takes says nothing
settings.register_profile("ibp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ibp")

StartDevnet = Callable[..., AbstractContextManager[Devnet]]


_LONGEST = (
    "test_faults",
    "test_main_line",
    "test_mirrors_live",
    "test_oracle_posting",
    "test_operations_live",
    "test_indexer",
    "test_simulation",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no worker is left alone with one of them at the end."""
    order = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture
def devnet() -> Iterator[Devnet]:
    """A chain of this test's own, with the default specification."""
    with devnet_process.start_devnet() as running:
        yield running


@pytest.fixture(scope="session")
def start_devnet() -> StartDevnet:
    """A function to start chains with options; each runs as long as its `with` block."""
    return devnet_process.start_devnet


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL of this session's own."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def ledgers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ledgers:
    """Where ledgers can be: whoever asks is run once for each database."""
    if request.param == "sqlite":
        return Files(tmp_path_factory.mktemp("ledgers"))
    return Databases(request.getfixturevalue("postgres_server"))
