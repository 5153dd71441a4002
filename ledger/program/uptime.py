"""How long services were up in a month: from standing reports, or from a file that says so.

Rule B3. An uptime is a ratio of whole numbers, never a rounded percentage. From standing reports it
is polls that did not fail of polls whose outcome a quorum knew (reading F6), over all standing days
of the month: an unknown poll counts neither way.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal, Protocol, TypeAlias

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ibp_chain.remark_bodies import Period
from ibp_chain.remarks import canonical_json
from ibp_chain.types import Hash
from ibp_chain.validation import Strict, first_problem
from ledger.program.importers.strictjson import Entry, Name, Number, folded, parse_json

_Row: TypeAlias = tuple[str, str | None, Decimal]
_PERCENT = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,12})?")


class PollCounts(Protocol):
    """One (member, service) over one UTC day, as a statement's service record has it."""

    @property
    def day(self) -> date: ...
    @property
    def member(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def known(self) -> int: ...
    @property
    def failed(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Uptime:
    """`up` of `known`. Raises `ValueError` for what is no share."""

    up: int
    known: int
    said: str
    """By what, in words for people."""

    def __post_init__(self) -> None:
        if not 0 <= self.up <= self.known or not self.known:
            raise ValueError(f"an uptime of {self.up} of {self.known}")


class Unknown(StrEnum):
    """What becomes of a service of whose uptime nothing is known."""

    REFUSE = "refuse"
    """No bill is made: a person decides."""
    FULL = "full"
    """As the programme's own software does, for which no recorded downtime is none."""
    NONE = "none"
    """Nothing is billed for it."""


FULL = Uptime(1, 1, "no uptime was given: billed in full")


@dataclass(frozen=True, slots=True)
class Uptimes:
    """What is known of a month. Keys are compared by `slug`."""

    source: str
    """In words for people."""
    hash: Hash | None
    """Of what it was read from; None where nothing was."""
    by_service: Mapping[tuple[str, str], Uptime]
    """By member and service."""
    by_member: Mapping[str, Uptime]
    """For all services of a member that have none of their own."""

    def find(self, members: Iterable[str], service: str) -> Uptime | None:
        """That of the first of `members`, the names that one member goes by."""
        names = [slug(name) for name in members]
        for name in names:
            if (found := self.by_service.get((name, slug(service)))) is not None:
                return found
        return next((self.by_member[name] for name in names if name in self.by_member), None)


NOT_GIVEN = Uptimes("not given: every service is billed in full", None, {}, {})


@lru_cache(maxsize=4096)
def slug(name: str) -> str:
    """`name` as the ledger and the oracles spell it: `Stake Plus` is `stake-plus`."""
    return re.sub(r"[^a-z0-9]+", "-", folded(name)).strip("-")


def uptimes_of_polls(
    records: Iterable[PollCounts], standing: Mapping[date, Hash], period: str
) -> Uptimes:
    """From the rows of standing reports; `standing` has the root of each day's.

    Raises `ConfigError` for two records about the same day, member and service, for a record of a
    day of which no report stands, and for days of another month.
    """
    polls: dict[tuple[str, str], list[int]] = {}
    seen: set[tuple[date, str, str]] = set()
    for record in records:
        about = record.day, record.member, record.service
        if about in seen:
            raise ConfigError(f"two score rows about {' '.join(map(str, about))}")
        seen.add(about)
        if record.day not in standing:
            raise ConfigError(f"score rows of {record.day}, of which no report stands")
        counted = polls.setdefault((slug(record.member), slug(record.service)), [0, 0, 0])
        counted[0] += record.known - record.failed
        counted[1] += record.known
        counted[2] += 1
    if strange := [day for day in standing if f"{day:%Y-%m}" != period]:
        raise ConfigError(f"a report of {min(strange)} says nothing of {period}")
    roots = [[day.isoformat(), "0x" + root.hex()] for day, root in sorted(standing.items())]
    return Uptimes(
        f"standing reports of {len(standing)} days",
        blake2_256(canonical_json(roots)),
        {
            about: Uptime(up, known, f"{up} of {known} known polls did not fail, on {days} days")
            for about, (up, known, days) in polls.items()
            if known
        },
        {},
    )


def read_uptimes(raw: bytes, period: str, where: str) -> Uptimes:
    """From a file: `ibp-uptime` (docs/billing.md), or the programme's published overview.

    Raises `ConfigError` naming `where` and the field, for uptime above 100 %, for a member or
    service that stands there twice, and where nothing in it is about `period`.
    """
    value = parse_json(raw, where)
    try:
        if isinstance(value, list):
            rows = _OVERVIEW.validate_python(value)
            stated: list[_Row] = [
                (row.member, None, row.uptime_pct) for row in rows if row.month == period
            ]
        else:
            file = _FILE.validate_python(value)
            if file.period != period:
                raise ConfigError(f"{where}: is about {file.period}, the bill is for {period}")
            stated = [(one.member, one.service, one.percent) for one in file.uptime]
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_problem(error)}") from error
    if not stated:
        raise ConfigError(f"{where}: says nothing of {period}")
    return _collected(stated, where, blake2_256(raw))


# --- Internals ----------------------------------------------------------------------


def _percent(value: Any) -> Any:
    if not isinstance(value, str) or not _PERCENT.fullmatch(value):
        raise ValueError('a percentage is written as text in plain digits, such as "99.95"')
    return Decimal(value)


class _Stated(Strict):
    member: Name
    service: Name | None = None
    percent: Annotated[Decimal, BeforeValidator(_percent), Field(le=100)]


class _File(Strict):
    format: Literal["ibp-uptime"]
    version: Literal[1]
    period: Period
    uptime: list[_Stated]


class _Published(Entry):
    """A row of the programme's overview: its uptime is the mean over services, to two decimals."""

    month: Period
    member: Name
    uptime_pct: Annotated[Number, Field(le=100)]


_FILE = TypeAdapter(_File)
_OVERVIEW = TypeAdapter(list[_Published])


def _collected(stated: Iterable[_Row], where: str, hash_: Hash) -> Uptimes:
    by_service: dict[tuple[str, str], Uptime] = {}
    by_member: dict[str, Uptime] = {}
    for member, service, percent in stated:
        up, known = percent.as_integer_ratio()
        uptime = Uptime(up, known * 100, f"{percent:f} %, as given")
        if service is None:
            if slug(member) in by_member:
                raise ConfigError(f"{where}: {member!r} stands there twice")
            by_member[slug(member)] = uptime
            continue
        if (slug(member), slug(service)) in by_service:
            raise ConfigError(f"{where}: {member!r} {service!r} stands there twice")
        by_service[slug(member), slug(service)] = uptime
    return Uptimes("a file that was given", hash_, by_service, by_member)
