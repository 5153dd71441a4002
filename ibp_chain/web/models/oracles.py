"""What each oracle said of every day."""

from pydantic import Field

from ibp_chain.web.models.base import Model, Moment


class OracleShown(Model):
    oracle: str
    in_office: bool
    observed: int
    reported: int
    agreed: int = Field(description="Days on which it reported the root that stands.")
    equivocations: int


class OracleDay(Model):
    """One UTC day: what was committed, reported, and whether a report stands."""

    day: str
    closed: Moment | None
    quorum: int | None
    members: int | None = Field(description="Active when the day closed: who is scored.")
    committed: tuple[str, ...]
    root: str | None
    rows: int | None
    reporters: tuple[str, ...]
    stands_since: Moment | None
    words: tuple[str, ...] = Field(
        description="What each oracle of the list said: agreed, other, observed, none, twice."
    )


class PairShown(Model):
    """How often two oracles that both reported a day reported the same root."""

    one: str
    other: str
    both: int
    same: int


class EquivocationShown(Model):
    oracle: str
    day: str
    kind: str
    roots: tuple[str, str]
    digests: tuple[str, str]
    at: Moment


class OraclesShown(Model):
    """The oracles, and how they agree with one another."""

    quorum: int | None
    oracles: tuple[OracleShown, ...]
    pairs: tuple[PairShown, ...]
    equivocations: tuple[EquivocationShown, ...]
    closed: int
    standing: int
