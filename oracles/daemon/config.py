"""The TOML file that `ibp oracle run` is given; `docs/oracle.md` shows one in full."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from ibp_chain.accounts import ss58_decode
from ibp_chain.errors import AddressError, ConfigError
from ibp_chain.files import read_bounded
from ibp_chain.http_server import host_and_port
from ibp_chain.validation import Strict, parse_toml
from ledger.program.rules import Amount, Rules, load_rules
from oracles.daemon.agreement import Turns
from oracles.daemon.clocks import Clock, MachineClock, MachineTime, TimeLapse
from oracles.documents import VersionOne
from oracles.peers import Peer
from oracles.probes.files import load_targets
from oracles.probes.pool import Pace
from oracles.probes.slots import Freshness
from oracles.probes.targets import Target
from oracles.probes.wire import Limits, trusting
from oracles.rosters import load_roster
from oracles.rules import Roster, SlaRules, sla_rules

_MAX_SIZE = 1 << 20


def _an_http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("an http:// or https:// URL is expected")
    return value.rstrip("/")


def _a_host_and_port(value: str) -> str:
    try:
        _, port = host_and_port(value)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    if not port:
        raise ValueError(f"{value!r}: peers must know the port, so that it cannot be 0")
    return value


HttpUrl = Annotated[str, AfterValidator(_an_http_url)]
Seconds = Annotated[float, Field(ge=0, le=86_400, strict=False)]


class PollTable(Strict):
    """How hard to poll; times are the machine's."""

    seconds: Annotated[float, Field(gt=0, le=300, strict=False)] = 10.0
    """For one target."""
    at_once: Annotated[int, Field(ge=1, le=4096)] = 64
    per_host: Annotated[int, Field(ge=1)] = 4
    spread_seconds: Seconds = 200.0
    """Over which the starts of one slot are spread."""
    deadline_seconds: Annotated[float, Field(gt=0, le=300, strict=False)] = 240.0
    begin_within: Annotated[float, Field(ge=0, le=60, strict=False)] = 30.0
    """Programme seconds of a slot in which this oracle has its own moment to begin."""
    behind: Annotated[int, Field(ge=0)] = 10
    least_members: Annotated[int, Field(ge=1)] = 3


class ChainTable(Strict):
    """The node and how its blocks are used."""

    nodes: Annotated[list[str], Field(min_length=1)]
    """ws:// or http:// URLs, the first one that answers is used."""
    curators: str | None = None
    """Address of the multisig that must have founded the programme."""
    poll_seconds: Annotated[float, Field(gt=0, le=60, strict=False)] = 3.0
    era: Annotated[int, Field(ge=4, le=4096)] = 64
    """Blocks for which a signed extrinsic can be included."""
    behind_seconds: Annotated[float, Field(gt=0, strict=False)] = 120.0
    """How far the finalised head may be behind this machine's clock."""
    ahead_seconds: Annotated[float, Field(gt=0, strict=False)] = 10.0
    low_balance: Amount = Decimal(1)
    """Whole tokens, below which somebody is told: fees are two remarks a day."""

    def sound(self, offset: float) -> bool:
        """Whether the two clocks are as near as a finalised head allows to tell.

        `offset` is this machine's clock less the head's own time, in seconds.
        """
        return -self.ahead_seconds <= offset <= self.behind_seconds


class AlertTable(Strict):
    """Who is told; each is optional."""

    webhook: HttpUrl | None = None
    matrix_homeserver: HttpUrl | None = None
    matrix_room: str | None = None
    after_slots: Annotated[int, Field(ge=1)] = 2
    """Bad slots in a row before a service is worth an alert."""


class TurnTable(Strict):
    """As `Turns`; every oracle needs the same."""

    seconds: Annotated[int, Field(ge=60, le=3_600)] = 900
    quiet_seconds: Annotated[int, Field(ge=1, le=3_000)] = 300


