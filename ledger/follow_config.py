"""The TOML file that `ibp ledger follow-all` is given; `docs/indexer.md` shows one in full."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded
from ibp_chain.node_agreement import check_trust
from ibp_chain.node_windows import Fetching
from ibp_chain.types import BlockNumber, Hash
from ibp_chain.validation import Strict, parse_toml
from ledger.following import Followed
from ledger.store_database import parse_url

_MAX_BYTES = 1 << 20
_POSTGRES_PORT = 5432


class _ChainTable(Strict):
    nodes: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    db: str
    archive: str | None = None
    curators: str | None = None
    genesis: Annotated[str | None, Field(pattern=r"^0x[0-9a-f]{64}$")] = None
    first: Annotated[int | None, Field(ge=2, lt=2**32)] = None
    trust: Annotated[int | None, Field(ge=1)] = None
    proofs: bool = True
    unfinalised: bool = False
    poll_seconds: Annotated[float, Field(gt=0, le=600, strict=False)] = 6.0


class _ConfigFile(Strict):
    chains: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")], _ChainTable],
        Field(min_length=1),
    ]


def load_follow_config(path: Path) -> Mapping[str, Followed]:
    """Each chain by its name in the file; archives are relative to the file.

    A database's URL means what it means everywhere: SQLite's path is relative to where the process
    runs. Raises `ConfigError`, for two chains that share a database or an archive, too.
    """
    file = parse_toml(_ConfigFile, read_bounded(path, _MAX_BYTES, ConfigError), str(path))
    tables = file.chains
    databases = ((name, _database(table.db)) for name, table in tables.items())
    _ensure_apart(path, "db", databases)
    archives = (
        (name, str((path.parent / table.archive).resolve()))
        for name, table in tables.items()
        if table.archive
    )
    _ensure_apart(path, "archive", archives)
    return {name: _plan(path, name, table) for name, table in tables.items()}


def _plan(path: Path, name: str, table: _ChainTable) -> Followed:
    try:
        check_trust(table.trust, len(table.nodes))
    except ConfigError as error:
        raise ConfigError(f"{path}: chains.{name}.trust: {error}") from error
    return Followed(
        nodes=table.nodes,
        db=table.db,
        curators=table.curators,
        genesis=None if table.genesis is None else Hash(bytes.fromhex(table.genesis[2:])),
        first=None if table.first is None else BlockNumber(table.first),
        archive=None if table.archive is None else path.parent / table.archive,
        unfinalised=table.unfinalised,
        fetching=Fetching(trust=table.trust, proofs=table.proofs, poll_seconds=table.poll_seconds),
    )


def _database(text: str) -> str:
    """The same for every way to write the URL of one ledger, whoever opens it."""
    url = parse_url(text)
    kind, database = url.get_backend_name(), url.database or ""
    if kind == "sqlite":
        return str(Path(database).resolve())
    port, schema = url.port or _POSTGRES_PORT, url.query.get("schema", "public")
    return f"{kind}://{(url.host or '').lower()}:{port}/{database}?schema={schema}"


def _ensure_apart(path: Path, what: str, given: Iterable[tuple[str, str]]) -> None:
    taken: dict[str, str] = {}
    for name, value in given:
        if value in taken:
            raise ConfigError(
                f"{path}: chains.{name}.{what}: {taken[value]} has it already: each chain needs "
                "its own"
            )
        taken[value] = name
