"""`members.json`: the programme's older member list, with the accounts that were signed and paid.

One object under `members`, of member id to entry. Its numbers are text, its `endpoints` an empty
list where there are none, its region lower case with underscores or as in the other files, and any
account may be empty text; all of that is taken, and comes out in one form.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter

from ledger.program.importers.strictjson import Entry, Name, read

FILE = "members.json"


def _digits(value: Any) -> Any:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        raise ValueError("a number written as text is expected")
    return int(value[:20])


def _optional_digits(value: Any) -> Any:
    return None if value == "" else _digits(value)


def _endpoints(value: Any) -> Any:
    return {} if value == [] else value


DigitsText = Annotated[int, BeforeValidator(_digits), Field(ge=0)]
OptionalDigits = Annotated[int | None, BeforeValidator(_optional_digits)]


class _Payments(Entry):
    validator_address: str
    payment_address: str
    signature: str


class _Member(Entry):
    name: Name
    membership: Literal["professional", "hobbyist"]
    current_level: DigitsText
    active: DigitsText
    region: Annotated[str, Field(max_length=128)]
    level_timestamp: dict[str, OptionalDigits]
    endpoints: Annotated[dict[str, str], BeforeValidator(_endpoints)]
    payments: dict[str, _Payments]


class _File(Entry):
    members: dict[Name, _Member]


@dataclass(frozen=True, slots=True)
class PaymentAccount:
    """'Sign & Verify': the validator's account said by signature where it is paid."""

    network: str
    validator: str
    """SS58, as it is written."""
    payee: str
    signature: str
    """0x hex."""


@dataclass(frozen=True, slots=True)
class DirectoryMember:
    """A member as `members.json` has it."""

    id: str
    name: str
    membership: str
    level: int
    active: bool
    region: str
    """In words, such as `North America`; empty where none is given."""
    reached: tuple[tuple[int, int], ...]
    """Each level with the UNIX second at which it was reached, ascending by level."""
    endpoints: tuple[tuple[str, str], ...]
    """Service and URL, by service."""
    accounts: tuple[PaymentAccount, ...]
    """By network, complete ones only."""


_FORM = TypeAdapter(_File)


def parse_directory(raw: bytes, where: str = FILE) -> tuple[DirectoryMember, ...]:
    """Every member, by id. Raises `ConfigError` naming `where`, the member and the field."""
    return tuple(
        _member(name, entry) for name, entry in sorted(read(_FORM, raw, where).members.items())
    )


def _member(name: str, entry: _Member) -> DirectoryMember:
    reached = (
        (int(level), at)
        for level, at in entry.level_timestamp.items()
        if level.isascii() and level.isdigit() and at is not None
    )
    return DirectoryMember(
        id=name,
        name=entry.name,
        membership=entry.membership,
        level=entry.current_level,
        active=entry.active == 1,
        region=entry.region.replace("_", " ").title().strip(),
        reached=tuple(sorted(reached)),
        endpoints=tuple(sorted(entry.endpoints.items())),
        accounts=tuple(
            PaymentAccount(network, given.validator_address, given.payment_address, given.signature)
            for network, given in sorted(entry.payments.items())
            if given.validator_address and given.payment_address and given.signature
        ),
    )