class LapseTable(Strict):
    """Test networks only."""

    knots: Annotated[list[Annotated[tuple[float, float], Field(strict=False)]], Field(min_length=1)]
    """(machine, programme) seconds since 1970, ascending."""


class _ConfigFile(Strict):
    version: VersionOne
    folder: str
    targets: str
    roster: str
    rules: str | None = None
    trust: str | None = None
    """Certificate authorities to trust as well (PEM)."""
    listen: Annotated[str, AfterValidator(_a_host_and_port)] = "127.0.0.1:8800"
    """Where rows are published."""
    operator: Annotated[str, AfterValidator(_a_host_and_port)] | None = None
    """Where health and metrics are told to who runs the oracle."""
    chain: ChainTable
    poll: PollTable = PollTable()
    peers: dict[str, HttpUrl] = Field(default_factory=dict)
    """Address of an oracle to the URL at which it publishes."""
    alerts: AlertTable = AlertTable()
    turns: TurnTable = TurnTable()
    time_lapse: LapseTable | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """One oracle's settings, files read and checked."""

    folder: Path
    targets: tuple[Target, ...]
    roster: Roster
    rules: Rules
    listen: tuple[str, int]
    operator: tuple[str, int] | None
    chain: ChainTable
    poll: PollTable
    peers: tuple[Peer, ...]
    alerts: AlertTable
    turns: Turns
    clock: Clock
    tls: ssl.SSLContext

    @property
    def sla(self) -> SlaRules:
        return sla_rules(self.rules.sla)

    @property
    def pace(self) -> Pace:
        poll = self.poll
        return Pace(poll.at_once, poll.per_host, poll.spread_seconds, poll.deadline_seconds)

    @property
    def limits(self) -> Limits:
        return Limits(seconds=self.poll.seconds)

    @property
    def freshness(self) -> Freshness:
        return Freshness(self.poll.behind, self.poll.least_members)


def load_config(path: Path, machine: MachineTime) -> Config:
    """The configuration at `path`, whose own paths are relative to it. Raises `ConfigError`."""
    file = parse_toml(_ConfigFile, read_bounded(path, _MAX_SIZE, ConfigError), str(path))
    here = path.parent
    turns = Turns(file.turns.seconds, file.turns.quiet_seconds)
    if turns.quiet_seconds >= turns.seconds:
        raise ConfigError(f"{path}: turns: all of a turn would be quiet")
    config = Config(
        folder=here / file.folder,
        targets=load_targets(here / file.targets),
        roster=load_roster(here / file.roster),
        rules=load_rules(None if file.rules is None else here / file.rules),
        listen=host_and_port(file.listen),
        operator=None if file.operator is None else host_and_port(file.operator),
        chain=file.chain,
        poll=file.poll,
        peers=_peers(file.peers, path),
        alerts=file.alerts,
        turns=turns,
        clock=_clock(file.time_lapse, machine),
        tls=trusting(None if file.trust is None else here / file.trust),
    )
    _check_targets(config, path)
    return config


def _peers(table: Mapping[str, str], path: Path) -> tuple[Peer, ...]:
    try:
        return tuple(Peer(ss58_decode(address), url) for address, url in table.items())
    except (AddressError, ConfigError) as error:
        raise ConfigError(f"{path}: peers: {error}") from error


def _clock(lapse: LapseTable | None, machine: MachineTime) -> Clock:
    return MachineClock(machine) if lapse is None else TimeLapse(machine, lapse.knots)


def _check_targets(config: Config, path: Path) -> None:
    """Whoever is on the roster and never probed would stay unknown for ever."""
    probed = {(target.member, target.service) for target in config.targets}
    missing = sorted(set(config.roster.endpoints) - probed)
    if missing:
        named: Any = ", ".join(f"{member}/{service}" for member, service in missing[:5])
        raise ConfigError(f"{path}: on the roster, but not among the targets: {named}")
