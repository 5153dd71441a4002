"""`ibp serve`: the API and the pages over a ledger database, read only."""

import socket
import threading
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from ibp_chain.cli.opened import DEFAULT_DB, DbOption, RulesOption
from ibp_chain.cli.output import say
from ibp_chain.cli.serve_signing import desk_at
from ibp_chain.errors import ConfigError
from ibp_chain.http_server import host_and_port
from ibp_chain.web.app import create_app
from ibp_chain.web.loading import Loader, Places
from ibp_chain.web.node_watch import NodeWatch
from ibp_chain.web.rendering import compile_all
from ibp_chain.web.site import Site, utc_now

_LOOK_EVERY_S, _ASK_EVERY_S = 3.0, 15.0
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def serve(
    db: DbOption = DEFAULT_DB,
    rows: Annotated[
        Path | None,
        typer.Option(help="Folder with the rows that the oracles published.", show_default=False),
    ] = None,
    bundles: Annotated[
        Path | None, typer.Option(help="Folder with payout bundles.", show_default=False)
    ] = None,
    archive: Annotated[
        Path | None, typer.Option(help="Archive of blocks, to download.", show_default=False)
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(help="What `ibp ledger audit --json` printed last.", show_default=False),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="Another chain's ledger, for the locks there; once for each."),
    ] = None,
    rules: RulesOption = None,
    node: Annotated[
        str | None,
        typer.Option("--node", help="Node to tell the lag by and to send to, ws:// or http://."),
    ] = None,
    listen: Annotated[str, typer.Option(help="Address and port.")] = "127.0.0.1:8080",
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="Name by which browsers know this server, behind a proxy; once for each."
        ),
    ] = None,
    *,
    sign: Annotated[
        bool, typer.Option("--sign", help="Let curators sign with a wallet in their browser.")
    ] = False,
    public: Annotated[
        bool,
        typer.Option(
            "--public", help="Listen on an address that other machines reach, without TLS."
        ),
    ] = False,
) -> None:
    """Show the ledger to people: pages and a JSON API, read only, until Ctrl-C.

    With --sign a curator's own wallet signs, and the server hands the signature to the node.

    Follows the database while `ibp ledger follow` writes it. docs/web.md has what each page shows.
    """
    address, port = listening_on(listen, public=public)
    places = Places(
        db, tuple(also or ()), _folder(rows), _folder(bundles), _folder(archive), audit, rules
    )
    if sign and (node is None or bundles is None):
        raise ConfigError("--sign needs --node, where it sends to, and --bundles")
    if sign and public:
        raise ConfigError(
            "--sign with --public: whoever is in between could change what a curator is asked to "
            "sign; put a reverse proxy with TLS before a loopback address (docs/web.md)"
        )
    with _bound(address, port) as listening:
        loader = Loader(places)
        genesis = loader.current.chain.genesis_hash
        watch = None if node is None else NodeWatch(node, genesis, utc_now)
        names = (*_LOOPBACK_NAMES, _in_url(address), *(host or ()))
        desk = desk_at(node, places) if sign and node is not None else None
        _run(Site(places, loader, names, watch, desk), listening)


def _run(site: Site, listening: socket.socket) -> None:
    """Serve on `listening` until a signal ends it, the ledger and the node looked at beside."""
    app = create_app(site)
    app.openapi()  # kept: no request waits for it
    compile_all()
    stop = threading.Event()
    looking = [threading.Thread(target=site.loader.run, args=(stop, _LOOK_EVERY_S), daemon=True)]
    if site.node is not None:
        args = (stop, _ASK_EVERY_S)
        looking.append(threading.Thread(target=site.node.run, args=args, daemon=True))
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        ws="none", limit_concurrency=256, timeout_keep_alive=15,
        h11_max_incomplete_event_size=16_384,
    )  # fmt: skip
    address, port, *_ = listening.getsockname()
    block = site.loader.current.chain.head.number
    say(f"Serving block {block} on http://{_in_url(address)}:{port}/")
    for thread in looking:
        thread.start()
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        stop.set()


def _bound(address: str, port: int) -> socket.socket:
    """Listening: who is told of it may connect at once. Raises `ConfigError`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {_in_url(address)}:{port}: {error.strerror}"
        ) from error


def listening_on(listen: str, *, public: bool) -> tuple[str, int]:
    """Address and port. Raises `ConfigError` for a form that is none, and for an address that
    others can reach where nobody said that they may.
    """
    host, port = host_and_port(listen)
    try:
        address = ip_address(host)
    except ValueError as error:
        raise ConfigError(f"--listen {listen!r}: {error}") from error
    if not address.is_loopback and not public:
        raise ConfigError(
            f"--listen {listen}: other machines can reach that address, and nothing is encrypted: "
            "put a reverse proxy with TLS before a loopback address (docs/web.md), or say --public"
        )
    return str(address), port


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _folder(path: Path | None) -> Path | None:
    """Raises `ConfigError` where there is none."""
    if path is not None and not path.is_dir():
        raise ConfigError(f"{path} is no folder")
    return path
