"""`ibp ledger backup`, `restore`, `check`: a ledger in one file, brought back, looked through."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.cli.opened import DEFAULT_DB, DbOption
from ibp_chain.cli.output import JsonOption, hex_, print_json, say, steps
from ibp_chain.errors import InputError
from ibp_chain.types import Hash
from ledger.backup import Wanted, back_up
from ledger.backup import restore as bring_back
from ledger.backup_format import Contents
from ledger.check import check as look_through

_HASH_SIZE = 32
_BY_SIGNAL = 128
"""And the signal's number: how shells name an end by a signal."""


def backup(
    out: Annotated[Path, typer.Option("--out", help="The file to write; it must not be there.")],
    db: DbOption = DEFAULT_DB,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write the whole ledger, as of one block, into a file; whoever writes may go on meanwhile."""
    with _cleaning_up_on_sigterm(), steps() as tick:
        contents = back_up(db, out, tick)
    _tell("written to", out, contents, as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote.", show_default=False)],
    db: DbOption = DEFAULT_DB,
    network: Annotated[
        str | None, typer.Option(help="Refuse a backup of another network.", show_default=False)
    ] = None,
    genesis: Annotated[
        str | None, typer.Option(help="Refuse another genesis hash.", show_default=False)
    ] = None,
    state_root: Annotated[
        str | None,
        typer.Option("--state-root", help="Refuse another state root.", show_default=False),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write a backup into an empty database, of either kind, and compare its state root."""
    wanted = Wanted(network, _hash(genesis, "--genesis"), _hash(state_root, "--state-root"))
    with steps() as tick:
        contents = bring_back(file, db, wanted, tick)
    _tell("restored from", file, contents, as_json=as_json)


def check(db: DbOption = DEFAULT_DB, *, as_json: JsonOption = False) -> None:
    """Read everything in a ledger's database once and compare it; exit 1 if anything is wrong."""
    with steps() as tick:
        whole = look_through(db, tick)
    if as_json:
        print_json(
            {
                "block": whole.head.number,
                "block_hash": whole.head.hash,
                "state_root": whole.root,
                "blocks": whole.blocks,
                "entries": whole.entries,
                "history_since": whole.history_since,
            }
        )
        return
    say(
        f"whole: {whole.blocks} blocks up to {whole.head.number}, {whole.entries} entries, "
        f"states known since block {whole.history_since}"
    )
    say(f"state root {hex_(whole.root)}")


@contextmanager
def _cleaning_up_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as an exception does: no half file stays behind."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(_BY_SIGNAL + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(what: str, path: Path, contents: Contents, *, as_json: bool) -> None:
    if as_json:
        print_json({**contents.model_dump(), "file": str(path), "bytes": path.stat().st_size})
        return
    head = contents.head
    at = datetime.fromtimestamp(head.timestamp_ms // 1_000, UTC)
    say(f"{contents.network} up to block {head.number} of {at:%Y-%m-%d %H:%M:%S} UTC")
    say(f"{contents.rows} rows, {path.stat().st_size} bytes, {what} {path}")
    say(f"state root {contents.state_root}")


def _hash(text: str | None, option: str) -> Hash | None:
    if text is None:
        return None
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != _HASH_SIZE:
        raise InputError(f"{option} {text!r} is no hash: 0x and 64 hex digits")
    return Hash(raw)
