"""Members, their locks, their scores."""

from pydantic import Field

from ibp_chain.web.models.base import Amount, Estimate, Model, Moment


class RankShown(Model):
    milestone: int
    value: int


class LockShown(Model):
    """A member's lock on one network."""

    network: str
    account: str | None
    covered: Amount
    required: Amount
    kept: bool
    by_delegation_only: bool
    until: Estimate | None = Field(description="When the largest commitment ends; null: open.")


class Owed(Model):
    """What a statement of the month would say, before there is a price for it."""

    period: str
    usd: str | None
    days: int
    withheld: str | None


class MemberShown(Model):
    """A member in the table of members."""

    member: str
    name: str
    region: str
    standing: str
    milestones: tuple[int, ...]
    ranks: tuple[RankShown, ...]
    locks: tuple[LockShown, ...]
    uptime_period: str | None
    uptime_ppm: int | None
    owed: tuple[Owed, ...]
    paid: Amount
    paid_period: str | None = Field(description="The last period that was paid.")


class MoveShown(Model):
    """Something that the curators made of a member."""

    at: Moment
    what: str
    milestone: int | None
    standing: str


class CoverShown(Model):
    """One Locked6x commitment."""

    track: int
    kind: str
    amount: Amount
    poll: int | None
    until: Estimate | None


class DecisionShown(Model):
    at: Moment
    outcome: str
    subject: str
    reason: str


class PaidShown(Model):
    """A line that was paid."""

    period: str
    member: str
    item: str
    payee: str
    amount: Amount
    at: Moment
    batch: str
    call_hash: str | None


class MemberDetail(MemberShown):
    """Everything that the state says of one member."""

    reason: str | None
    registered: Moment
    status_since: Moment
    accounts: tuple[tuple[str, str], ...] = Field(description="(network, address)")
    payees: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    covers: tuple[CoverShown, ...]
    moves: tuple[MoveShown, ...]
    decisions: tuple[DecisionShown, ...]
    payouts: tuple[PaidShown, ...]


class PointsShown(Model):
    milestone: int
    points: int
    clean: bool
    charges: int


class ServiceShown(Model):
    """One service of a member on one day; times in microseconds."""

    service: str
    ok: int
    failed: int
    slow: int
    unknown: int
    excluded: int
    uptime_ppm: int | None
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None


class ScoreDay(Model):
    """A day with a standing report, of one member."""

    day: str
    uptime_ppm: int | None
    root: str
    services: tuple[ServiceShown, ...]
    points: tuple[PointsShown, ...]
    known: bool = Field(description="Whether the published rows of the day are at hand.")
    scored: bool = Field(description="Whether the day closed with the member as active.")


class Stretch(Model):
    """A time over which nothing about a promise changed."""

    since: Moment
    until: Moment
    kept: bool
    covered: Amount
    by: str | None


class LockHistory(Model):
    """A member's promise on the ledger's own network since it was registered."""

    network: str
    required: Amount
    stretches: tuple[Stretch, ...]
    gaps: tuple[Stretch, ...]
    expected_until: Estimate | None
    problem: str | None
