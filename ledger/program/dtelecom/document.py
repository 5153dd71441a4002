"""An operator's month as people write it down: a JSON document, read strictly.

Decimals are text in plain digits, as in a rules file; an unknown, missing or doubled field makes it
no month. Everything that the rules ask for is in it: nothing is looked up.
"""

import calendar
import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from ibp_chain.errors import InputError
from ibp_chain.files import read_bounded
from ibp_chain.remark_bodies import Period, Slug
from ibp_chain.validation import Strict, first_problem
from ledger.program.dtelecom.incentives import NodeType, Region
from ledger.program.dtelecom.penalties import Minor, Violation
from ledger.program.dtelecom.quality import Measures
from ledger.program.fields import Amount

MAX_BYTES = 16 * 2**20
MAX_NODES = 10_000
_MAX_COUNT = 10**9
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


class MonthError(InputError):
    """No month of an operator."""


def _real_instant(value: str) -> str:
    datetime.strptime(value, _INSTANT).replace(tzinfo=UTC)
    return value


Percent = Annotated[Amount, Field(le=100)]
Usd = Annotated[Amount, Field(le=Decimal(10) ** 12)]
Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]
Instant = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"),
    AfterValidator(_real_instant),
]
"""UTC."""


class MeasuresPart(Strict):
    """`quality.Measures`, by the same names."""

    uptime: Percent
    latency_ms: Amount
    bandwidth_mbps: Amount
    loss: Percent
    connection_success: Percent
    error_rate: Percent
    recovery_s: Amount
    connections: Amount
    resources: Percent
    version_current: bool
    patches_current: bool
    policy_kept: bool

    @cached_property
    def measures(self) -> Measures:
        return Measures(**dict(self))


class Bonuses(Strict):
    """Added in USD, "0" for none (R5)."""

    geographic: Usd = Decimal(0)
    uptime: Usd = Decimal(0)
    traffic: Usd = Decimal(0)


class ViolationPart(Strict):
    """A minor violation of the month, and when it was remedied, if it was."""

    kind: Annotated[Minor, Field(strict=False)]
    detected: Instant
    remedied: Instant | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.remedied is not None and self.remedied < self.detected:
            raise ValueError("remedied before it was detected")
        return self

    @property
    def violation(self) -> Violation:
        remedied = None if self.remedied is None else seconds(self.remedied)
        return Violation(self.kind, seconds(self.detected), remedied)


class NodeMonth(Strict):
    id: Slug
    region: Annotated[Region, Field(strict=False)]
    type: Annotated[NodeType, Field(strict=False)] = NodeType.STANDARD
    base_usd: Usd
    """Network fees distributed to the node, before any multiplier."""
    stake_usd: Usd
    """As valued at its deposit (D10)."""
    lock_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    used: Usd = Decimal(0)
    """GB-months or GPU hours of a specialised node (I6 to I8)."""
    reduced_days: Annotated[int, Field(ge=0, le=31)] = 0
    """Days of the month under the ladder's reward reduction (L2)."""
    measures: MeasuresPart
    bonuses: Bonuses = Bonuses()
    violations: Annotated[tuple[ViolationPart, ...], Field(strict=False, max_length=1000)] = ()


class OperatorMonth(Strict):
    """A month of an operator and of the network around it."""

    format: Literal["dtelecom-month"]
    version: Annotated[int, Field(ge=1, le=1)]
    operator: Slug
    month: Period
    programme_month: Annotated[int, Field(ge=1, le=1200)]
    """The programme's own count, from 1: it decides which phase's clauses are in force (D17)."""
    genesis_since: Period | None = None
    """Month of a genesis operator's activation; none for others."""
    sla_signed: bool = False
    certifications: Annotated[tuple[str, ...], Field(strict=False, max_length=100)] = ()
    network: dict[Annotated[Region, Field(strict=False)], Count] = Field(default_factory=dict)
    """Nodes of the whole network by region, at the month's end."""
    nodes: Annotated[tuple[NodeMonth, ...], Field(strict=False, min_length=1, max_length=MAX_NODES)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [node.id for node in self.nodes]
        if len({*ids}) != len(ids):
            raise ValueError("two nodes have the same id")
        if any(node.reduced_days > self.days for node in self.nodes):
            raise ValueError(f"reduced_days: {self.month} has {self.days} days")
        if self.months_since_genesis is not None and self.months_since_genesis < 0:
            raise ValueError("genesis_since is after the month")
        for node in self.nodes:
            if any(seconds(found.detected) >= self.end for found in node.violations):
                raise ValueError(f"a violation of {node.id} is after the month")
        return self

    @property
    def days(self) -> int:
        year, month = map(int, self.month.split("-"))
        return calendar.monthrange(year, month)[1]

    @property
    def end(self) -> int:
        """The first second after the month."""
        return seconds(f"{self.month}-01T00:00:00Z") + self.days * 86_400

    @property
    def months_since_genesis(self) -> int | None:
        if self.genesis_since is None:
            return None
        year, month = map(int, self.month.split("-"))
        since_year, since_month = map(int, self.genesis_since.split("-"))
        return (year - since_year) * 12 + month - since_month


def seconds(instant: str) -> int:
    """Seconds since 1970 of an instant in UTC."""
    return int(datetime.strptime(instant, _INSTANT).replace(tzinfo=UTC).timestamp())


def parse_month(raw: bytes, where: str) -> OperatorMonth:
    """The month in `raw`. Raises `MonthError` naming `where` and the field."""
    try:
        value = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise MonthError(f"{where}: not JSON: {error}") from error
    try:
        return OperatorMonth.model_validate(value)
    except ValidationError as error:
        raise MonthError(f"{where}: {first_problem(error)}") from error


def load_month(path: Path) -> OperatorMonth:
    """The month in the file at `path`. Raises `MonthError`."""
    return parse_month(read_bounded(path, MAX_BYTES, MonthError), str(path))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len({*names}) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return dict(pairs)
