"""Roster files: who is measured on what, as TOML that people write and compare.

version = 1

[[services]]
id = "polkadot"
chain = "polkadot"
milestone = 3

[assigned]
gatotech = ["polkadot"]
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded
from ibp_chain.validation import Strict, parse_toml
from oracles.documents import VersionOne
from oracles.rules import Roster, Service

_MAX_SIZE = 1 << 20


class _ServiceTable(Strict):
    id: str
    chain: str
    milestone: int


class _RosterFile(Strict):
    version: VersionOne
    services: Annotated[list[_ServiceTable], Field(min_length=1)]
    assigned: dict[str, list[str]]


def parse_roster(raw: bytes, where: str) -> Roster:
    """The roster in `raw`. Raises `ConfigError` naming `where` and what is wrong."""
    file = parse_toml(_RosterFile, raw, where)
    for member, services in file.assigned.items():
        if len(set(services)) != len(services):
            raise ConfigError(f"{where}: {member} is assigned a service twice")
    try:
        return Roster(
            tuple(Service(s.id, s.chain, s.milestone) for s in file.services),
            {member: frozenset(services) for member, services in file.assigned.items()},
        )
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def load_roster(path: Path) -> Roster:
    """The roster file at `path`. Raises `ConfigError`."""
    return parse_roster(read_bounded(path, _MAX_SIZE, ConfigError), str(path))
