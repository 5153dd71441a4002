"""What an SLA measures and what it costs: the parameters of F1 to F6, and who serves what.

Source: seed 000 (milestones 3 and 5) in the readings of `docs/rules.md`. Nothing here has a
default: the numbers come from the programme's rules file, whose hash is on chain.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from ibp_chain.errors import ConfigError
from ibp_chain.types import Micros, Ppm
from ledger.program.rules import SlaTable

K = TypeVar("K")
V = TypeVar("V")

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


def check_slug(value: str, what: str) -> None:
    """Raises `ValueError` for an id that the remark protocol would refuse."""
    if not _SLUG.fullmatch(value):
        raise ValueError(f"{value!r} is no {what} id: lower-case letters, digits, dashes, up to 32")


class ChargeWindow(StrEnum):
    """How "per 15 minutes" is read (F2)."""

    RUNS = "runs"
    """Every n-th slot of an unbroken run is charged, wherever the run began, across midnight."""
    ALIGNED = "aligned"
    """Windows of n slots counted from midnight; one is charged when all its slots are bad."""


@dataclass(frozen=True, slots=True)
class SlaRules:
    """The scoring parameters of one programme."""

    slow_at: Micros
    """A response time of this much or more is slow (F1: 100 ms)."""
    slots_per_charge: int
    """How many bad slots make one charge (F2: 3 slots, 15 minutes)."""
    failed_charge: int
    """Points lost per charge for failed slots (F2: 7)."""
    slow_charge: int
    """Points lost per charge for slow slots (F2: 1)."""
    clean_day: int
    """Points of a clean day (F3: 1)."""
    clean_day_known: Ppm
    """Least share of known polls in a clean day (F3: 950,000)."""
    chain_fault_members: int
    """How many members must be seen failing, with none seen working, before a fault is the
    chain's and nobody's (2: a chain that only one member serves is its own to keep up)."""
    window: ChargeWindow

    def __post_init__(self) -> None:
        least = {
            "slow_at": 1, "slots_per_charge": 1, "failed_charge": 0, "slow_charge": 0,
            "clean_day": 0, "clean_day_known": 0, "chain_fault_members": 1,
        }  # fmt: skip
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ConfigError(f"SLA rules: {name} is {getattr(self, name)}, below {bound}")
        if self.clean_day_known > 1_000_000:
            raise ConfigError(f"SLA rules: clean_day_known of {self.clean_day_known} ppm is over 1")


def sla_rules(table: SlaTable) -> SlaRules:
    """The scoring parameters of a rules file's `[sla]`."""
    return SlaRules(
        slow_at=Micros(table.slow_at_us),
        slots_per_charge=table.slots_per_charge,
        failed_charge=table.failed_charge,
        slow_charge=table.slow_charge,
        clean_day=table.clean_day,
        clean_day_known=Ppm(table.clean_day_known_ppm),
        chain_fault_members=table.chain_fault_members,
        window=ChargeWindow(table.window),
    )


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of endpoint that members run."""

    id: str
    chain: str
    """Several services can share a chain: `asset-hub-kusama` is behind its RPC and its ETH-RPC."""
    milestone: int
    """Whose SLA counts it: 3 (relay chains) or 5 (system chains), F5."""


@dataclass(frozen=True)
class Roster:
    """Who is measured on what during a day. A member that is not active is not on it."""

    services: tuple[Service, ...]
    assigned: Mapping[str, frozenset[str]]
    """Member id to the ids of its services."""

    def __post_init__(self) -> None:
        ids = [service.id for service in self.services]
        if len(set(ids)) != len(ids):
            raise ConfigError("roster: a service is listed twice")
        try:
            for service in self.services:
                check_slug(service.id, "service")
            for member in self.assigned:
                check_slug(member, "member")
        except ValueError as error:
            raise ConfigError(f"roster: {error}") from error
        if any(not 1 <= service.milestone <= 8 for service in self.services):
            raise ConfigError("roster: a service's milestone is outside 1 to 8")
        for member, assigned in self.assigned.items():
            if missing := assigned - set(ids):
                raise ConfigError(f"roster: {member} is assigned unknown {sorted(missing)}")

    @cached_property
    def endpoints(self) -> tuple[tuple[str, str], ...]:
        """Every (member, service), ascending."""
        return tuple(
            (member, service)
            for member in sorted(self.assigned)
            for service in sorted(self.assigned[member])
        )

    @cached_property
    def by_chain(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Chain to its (member, service) endpoints, ascending."""
        chains = {service.id: service.chain for service in self.services}
        return _grouped((chains[service], (member, service)) for member, service in self.endpoints)

    @cached_property
    def by_milestone(self) -> Mapping[tuple[str, int], tuple[tuple[str, str], ...]]:
        """(member, milestone) to the (member, service) endpoints that count for it, ascending."""
        milestones = {service.id: service.milestone for service in self.services}
        groups = _grouped(
            ((member, milestones[service]), (member, service)) for member, service in self.endpoints
        )
        return dict(sorted(groups.items()))


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}
