"""Commands that are imported when they are run.

Importing all of them takes a second and more: a database, Parquet, an HTTP server. Whoever asks
for help, or for one command, does not wait for the others.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand
from typer.main import get_command


class Deferred(NamedTuple):
    """Where a command or a group of them is, and the first line of its help."""

    module: str
    help: str
    name: str = "app"
    """Of a Typer application or a function in the module."""


def add_deferred(app: typer.Typer, commands: Mapping[str, Deferred]) -> None:
    """Let `app` have `commands` by their names."""
    for name, command in commands.items():
        app.command(name, cls=_importing(command), help=command.help)(_nothing)


def imported(command: Deferred) -> Any:
    """The command itself, as Typer runs it."""
    found = getattr(import_module(command.module), command.name)
    if isinstance(found, typer.Typer):
        return get_command(found)
    alone = typer.Typer(add_completion=False)
    alone.command()(found)
    return get_command(alone)


def _importing(command: Deferred) -> type[TyperCommand]:
    class Importing(TyperCommand):
        def make_context(self, *args: Any, **named: Any) -> Any:
            return imported(command).make_context(*args, **named)

    return Importing


def _nothing() -> None:
    """Only named in a list: the command that is imported runs in its place."""
