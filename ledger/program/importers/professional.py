"""`members_professional.json`: who is billed for, where they are, which services they were given.

An object of member name to entry. Only what a bill follows from is required; the rest of an entry
differs from year to year and is not read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter

from ibp_chain.errors import ConfigError
from ledger.program.importers.strictjson import Entry, Flag, Name, folded, read

FILE = "members_professional.json"


class _Details(Entry):
    name: Name = Field(alias="Name")


class _Membership(Entry):
    level: Annotated[int, Field(alias="MemberLevel", ge=0, le=8)]
    joined: Annotated[int, Field(alias="Joined", ge=0)]
    """UNIX seconds."""


class _Service(Entry):
    active: Annotated[Flag, Field(alias="Active")]


class _Location(Entry):
    region: Annotated[str, Field(alias="Region", max_length=128)]


class _Member(Entry):
    details: Annotated[_Details, Field(alias="Details")]
    membership: Annotated[_Membership, Field(alias="Membership")]
    service: Annotated[_Service, Field(alias="Service")]
    assignments: Annotated[dict[Name, list[Name]], Field(alias="ServiceAssignments")]
    location: Annotated[_Location, Field(alias="Location")]


@dataclass(frozen=True, slots=True)
class ProfessionalMember:
    """A member as the configuration of a month has it."""

    name: str
    """The key of its entry, which the programme's bills use."""
    display_name: str
    level: int
    joined: int
    """UNIX seconds."""
    active: bool
    region: str
    """May be empty for a member that is not active yet."""
    services: tuple[str, ...]
    """What it was assigned, as it is spelled there, sorted."""


_FORM = TypeAdapter(dict[Name, _Member])


def parse_professional_members(raw: bytes, where: str = FILE) -> tuple[ProfessionalMember, ...]:
    """Every member, by name. Raises `ConfigError` naming `where`, the member and the field."""
    members = tuple(
        ProfessionalMember(
            name=name,
            display_name=entry.details.name,
            level=entry.membership.level,
            joined=entry.membership.joined,
            active=entry.service.active == 1,
            region=entry.location.region.strip(),
            services=_assigned(entry.assignments, f"{where}: {name}"),
        )
        for name, entry in sorted(read(_FORM, raw, where).items())
    )
    _refuse_namesakes((member.name for member in members), f"{where}: member")
    return members


def _assigned(groups: Mapping[str, list[str]], where: str) -> tuple[str, ...]:
    """All groups together: they sort services for people and mean nothing to a bill."""
    services = sorted(service for group in groups.values() for service in group)
    _refuse_namesakes(services, f"{where}: ServiceAssignments: service")
    return tuple(services)


def _refuse_namesakes(names: Iterator[str] | list[str], where: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if folded(name) in seen:
            raise ConfigError(f"{where} {name!r} stands there twice: it would be billed twice")
        seen[folded(name)] = name
