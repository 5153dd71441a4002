"""`ibp oracle run`: an oracle's days, one after the other, until it is told to stop."""

import asyncio
import logging
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.cli.signers import KeystoreOption, signer_of
from ibp_chain.keys import Signer
from oracles.daemon.config import Config, load_config
from oracles.daemon.service import Oracle

_LIBRARIES = ("httpx", "httpcore", "apscheduler", "websockets")


def run(
    config: Annotated[Path, typer.Argument(help="The oracle's settings (TOML).")],
    keystore: KeystoreOption = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Read and check the settings and the key, then stop.")
    ] = False,
) -> None:
    """Measure, commit, publish, agree and report, day after day, until SIGTERM or Ctrl-C."""
    settings, signer = load_config(config, time.time), signer_of(keystore)
    if check:
        typer.echo(f"{config}: {len(settings.targets)} targets, oracle 0x{signer.account.hex()}")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    asyncio.run(_run(settings, signer))


async def _run(settings: Config, signer: Signer) -> None:
    oracle = Oracle(settings, signer)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, oracle.stop)
    await oracle.run()
