"""Installs the peer that needs an environment of its own: cyscale.

    make bench-setup

cyscale's module is called `scalecodec`, so it cannot live beside scalecodec. It goes to
`var/bench/cyscale`, in the version and with the hashes of `cyscale.lock`, from whichever index pip
is set up to ask.
"""

import subprocess
import sys
import venv
from pathlib import Path

from scripts.bench.peers import ENVIRONMENT

_LOCK = Path(__file__).parent / "cyscale.lock"


def main() -> None:
    stamp = ENVIRONMENT / ".installed"
    if stamp.is_file() and stamp.read_text() == _LOCK.read_text():
        return
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet"
    done = subprocess.run([*pip, "--require-hashes", "-r", str(_LOCK)], check=False)
    if done.returncode:
        sys.exit(f"cyscale cannot be installed: pip ended with {done.returncode}")
    stamp.write_text(_LOCK.read_text())


if __name__ == "__main__":
    main()
