"""Other codecs on the same bytes, each in a process of its own, held to our reading before timed.

A peer reads and writes lines of JSON. The first that it is given has `metadata` (V14, hex, by spec
version), `blocks` (`spec_version`, `events` and `extrinsics` in hex, and `hash` and `header` as a
node gives them, or null) and for Python `package` and `fast`; it answers with `version`, `loaded`
(CPU seconds for all metadata) and `seen` (names of events and calls by block). Each further line is
`"events"` or `"whole"`, which is events and extrinsics: the answer has CPU and wall seconds of each
pass of one window.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from ibp_chain.blocks import Header
from ibp_chain.errors import CheckFailed, ConfigError
from ibp_chain.node import to_hex
from scripts.bench.inputs import V14, Input, Sample
from scripts.bench.timing import Seconds, best
from scripts.devnet_node import SERVER, find_node, install_packages

Process: TypeAlias = "subprocess.Popen[str]"
_HERE = Path(__file__).parent
ENVIRONMENT = Path(__file__).parents[2] / "var" / "bench" / "cyscale"
"""Where `scripts.bench.setup` puts cyscale."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A codec that can be asked."""

    name: str
    command: tuple[str, ...]
    package: str = ""
    fast: bool = False
    """Takes cyscale's compiled value decoders."""
    whole_only: bool = False
    """Reads whole blocks by their hash, as from a node, and only where their headers are known."""


NAMES = ("substrate-interface", "scalecodec", "cyscale", "cyscale, value decoders", "@polkadot/api")


def available() -> tuple[list[Peer], list[str]]:
    """Those of `NAMES` that are on this machine, and why others are not."""
    python_peer = str(_HERE / "python_peer.py")
    interface = sys.executable, "-m", "scripts.bench.interface_peer"
    peers = [
        Peer("substrate-interface", interface, whole_only=True),
        Peer("scalecodec", (sys.executable, python_peer), "scalecodec"),
    ]
    missing = []
    python = ENVIRONMENT / "bin" / "python"
    if (ENVIRONMENT / ".installed").exists():
        command = str(python), python_peer
        peers.append(Peer("cyscale", command, "cyscale"))
        peers.append(Peer("cyscale, value decoders", command, "cyscale", fast=True))
    else:
        missing.append("cyscale was not measured: `make bench-setup` has not installed it here")
    try:
        node = find_node()
        install_packages(node)
    except ConfigError as error:
        missing.append(f"@polkadot/api was not measured: {error}")
    else:
        script = str(_HERE / "polkadot_peer.mjs")
        peers.append(Peer("@polkadot/api", (str(node), script, str(SERVER / "package.json"))))
    return peers, missing


def node_version() -> str | None:
    """None where there is no Node."""
    try:
        node = find_node()
    except ConfigError:
        return None
    done = subprocess.run([str(node), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Running:
    """A peer at work on one input. Raises `CheckFailed` where it ends, or says other things."""

    def __init__(self, peer: Peer, given: Input, process: Process, errors: IO[str]) -> None:
        self.name, self.whole_only = peer.name, peer.whole_only
        self._process, self._errors = process, errors
        answer = self._ask(_job(peer, given))
        same(peer.name, given, answer["seen"])
        self.title = f"{peer.name} ({answer['version']})"
        self.loaded: float = answer["loaded"]
        """CPU seconds for reading all metadata."""

    def events(self) -> Seconds:
        """For reading all events."""
        return self._timed("events")

    def whole(self) -> Seconds:
        """For events and extrinsics, accounts in SS58 where the peer is Python."""
        return self._timed("whole")

    def _timed(self, task: str) -> Seconds:
        return best([Seconds(*taken) for taken in self._ask(task)])

    def _ask(self, request: Any) -> Any:
        assert self._process.stdin is not None, "it is a pipe"
        assert self._process.stdout is not None, "it is a pipe"
        with suppress(BrokenPipeError):  # it has ended: no answer comes, which is told below
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            last = (self._errors.read().strip().splitlines() or ["no word"])[-1]
            raise CheckFailed(f"{self.name} ended with {self._process.wait()}: {last}")
        return json.loads(line)


@contextmanager
def running(peers: Sequence[Peer], given: Input) -> Iterator[list[Running]]:
    """Every peer at work on `given`, once it has named the same events and calls as we do.

    Raises `CheckFailed`.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_at_work(peer, given)) for peer in peers]


@contextmanager
def _at_work(peer: Peer, given: Input) -> Iterator[Running]:
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            peer.command, stdin=pipe, stdout=pipe, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield Running(peer, given, process, errors)
        finally:
            assert process.stdin is not None, "it is a pipe"
            with suppress(BrokenPipeError):
                process.stdin.close()  # which ends it


def _job(peer: Peer, given: Input) -> dict[str, Any]:
    return {
        "metadata": {
            str(key.spec_version): raw.hex()
            for key, raw in given.metadata.items()
            if key.version == V14
        },
        "blocks": [_as_json(sample) for sample in given.samples],
        "package": peer.package,
        "fast": peer.fast,
    }


def same(name: str, given: Input, seen: dict[str, Sequence[Sequence[str]]]) -> None:
    """Raises `CheckFailed`, with the block, where the peer names other events or calls than we."""
    for what, ours in (("events", given.names), ("calls", given.calls)):
        theirs = seen[what]
        if len(theirs) != len(ours):
            raise CheckFailed(f"{name} answers for {len(theirs)} blocks instead of {len(ours)}")
        for sample, our_names, their_names in zip(given.samples, ours, theirs, strict=True):
            if list(our_names) != list(their_names):
                raise CheckFailed(
                    f"{name} reads other {what} in block {sample.number} than we do: "
                    f"{len(their_names)} instead of {len(our_names)}, or others"
                )


def _as_json(sample: Sample) -> dict[str, Any]:
    header = sample.header
    return {
        "hash": None if header is None else to_hex(header.hash),
        "header": None if header is None else _header_as_json(header),
        "spec_version": sample.spec_version,
        "events": sample.events.hex(),
        "extrinsics": [raw.hex() for raw in sample.extrinsics],
    }


def _header_as_json(header: Header) -> dict[str, Any]:
    return {
        "parentHash": to_hex(header.parent_hash),
        "number": hex(header.number),
        "stateRoot": to_hex(header.state_root),
        "extrinsicsRoot": to_hex(header.extrinsics_root),
        "digest": {"logs": [to_hex(item) for item in header.digest]},
    }
