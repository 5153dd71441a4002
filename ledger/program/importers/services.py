"""`services_rpc.json`: what each service needs of a machine, on how many nodes.

An object of service name to entry. Units, for one node: cores; memory in GB; disk in GB; bandwidth
in GB a month, as the programme's price list has them (RFC 013 of `ibp-network/RFCs`).
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter

from ibp_chain.errors import ConfigError
from ledger.program.importers.strictjson import Entry, Flag, Name, folded, read

FILE = "services_rpc.json"
_MAX_UNITS = 10**9


Units = Annotated[int, Field(ge=0, le=_MAX_UNITS)]


class Resources(Entry):
    """What a service takes; everything but `nodes` for one node."""

    nodes: Units
    cores: Units
    memory: Units
    disk: Units
    bandwidth: Units


class _Configuration(Entry):
    service_type: Annotated[Name, Field(alias="ServiceType")]
    active: Annotated[Flag, Field(alias="Active")]
    level: Annotated[int, Field(alias="LevelRequired", ge=0, le=8)]


class _Entry(Entry):
    configuration: Annotated[_Configuration, Field(alias="Configuration")]
    resources: Annotated[Resources, Field(alias="Resources")]


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the configuration of a month has it."""

    name: str
    service_type: str
    active: bool
    level: int
    """Of the members that are expected to run it. The programme never billed by it."""
    resources: Resources


_FORM = TypeAdapter(dict[Name, _Entry])


def parse_services(raw: bytes, where: str = FILE) -> tuple[Service, ...]:
    """Every service, by name. Raises `ConfigError` naming `where`, the service and the field."""
    services, seen = [], set[str]()
    for name, entry in sorted(read(_FORM, raw, where).items()):
        if folded(name) in seen:
            raise ConfigError(f"{where}: service {name!r} differs from another by case alone")
        seen.add(folded(name))
        about = entry.configuration
        services.append(
            Service(name, about.service_type, about.active == 1, about.level, entry.resources)
        )
    return tuple(services)
