"""The `ibp` command in this process: what a person reads and the exit code, as `command_line.ibp`.

Metadata that one command has read need not be read again by the next, which is most of what a
command takes. Whatever is about processes themselves belongs to `command_line`.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from subprocess import CompletedProcess
from unittest.mock import patch

from ibp_chain.cli.app import main


def ibp_here(*arguments: object, env: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    """`env` is added to this process's own while the command runs."""
    command, code = ["ibp", *map(str, arguments)], 0
    out, error = StringIO(), StringIO()
    with (
        patch.object(sys, "argv", command),
        patch.object(sys, "stdin", StringIO()),
        patch.dict(os.environ, dict(env or {})),
        redirect_stdout(out),
        redirect_stderr(error),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return CompletedProcess(command, code, out.getvalue(), error.getvalue())
