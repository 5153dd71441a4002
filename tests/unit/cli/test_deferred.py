"""What is named before it is imported is what comes when it is."""

import subprocess
import sys

import pytest

from ibp_chain.cli import app, ledger, oracle
from ibp_chain.cli.deferred import imported

ALL = {
    **app.COMMANDS,
    **{f"ledger {name}": of for name, of in ledger.COMMANDS.items()},
    **{f"oracle {name}": of for name, of in oracle.COMMANDS.items()},
}


@pytest.mark.parametrize("name", ALL)
def test_the_help_that_is_listed_is_the_commands_own(name: str) -> None:
    command = ALL[name]
    assert imported(command).help.splitlines()[0] == command.help


def test_help_imports_no_room() -> None:
    program = (
        "import sys\n"
        "from ibp_chain.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "rooms = {'ledger', 'multisig', 'oracles', 'sqlalchemy', 'pyarrow', 'substrateinterface'}\n"
        "assert not rooms & set(sys.modules), rooms & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(f" {name} " in done.stdout for name in app.COMMANDS)
