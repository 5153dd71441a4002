"""Scores of one member, day by day, as the published rows under the standing roots say."""

from collections.abc import Iterator
from datetime import date

from ibp_chain.web.errors import NotFound
from ibp_chain.web.models import PointsShown, ScoreDay, ServiceShown
from ibp_chain.web.shown import hex_
from ibp_chain.web.snapshot import Snapshot
from ledger.pallets.scores import Day, Standing, day_date, day_number
from ledger.program.polls import uptime_of
from oracles.report import ServiceDay


def score_days(snapshot: Snapshot, member_id: str) -> tuple[ScoreDay, ...]:
    """Every day with a standing report, ascending. Raises `NotFound`."""
    if member_id not in snapshot.state.membership.members:
        raise NotFound(f"no member {member_id!r} was ever registered in this ledger")
    return tuple(_days(snapshot, member_id))


def standing_of_day(snapshot: Snapshot, day: date) -> Standing:
    """Raises `NotFound`."""
    found = snapshot.state.scores.standing.find(day_number(day)) if day.year >= 1970 else None
    if found is None:
        raise NotFound(f"no report of {day} stands in this ledger")
    return found


def months(days: tuple[ScoreDay, ...]) -> tuple[str, ...]:
    """Those that `days` are of, ascending."""
    return tuple(sorted({each.day[:7] for each in days}))


def _days(snapshot: Snapshot, member_id: str) -> Iterator[ScoreDay]:
    for number, report in sorted(snapshot.state.scores.standing.items()):
        yield _day(snapshot, member_id, number, report)


def _day(snapshot: Snapshot, member_id: str, number: Day, report: Standing) -> ScoreDay:
    known = snapshot.scores.days.get(number)
    closing = snapshot.state.scores.closings.find(number)
    services = () if known is None else known.services.get(member_id, ())
    points = () if known is None else known.points.get(member_id, ())
    return ScoreDay(
        day=day_date(number).isoformat(),
        uptime_ppm=uptime_of((row.counts.known, row.failed) for row in services),
        root=hex_(report.root),
        services=tuple(map(_service, services)),
        points=tuple(
            PointsShown(
                milestone=row.milestone,
                points=row.points,
                clean=row.clean,
                charges=row.failed_charges + row.slow_charges,
            )
            for row in points
        ),
        known=known is not None,
        scored=closing is not None and member_id in closing.members,
    )


def _service(row: ServiceDay) -> ServiceShown:
    return ServiceShown(
        service=row.service,
        **row.counts._asdict(),
        uptime_ppm=row.uptime,
        p50_us=row.p50,
        p95_us=row.p95,
        p99_us=row.p99,
    )
