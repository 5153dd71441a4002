"""The oracles: real `ibp oracle run` processes, each with a folder of its own, behind gates."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ibp_chain.accounts import ss58_encode
from ibp_chain.errors import CheckFailed
from ibp_chain.keys import Signer
from scripts.network.chain import oracle_uri
from scripts.network.gates import Gates
from scripts.network.members import BLOCK_MILLIS, GENESIS_HEX, MEMBERS, Listening
from scripts.scenario.play import NETWORK

SERVICE, CHAIN, MILESTONE = "polkadot", "polkadot", 3
ERA = 8
_END_SECONDS = 60.0
_PORTS = range(20_000, 32_000)
"""Below those that a system gives to whoever asks for none in particular, connections included."""


@dataclass
class Daemon:
    """One oracle process, started as often as it is killed."""

    number: int
    signer: Signer
    folder: Path
    port: int
    """Where it publishes."""
    starts: int = 0
    _process: "subprocess.Popen[bytes] | None" = None
    _log: IO[bytes] | None = None

    @property
    def name(self) -> str:
        return f"oracle-{self.number}"

    @property
    def address(self) -> str:
        return ss58_encode(self.signer.account, NETWORK.ss58_prefix)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> None:
        assert self._process is None, f"{self.name} runs already"
        self._log = self.log.open("ab")
        command = [sys.executable, "-m", "ibp_chain.cli.app", "oracle", "run"]
        self._process = subprocess.Popen(
            [*command, str(self.folder / "config.toml")],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=os.environ | {"IBP_SECRET_URI": oracle_uri(self.number)},
        )
        self.starts += 1

    def kill(self) -> None:
        """As a loss of power does: nothing of it runs a moment longer."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        return self._end(signal.SIGTERM)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def check(self) -> None:
        """Raises `CheckFailed` with the end of its log where it ended by itself."""
        if self._process is not None and (code := self._process.poll()) is not None:
            said = self.log.read_text(errors="replace")[-2_000:]
            raise CheckFailed(f"{self.name} ended by itself with code {code}:\n{said}")

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        process.send_signal(number)
        try:
            code = process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise CheckFailed(f"{self.name} did not end within {_END_SECONDS:g} s") from None
        finally:
            self._process = None
            if self._log is not None:
                self._log.close()
        return code


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is that a daemon's configuration names."""

    folder: Path
    authority: Path
    node_port: int
    members: Mapping[str, Listening]
    knots: Sequence[tuple[float, float]]
    poll_seconds: float
    """Of one target."""


@dataclass
class Crowd:
    """All oracles of the programme, the bad one among them, and the ways between them."""

    places: Places
    daemons: Sequence[Daemon]
    gates: Gates
    strangers: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """Address of an oracle that is no daemon: the port at which it serves each daemon."""

    def write(self) -> None:
        """Every daemon's folder."""
        for daemon in self.daemons:
            daemon.folder.mkdir(parents=True)
            (daemon.folder / "targets.toml").write_text(targets(self.places.members))
            (daemon.folder / "roster.toml").write_text(roster())
            (daemon.folder / "config.toml").write_text(self._config(daemon))

    def _config(self, daemon: Daemon) -> str:
        places, seconds = self.places, self.places.poll_seconds
        node = self.gates.open(daemon.name, "node", places.node_port)
        peers = {
            other.address: self.gates.open(daemon.name, other.name, other.port)
            for other in self.daemons
            if other is not daemon
        }
        for address, ports in self.strangers.items():
            peers[address] = self.gates.open(daemon.name, address, ports[daemon.number])
        lines = [f'"{address}" = "http://127.0.0.1:{port}"' for address, port in peers.items()]
        return "\n".join(
            (
                "version = 1",
                'folder = "data"',
                'targets = "targets.toml"',
                'roster = "roster.toml"',
                f"trust = {json.dumps(str(places.authority))}",
                f'listen = "127.0.0.1:{daemon.port}"',
                "[chain]",
                f'nodes = ["ws://127.0.0.1:{node}"]',
                "poll_seconds = 0.6",
                f"era = {ERA}",
                "behind_seconds = 3600",
                "ahead_seconds = 300",
                "[poll]",
                f"seconds = {seconds}",
                f"spread_seconds = {seconds / 3}",
                f"deadline_seconds = {seconds * 1.6}",
                "at_once = 8",
                "begin_within = 30",
                "[time_lapse]",
                f"knots = {json.dumps([list(knot) for knot in places.knots])}",
                "[peers]",
                *lines,
                "",
            )
        )


def targets(members: Mapping[str, Listening]) -> str:
    """The file of targets: every member's own way in to the one service."""
    return "\n".join(
        (
            "version = 1",
            "[members]",
            *(f"{member} = {json.dumps(at.addresses)}" for member, at in members.items()),
            "[[chains]]",
            f'id = "{CHAIN}"',
            f'genesis = "{GENESIS_HEX}"',
            f"block_millis = {BLOCK_MILLIS}",
            "[[services]]",
            f'id = "{SERVICE}"',
            'kind = "rpc"',
            f'chain = "{CHAIN}"',
            "[services.own]",
            *(f"{member} = {json.dumps([at.url])}" for member, at in members.items()),
            "",
        )
    )


def roster() -> str:
    """The file of who is measured on what."""
    return "\n".join(
        (
            "version = 1",
            "[[services]]",
            f'id = "{SERVICE}"',
            f'chain = "{CHAIN}"',
            f"milestone = {MILESTONE}",
            "[assigned]",
            *(f'{member.id} = ["{SERVICE}"]' for member in MEMBERS),
            "",
        )
    )


@contextmanager
def ended(daemons: Sequence[Daemon]) -> Iterator[None]:
    """Whatever happens inside, no daemon outlives the context."""
    try:
        yield
    finally:
        for daemon in daemons:
            if daemon.running:
                daemon.kill()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listened on a moment ago, and that nobody gets by chance."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found
