"""Pages of lists."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from ibp_chain.web.models import Listed

T = TypeVar("T")

MAX_LIMIT = 200
DEFAULT_LIMIT = 50


def listed(items: Sequence[T], offset: int, limit: int) -> Listed[T]:
    """`limit` of `items` from `offset` on; none behind the end."""
    return Listed(
        items=tuple(items[offset : offset + limit]), total=len(items), offset=offset, limit=limit
    )


def matching(text: str, *fields: str | None) -> bool:
    """Whether any of `fields` has `text` in it, whatever the case."""
    wanted = text.casefold()
    return any(field is not None and wanted in field.casefold() for field in fields)


def newest(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(reversed(tuple(items)))
