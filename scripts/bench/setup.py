"""Installs the peers that need an environment of their own: cyscale, pymerkle.

    make bench-setup
    python -m scripts.bench.setup pymerkle

cyscale's module is called `scalecodec`, so it cannot live beside scalecodec; nothing but a
benchmark needs pymerkle. They go to `var/bench`, in the versions and with the hashes of their lock
files, from whichever index pip is set up to ask.
"""

import subprocess
import sys
import venv
from pathlib import Path

from scripts.bench.peers import ENVIRONMENT

_LOCKS = Path(__file__).parent
_PEERS = ("cyscale", "pymerkle")


def environment(peer: str) -> Path:
    """Where a peer is installed."""
    return ENVIRONMENT.parent / peer


def install(peer: str) -> None:
    """Exits where it cannot be."""
    home, lock = environment(peer), _LOCKS / f"{peer}.lock"
    stamp = home / ".installed"
    if stamp.is_file() and stamp.read_text() == lock.read_text():
        return
    venv.create(home, with_pip=True, clear=True)
    pip = str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"
    done = subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=False)
    if done.returncode:
        sys.exit(f"{peer} cannot be installed: pip ended with {done.returncode}")
    stamp.write_text(lock.read_text())


def main() -> None:
    asked = sys.argv[1:] or ["cyscale"]
    if strange := sorted(set(asked) - set(_PEERS)):
        sys.exit(f"{strange[0]} is no peer: {', '.join(_PEERS)}")
    for peer in asked:
        install(peer)


if __name__ == "__main__":
    main()
