"""A ledger of the whole recording, once for each database; tests that change it take a copy."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger.backup import back_up
from ledger.indexer import replay_into
from ledger.store import Store
from tests.support.ledgers import Databases, File, Files, Ledgers, Place, dump
from tests.support.postgres import Postgres
from tests.unit.store.demo import STANDS, Listed, demo

KINDS = ["sqlite", "postgresql"]


@dataclass(frozen=True)
class Kept:
    """The whole ledger and its backup."""

    rows: dict[str, list[Any]]
    path: Path


@pytest.fixture(scope="session")
def replayed(ledgers: Ledgers) -> Place:
    place = ledgers.new()
    with Store(place.url, demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of)
    return place


@pytest.fixture
def ledger(ledgers: Ledgers, replayed: Place) -> Iterator[Place]:
    """A copy of the whole ledger."""
    place = ledgers.copy(replayed)
    yield place
    ledgers.drop(place)


@pytest.fixture(scope="session")
def begun_once(ledgers: Ledgers) -> Place:
    place = ledgers.new()
    with Store(place.url, demo().identity) as store:
        replay_into(store, Listed(demo().blocks[:STANDS]), demo().runtime_of)
    return place


@pytest.fixture
def begun(ledgers: Ledgers, begun_once: Place) -> Iterator[Place]:
    """A copy of a ledger that stands behind the first `STANDS` blocks."""
    place = ledgers.copy(begun_once)
    yield place
    ledgers.drop(place)


@pytest.fixture
def fresh(ledgers: Ledgers) -> Iterator[Place]:
    """Where there is no ledger yet."""
    place = ledgers.new()
    yield place
    ledgers.drop(place)


@pytest.fixture(scope="session")
def replayed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole ledger in SQLite's file, for what only files can suffer."""
    path = tmp_path_factory.mktemp("replayed") / "ledger.db"
    with Store(File(path).url, demo().identity) as store:
        replay_into(store, demo().source, demo().runtime_of)
    return path


@pytest.fixture
def ledger_file(replayed_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(replayed_file, tmp_path / "ledger.db"))


@pytest.fixture(scope="session")
def kinds(
    postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Ledgers]:
    """Both kinds of database, for tests that go from one to the other."""
    return {
        "sqlite": Files(tmp_path_factory.mktemp("kinds")),
        "postgresql": Databases(postgres_server),
    }


@pytest.fixture(scope="session")
def kept(kinds: dict[str, Ledgers], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kept]:
    """The whole recording, backed up from each kind of database."""
    found = {}
    for kind, ledgers in kinds.items():
        place, path = ledgers.new(), tmp_path_factory.mktemp("kept") / f"{kind}.backup"
        with Store(place.url, demo().identity) as store:
            replay_into(store, demo().source, demo().runtime_of)
        back_up(place.url, path)
        found[kind] = Kept(dump(place), path)
    return found


@pytest.fixture(scope="session")
def taken(kept: dict[str, Kept]) -> Path:
    """One backup, for tests of the file alone."""
    return kept["sqlite"].path
