"""The `ibp` command: the one place that wires the rooms together.

Exit code 0: done. 1: a check failed. 2: wrong usage or input; nothing was changed.
"""

import sys

import typer
from rich.console import Console
from rich.markup import escape

from ibp_chain.cli.deferred import Deferred, add_deferred
from ibp_chain.cli.output import printable
from ibp_chain.errors import IbpError

COMMANDS = {
    "archive": Deferred(
        "ibp_chain.cli.archive", "Blocks in files: portable, verifiable, readable by common tools."
    ),
    "ledger": Deferred(
        "ibp_chain.cli.ledger", "What the chain means: members, locks, scores, payouts."
    ),
    "oracle": Deferred(
        "ibp_chain.cli.oracle", "Scores: computed from the oracles' rows, proven, checked."
    ),
    "payout": Deferred("ibp_chain.cli.payout", "What each member is owed, and why."),
    "multisig": Deferred(
        "ibp_chain.cli.multisig",
        "Build, check, sign and reconcile what the curators' multisig pays.",
    ),
    "program": Deferred(
        "ibp_chain.cli.program",
        "The dTelecom operator programme: its law, and what a month earns.",
    ),
    "demo": Deferred(
        "ibp_chain.cli.demo",
        "Verify and replay the bundled recording of the programme, and show what it comes to.",
        "demo",
    ),
    "devnet": Deferred(
        "ibp_chain.cli.devnet",
        "Run a test chain with a real runtime on loopback, until Ctrl-C.",
        "devnet",
    ),
    "serve": Deferred(
        "ibp_chain.cli.serve",
        "Show the ledger to people: pages and a JSON API, read only, until Ctrl-C.",
        "serve",
    ),
}

app = typer.Typer(
    name="ibp",
    help="On-chain governance of the Infrastructure Builders Program: replay it, check it, pay it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
add_deferred(app, COMMANDS)


def main() -> None:
    """Run the command line; an error that a person can act on is one line on stderr."""
    try:
        app()
    except IbpError as error:
        # loads the logs' machinery, which only an error needs
        from ibp_chain.cli.logs import without_secrets  # noqa: PLC0415

        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"[bold red]ibp:[/] {_plain(without_secrets(str(error)))}"
        )
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _plain(text: str) -> str:
    """`text` on one line, without anything that rich or a terminal would obey."""
    return escape(printable(" ".join(text.split())))


if __name__ == "__main__":
    main()
