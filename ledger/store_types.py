"""Column types that refuse wrong values: planck amounts, account ids, hashes, counts.

SQLModel table models skip validation and SQLite stores whatever it is given, so these types check
on the way in, and CHECK constraints (`type_checks`) repeat it for whoever writes SQL by hand.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

PLANCK_DIGITS = 39
"""Of the largest u128, 2**128 - 1."""


def _check_int(value: Any, low: int, end: int) -> None:
    # bool is an int to Python, and a float that is whole would pass a comparison
    if type(value) is not int and not isinstance(value, IntEnum):
        raise ValueError(f"{value!r} is no integer")
    if not low <= value < end:
        raise ValueError(f"{value} is not between {low} and {end - 1}")


class PlanckColumn(TypeDecorator[int]):
    """A `u128`. SQLite: text of 39 digits with leading zeros; elsewhere NUMERIC(39).

    SQLite's INTEGER ends at 2**63 - 1, below a chain's total issuance, and its REAL rounds. With
    leading zeros text compares, sorts and has a MAX like the number; `CAST(x AS INTEGER)` adds up
    below 2**63. Raises `ValueError` for anything but an int in range.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        wide = Text() if dialect.name == "sqlite" else Numeric(PLANCK_DIGITS, 0)
        return dialect.type_descriptor(wide)

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        _check_int(value, 0, 2**128)
        return f"{value:0{PLANCK_DIGITS}d}" if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        del dialect  # int() reads both forms
        return None if value is None else int(value)


class CountColumn(TypeDecorator[int]):
    """A block number, an index, a time: an int from 0 to 2**63 - 1. Raises `ValueError`."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # SQLite's INTEGER has 64 bits, and as a primary key it costs no index
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        del dialect
        if value is not None:
            _check_int(value, 0, 2**63)
            value = int(value)
        return value


class BytesColumn(TypeDecorator[bytes]):
    """Exactly `size` bytes, or any number of them. Raises `ValueError`."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        super().__init__()

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        del dialect
        if value is not None:
            if not isinstance(value, bytes):
                raise ValueError(f"{value!r} is no bytes")
            if self.size not in {None, len(value)}:
                raise ValueError(f"{self.size} bytes are expected, not {len(value)}")
        return value


class TextColumn(TypeDecorator[str]):
    """Words, as somebody on the chain said them. U+0000, which PostgreSQL has no place for and
    SQLite's functions end at, becomes U+2400, its picture. Raises `ValueError`.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{value!r} is no text")
        return value and value.replace("\0", "\u2400")


class DayColumn(TextColumn):
    """A day in UTC, `2026-03-07`."""

    cache_ok = True


class NameColumn(TypeDecorator[Enum]):
    """A member of an enum as its name in lower case, which SQL users can read."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[Enum]) -> None:
        self.kind = kind
        super().__init__()

    @property
    def names(self) -> list[str]:
        return [member.name.lower() for member in self.kind]

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else self.kind(value).name.lower()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        del dialect
        return None if value is None else self.kind[value.upper()]


def type_checks(table: Table) -> Iterator[CheckConstraint]:
    """What the types of `table`'s columns demand, as constraints."""
    for column in table.columns:
        name = column.name
        match column.type:
            case PlanckColumn():
                digits = f"length({name}) = {PLANCK_DIGITS} AND {name} NOT GLOB '*[^0-9]*'"
                yield _stored_as("text", name)
                yield CheckConstraint(digits).ddl_if(dialect="sqlite")
                yield CheckConstraint(f"{name} BETWEEN 0 AND {2**128 - 1}").ddl_if(
                    dialect="postgresql"
                )
            case CountColumn():
                yield _stored_as("integer", name)
                yield CheckConstraint(f"{name} >= 0")
            case BytesColumn(size=size):
                yield _stored_as("blob", name)
                if size is not None:
                    yield CheckConstraint(f"length({name}) = {size}")
            case DayColumn():
                like = f"{name} GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]'"
                yield CheckConstraint(like).ddl_if(dialect="sqlite")
                yield CheckConstraint(f"{name} ~ '^\\d{{4}}-[01]\\d-[0-3]\\d$'").ddl_if(
                    dialect="postgresql"
                )
            case NameColumn(names=names):
                yield CheckConstraint(f"{name} IN ({', '.join(map(repr, names))})")


def _stored_as(kind: str, name: str) -> CheckConstraint:
    """SQLite keeps any value in any column, and text is above every number to it."""
    return CheckConstraint(f"typeof({name}) IN ('{kind}', 'null')").ddl_if(dialect="sqlite")
