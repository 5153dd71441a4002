"""`ibp devnet`: the real runtime on loopback, from a source checkout."""

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from ibp_chain.cli.checkout import script
from ibp_chain.cli.output import console
from ibp_chain.errors import InputError


class Scenario(StrEnum):
    """What can be played on a chain before it is handed over."""

    PROGRAMME = "programme"


def devnet(
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0 takes a free one.", min=0)] = 0,
    spec: Annotated[
        str, typer.Option(help="Chain specification: paseo-2024 or paseo-2026.")
    ] = "paseo-2024",
    lag: Annotated[
        int, typer.Option(help="Finality trails the head by this many blocks.", min=0)
    ] = 0,
    mode: Annotated[
        str, typer.Option(help="When extrinsics become blocks: Manual, Instant or Batch.")
    ] = "Instant",
    load: Annotated[
        Path | None, typer.Option(help="Go on from a snapshot that --save wrote.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write a snapshot at the end.")] = None,
    scenario: Annotated[
        Scenario | None, typer.Option(help="Play this first; it brings its own specification.")
    ] = None,
) -> None:
    """Run a test chain with a real runtime on loopback, until Ctrl-C.

    Needs Node and a source checkout. Raises `InputError` without them.
    """
    process = _script("scripts.devnet_process")
    options = {"spec": spec, "finality_lag": lag, "mode": mode, "load": load}
    cast = play = None
    if scenario is not None:
        if load is not None:
            raise InputError("--scenario starts a chain of its own: it does not go with --load")
        play = _script("scripts.scenario.play")
        cast = play.load_cast()
        # Blocks are the scenario's to make.
        options |= {"mode": "Manual", **play.devnet_options(cast)}
    with _stopped() as stopped, process.start_devnet(port=port, **options) as running:
        if play is not None:
            with tempfile.TemporaryDirectory(prefix="ibp-scenario-") as folder:
                play.play(running, cast, Path(folder), console.print)
            running.rpc("dev_setBlockBuildMode", mode)
        console.print(f"{running.url}  genesis 0x{running.genesis_hash.hex()}")
        stopped.wait()
        if save is not None:
            running.save(save)


def _script(name: str) -> ModuleType:
    advice = "run `ibp devnet` in a source checkout of this project"
    return script(name, "the test chain", advice)


@contextmanager
def _stopped() -> Iterator[threading.Event]:
    """Set by Ctrl-C and by SIGTERM, so that either ends the chain cleanly."""
    event = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: event.set()) for number in signals}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
