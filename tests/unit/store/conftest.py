"""A ledger of the whole recording, replayed once; tests that change it take a copy."""

import shutil
from pathlib import Path

import pytest

from ledger.indexer import replay_into
from ledger.store import Store
from tests.unit.store.demo import demo, url


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("replayed") / "ledger.db"
    with Store(url(path), demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of)
    return path


@pytest.fixture
def ledger(replayed: Path, tmp_path: Path) -> Path:
    """A copy of the whole ledger."""
    return Path(shutil.copy(replayed, tmp_path / "ledger.db"))
