"""Whoever writes or reads a ledger that is not his, or not whole, is told so, and nothing changes.

Every command that opens a database, on either kind of it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from ibp_chain.accounts import ss58_encode
from ibp_chain.cli.app import app
from ibp_chain.errors import IbpError
from scripts.bench_follow import ArchiveNode
from tests.support.command_line import DEMO
from tests.support.ledgers import Place, dump, tamper
from tests.support.rpc_server import http_node
from tests.unit.store.demo import PASEO, demo

WRITERS = ("replay", "follow", "backfill")
READERS = ("state-root", "check", "backup")


class Wrong(NamedTuple):
    """What is done to the ledger, and what is to be said of it."""

    statement: str
    values: tuple[bytes, ...]
    code: int
    said: str


OF_META = {
    "wrong genesis": Wrong(
        "UPDATE ledger_meta SET genesis_hash = ?", (b"\x07" * 32,), 2, "genesis is 0x0707"
    ),
    "other curators": Wrong(
        "UPDATE ledger_meta SET expected_origin = ?", (b"\x07" * 32,), 2, "other curators"
    ),
}
OF_ALL = {
    "newer schema": Wrong(
        "UPDATE ledger_meta SET schema_version = 99", (), 2, "upgrade the program"
    ),
    "older schema": Wrong(
        "UPDATE ledger_meta SET schema_version = 2", (), 2, "ibp ledger migrate --db"
    ),
    "a row lost": Wrong(
        "DELETE FROM state_entry WHERE key = (SELECT key FROM state_entry ORDER BY key LIMIT 1)",
        (),
        1,
        "its state entries are not those",
    ),
    "a row changed": Wrong("UPDATE state_entry SET value = ?", (b"\1",), 1, "not those"),
    "a head without its block": Wrong("UPDATE ledger_meta SET head = 1", (), 1, "another block"),
}
CASES = [
    *((name, wrong, command) for name, wrong in OF_META.items() for command in WRITERS),
    *((name, wrong, command) for name, wrong in OF_ALL.items() for command in WRITERS + READERS),
]


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    """One that has the whole recording, without proofs."""
    source = demo().source
    with http_node(ArchiveNode(source, source.head().number).answer) as url:
        yield url


@pytest.mark.parametrize(
    ("wrong", "command"),
    [(wrong, command) for _, wrong, command in CASES],
    ids=[f"{name}-{command}" for name, _, command in CASES],
)
def test_it_is_said_in_one_line_and_nothing_is_changed(
    begun: Place, node: str, tmp_path: Path, wrong: Wrong, command: str
) -> None:
    assert tamper(begun, wrong.statement, *wrong.values)
    before = dump(begun)
    ended = CliRunner().invoke(app, _command(command, begun, node, tmp_path))
    error = ended.exception
    assert isinstance(error, IbpError), ended.output
    assert error.exit_code == wrong.code
    assert wrong.said in str(error)
    assert "\n" not in str(error)
    assert dump(begun) == before
    assert not list(tmp_path.iterdir())


def _command(command: str, place: Place, node: str, folder: Path) -> list[str]:
    curators = demo().identity.expected_origin
    assert curators is not None
    ours = ["--curators", ss58_encode(curators, PASEO.ss58_prefix)]
    options = {
        "replay": [str(DEMO / "archive"), *ours],
        "follow": ["--node", node, "--no-proofs", *ours],
        "backfill": [str(DEMO / "archive"), "--workers", "0", *ours],
        "backup": ["--out", str(folder / "a.backup")],
    }.get(command, [])
    return ["ledger", command, *options, "--db", place.url]
