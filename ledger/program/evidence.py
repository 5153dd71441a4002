"""What the curators looked at when they granted a milestone: one document, hashed by the grant.

The `milestone` remark carries the hash; whoever has the document sees what it is for, and tables of
progress like the programme's own (seed 002) are made from it. Units: `value` counts what the
requirement asks for: backends, pools, years, IOPS for each TB.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from ibp_chain.blocks import blake2_256
from ibp_chain.remark_bodies import Slug
from ibp_chain.remarks import canonical_json
from ibp_chain.types import Hash
from ibp_chain.validation import Strict
from ledger.program.fields import Count, MilestoneNumber
from ledger.program.importers.strictjson import read

Link = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[ -~]+$")]
Note = Annotated[str, Field(max_length=200)]


class Verdict(StrEnum):
    """What the curators made of an item."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    NEEDS_WORK = "needs work"
    NOT_APPLICABLE = "n/a"


class Item(Strict):
    """One thing that was shown for one requirement, on one chain where it asks for chains."""

    requirement: Slug
    """Within the document's milestone; a task of milestone 7 by its own name."""
    chain: Slug | None = None
    value: Count | None = None
    verdict: Annotated[Verdict, Field(strict=False)] = Verdict.ACCEPTED
    link: Link
    note: Note = ""


class Evidence(Strict):
    """Everything that was shown for one milestone of one member."""

    format: Literal["ibp-evidence"] = "ibp-evidence"
    version: Literal[1] = 1
    member: Slug
    milestone: MilestoneNumber
    items: Annotated[tuple[Item, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _tells_nothing_twice(self) -> Self:
        places = [(item.requirement, item.chain, item.link) for item in self.items]
        if len(set(places)) != len(places):
            raise ValueError("an item is listed twice")
        return self

    @property
    def encoded(self) -> bytes:
        """The one form that is hashed: canonical JSON."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True))

    @property
    def hash(self) -> Hash:
        """What the `milestone` remark carries."""
        return blake2_256(self.encoded)

    def accepted(self, requirement: str, chain: str | None = None) -> tuple[Item, ...]:
        """Accepted items for a requirement, of one chain where one is given."""
        return tuple(
            item
            for item in self.items
            if item.requirement == requirement
            and item.verdict is Verdict.ACCEPTED
            and chain in {None, item.chain}
        )


_EVIDENCE = TypeAdapter(Evidence)


def parse_evidence(raw: bytes, where: str) -> Evidence:
    """Raises `ConfigError` naming `where` and the field."""
    return read(_EVIDENCE, raw, where)


def progress(
    documents: Iterable[Evidence], requirement: str, chains: Iterable[str | None]
) -> list[tuple[str, ...]]:
    """One row for each member, ascending: its name, and for each chain what was shown; None is for
    what is shown on no chain.

    A cell is the count where items have one, else the links; what is not accepted says so; nothing
    is shown as `-`. Seed 002's tables have this form.
    """
    columns = tuple(chains)
    return [
        (document.member, *(_cell(document, requirement, chain) for chain in columns))
        for document in sorted(documents, key=lambda document: document.member)
    ]


def _cell(document: Evidence, requirement: str, chain: str | None) -> str:
    items = [i for i in document.items if (i.requirement, i.chain) == (requirement, chain)]
    accepted = [item for item in items if item.verdict is Verdict.ACCEPTED]
    if accepted and all(item.value is not None for item in accepted):
        return str(sum(item.value or 0 for item in accepted))
    shown = (i.link if i.verdict is Verdict.ACCEPTED else _said(i) for i in items)
    return ", ".join(shown) or "-"


def _said(item: Item) -> str:
    return f"{item.verdict} ({item.note})" if item.note else item.verdict.value
