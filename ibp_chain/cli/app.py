"""The `ibp` command: the one place that wires the rooms together.

Exit code 0: done. 1: a check failed. 2: wrong usage or input; nothing was changed.
"""

import sys

import typer
from rich.console import Console

from ibp_chain.cli import archive, demo, devnet, ledger, multisig, oracle, payout, probe
from ibp_chain.errors import IbpError

app = typer.Typer(
    name="ibp",
    help="On-chain governance of the Infrastructure Builders Program: replay it, check it, pay it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(archive.app, name="archive")
app.add_typer(ledger.app, name="ledger")
oracle.app.command()(probe.probe)
app.add_typer(oracle.app, name="oracle")
app.add_typer(payout.app, name="payout")
app.add_typer(multisig.app, name="multisig")

app.command()(demo.demo)
app.command()(devnet.devnet)


def main() -> None:
    """Run the command line; an error that a person can act on is one line on stderr."""
    try:
        app()
    except IbpError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"[bold red]ibp:[/] {_plain(str(error))}"
        )
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _plain(text: str) -> str:
    """`text` without anything that rich would take for markup, on one line."""
    return " ".join(text.split()).replace("[", r"\[")


if __name__ == "__main__":
    main()
